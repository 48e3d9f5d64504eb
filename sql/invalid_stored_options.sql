-- Option values that an older validator accepted: only functions that use the option fail,
-- with an error that names it.
ALTER FOREIGN DATA WRAPPER smartcar_tesla NO VALIDATOR;
CREATE SERVER old_rules FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id 'not visible', redirect_uri 'nowhere', scope 'read_vin :', mode 'dead', api_version '4',
		extra_scopes '', virtual_key_domain 'A.B', timeout '5 parsecs', max_concurrency '0', connect_origin 'ftp://x',
		gone 'x');
CREATE SERVER one_old_rule FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id 'app', redirect_uri 'https://example.com', scope 'read_vin', max_concurrency '0');
CREATE USER MAPPING FOR PUBLIC SERVER one_old_rule OPTIONS (management_token E'canary\n', client_secret E'canary\n');
ALTER FOREIGN DATA WRAPPER smartcar_tesla VALIDATOR smartcar_tesla_validator;

-- the error names the server and the option
SELECT smartcar_connect_url(server => 'old_rules');
SELECT smartcar_server_scopes('old_rules');
SELECT smartcar_virtual_key_url(server => 'old_rules');
SELECT smartcar_hash_challenge('x', server => 'one_old_rule');
SELECT smartcar_get_user('t', 'one_old_rule');

-- functions that do not use the option work
SELECT smartcar_connect_url(server => 'one_old_rule');
SELECT smartcar_virtual_key_url('acme.app.car', 'old_rules');
SELECT name, setting, source FROM smartcar_info('old_rules') WHERE source = 'server' ORDER BY name COLLATE "C";
SELECT name, setting FROM smartcar_info('one_old_rule') WHERE source = 'user mapping' ORDER BY name COLLATE "C";

-- an error in one row does not affect the next row
DO $$
BEGIN
	FOR i IN 1..2 LOOP
		BEGIN
			PERFORM smartcar_connect_url(server => 'old_rules');
		EXCEPTION WHEN invalid_parameter_value THEN
			RAISE NOTICE '%', sqlerrm;
		END;
	END LOOP;
END $$;

-- the validator allows a correction
ALTER SERVER one_old_rule OPTIONS (SET max_concurrency '4');
ALTER SERVER old_rules OPTIONS (SET max_concurrency '4');

DROP SERVER old_rules;
DROP SERVER one_old_rule CASCADE;
