-- The server whose accounts are refreshed.
--
-- Variables: origin, at_once, key_file.

CREATE SERVER refresh FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'read_odometer read_location', max_concurrency :'at_once', token_key_file :'key_file', api_version '2.0',
	auth_origin :'origin', api_origin :'origin');
CREATE USER MAPPING FOR PUBLIC SERVER refresh OPTIONS (client_secret 'sandbox-client-secret');

CREATE TABLE bench_account (user_id text, access_token text, refresh_token text);
