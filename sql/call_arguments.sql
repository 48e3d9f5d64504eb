--
-- Calls to Smartcar, up to the first request: privileges, missing options, and
-- arguments that are refused before anything is sent
--
-- Nobody listens on the port of the servers' origins.  The timeout is short
-- because requests are retried.
--

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id 'app', api_version '2.0', redirect_uri 'https://example.com/', scope 'read_vin', timeout '500ms',
			 auth_origin 'http://127.0.0.1:1', iam_origin 'http://127.0.0.1:1', api_origin 'http://127.0.0.1:1',
			 vehicle_origin 'http://127.0.0.1:1', management_origin 'http://127.0.0.1:1');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar
	OPTIONS (client_secret 'secret', management_token 'secret', api_client_id 'client_x', api_client_secret 'secret');
CREATE SERVER third FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id 'app', api_version '3', scope 'read_vin', timeout '500ms',
			 auth_origin 'http://127.0.0.1:1', iam_origin 'http://127.0.0.1:1', api_origin 'http://127.0.0.1:1',
			 vehicle_origin 'http://127.0.0.1:1', management_origin 'http://127.0.0.1:1');
CREATE USER MAPPING FOR PUBLIC SERVER third
	OPTIONS (client_secret 'secret', api_client_id 'client_x', api_client_secret 'secret');
CREATE SERVER bare FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (api_version '2.0', timeout '500ms',
			 auth_origin 'http://127.0.0.1:1', iam_origin 'http://127.0.0.1:1', api_origin 'http://127.0.0.1:1',
			 vehicle_origin 'http://127.0.0.1:1', management_origin 'http://127.0.0.1:1');

-- Every call, with valid arguments.
CREATE TEMP TABLE call (position int GENERATED ALWAYS AS IDENTITY, expression text);
INSERT INTO call (expression) VALUES
	($$smartcar_exchange_code('c', server => %s)$$),
	($$smartcar_refresh_token('r', server => %s)$$),
	($$smartcar_get_application_token(%s)$$),
	($$smartcar_get_user('t', %s)$$),
	($$smartcar_get_vehicles('t', 'u', %s)$$),
	($$smartcar_get_vehicle('v', 't', server => %s)$$),
	($$smartcar_get_vehicle_many(ARRAY['v'], ARRAY['t'], server => %s)$$),
	($$smartcar_get_permissions('v', 't', server => %s)$$),
	($$smartcar_get_permissions_many(ARRAY['v'], ARRAY['t'], server => %s)$$),
	($$smartcar_get_tesla_access('v', 't', server => %s)$$),
	($$smartcar_get_tesla_access_many(ARRAY['v'], ARRAY['t'], server => %s)$$),
	($$smartcar_get_virtual_key('v', 't', server => %s)$$),
	($$smartcar_get_virtual_key_many(ARRAY['v'], ARRAY['t'], server => %s)$$),
	($$smartcar_get_tesla_migration('v', 't', server => %s)$$),
	($$smartcar_get_signals('v', 'u', server => %s)$$),
	($$smartcar_get_signals_many(ARRAY['v'], ARRAY['u'], server => %s)$$),
	($$smartcar_send_command('v', 'u', 'charge/start', server => %s)$$),
	($$smartcar_get_connections(server => %s)$$),
	($$smartcar_delete_connections('v', server => %s)$$),
	($$smartcar_get_compatibility('v', server => %s)$$),
	($$smartcar_get_webhooks(%s)$$),
	($$smartcar_subscribe('v', 'u', 'w', %s)$$),
	($$smartcar_unsubscribe('v', 'u', 'w', %s)$$),
	($$smartcar_request('POST', '/x', 't', server => %s)$$),
	($$smartcar_request_many('POST', ARRAY['/x'], ARRAY['t'], server => %s)$$);

-- The outcome of a call: the SQLSTATE of the statement or of the row, and the message.
CREATE FUNCTION outcome(call text, server text, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	EXECUTE 'SELECT * FROM ' || format(call, coalesce(quote_literal(server), 'NULL')) INTO result;
	state := to_jsonb(result) ->> 'sqlstate';
	message := regexp_replace(to_jsonb(result) #>> '{error,description}', '": .*', '": ...');
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
	message := SQLERRM;
END $$;

-- Nobody listens on the port.
SELECT expression, state, message
  FROM call, outcome(expression, 'smartcar')
 WHERE expression ~ 'code|token|delete|compatibility|request' ORDER BY position;

-- Functions that v3 does not have, and compatibility, which is v2.0 there as well.
SELECT expression, state, message
  FROM call, outcome(expression, 'third')
 WHERE expression ~ 'get_user|migration|code|compatibility' ORDER BY position;

-- A server without the options that calls need, a server that does not exist, and no server.
SELECT expression, state, message
  FROM call, outcome(expression, 'bare')
 WHERE expression ~ 'code|token|connection|compatibility|request' ORDER BY position;
SELECT state, message, count(*) FROM call, outcome(expression, 'nowhere') GROUP BY 1, 2 ORDER BY 1, 2;
SET smartcar_tesla.server = 'nowhere';
SELECT state, message, count(*) FROM call, outcome(expression, NULL) GROUP BY 1, 2 ORDER BY 1, 2;
SET smartcar_tesla.server = '';
SELECT state, message, count(*) FROM call, outcome(expression, NULL) GROUP BY 1, 2 ORDER BY 1, 2;
RESET smartcar_tesla.server;

-- A DELETE may have reached Smartcar, so the message does not say that it was not made.
DO $$
DECLARE
	message text; detail text; hint text;
BEGIN
	PERFORM smartcar_request('DELETE', '/vehicles/v/application', 't');
EXCEPTION WHEN SQLSTATE 'SC001' THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE NOTICE '%', message;
	RAISE NOTICE '%', regexp_replace(detail, '\d+ ms, while connecting: .*', '... ms, while connecting: ...');
	RAISE NOTICE '%', hint;
END $$;

-- NULL in, NULL out; no items, no rows.
SELECT smartcar_exchange_code(NULL), smartcar_refresh_token(NULL), smartcar_get_vehicle(NULL, 't'),
	   smartcar_get_permissions(NULL, 't'), smartcar_get_tesla_access(NULL, 't'), smartcar_get_virtual_key(NULL, 't'),
	   smartcar_get_tesla_migration(NULL, 't'), smartcar_get_compatibility(NULL),
	   smartcar_request('GET', NULL, 't');
SELECT * FROM smartcar_get_vehicle_many(NULL, ARRAY['t']);
SELECT * FROM smartcar_get_vehicle_many('{}', ARRAY['t']);
SELECT * FROM smartcar_get_vehicle_many('{}', '{}');
SELECT * FROM smartcar_request_many('GET', NULL);

-- Required arguments.
SELECT smartcar_get_user(NULL);
SELECT smartcar_get_vehicles();
SELECT smartcar_get_vehicles(server => 'third');
SELECT smartcar_get_vehicles('t', server => 'third');
SELECT smartcar_get_vehicle('v');
SELECT * FROM smartcar_get_vehicle_many(ARRAY['v', 'w']);
SELECT smartcar_request('GET', '/x');
SELECT smartcar_request(NULL, '/x', 't');
SELECT * FROM smartcar_delete_connections();
SELECT smartcar_exchange_code('c', refresh_lifetime => NULL);
SELECT smartcar_refresh_token('r', refresh_lifetime => NULL);

-- Arrays of different lengths, with NULLs, with more than one dimension.
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a', 'b', 'c'], ARRAY['t', 'u']);
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a', 'b', 'c'], '{}');
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a'], ARRAY['t'], ARRAY['u', 'v']);
SELECT * FROM smartcar_request_many('GET', ARRAY['/a', '/b'], ARRAY['t', 'u', 'v']);
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a', NULL], ARRAY['t']);
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a', 'b'], ARRAY['t', NULL]);
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a', 'b'], ARRAY['t'], '{NULL}');
SELECT * FROM smartcar_request_many('GET', ARRAY['/a', NULL], ARRAY['t']);
SELECT * FROM smartcar_get_vehicle_many(ARRAY[['a', 'b']], ARRAY['t']);

-- Values that cannot be sent.
SELECT smartcar_get_vehicle('', 't');
SELECT smartcar_get_vehicle('..', 't');
SELECT smartcar_get_vehicle('%2e%2E', 't');
SELECT * FROM smartcar_get_vehicle_many(ARRAY['a', '.'], ARRAY['t']);
SELECT smartcar_get_compatibility('');
SELECT smartcar_get_user('');
SELECT smartcar_get_user('a b');
SELECT smartcar_get_user(E'a\r\nX: y');
SELECT smartcar_get_user('ü');
SELECT smartcar_get_vehicle('v', 't', 'a b', 'third');
SELECT smartcar_get_vehicles(user_id => E'a\nb', access_token => NULL, server => 'third');
SELECT smartcar_exchange_code('');
SELECT smartcar_refresh_token('');
SELECT smartcar_exchange_code('c', redirect_uri => 'ftp://example.com');
SELECT smartcar_exchange_code('c', flags => '[]');
SELECT smartcar_refresh_token('r', flags => '{"a": []}');
SELECT smartcar_get_connections(mode => 'dead');
SELECT smartcar_get_connections(external_id => 'e');
SELECT smartcar_get_connections(external_id => '');
SELECT smartcar_get_compatibility('v', mode => 'dead');
SELECT smartcar_get_compatibility('v', '{}');
SELECT smartcar_get_compatibility('v', ARRAY[NULL]::text[]);
SELECT smartcar_get_compatibility('v', flags => '7');

-- smartcar_request(); test/t/027_request.pl has more paths.
SELECT smartcar_request('OPTIONS', '/x', 't');
SELECT smartcar_request('', '/x', 't');
SELECT smartcar_request('GET', '/x/../y', 't');
SELECT smartcar_request('GET', '/x?y', 't');
SELECT * FROM smartcar_request_many('GET', ARRAY['/x', 'y'], ARRAY['t']);
SELECT smartcar_request('GET', '/x', 't', query => '[]');
SELECT smartcar_request('GET', '/x', 't', query => '{"a": [1]}');
SELECT smartcar_request('GET', '/x', 't', query => '{"a": {"b": 1}}');
SELECT smartcar_request('GET', '/x', 't', unit_system => 'nautical');
SELECT smartcar_request('GET', '/x', 't', origin => 'auth');
SELECT smartcar_request('GET', '/x', 't', timeout => '0');
SELECT smartcar_request('GET', '/x', 't', timeout => '-1 s');
SELECT smartcar_request('GET', '/x', 't', timeout => '10 minutes 1 millisecond');
SELECT smartcar_request('GET', '/x', 't', timeout => '178000000 years');
SELECT * FROM smartcar_request_many('GET', ARRAY['/x'], ARRAY['t'], timeout => '1 day');

-- A v3 server needs the client_secret of v2.0 for compatibility only.
ALTER USER MAPPING FOR PUBLIC SERVER third OPTIONS (DROP client_secret);
SELECT smartcar_get_compatibility('v', server => 'third');
ALTER USER MAPPING FOR PUBLIC SERVER third OPTIONS (ADD client_secret 'secret');

-- SQLSTATEs.
SELECT expression, state
  FROM (VALUES ($$smartcar_get_user(NULL)$$),
			   ($$smartcar_get_vehicles(server => 'third')$$),
			   ($$smartcar_delete_connections()$$),
			   ($$smartcar_refresh_token('r', NULL)$$),
			   ($$smartcar_request(NULL, '/x', 't')$$),
			   ($$smartcar_get_vehicle_many(ARRAY['a', NULL], ARRAY['t'])$$),
			   ($$smartcar_get_vehicle_many(ARRAY['a', 'b'], ARRAY['t', NULL])$$),
			   ($$smartcar_get_vehicle_many(ARRAY['a', 'b', 'c'], ARRAY['t', 'u'])$$),
			   ($$smartcar_get_vehicle_many(ARRAY[['a', 'b']], ARRAY['t'])$$),
			   ($$smartcar_get_vehicle('..', 't')$$),
			   ($$smartcar_get_user('a b')$$),
			   ($$smartcar_exchange_code('')$$),
			   ($$smartcar_get_connections(mode => 'dead')$$),
			   ($$smartcar_get_connections(external_id => 'e')$$),
			   ($$smartcar_get_compatibility('v', '{}')$$),
			   ($$smartcar_request('GET', '/x?y', 't')$$),
			   ($$smartcar_request('GET', '/x', 't', query => '[]')$$)) AS v (expression),
	   outcome(expression, NULL);

-- Only superusers may call them, unless EXECUTE was granted; USAGE on the server is
-- needed as well.
CREATE ROLE regress_smartcar_caller;
GRANT USAGE ON FOREIGN SERVER smartcar TO regress_smartcar_caller;
GRANT SELECT ON call TO regress_smartcar_caller;
SET ROLE regress_smartcar_caller;
SELECT state, regexp_replace(message, ' \w+$', ' ...') AS message, count(*)
  FROM call, outcome(expression, 'smartcar') GROUP BY 1, 2 ORDER BY 1, 2;
RESET ROLE;
GRANT EXECUTE ON FUNCTION smartcar_get_user(text, text) TO regress_smartcar_caller;
SET ROLE regress_smartcar_caller;
SELECT state, message FROM call, outcome(expression, 'smartcar') WHERE expression LIKE 'smartcar_get_user(''%';
SELECT state, message FROM call, outcome(expression, 'third') WHERE expression LIKE 'smartcar_get_user(''%';
RESET ROLE;

DROP OWNED BY regress_smartcar_caller;
DROP ROLE regress_smartcar_caller;
DROP FUNCTION outcome;
DROP SERVER smartcar, third, bare CASCADE;
