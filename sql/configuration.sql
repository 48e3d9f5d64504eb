--
-- Servers and user mappings: which values their options accept and refuse
--

-- every option of a server
CREATE SERVER all_options FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'required:read_location  read_odometer read_new_thing',
	mode 'simulated',
	api_version '3',
	webhook_id 'd1c6b0a4-6f7e-4f3f-9c0d-3a2b1c0d9e8f',
	extra_scopes 'read_new_thing',
	virtual_key_domain 'acme.app.car',
	connect_timeout '2s',
	timeout '1min',
	max_concurrency '32',
	max_response_size '2MB',
	connect_origin 'http://localhost:8080',
	auth_origin 'http://127.0.0.1:8081',
	iam_origin 'http://[::1]:8082',
	api_origin 'https://api.example.com',
	vehicle_origin 'https://vehicle.example.com:8443',
	management_origin 'https://10.0.0.1',
	ca_file '/etc/ssl/certs/test.pem',
	token_key_file '/etc/smartcar/key',
	only_in '7301234567890123456/garage');
CREATE USER MAPPING FOR PUBLIC SERVER all_options OPTIONS (
	client_secret 'canary-1', api_client_id 'client_01', api_client_secret 'canary-2',
	management_token_file '/etc/smartcar/management_token');

-- smartcar_info(): numbers in base units, secrets hidden
SELECT name, setting, source FROM smartcar_info('all_options')
	WHERE source NOT IN ('library', 'database');
-- defaults
CREATE SERVER no_options FOREIGN DATA WRAPPER smartcar_tesla;
SELECT name, setting, source FROM smartcar_info('no_options')
	WHERE source NOT IN ('library', 'database');
-- versions are shown without a server
SELECT name, setting IS NOT NULL AS known, source FROM smartcar_info();
SELECT extversion = (SELECT setting FROM smartcar_info() WHERE name = 'smartcar_tesla') AS agrees
	FROM pg_extension WHERE extname = 'smartcar_tesla';
SELECT * FROM smartcar_info('no_such_server');

-- unknown options
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (conect_timeout '5s');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (colour 'red');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_secret 'canary');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla OPTIONS ("Client_ID" 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER no_options OPTIONS (client_secrets 'canary');
CREATE USER MAPPING FOR CURRENT_USER SERVER no_options OPTIONS (client_id 'x');
CREATE FOREIGN TABLE refused (a integer) SERVER no_options OPTIONS (client_id 'x');
ALTER FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'x');

-- invalid values of each option
CREATE FUNCTION pg_temp.try_option(target text, option text, value text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	problem text;
	detail text;
BEGIN
	IF target = 'server' THEN
		EXECUTE format('CREATE SERVER tried FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (%I %L)', option, value);
		DROP SERVER tried;
	ELSE
		EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER no_options OPTIONS (%I %L)', option, value);
		DROP USER MAPPING FOR CURRENT_USER SERVER no_options;
	END IF;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || problem || COALESCE(' / ' || NULLIF(detail, ''), '');
END
$$;
\pset format unaligned
SELECT option, value, pg_temp.try_option('server', option, value) AS result
FROM (VALUES
	('client_id', ''), ('client_id', 'client_01H'), ('client_id', 'a b'), ('client_id', E'a\nb'),
	('redirect_uri', ''), ('redirect_uri', 'example.com/callback'),
	('redirect_uri', 'http://example.com/callback'), ('redirect_uri', 'http://localhost:3000/callback'),
	('redirect_uri', 'http://localhost.evil.example/'), ('redirect_uri', 'https://'),
	('redirect_uri', 'https://example.com/#fragment'), ('redirect_uri', 'https://user@example.com/'),
	('redirect_uri', 'sc8229df9f://exchange'), ('redirect_uri', 'javascript:alert(1)'),
	('redirect_uri', E'https://example.com/\r\nX: y'),
	('scope', ''), ('scope', '   '), ('scope', 'read_odmeter'), ('scope', 'read_odometer,read_vin'),
	('scope', 'required:'), ('scope', 'required:required:read_vin'), ('scope', 'something_else_entirely'),
	('extra_scopes', 'a b c'), ('extra_scopes', 'a,b'),
	('mode', 'live'), ('mode', 'test'), ('mode', 'LIVE'), ('mode', ''),
	('api_version', '2.0'), ('api_version', '3'), ('api_version', '2'), ('api_version', 'v3'),
	('webhook_id', 'w'), ('webhook_id', ''), ('webhook_id', 'a b'),
	('virtual_key_domain', 'smartcar.com'), ('virtual_key_domain', 'Acme.app.car'),
	('virtual_key_domain', 'acme'), ('virtual_key_domain', 'acme.app.car.'),
	('virtual_key_domain', 'acme.app.car/x'), ('virtual_key_domain', 'a..b'),
	('virtual_key_domain', '-a.b'), ('virtual_key_domain', 'a-.b'), ('virtual_key_domain', repeat('a', 64) || '.b'),
	('connect_timeout', '5s'), ('connect_timeout', '250'), ('connect_timeout', '5x'),
	('connect_timeout', '0'), ('connect_timeout', '-1'), ('connect_timeout', '11min'), ('connect_timeout', ''),
	('timeout', '1.5s'), ('timeout', '1MB'), ('timeout', '9999999999999999999s'),
	('max_concurrency', '1'), ('max_concurrency', '0'), ('max_concurrency', '257'), ('max_concurrency', 'many'),
	('max_response_size', '1MB'), ('max_response_size', '1kB'), ('max_response_size', '1023'),
	('max_response_size', '65MB'), ('max_response_size', '5s'),
	('api_origin', 'http://localhost'), ('api_origin', 'http://127.1.2.3:80'), ('api_origin', 'http://127.evil.example'),
	('api_origin', 'http://127.0.0.1.evil.example'), ('api_origin', 'http://127.0.0.08'), ('api_origin', 'https://[fe80::1]'),
	('api_origin', 'http://[::1]:65535'), ('api_origin', 'http://api.smartcar.com'),
	('api_origin', 'https://api.smartcar.com/'), ('api_origin', 'https://api.smartcar.com/v2.0'),
	('api_origin', 'https://user:password@api.smartcar.com'), ('api_origin', 'https://api.smartcar.com:0'),
	('api_origin', 'https://api.smartcar.com:65536'), ('api_origin', 'https://api.smartcar.com:'),
	('api_origin', 'ftp://api.smartcar.com'), ('api_origin', 'HTTPS://api.smartcar.com'),
	('api_origin', 'https://[::1'), ('api_origin', 'https://[::1]:443'), ('api_origin', 'https://a..b'),
	('ca_file', 'relative.pem'), ('ca_file', ''), ('ca_file', '/absolute.pem'),
	('only_in', '7301234567890123456/a/b c'), ('only_in', '7301234567890123456'), ('only_in', '7301234567890123456/'),
	('only_in', 'garage'), ('only_in', '/garage'), ('only_in', '7301x/garage'), ('only_in', ''), ('only_in', '1/' || repeat('n', 64))
) AS v (option, value);
SELECT option, length(value), pg_temp.try_option('mapping', option, value) AS result
FROM (VALUES
	('client_secret', ''), ('client_secret', 'canary with space'), ('client_secret', E'canary\nline'),
	('client_secret', 'canary'), ('client_secret_file', 'canary'), ('client_secret_file', '/canary'),
	('api_client_id', 'client_01'), ('api_client_id', ''), ('api_client_secret', E'canary\u00e9'),
	('management_token', 'canary'), ('management_token', E'\tcanary')
) AS v (option, value);
\pset format aligned

-- a secret is given either as a value or as a file
CREATE USER MAPPING FOR CURRENT_USER SERVER no_options
	OPTIONS (client_secret 'canary', client_secret_file '/canary');

-- ALTER is checked as CREATE is; an option that another one depends on cannot be dropped
ALTER SERVER all_options OPTIONS (SET timeout '5 parsecs');
ALTER SERVER all_options OPTIONS (DROP extra_scopes);
ALTER SERVER all_options OPTIONS (SET extra_scopes 'read_other_thing');
ALTER SERVER all_options OPTIONS (SET scope 'read_vin', DROP extra_scopes);
ALTER USER MAPPING FOR PUBLIC SERVER all_options OPTIONS (ADD client_secret_file '/canary');
SELECT smartcar_server_scopes('all_options');

-- scopes of a server
SELECT smartcar_server_scopes('no_options') IS NULL AS none;
SELECT smartcar_server_scopes('no_such_server');
SELECT smartcar_server_scopes();
SET smartcar_tesla.server = 'all_options';
SELECT smartcar_server_scopes();
SET smartcar_tesla.server = '';
SELECT smartcar_server_scopes();
RESET smartcar_tesla.server;

-- the options of another wrapper's server were not validated, so it is refused
CREATE FOREIGN DATA WRAPPER another_wrapper;
CREATE SERVER another_server FOREIGN DATA WRAPPER another_wrapper
	OPTIONS (connect_origin 'https://evil.example', client_id 'x');
SELECT smartcar_connect_url(server => 'another_server');
DROP FOREIGN DATA WRAPPER another_wrapper CASCADE;

-- other settings with the prefix are refused
SET smartcar_tesla.sever = 'x';

DROP SERVER all_options CASCADE;
DROP SERVER no_options CASCADE;

-- only_in: a server that works in one database, and not in a copy of it
CREATE SERVER "of production" FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id 'app', redirect_uri 'https://example.com/', scope 'read_vin', only_in '1/garage');
CREATE FUNCTION pg_temp.said(statement text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN replace(concat_ws(' / ', SQLSTATE, SQLERRM, detail, hint),
		(SELECT system_identifier::text || '/' || current_database() FROM pg_control_system()), '(here)');
END
$$;
SELECT pg_temp.said($$SELECT smartcar_begin_connect('owner', server => 'of production')$$);
SELECT pg_temp.said($$SELECT smartcar_begin_reauth('owner', 'v', server => 'of production')$$);
SELECT pg_temp.said($$SELECT smartcar_get_vehicle('v', server => 'of production')$$);
-- links need no secret, so they are still made
SELECT smartcar_virtual_key_url(server => 'of production');
DO $$
BEGIN
	EXECUTE format('ALTER SERVER "of production" OPTIONS (SET only_in %L)',
		(SELECT setting FROM smartcar_info() WHERE name = 'here'));
END
$$;
BEGIN;
SELECT pg_temp.said($$SELECT smartcar_begin_connect('owner', server => 'of production')$$);
ROLLBACK;
DROP SERVER "of production";
