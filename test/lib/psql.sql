--
-- psql.sql: the setup of test/psql.sh.
--

CREATE EXTENSION smartcar_tesla;

-- Every origin is the local Smartcar, which knows these secrets.  Those of v2.0 and the key
-- are for another server or the option api_version.
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_user_profile read_odometer read_location control_charge',
	connect_origin :'sandbox', auth_origin :'sandbox', iam_origin :'sandbox', api_origin :'sandbox',
	vehicle_origin :'sandbox', management_origin :'sandbox', compatibility_origin :'sandbox',
	token_key_file :'key_file');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret',
	management_token 'sandbox-management-token', client_secret 'sandbox-client-secret');

\echo 'The local Smartcar is at' :sandbox
\echo 'Try: SELECT smartcar_begin_connect(''me'');  -- and open the link'
\echo 'With version 2.0 of the API: ALTER SERVER smartcar OPTIONS (ADD api_version ''2.0'');'
