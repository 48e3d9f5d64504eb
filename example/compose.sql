--
-- compose.sql: the extension, the SERVER, and the passwords of the two roles, for
-- compose.yaml.  It runs once, as a superuser, when the database is new, and before
-- schema.sql.
--

\getenv client_id CLIENT_ID
\getenv api_client_id API_CLIENT_ID
\getenv origin ORIGIN
\set redirect_uri :origin '/callback'
\set web_password `cat /run/secrets/garage_web_password`
\set operator_password `cat /run/secrets/garage_operator_password`

CREATE SCHEMA smartcar;
CREATE EXTENSION smartcar_tesla SCHEMA smartcar;
ALTER DATABASE :"DBNAME" SET search_path = public, smartcar;

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id :'client_id',
	redirect_uri :'redirect_uri',
	scope 'read_vehicle_info read_user_profile read_battery read_charge read_odometer read_location control_charge');

CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	api_client_id :'api_client_id',
	api_client_secret_file '/run/secrets/api_client_secret',
	management_token_file '/run/secrets/management_token');

CREATE ROLE garage_web LOGIN PASSWORD :'web_password';
CREATE ROLE garage_operator LOGIN PASSWORD :'operator_password';
