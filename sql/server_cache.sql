--
-- A function keeps the options of servers from row to row (fn_extra), and
-- reloads them when they change
--

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'first', scope 'read_vin', virtual_key_domain 'first.app.car');
CREATE SERVER other FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'other', scope 'read_fuel', virtual_key_domain 'other.app.car');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (management_token 'first-token');
CREATE USER MAPPING FOR PUBLIC SERVER other OPTIONS (management_token 'other-token');
CREATE FUNCTION pg_temp.application(url text) RETURNS text LANGUAGE sql AS $$ SELECT substring(url FROM 'application_id=([^&]*)') $$;

-- the server changes from row to row
SELECT server, pg_temp.application(smartcar_connect_url(server => server)) AS application, smartcar_server_scopes(server) AS scopes,
	smartcar_virtual_key_url(server => server) AS key,
	smartcar_hash_challenge('x', server => server) = smartcar_hash_challenge('x', COALESCE(replace(server, 'smartcar', 'first'), 'first') || '-token') AS token
FROM (VALUES ('smartcar'), ('other'), (NULL), ('other'), ('smartcar'), (NULL)) AS v (server);

-- one PL/pgSQL expression, evaluated repeatedly within a transaction
CREATE FUNCTION pg_temp.changes() RETURNS TABLE (step text, application text, scopes text[], hash boolean) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..7 LOOP
		IF i = 1 THEN step := 'at first';
		ELSIF i = 2 THEN step := 'option set'; ALTER SERVER smartcar OPTIONS (SET client_id 'second');
		ELSIF i = 3 THEN step := 'option dropped'; ALTER SERVER smartcar OPTIONS (DROP scope);
		ELSIF i = 4 THEN step := 'token set'; ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET management_token 'second-token');
		ELSIF i = 5 THEN step := 'setting'; SET LOCAL smartcar_tesla.server = 'other';
		ELSIF i = 6 THEN step := 'setting back'; SET LOCAL smartcar_tesla.server = 'smartcar';
		ELSE step := 'server dropped and made again'; DROP SERVER smartcar CASCADE;
			CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'third');
			CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (management_token 'third-token');
		END IF;
		application := pg_temp.application(smartcar_connect_url(state => step));
		scopes := smartcar_server_scopes();
		hash := smartcar_hash_challenge('x') = smartcar_hash_challenge('x', CASE WHEN i < 4 THEN 'first-token' WHEN i = 5 THEN 'other-token' WHEN i = 7 THEN 'third-token' ELSE 'second-token' END);
		RETURN NEXT;
	END LOOP;
END
$$;
SET client_min_messages = warning;
BEGIN;
SELECT * FROM pg_temp.changes();
ROLLBACK;
RESET client_min_messages;

-- after the rollback the old options are in force
SELECT pg_temp.application(smartcar_connect_url());

-- a PL/pgSQL variable is not treated as a constant
CREATE FUNCTION pg_temp.states() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	scope text[];
	flow text;
BEGIN
	FOR i IN 1..3 LOOP
		scope := CASE i WHEN 1 THEN '{read_vin}' WHEN 2 THEN '{read_fuel,read_tires}' ELSE NULL END;
		flow := CASE i WHEN 2 THEN 'reauthenticate' ELSE 'authorize' END;
		RETURN NEXT smartcar_connect_url(scope, i::text, CASE WHEN i = 2 THEN NULL ELSE 'MAKE' || i END, force_prompt => i = 3,
			single_select_vin => CASE WHEN i = 2 THEN 'VIN' END, flags => jsonb_build_object('n', i), client_id => 'app' || i,
			redirect_uri => CASE WHEN i < 3 THEN 'https://example.com/' || i END, mode => CASE i WHEN 1 THEN 'live' WHEN 2 THEN 'test' END,
			response_type => CASE i WHEN 1 THEN 'none' ELSE 'code' END, external_id => repeat('x', i - 1));
		RETURN NEXT smartcar_reauth_url(scope, flow => flow, redirect_uri => CASE WHEN i <> 2 THEN 'https://example.com/' END);
	END LOOP;
END
$$;
\pset format unaligned
SELECT * FROM pg_temp.states();
-- varying arguments and constants give the same link
SELECT count(*), count(DISTINCT varying), bool_and(varying = constant) AS same FROM (
	SELECT smartcar_connect_url(scope, state, make, force, single, vin, flags, id, mode, response, client, redirect, server) AS varying
	FROM (VALUES ('{read_vin,required:read_location}'::text[], 'a b', 'TESLA', true, true, 'VIN', '{"a": "b"}'::jsonb, 'id', 'live', 'none', 'app', 'https://example.com/', 'other'))
		AS v (scope, state, make, force, single, vin, flags, id, mode, response, client, redirect, server), generate_series(1, 3)) AS x,
	smartcar_connect_url('{read_vin,required:read_location}', 'a b', 'TESLA', true, true, 'VIN', '{"a": "b"}', 'id', 'live', 'none', 'app', 'https://example.com/', 'other') AS constant;
-- an error in one row does not affect the next row
CREATE FUNCTION pg_temp.attempt(scope text[], server text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN smartcar_connect_url(scope, server => server, make => NULL);
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;
SELECT pg_temp.attempt(scope, server) FROM (VALUES
	('{read_vin}'::text[], 'smartcar'), ('{read_vim}', 'smartcar'), ('{read_vin}', 'missing'), ('{read_vin}', 'smartcar'), (NULL, 'other'), ('{}', 'other'), (NULL, 'other')) AS v (scope, server);

-- servers in turn, also more of them than are kept
DO $$
BEGIN
	FOR i IN 1..12 LOOP
		EXECUTE format('CREATE SERVER app_%s FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id %L, scope %L, extra_scopes %L, virtual_key_domain %L)',
			i, 'client-' || i, 'scope_' || i, 'scope_' || i || ' scope_changed', 'key-' || i || '.app.car');
		EXECUTE format('CREATE USER MAPPING FOR PUBLIC SERVER app_%s OPTIONS (management_token %L)', i, 'token-' || i);
	END LOOP;
END
$$;
CREATE TEMPORARY VIEW row_of_app AS SELECT servers, i, 1 + i % servers AS app FROM (VALUES (2), (7), (8), (9), (12)) AS v (servers), generate_series(1, 120) AS i;
SELECT servers, count(*), count(DISTINCT link) AS links,
	bool_and(pg_temp.application(link) = 'client-' || app) AS application, bool_and(scopes = ARRAY['scope_' || app]) AS scopes,
	bool_and(wanted = scopes) AS wanted, bool_and(key LIKE '%/key-' || app || '.app.car') AS key,
	bool_and(hash = smartcar_hash_challenge('x', 'token-' || app)) AS token, bool_and(hash_by_argument = smartcar_hash_challenge('x', 'argument-' || i)) AS argument
FROM (SELECT *, smartcar_connect_url(server => 'app_' || app) AS link, smartcar_server_scopes('app_' || app) AS scopes,
		smartcar_server_scopes('app_' || app, true) AS wanted, smartcar_virtual_key_url(server => 'app_' || app) AS key,
		smartcar_hash_challenge('x', server => 'app_' || app) AS hash,
		smartcar_hash_challenge('x', 'argument-' || i, 'app_' || app) AS hash_by_argument
	FROM (TABLE row_of_app ORDER BY servers, md5(i::text)) AS shuffled) AS x
GROUP BY servers ORDER BY servers;
-- the setting and an argument can name the same server
SELECT DISTINCT server, pg_temp.application(smartcar_connect_url(server => server)) AS application
FROM generate_series(1, 36) AS i, LATERAL (SELECT CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN 'smartcar' ELSE 'app_' || 1 + i % 12 END) AS v (server) ORDER BY 1;

-- one server changes, is dropped, or is refused to a role, while the others stay
CREATE ROLE regress_server_cache;
GRANT USAGE ON FOREIGN SERVER smartcar, app_1, app_3 TO regress_server_cache;
CREATE USER MAPPING FOR regress_server_cache SERVER app_3 OPTIONS (management_token 'role-token');
CREATE FUNCTION pg_temp.changes_of_several() RETURNS TABLE (step text, applications text, tokens text, wanted text) LANGUAGE plpgsql AS $$
DECLARE
	name text;
	link text;
	hash text;
BEGIN
	FOR i IN 1..7 LOOP
		IF i = 1 THEN step := 'at first';
		ELSIF i = 2 THEN step := 'options of 2'; ALTER SERVER app_2 OPTIONS (SET client_id 'changed', SET scope 'scope_changed');
		ELSIF i = 3 THEN step := 'mapping of 3'; ALTER USER MAPPING FOR PUBLIC SERVER app_3 OPTIONS (SET management_token 'changed');
		ELSIF i = 4 THEN step := 'without 1'; DROP SERVER app_1 CASCADE;
		ELSIF i = 5 THEN step := 'with a new 1'; CREATE SERVER app_1 FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'new', scope 'read_vin');
			CREATE USER MAPPING FOR PUBLIC SERVER app_1 OPTIONS (management_token 'new'); GRANT USAGE ON FOREIGN SERVER app_1 TO regress_server_cache;
		ELSIF i = 6 THEN step := 'role'; SET LOCAL ROLE regress_server_cache;
		ELSE step := 'role back'; RESET ROLE;
		END IF;
		applications := NULL; tokens := NULL; wanted := NULL;
		FOREACH name IN ARRAY '{app_1,app_2,app_3,missing,app_2,app_1,app_3}'::text[] LOOP
			BEGIN
				link := smartcar_connect_url(server => name, state => 'state');
				hash := smartcar_hash_challenge('x', server => name);
				applications := concat_ws(' ', applications, pg_temp.application(link));
				tokens := concat_ws(' ', tokens, CASE hash WHEN smartcar_hash_challenge('x', 'changed') THEN 'changed' WHEN smartcar_hash_challenge('x', 'new') THEN 'new'
					WHEN smartcar_hash_challenge('x', 'role-token') THEN 'role-token' WHEN smartcar_hash_challenge('x', replace(name, 'app_', 'token-')) THEN 'own' ELSE 'another' END);
			EXCEPTION WHEN OTHERS THEN
				applications := concat_ws(' ', applications, SQLSTATE); tokens := concat_ws(' ', tokens, SQLSTATE);
			END;
			wanted := concat_ws(' ', wanted, COALESCE(smartcar_server_scopes(name, true)::text, 'NULL'));
		END LOOP;
		RETURN NEXT;
	END LOOP;
END
$$;
SET client_min_messages = warning;
BEGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_server_cache;
SELECT step, applications, tokens, wanted FROM pg_temp.changes_of_several();
ROLLBACK;
RESET client_min_messages;

-- each server is looked up once, not once per row: a lookup scans pg_depend
BEGIN;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, connection_id, granted_scopes, connected_at, synced_at)
	SELECT (ARRAY['app_1', 'gone', 'app_2'])[1 + i % 3], 'user', 'vehicle-' || i, 'connection-' || i, '{scope_1}', now(), now() FROM generate_series(1, 1200) AS i;
SELECT pg_stat_get_xact_numscans('pg_depend_depender_index'::regclass) AS scans \gset
SELECT server, action, count(*), count(missing_scopes) AS missing FROM smartcar_status GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(smartcar_connect_url(server => 'app_' || 1 + i % 8)), count(smartcar_hash_challenge('x', server => 'app_' || 1 + i % 8)),
	count(smartcar_server_scopes()) FROM generate_series(1, 1000) AS i;
SELECT pg_stat_get_xact_numscans('pg_depend_depender_index'::regclass) - :scans < 100 AS few_scans;
ROLLBACK;

-- no memory is kept for servers that were replaced
CREATE FUNCTION pg_temp.memory() RETURNS TABLE (sites bigint, is_small boolean) LANGUAGE plpgsql AS $$
DECLARE
	link text;
BEGIN
	FOR i IN 1..2000 LOOP
		link := smartcar_connect_url(server => 'app_' || 1 + i % 12);
	END LOOP;
	RETURN QUERY SELECT count(*), sum(total_bytes) < 100000 FROM pg_backend_memory_contexts WHERE name = 'smartcar_tesla function state';
END
$$;
SELECT * FROM pg_temp.memory();

-- parallel workers see the setting and the server
CREATE TABLE owners AS SELECT i AS id, md5(i::text) AS state FROM generate_series(1, 20000) AS i;
ANALYZE owners;
SET smartcar_tesla.server = 'other';
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*) FROM owners WHERE smartcar_connect_url(state => state) LIKE '%application_id=other&%' || state || '%';
SELECT count(*) FROM owners WHERE smartcar_connect_url(state => state) LIKE '%application_id=other&%' || state || '%';
SELECT count(*) FROM owners WHERE smartcar_hash_challenge(state) = smartcar_hash_challenge(state, 'other-token');
RESET ALL;

DROP TABLE owners;
DROP SERVER smartcar CASCADE;
DROP SERVER other CASCADE;
SET client_min_messages = warning;
DO $$
BEGIN
	FOR i IN 1..12 LOOP
		EXECUTE format('DROP SERVER app_%s CASCADE', i);
	END LOOP;
END
$$;
DROP ROLE regress_server_cache;
