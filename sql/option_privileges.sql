--
-- Who may set which option, and who may use a server
--

CREATE ROLE regress_smartcar_owner;
CREATE ROLE regress_smartcar_user;
CREATE ROLE regress_smartcar_member;
GRANT USAGE ON FOREIGN DATA WRAPPER smartcar_tesla TO regress_smartcar_owner;

-- options that only superusers may set: CREATE SERVER
SET ROLE regress_smartcar_owner;
CREATE SERVER owned FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id 'app', redirect_uri 'https://example.com/', scope 'read_vin', timeout '10s');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (connect_origin 'https://evil.example');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (auth_origin 'https://evil.example');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (iam_origin 'https://evil.example');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (api_origin 'https://evil.example');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (vehicle_origin 'https://evil.example');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (management_origin 'https://evil.example');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (ca_file '/etc/passwd');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (token_key_file '/etc/passwd');
-- ALTER SERVER
ALTER SERVER owned OPTIONS (ADD api_origin 'https://evil.example');
-- CREATE USER MAPPING and ALTER USER MAPPING
CREATE USER MAPPING FOR CURRENT_USER SERVER owned OPTIONS (client_secret_file '/etc/passwd');
CREATE USER MAPPING FOR CURRENT_USER SERVER owned OPTIONS (api_client_secret_file '/etc/passwd');
CREATE USER MAPPING FOR CURRENT_USER SERVER owned OPTIONS (management_token_file '/etc/passwd');
CREATE USER MAPPING FOR PUBLIC SERVER owned OPTIONS (client_secret_file '/etc/passwd');
CREATE USER MAPPING FOR CURRENT_USER SERVER owned OPTIONS (client_secret 'canary');
ALTER USER MAPPING FOR CURRENT_USER SERVER owned OPTIONS (ADD management_token_file '/etc/passwd');
RESET ROLE;

-- what a superuser set cannot be changed by the owner of the server
ALTER SERVER owned OPTIONS (ADD ca_file '/etc/ssl/test.pem');
SET ROLE regress_smartcar_owner;
ALTER SERVER owned OPTIONS (SET ca_file '/etc/passwd');
ALTER SERVER owned OPTIONS (SET timeout '20s');
-- the owner may drop it, which restores the default
ALTER SERVER owned OPTIONS (DROP ca_file, SET timeout '20s');
RESET ROLE;

-- a role without USAGE learns nothing about a server, by any function
GRANT EXECUTE ON FUNCTION smartcar_hash_challenge TO regress_smartcar_member;
SET ROLE regress_smartcar_user;
SELECT smartcar_connect_url(server => 'owned');
SELECT smartcar_connect_url(client_id => 'app', server => 'owned');
SELECT smartcar_reauth_url(server => 'owned');
SELECT smartcar_reauth_vehicle_url('v', server => 'owned');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/x', server => 'owned');
SELECT smartcar_server_scopes('owned');
SELECT smartcar_virtual_key_url(server => 'owned');
SELECT smartcar_virtual_key_url('acme.app.car', server => 'owned');
-- signing needs EXECUTE, and USAGE as well
SELECT smartcar_hash_challenge('x', server => 'owned');
RESET ROLE;
GRANT EXECUTE ON FUNCTION smartcar_hash_challenge(text, text, text) TO regress_smartcar_user;
SET ROLE regress_smartcar_user;
SELECT smartcar_hash_challenge('x', server => 'owned');
SELECT smartcar_verify_webhook('x'::bytea, 'y', server => 'owned');
SELECT smartcar_verify_webhook('x'::text, 'y', server => 'owned');
SELECT * FROM smartcar_info('owned');
-- nor through the setting
SET smartcar_tesla.server = 'owned';
SELECT smartcar_connect_url(ARRAY['read_vin'], client_id => 'app', redirect_uri => 'https://example.com/');
-- no server is needed when the arguments are complete
SET smartcar_tesla.server = '';
SELECT smartcar_connect_url(ARRAY['read_vin'], client_id => 'app', redirect_uri => 'https://example.com/');
RESET smartcar_tesla.server;
SELECT smartcar_connect_url(ARRAY['read_vin'], client_id => 'app', redirect_uri => 'https://example.com/');
RESET ROLE;

-- USAGE, granted directly or to a role of which one is a member
GRANT USAGE ON FOREIGN SERVER owned TO regress_smartcar_user;
GRANT regress_smartcar_user TO regress_smartcar_member;
SET ROLE regress_smartcar_member;
SELECT smartcar_connect_url(server => 'owned');
-- the mapping of another role is not used
SELECT smartcar_hash_challenge('x', server => 'owned');
RESET ROLE;

-- which mapping: that of the role, else that of PUBLIC
CREATE USER MAPPING FOR PUBLIC SERVER owned OPTIONS (management_token 'public-token');
CREATE USER MAPPING FOR regress_smartcar_user SERVER owned OPTIONS (management_token 'own-token');
SET ROLE regress_smartcar_user;
SELECT smartcar_hash_challenge('x', server => 'owned') = smartcar_hash_challenge('x', 'own-token') AS own;
SET ROLE regress_smartcar_member;
SELECT smartcar_hash_challenge('x', server => 'owned') = smartcar_hash_challenge('x', 'public-token') AS of_public;
-- and the tokens are not shown
SELECT name, setting, source FROM smartcar_info('owned') WHERE name LIKE 'management_token%';
RESET ROLE;

-- USAGE is checked again after it may have changed, also within a transaction
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.link_of(server text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN smartcar_connect_url(server => server); END $$;
BEGIN;
SET LOCAL ROLE regress_smartcar_user;
SELECT pg_temp.link_of('owned') IS NOT NULL AS allowed;
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER owned FROM regress_smartcar_user;
SET LOCAL ROLE regress_smartcar_user;
SELECT pg_temp.link_of('owned') IS NOT NULL AS allowed;
ROLLBACK;

-- the caller's setting chooses the server of a SECURITY DEFINER function, unless
-- the function pins the setting
CREATE SERVER mine FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'mine');
CREATE SERVER theirs FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'theirs');
CREATE FUNCTION chosen_link() RETURNS text LANGUAGE sql SECURITY DEFINER RETURN substring(smartcar_connect_url() FROM 'application_id=([^&]*)');
CREATE FUNCTION pinned_link() RETURNS text LANGUAGE sql SECURITY DEFINER SET smartcar_tesla.server = 'mine'
	RETURN substring(smartcar_connect_url() FROM 'application_id=([^&]*)');
SET ROLE regress_smartcar_user;
SET smartcar_tesla.server = 'theirs';
SELECT chosen_link(), pinned_link();
RESET smartcar_tesla.server;
RESET ROLE;
DROP FUNCTION chosen_link(), pinned_link();
DROP SERVER mine;
DROP SERVER theirs;

DROP SERVER owned CASCADE;
REVOKE USAGE ON FOREIGN DATA WRAPPER smartcar_tesla FROM regress_smartcar_owner;
REVOKE EXECUTE ON FUNCTION smartcar_hash_challenge FROM regress_smartcar_member;
DROP ROLE regress_smartcar_member;
REVOKE EXECUTE ON FUNCTION smartcar_hash_challenge(text, text, text) FROM regress_smartcar_user;
DROP ROLE regress_smartcar_user;
DROP ROLE regress_smartcar_owner;
