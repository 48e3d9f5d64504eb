--
-- setup.sql: sets up the small PostgreSQL that compose.yaml starts.
--
-- Put the values of your application into the options of the server.  It runs
-- once, as a superuser, when the database is new.
--

CREATE SCHEMA smartcar;
CREATE EXTENSION smartcar_tesla SCHEMA smartcar;
ALTER DATABASE smartcar SET search_path = smartcar;
SET search_path = smartcar;

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_odometer read_location');

CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	api_client_id 'client_8d1f3a6e',
	api_client_secret_file '/run/secrets/api_client_secret',
	management_token_file '/run/secrets/management_token');

-- the role of your application, and of the managed PostgreSQL
\set password `cat /run/secrets/garage_password`
CREATE ROLE garage LOGIN PASSWORD :'password';
SELECT smartcar_grant('garage', 'application', 'smartcar');

-- What the managed PostgreSQL may read.  action is text, because the type is not
-- known there; the columns are named, so that an update of the extension adds none.
CREATE VIEW garage_status AS
	SELECT external_id, user_id, vehicle_id, make, model, year, status, missing_scopes, missing_tesla_permissions,
		virtual_key_paired, error_type, error_code, error_description, action::text AS action, action_url, synced_at
	FROM smartcar_status;
GRANT SELECT ON garage_status TO garage;
