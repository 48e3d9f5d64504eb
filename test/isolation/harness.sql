--
-- harness.sql: tables and functions for all specs.
--
-- Run once in a database before the specs, with the setting isolation.sandbox as the
-- address of a local Smartcar (test/sandbox).  test/isolation/run.sh does that, and passes
-- the setting to the specs through PGOPTIONS.
--
-- A procedure stops at a point that a spec chooses: statement triggers wait for a lock that
-- the session "control" holds.  No row is locked at that moment, so that the other
-- procedure runs as if this one were waiting for the network.  isolation.stops_at names the
-- point for a session; isolation.skips is how often it first continues:
--
--   session   before it claims a session
--   claim     before it claims an account
--   tokens    before it stores tokens, or an error, of an account
--   user_id   before a provisional account gets its user id
--   vehicles  before it stores or deletes a connection
--
-- So these tests depend on the order of statements in a procedure.  Besides
-- test/lib/Manager.pm, this is the only place that names the tables of the manager.
--

CREATE EXTENSION smartcar_tesla;
CREATE SCHEMA isolation;
SET search_path = isolation, public;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = isolation, public', current_database()); END $$;

--
-- The sandbox
--

CREATE UNLOGGED TABLE response (body text);

-- A control request of the sandbox: a POST if there is a body.
CREATE FUNCTION ask(path text, content text DEFAULT NULL, method text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	command text := 'curl -sS --fail-with-body';
	result jsonb;
BEGIN
	IF content IS NOT NULL THEN
		command := command || format(' -H ''content-type: application/json'' -d ''%s''', content);
	END IF;
	IF method IS NOT NULL THEN
		command := command || ' -X ' || method;
	END IF;
	command := command || format(' ''%s/sandbox/%s''', current_setting('isolation.sandbox'), path);
	DELETE FROM response;
	EXECUTE format('COPY response FROM PROGRAM %L WITH (FORMAT csv, QUOTE E''\x01'', DELIMITER E''\x02'')', command);
	SELECT string_agg(body, '')::jsonb INTO result FROM response;
	RETURN result;
END $$;

--
-- Servers, keys, owners
--

CREATE FUNCTION key_file() RETURNS text LANGUAGE sql AS $$
	SELECT current_setting('data_directory') || '/isolation_key'
$$;

-- Writes keys by number; the first one seals.
CREATE FUNCTION write_keys(VARIADIC keys integer[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('COPY (SELECT ''key'' || k || '' '' || repeat(md5(k::text), 2) FROM unnest(%L::integer[]) AS k) TO PROGRAM %L',
		keys, format('umask 077; cat > ''%1$s.new'' && mv ''%1$s.new'' ''%1$s''', key_file()));
END $$;

CREATE PROCEDURE make_server(name text, api_version text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($create$
		CREATE SERVER %1$I FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
			client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
			scope 'read_vehicle_info read_odometer read_location', timeout '10s', api_version %2$L, token_key_file %4$L,
			auth_origin %3$L, iam_origin %3$L, api_origin %3$L, vehicle_origin %3$L, management_origin %3$L)
		$create$, name, api_version, current_setting('isolation.sandbox'), key_file());
	EXECUTE format($create$
		CREATE USER MAPPING FOR PUBLIC SERVER %1$I OPTIONS (
			client_secret 'sandbox-client-secret', management_token 'sandbox-management-token',
			api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret')
		$create$, name);
END $$;

SELECT write_keys(1);
CALL make_server('smartcar', '2.0');
CALL make_server('v3', '3');

CREATE TABLE callback (name text PRIMARY KEY, server text, url text);

-- An owner goes through Connect; the callback is stored under a name.
CREATE PROCEDURE prepare_callback(name text, owner text, server text DEFAULT 'smartcar')
LANGUAGE plpgsql AS $$
DECLARE
	link text := smartcar_begin_connect('owner-' || owner, server => server);
	given jsonb := ask('connect', format('{"owner": "%s", "external_id": "owner-%s"}', owner, owner));
BEGIN
	INSERT INTO callback VALUES (name, server,
		format('https://example.com/callback?code=%s&user_id=%s&state=%s', given->>'code', given->>'user_id', substring(link FROM '[?&]state=([^&]*)')));
END $$;

-- The results without the columns that differ from run to run.
CREATE PROCEDURE finish(callback_name text, INOUT status text DEFAULT NULL, INOUT vehicles integer DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	server text;
	url text;
	external_id text;
	user_id text;
	vehicle_ids text[];
	error text;
	action smartcar_action;
	previous_external_id text;
	requests bigint;
BEGIN
	SELECT c.server, c.url INTO server, url FROM callback c WHERE c.name = callback_name;
	CALL smartcar_finish_connect(url, NULL, server, status, external_id, user_id, vehicle_ids, error, action, previous_external_id, requests);
	vehicles := cardinality(vehicle_ids);
END $$;

-- Ben and his two vehicles, connected, with an access token that is about to expire, and
-- two more callbacks, "again" and "again_2".
CREATE PROCEDURE start_over(server text DEFAULT 'smartcar') LANGUAGE plpgsql AS $$
DECLARE
	ignored_status text;
	ignored_count integer;
BEGIN
	PERFORM setval('stops', 1, false);
	PERFORM ask('reset', '{}');
	TRUNCATE smartcar_tesla.session, smartcar_tesla.account, smartcar_tesla.connection, smartcar_tesla.webhook_event,
		smartcar_tesla.forgotten_user, callback;
	PERFORM write_keys(1);
	COMMIT;
	CALL prepare_callback('first', 'ben', server);
	COMMIT;
	CALL finish('first', ignored_status, ignored_count);
	CALL prepare_callback('again', 'ben', server);
	CALL prepare_callback('again_2', 'ben', server);
	UPDATE smartcar_tesla.account SET access_expires_at = now() + interval '1 minute' WHERE access_token IS NOT NULL;
END $$;

--
-- Where procedures stop
--

-- Counted with a sequence, because procedures reset settings that are changed within
-- their statements.
CREATE SEQUENCE stops;

CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('isolation.stops_at', true) IS DISTINCT FROM TG_ARGV[0] THEN
		RETURN NULL;
	END IF;
	IF nextval('isolation.stops') > COALESCE(NULLIF(current_setting('isolation.skips', true), '')::integer, 0) THEN
		-- statements of claims and results have a short lock_timeout
		PERFORM set_config('lock_timeout', '0', true);
		PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
	END IF;
	RETURN NULL;
END $$;

CREATE TRIGGER session BEFORE UPDATE OF status ON smartcar_tesla.session FOR EACH STATEMENT EXECUTE FUNCTION stop('session');
CREATE TRIGGER claim BEFORE UPDATE OF lease ON smartcar_tesla.account FOR EACH STATEMENT EXECUTE FUNCTION stop('claim');
CREATE TRIGGER tokens BEFORE INSERT OR UPDATE OF access_token, error_sqlstate ON smartcar_tesla.account FOR EACH STATEMENT EXECUTE FUNCTION stop('tokens');
CREATE TRIGGER user_id BEFORE DELETE ON smartcar_tesla.account FOR EACH STATEMENT EXECUTE FUNCTION stop('user_id');
CREATE TRIGGER vehicles BEFORE INSERT OR DELETE ON smartcar_tesla.connection FOR EACH STATEMENT EXECUTE FUNCTION stop('vehicles');

--
-- The state at the end
--

CREATE FUNCTION key_of(sealed bytea) RETURNS text LANGUAGE sql AS $$
	SELECT convert_from(substr(sealed, 3, get_byte(sealed, 1)), 'UTF8')
$$;

-- Whether the stored access token can be opened and works.
CREATE FUNCTION access_token_of(server text, user_id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	token text := smartcar_access_token(user_id => user_id, server => server);
BEGIN
	RETURN CASE WHEN (ask('account?access_token=' || token)->>'token_live')::boolean THEN 'works' ELSE 'dead' END;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;

-- A row for each account; "keys" are the keys of its tokens.
CREATE VIEW accounts AS
	SELECT CASE WHEN user_id LIKE 'session-%' THEN 'not known yet' ELSE external_id END AS account, status,
		leased_until > clock_timestamp() AS leased, attempts, error_sqlstate AS error,
		CASE WHEN access_token IS NOT NULL THEN concat_ws(', ', key_of(access_token), NULLIF(key_of(refresh_token), key_of(access_token))) END AS keys,
		CASE WHEN access_token IS NOT NULL THEN access_token_of(server, user_id) END AS access_token
	FROM smartcar_tesla.account;

CREATE VIEW vehicles AS
	SELECT external_id AS owner, model, status, cardinality(granted_scopes) AS permissions, virtual_key_paired AS paired, error_code AS error
	FROM smartcar_tesla.connection ORDER BY external_id, model;

CREATE VIEW sessions AS
	SELECT status, error, count(*) FROM smartcar_tesla.session GROUP BY status, error ORDER BY status;

-- The requests that Smartcar got: exchanges, refreshes, refreshes with a token that was used
-- before, and refused ones.
CREATE FUNCTION smartcar_counts(OUT exchanges integer, OUT refreshes integer, OUT repeated integer, OUT refused integer)
LANGUAGE sql AS $$
	SELECT sum((a->>'exchanges')::integer), sum((a->>'refreshes')::integer), sum((a->>'repeated')::integer), sum((a->>'refused')::integer)
	FROM jsonb_array_elements(ask('accounts')->'accounts') AS a
$$;

-- Smartcar does not tell the user of an access token for a while.
CREATE FUNCTION hide_users() RETURNS void LANGUAGE sql AS $$
	SELECT ask('faults', '{"match": {"path": "/user$"}, "times": 0, "status": 404}')
$$;

CREATE FUNCTION show_users() RETURNS void LANGUAGE sql AS $$
	SELECT ask('faults', method => 'DELETE')
$$;

-- Smartcar lists Ben's vehicles in reverse order, once.
CREATE FUNCTION list_backwards() RETURNS void LANGUAGE sql AS $$
	SELECT ask('faults', '[
		{"match": {"method": "GET", "path": "/v2.0/vehicles$"}, "content_type": "application/json", "status": 200, "body":
			"{\"vehicles\": [\"d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081\", \"9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2\"], \"paging\": {\"count\": 2, \"offset\": 0}}"}]')
$$;

-- More than the minute passes in which a used refresh token works; every lease and pause
-- ends, and all access tokens are about to expire.  An account that can be refreshed
-- afterwards was not lost.
CREATE PROCEDURE pass_time() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ask('advance', '{"seconds": 61}');
	UPDATE smartcar_tesla.account SET leased_until = leased_until - interval '61 s', next_attempt_at = next_attempt_at - interval '61 s',
		access_expires_at = now() + interval '1 minute' WHERE access_token IS NOT NULL;
END $$;
