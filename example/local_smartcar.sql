--
-- local_smartcar.sql: the extension, and a SERVER that leads to the local
-- Smartcar of test/sandbox.
--
--   psql -X -v sandbox=ORIGIN -v redirect_uri=URI -f local_smartcar.sql
--   psql -X -v sandbox=ORIGIN -v redirect_uri=URI -v api_version=2.0 -v key_file=PATH -f local_smartcar.sql
--
-- Only version 2.0 has tokens of owners, and a key to encrypt them.
--
-- For the real Smartcar see README.md.
--

-- not in public, which belongs to the application
CREATE SCHEMA smartcar;
CREATE EXTENSION smartcar_tesla SCHEMA smartcar;
ALTER DATABASE :"DBNAME" SET search_path = public, smartcar;
SET search_path = public, smartcar;

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri :'redirect_uri',
	scope 'read_vehicle_info read_user_profile read_battery read_charge read_odometer read_location control_charge',
	timeout '10s',
	connect_origin :'sandbox', auth_origin :'sandbox', iam_origin :'sandbox',
	api_origin :'sandbox', vehicle_origin :'sandbox', management_origin :'sandbox');

CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret',
	management_token 'sandbox-management-token');

\if :{?api_version}
	ALTER SERVER smartcar OPTIONS (ADD api_version :'api_version', ADD token_key_file :'key_file');
	ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (ADD client_secret 'sandbox-client-secret');
\endif
