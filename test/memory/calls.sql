--
-- Every call to Smartcar with all its outcomes, for a backend under Valgrind.
--
-- It prints calls with an unexpected result, because a call that fails before it reaches
-- libcurl would test nothing; and in the last line, the process id.
--
-- Variables of psql: http, https, https_untrusted, tcp_silent, tls_silent, closed (origins),
-- ca_file, and code, of a callback.  The sandbox has a fleet of 30 owners and the faults of
-- faults.json.
--

\set ON_ERROR_STOP on
SET client_min_messages = error;

-- The SQLSTATE with which a query ends.
CREATE FUNCTION outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN '00000';
EXCEPTION
	WHEN query_canceled OR OTHERS THEN
		RETURN SQLSTATE;
END
$$;

CREATE FUNCTION make_server(name text, origin text, options text DEFAULT '', api_version text DEFAULT '2.0') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($create$
		CREATE SERVER %1$I FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
			client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
			scope 'read_location read_odometer', max_response_size '100kB', api_version %4$L,
			auth_origin %2$L, iam_origin %2$L, api_origin %2$L, vehicle_origin %2$L, management_origin %2$L %3$s);
		CREATE USER MAPPING FOR PUBLIC SERVER %1$I OPTIONS (
			client_secret 'sandbox-client-secret', management_token 'sandbox-management-token',
			api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret')
		$create$, name, origin, options, api_version);
END
$$;

\o /dev/null
-- under Valgrind it takes seconds to read the system's authorities
\set patient ', connect_timeout ''60s'', timeout ''60s'''
SELECT make_server('smartcar', :'http');
SELECT make_server('v3', :'http', api_version => '3');
SELECT make_server('tls', :'https', format(', ca_file %L', :'ca_file') || :'patient');
SELECT make_server('tls_v3', :'https', format(', ca_file %L', :'ca_file') || :'patient', '3');
SELECT make_server('without_authority', :'https', :'patient');
SELECT make_server('untrusted', :'https_untrusted', format(', ca_file %L', :'ca_file') || :'patient');
SELECT make_server('no_file', :'https', $$, ca_file '/nonexistent'$$);
SELECT make_server('silent', :'tcp_silent', $$, timeout '200ms'$$);
SELECT make_server('silent_tls', :'tls_silent', $$, connect_timeout '200ms'$$);
SELECT make_server('closed', :'closed');
SELECT make_server('impatient', :'http', $$, timeout '300ms'$$);
\o

-- More servers in turn than fn_extra keeps, each with a key in OpenSSL.
SELECT 'wrong hashes of servers in turn'
FROM (SELECT i, smartcar_hash_challenge('x', server => name) AS by_mapping, smartcar_hash_challenge('x', i::text, name) AS by_argument
	FROM generate_series(1, 44) AS i, LATERAL (SELECT (array_agg(srvname::text ORDER BY srvname))[1 + i % count(*)] FROM pg_foreign_server) AS v (name)) AS x
HAVING count(DISTINCT by_mapping) <> 1 OR count(DISTINCT by_argument) <> 44;

-- Calls about one vehicle or owner.
SELECT expected, got, query
FROM (VALUES
	('00000', format('SELECT smartcar_exchange_code(%L)', :'code')),
	('SC400', $$SELECT smartcar_exchange_code('no-such-code')$$),
	('00000', $$SELECT smartcar_refresh_token('refresh-000001')$$),
	('00000', $$SELECT smartcar_refresh_token('refresh-000002', server => 'tls')$$),
	('SC400', $$SELECT smartcar_refresh_token('no-such-token')$$),
	('00000', $$SELECT smartcar_get_application_token()$$),
	('00000', $$SELECT smartcar_get_application_token('tls')$$),
	('00000', $$SELECT smartcar_get_user('access-000003')$$),
	('SC401', $$SELECT smartcar_get_user('no-such-token')$$),
	('0A000', $$SELECT smartcar_get_user('access-000003', 'v3')$$),
	('00000', $$SELECT * FROM smartcar_get_vehicles('access-000003')$$),
	('00000', $$SELECT * FROM smartcar_get_vehicles(user_id => 'user-000003', server => 'v3')$$),
	('00000', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003')$$),
	('00000', $$SELECT smartcar_get_vehicle('vehicle-000003', server => 'v3')$$),
	('SC403', $$SELECT smartcar_get_vehicle('no-such-vehicle', 'access-000003')$$),
	('00000', $$SELECT smartcar_get_permissions('vehicle-000003', 'access-000003')$$),
	('00000', $$SELECT smartcar_get_permissions('vehicle-000003', server => 'v3')$$),
	('00000', $$SELECT smartcar_get_tesla_access('vehicle-000003', 'access-000003')$$),
	('00000', $$SELECT smartcar_get_tesla_access('vehicle-000003', user_id => 'user-000003', server => 'v3')$$),
	('00000', $$SELECT smartcar_get_virtual_key('vehicle-000003', 'access-000003')$$),
	('00000', $$SELECT smartcar_get_virtual_key('vehicle-000003', user_id => 'user-000003', server => 'tls_v3')$$),
	('00000', $$SELECT smartcar_get_tesla_migration('vehicle-000003', 'access-000003')$$),
	('00000', $$SELECT * FROM smartcar_get_signals('vehicle-000003', 'user-000003', server => 'v3')$$),
	('00000', $$SELECT smartcar_send_command('vehicle-000003', 'user-000003', 'charge/set-limit', '{"data": {"attributes": {"percent": 80}}}', server => 'tls_v3')$$),
	('00000', $$SELECT * FROM smartcar_get_connections()$$),
	('00000', $$SELECT * FROM smartcar_get_connections(server => 'v3')$$),
	('00000', $$SELECT * FROM smartcar_delete_connections('vehicle-000004')$$),
	('00000', $$SELECT * FROM smartcar_delete_connections('vehicle-000005', server => 'v3')$$),
	('00000', $$SELECT * FROM smartcar_delete_connections('vehicle-000006', 'user-000006')$$),
	('00000', $$SELECT * FROM smartcar_delete_connections('vehicle-000007', 'user-000007', 'v3')$$),
	('00000', $$SELECT smartcar_get_compatibility('5YJ3E1EA0NF000001')$$),
	('00000', $$SELECT smartcar_get_compatibility('5YJ3E1EA0NF000001', server => 'tls')$$),
	('SC400', $$SELECT smartcar_get_compatibility('short')$$),
	('00000', $$SELECT smartcar_request('GET', '/vehicles/vehicle-000003/odometer', 'access-000003', query => '{"limit": 1}', unit_system => 'imperial')$$),
	('00000', $$SELECT smartcar_request('POST', '/vehicles/vehicle-000003/security', 'access-000003', body => '{"action": "LOCK"}', server => 'tls')$$),
	('00000', $$SELECT smartcar_request('GET', '/connections', server => 'v3')$$),
	('22004', $$SELECT smartcar_get_vehicle('vehicle-000003')$$),
	('22023', $$SELECT smartcar_get_vehicle('vehicle-000003', 'with space')$$),
	('SC001', $$SELECT smartcar_get_vehicle('fault-drop', 'access-000003')$$),
	('SC001', $$SELECT smartcar_get_vehicle('fault-reset', 'access-000003', server => 'tls')$$),
	('SC004', $$SELECT smartcar_get_vehicle('fault-bomb', 'access-000003', server => 'tls')$$),
	('00000', $$SELECT smartcar_get_vehicle('fault-again', 'access-000003')$$),
	('SC302', $$SELECT smartcar_get_vehicle('fault-redirect', 'access-000003')$$),
	('SC004', $$SELECT smartcar_request('GET', '/vehicles/fault-headers', 'access-000003')$$),
	('SC003', $$SELECT smartcar_get_vehicle('fault-slow', 'access-000003', server => 'impatient')$$),
	('SC001', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003', server => 'closed')$$),
	('SC002', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003', server => 'without_authority')$$),
	('SC002', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003', server => 'untrusted')$$),
	('SC002', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003', server => 'no_file')$$),
	('SC003', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003', server => 'silent')$$),
	('SC003', $$SELECT smartcar_get_vehicle('vehicle-000003', 'access-000003', server => 'silent_tls')$$)
) AS calls (expected, query), outcome(query) AS got
WHERE got <> expected;

-- Calls for many with every kind of failure.  The SQLSTATEs are compared; NULL is a success.
SELECT expected, got, name
FROM (VALUES
	('faults', '{SC001,SC001,SC001,SC004,SC004,SC004,SC004,SC004,SC004,SC004,SC302,SC409,SC400}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_vehicle_many(
			ARRAY['fault-drop', 'fault-reset', 'fault-truncate', 'fault-oversize', 'fault-bomb', 'fault-invalid-utf8', 'fault-zero',
				  'fault-json', 'fault-type', 'fault-headers', 'fault-redirect', 'fault-status', 'fault-echo'],
			ARRAY['access-000008']))),
	('faults over TLS', '{SC001,SC001,SC001,SC004,SC004,SC004,SC004,SC004,SC004,SC001,SC302,SC409,SC400}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_vehicle_many(
			ARRAY['fault-drop', 'fault-reset', 'fault-truncate', 'fault-oversize', 'fault-bomb', 'fault-invalid-utf8', 'fault-zero',
				  'fault-json', 'fault-type', 'fault-headers', 'fault-redirect', 'fault-status', 'fault-echo'],
			ARRAY['access-000008'], server => 'tls'))),
	('vehicle, v3 over TLS', '{NULL,NULL,SC409}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_vehicle_many(
			ARRAY['vehicle-000008', 'vehicle-000009', 'fault-status'], server => 'tls_v3'))),
	('permissions', '{NULL,SC403}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_permissions_many(ARRAY['vehicle-000008', 'no-such'], ARRAY['access-000008']))),
	('permissions, v3', '{NULL,NULL}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_permissions_many(ARRAY['vehicle-000008', 'vehicle-000009'], server => 'v3'))),
	('Tesla access', '{NULL,SC403}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_tesla_access_many(ARRAY['vehicle-000008', 'no-such'], ARRAY['access-000008']))),
	('Tesla access, v3', '{NULL,NULL}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_tesla_access_many(ARRAY['vehicle-000008', 'vehicle-000009'], user_ids => ARRAY['user-000008', 'user-000009'], server => 'v3'))),
	('virtual key', '{NULL,SC403}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_virtual_key_many(ARRAY['vehicle-000008', 'no-such'], ARRAY['access-000008']))),
	('virtual key, v3', '{NULL,NULL}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_virtual_key_many(ARRAY['vehicle-000008', 'vehicle-000009'], user_ids => ARRAY['user-000008', 'user-000009'], server => 'v3'))),
	('signals, v3', '{NULL,SC404}',
		(SELECT array_agg(sqlstate) FROM smartcar_get_signals_many(ARRAY['vehicle-000008', 'no-such'], ARRAY['user-000008'], '{odometer-traveleddistance}', server => 'v3'))),
	('request', '{NULL,SC001}',
		(SELECT array_agg(sqlstate) FROM smartcar_request_many('GET', ARRAY['/vehicles/vehicle-000008/battery', '/vehicles/fault-drop'], ARRAY['access-000008'])))
) AS calls (name, expected, got)
WHERE got::text IS DISTINCT FROM expected;

-- An uncaught error, and statements that time out while they wait; the session goes on.
\set ON_ERROR_STOP off
\set VERBOSITY terse
SELECT smartcar_get_vehicle('fault-status', 'access-000017');
SELECT 'no error' WHERE :'SQLSTATE' <> 'SC409';

SET statement_timeout = '400ms';
SELECT * FROM smartcar_get_vehicle_many(ARRAY['fault-slow', 'fault-again', 'fault-drop'], ARRAY['access-000017']);
SELECT 'no timeout: ' || :'SQLSTATE' WHERE :'SQLSTATE' <> '57014';
SELECT * FROM smartcar_get_vehicle('fault-slow', 'access-000017', server => 'tls');
SELECT 'no timeout over TLS: ' || :'SQLSTATE' WHERE :'SQLSTATE' <> '57014';
RESET statement_timeout;

SELECT 'the session is broken'
WHERE (SELECT make FROM smartcar_get_vehicle('vehicle-000017', 'access-000017')) IS DISTINCT FROM 'TESLA';

-- Calls within a call that stores results while it waits for more.
CREATE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	PERFORM FROM smartcar_get_vehicle_many(ARRAY['vehicle-000018', 'fault-drop', 'vehicle-000019'], ARRAY['access-000018', 'x', 'access-000019'], server => 'tls');
	RETURN NULL;
END
$$;
CREATE TRIGGER ask AFTER INSERT ON smartcar_tesla.connection EXECUTE FUNCTION ask();
\o /dev/null
CALL smartcar_sync(details => false, server => 'v3');
\o
SELECT 'the connections were not stored: ' || :'SQLSTATE'
WHERE :'SQLSTATE' <> '00000' OR NOT EXISTS (SELECT FROM smartcar_tesla.connection);

SELECT pg_backend_pid();
