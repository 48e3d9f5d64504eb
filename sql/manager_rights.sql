--
-- Privileges on the connection manager, and the safety of its own statements
-- against objects of other roles
--

\pset null (null)
CREATE SERVER rights FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback', scope 'read_location',
		iam_origin 'http://127.0.0.1:1', vehicle_origin 'http://127.0.0.1:1');
CREATE SERVER rights_other FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'other', api_version '2.0', token_key_file '/nonexistent/key');
CREATE USER MAPPING FOR PUBLIC SERVER rights OPTIONS (management_token 'amt');
SET smartcar_tesla.server = 'rights';
INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, refresh_token, access_expires_at) VALUES ('rights', 'user-1', 'owner-1', '\x01', '\x02', now() + interval '1 day');
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id) VALUES ('rights', 'user-1', 'vehicle-1', 'owner-1'), ('rights_other', 'user-2', 'vehicle-2', 'owner-2');

CREATE ROLE regress_smartcar_nobody;
CREATE ROLE "regress smartcar ""app""";
CREATE ROLE regress_smartcar_operator;
CREATE ROLE regress_smartcar_reader;
CREATE ROLE regress_smartcar_member;

-- tries every function as the current role; "may not" is SQLSTATE 42501
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'may';
EXCEPTION
	WHEN insufficient_privilege THEN RETURN 'may not: ' || SQLERRM;
	WHEN OTHERS THEN RETURN 'may, but ' || SQLSTATE;
END $$;
CREATE TEMP TABLE tries (number integer GENERATED ALWAYS AS IDENTITY, what text);
GRANT SELECT ON tries TO PUBLIC;
INSERT INTO tries (what) VALUES ('SELECT smartcar_begin_connect(''owner'')'), ('SELECT smartcar_begin_reauth(''owner'')'),
	('SELECT smartcar_receive_webhook(''{}'', NULL)'), ('SELECT * FROM smartcar_status WHERE server = ''rights'''),
	('CALL smartcar_finish_connect(''code=c'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)'),
	('CALL smartcar_refresh(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)'), ('CALL smartcar_sync(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)'),
		('CALL smartcar_disconnect_vehicle(''v'', NULL, NULL, NULL)'), ('CALL smartcar_reseal_tokens()'),
		('CALL smartcar_forget(''owner-1'', NULL, NULL, NULL, NULL, NULL, NULL)'),
		('CALL smartcar_adopt(ARRAY[''u''], ARRAY[''o''], NULL, NULL, NULL, NULL)'),
		('CALL smartcar_import_tokens(ARRAY[''u''], ARRAY[''o''], ARRAY[''a''], ARRAY[''r''], ARRAY[now()], NULL, NULL, NULL, NULL)'),
	('SELECT smartcar_access_token(''owner-1'')'), ('SELECT smartcar_grant(''regress_smartcar_nobody'', ''operator'', ''rights'')'),
	('SELECT smartcar_server_scopes(NULL, true)'), ('SELECT smartcar_tesla.action_url(''update_access'', NULL, NULL, NULL, NULL)'),
		('SELECT smartcar_tesla.next_action(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)');
INSERT INTO tries (what) SELECT format(statement, relation) FROM unnest(ARRAY['session', 'account', 'connection', 'webhook_event', 'forgotten_user', 'sync_round', 'job_run']) AS relation,
	unnest(ARRAY['SELECT FROM smartcar_tesla.%I', 'INSERT INTO smartcar_tesla.%I DEFAULT VALUES', 'UPDATE smartcar_tesla.%I SET server = server',
		'DELETE FROM smartcar_tesla.%I', 'TRUNCATE smartcar_tesla.%I', 'LOCK smartcar_tesla.%I',
		'CREATE TRIGGER t BEFORE INSERT ON smartcar_tesla.%I EXECUTE FUNCTION suppress_redundant_updates_trigger()',
		'CREATE RULE r AS ON INSERT TO smartcar_tesla.%I DO INSTEAD NOTHING', 'CREATE POLICY p ON smartcar_tesla.%I',
			'ALTER TABLE smartcar_tesla.%I ADD extra text', 'COPY smartcar_tesla.%I TO STDOUT']) AS statement;
INSERT INTO tries (what) VALUES ('UPDATE smartcar_status SET make = make'), ('DELETE FROM smartcar_status'),
	('SELECT access_token FROM smartcar_status'), ('CREATE OR REPLACE VIEW smartcar_status AS SELECT 1'), ('SELECT * FROM smartcar_todo');

-- PUBLIC has no privilege on the schema of the tables, nor on any table in it
SET ROLE regress_smartcar_nobody;
SELECT DISTINCT pg_temp.try(what) AS result FROM tries WHERE what LIKE '%smartcar_tesla.%';
RESET ROLE;
GRANT USAGE ON SCHEMA smartcar_tesla TO regress_smartcar_nobody, "regress smartcar ""app""", regress_smartcar_operator, regress_smartcar_reader;

-- a role without privileges
SET ROLE regress_smartcar_nobody;
SELECT what, pg_temp.try(what) AS result FROM tries ORDER BY number;
SELECT s AS server, smartcar_tesla.may_use(s), smartcar_server_scopes(s, true), smartcar_tesla.action_url('update_access', NULL, NULL, NULL, s),
	smartcar_tesla.next_action('connected', NULL, '{}', '{}', NULL, NULL, NULL, NULL, NULL, s)
	FROM unnest(ARRAY['rights', 'dropped', NULL]) AS s;
RESET ROLE;
SELECT s AS server, smartcar_tesla.may_use(s) FROM unnest(ARRAY['rights', 'dropped', NULL]) AS s;

-- an application and an operator
SELECT smartcar_grant('regress smartcar "app"', 'application', 'rights');
SELECT smartcar_grant('regress_smartcar_operator', 'operator', 'rights');
SELECT smartcar_grant('regress_smartcar_operator', 'operator', 'rights');
SELECT smartcar_grant('regress_smartcar_operator', 'Operator', 'rights');
SELECT smartcar_grant('regress_smartcar_operator', 'superuser', 'rights');
SELECT smartcar_grant('no_such_role', 'operator', 'rights');
SELECT smartcar_grant('regress_smartcar_operator', 'operator', 'no_such_server');
-- PUBLIC is no role
BEGIN;
SELECT pg_temp.try($$SELECT smartcar_grant('public', 'operator', 'rights')$$) <> 'may' AS refused;
ROLLBACK;
SELECT smartcar_grant('regress_smartcar_member', NULL, 'rights') AS nothing, smartcar_grant('regress_smartcar_member; ALTER ROLE regress_smartcar_member SUPERUSER', 'operator', 'rights');
SET ROLE "regress smartcar ""app""";
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number <= 17 ORDER BY number;
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number > 17 AND pg_temp.try(what) NOT LIKE 'may not: %' ORDER BY number;
SET ROLE regress_smartcar_operator;
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number <= 17 ORDER BY number;
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number > 17 AND pg_temp.try(what) NOT LIKE 'may not: %' ORDER BY number;
RESET ROLE;
-- a reader, and what each role sees in smartcar_trouble and job_run
SELECT smartcar_grant('regress_smartcar_reader', 'reader', 'rights');
INSERT INTO smartcar_tesla.job_run (server, procedure, began_at) VALUES ('rights', 'smartcar_sync', now()), ('rights_other', 'smartcar_sync', now());
INSERT INTO smartcar_tesla.account (server, user_id, external_id, status, access_token, refresh_token) VALUES
	('rights', 'refused-1', 'refused', 'reauthenticate', '\x01', '\x02'), ('rights_other', 'refused-2', 'refused', 'reauthenticate', '\x01', '\x02');
SET ROLE regress_smartcar_reader;
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number <= 17 ORDER BY number;
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number > 17 AND pg_temp.try(what) NOT LIKE 'may not: %' ORDER BY number;
SELECT server, user_id, kind FROM smartcar_trouble;
SELECT server, procedure FROM smartcar_job_run;
RESET ROLE;
SET ROLE regress_smartcar_operator;
SELECT server, user_id, kind FROM smartcar_trouble;
SELECT server, procedure FROM smartcar_job_run;
RESET ROLE;
SET ROLE "regress smartcar ""app""";
SELECT pg_temp.try('SELECT FROM smartcar_trouble'), pg_temp.try('SELECT FROM smartcar_job_run');
RESET ROLE;
-- a reader may not sign, send a request, read a token or write to a view
SELECT p.oid::regprocedure AS may_call FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'smartcar_tesla'
	WHERE has_function_privilege('regress_smartcar_reader', p.oid, 'EXECUTE') AND NOT has_function_privilege('regress_smartcar_nobody', p.oid, 'EXECUTE');
SELECT c.oid::regclass::text AS relation, privilege FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'smartcar_tesla', unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege
	WHERE c.relkind IN ('r', 'v') AND has_table_privilege('regress_smartcar_reader', c.oid, privilege) ORDER BY 1, 2;
SET ROLE regress_smartcar_reader;
SELECT pg_temp.try('SELECT smartcar_hash_challenge(''c'')'), pg_temp.try('SELECT * FROM smartcar_get_connections()'), pg_temp.try('SELECT smartcar_get_application_token()');
RESET ROLE;
DELETE FROM smartcar_tesla.job_run;
DELETE FROM smartcar_tesla.account WHERE external_id = 'refused';
-- a member of the application
GRANT "regress smartcar ""app""" TO regress_smartcar_member;
SET ROLE regress_smartcar_member;
SELECT smartcar_begin_connect('member') IS NOT NULL AS begun;
RESET ROLE;

-- tokens and rows leak neither through statistics nor through a function that the planner runs early
ANALYZE smartcar_tesla.account;
INSERT INTO smartcar_tesla.account (server, user_id, external_id) VALUES ('rights', 'a hostile user', 'hostile');
CREATE SCHEMA hostile;
GRANT CREATE, USAGE ON SCHEMA hostile TO "regress smartcar ""app""";
-- the application signs its events itself
GRANT EXECUTE ON FUNCTION smartcar_hash_challenge TO "regress smartcar ""app""";
SET ROLE "regress smartcar ""app""";
SELECT count(*) AS statistics FROM pg_stats WHERE tablename = 'account';
CREATE FUNCTION hostile.tell(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END $$;
SELECT vehicle_id FROM smartcar_status WHERE server = 'rights' AND hostile.tell(external_id);
-- rows of a server that the role may not use
SELECT external_id, vehicle_id FROM smartcar_status ORDER BY 1;
SELECT vehicle_id FROM smartcar_status WHERE hostile.tell(vehicle_id) ORDER BY 1;
SELECT vehicle_id FROM smartcar_todo WHERE hostile.tell(vehicle_id) ORDER BY 1;
SELECT count(*) FROM smartcar_status WHERE server = 'rights_other';

-- neither does a view over several tables show them
RESET ROLE;
INSERT INTO smartcar_tesla.account (server, user_id, external_id, status) VALUES
	('rights', 'user of the role', 'trouble', 'reauthenticate'),
	('rights_other', 'user of others', 'trouble', 'reauthenticate');
SET ROLE "regress smartcar ""app""";
SELECT user_id FROM smartcar_trouble WHERE kind = 'account_refused' AND hostile.tell(user_id);
RESET ROLE;
DELETE FROM smartcar_tesla.account WHERE external_id = 'trouble';
SET ROLE "regress smartcar ""app""";

-- objects with the names that the manager uses, first in the search path
CREATE FUNCTION hostile.note(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'fooled by %, as %', what, current_user; END $$;
CREATE FUNCTION hostile.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('text ='); RETURN true; END $$;
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.equal);
CREATE FUNCTION hostile.equal(bytea, bytea) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('bytea ='); RETURN true; END $$;
CREATE OPERATOR hostile.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = hostile.equal);
CREATE FUNCTION hostile.later(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('timestamptz >'); RETURN true; END $$;
CREATE OPERATOR hostile.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = hostile.later);
CREATE FUNCTION hostile.add(timestamptz, interval) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('timestamptz +'); RETURN 'infinity'; END $$;
CREATE OPERATOR hostile.+ (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = hostile.add);
CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('now()'); RETURN 'infinity'; END $$;
CREATE FUNCTION hostile.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('clock_timestamp()'); RETURN '-infinity'; END $$;
CREATE FUNCTION hostile.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('format()'); RETURN 'SELECT 1'; END $$;
CREATE FUNCTION hostile.json_build_object(text, text, text, text, text, text, text, text, text, text, text,
	smartcar_action) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('json_build_object()'); RETURN '{}'; END $$;
CREATE FUNCTION hostile.smartcar_connect_url(scope text[], state text, make text, force_prompt boolean, external_id text, redirect_uri text,
	server text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('smartcar_connect_url()'); RETURN 'x'; END $$;
CREATE FUNCTION hostile.next_action(text, smartcar_action, text[], text[], text, text, text, integer, boolean,
	text) RETURNS smartcar_action LANGUAGE plpgsql AS $$ BEGIN PERFORM hostile.note('next_action()'); RETURN 'none'; END $$;
CREATE TYPE hostile.smartcar_action AS ENUM ('hostile');
CREATE TYPE hostile.text AS (x integer);
CREATE TABLE hostile.session (server text, state_hash bytea, link text, external_id text, vehicle_id text, scope text[], redirect_uri text, expires_at timestamptz, status text);
CREATE TABLE hostile.connection (server text);
CREATE TABLE hostile.account (server text);
CREATE TABLE hostile.webhook_event (server text, event_id text, PRIMARY KEY (server, event_id));
CREATE TEMP TABLE session (server text);
CREATE TEMP TABLE webhook_event (server text, event_id text, PRIMARY KEY (server, event_id));
CREATE TEMP TABLE connection (server text);
CREATE TYPE pg_temp.text AS (x integer);
CREATE TYPE pg_temp.smartcar_action AS ENUM ('hostile');
SET search_path = hostile, pg_temp, pg_catalog, public;
-- an unqualified call gets the hostile objects
SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text AS by_the_operator, now() AS by_the_function;
-- the manager does not
CREATE TEMP TABLE link AS SELECT public.smartcar_begin_connect('hostile') AS link;
SELECT public.smartcar_begin_reauth('hostile') IS NOT NULL AS begun;
SELECT 'https://example.com/callback?error=access_denied&state=' || pg_catalog.substring(link, 'state=([^&]*)') AS callback FROM link \gset
CALL public.smartcar_finish_connect(:'callback');
CALL public.smartcar_finish_connect(:'callback');
SELECT public.smartcar_receive_webhook(event, public.smartcar_hash_challenge(pg_catalog.convert_from(event, 'UTF8'), 'amt')) AS response
	FROM (SELECT '{"eventId":"h-1","eventType":"VEHICLE_ERROR","data":{"user":{"id":"user-1"},"vehicle":{"id":"vehicle-1"},"errors":[{"type":"BILLING"}]}}'::bytea) AS v (event);
SELECT public.smartcar_receive_webhook(event, public.smartcar_hash_challenge(pg_catalog.convert_from(event, 'UTF8'), 'amt')) AS response
	FROM (SELECT
		'{"eventId":"h-2","eventType":"VEHICLE_STATE","data":{"user":{"id":"user-1"},"vehicle":{"id":"vehicle-1"},'
		'"signals":[{"code":"vehicleuseraccount-role","body":{"value":"DRIVER"}},{"code":"connectivitystatus-isdigitalkeypaired","body":{"value":false}}]}}'::bytea)
		AS v (event);
SELECT user_id, error_type, action, access_type FROM public.smartcar_status WHERE server OPERATOR(pg_catalog.=) 'rights';
RESET ROLE;
-- nor do smartcar_grant() and functions that fail
SELECT public.smartcar_grant('regress_smartcar_member', 'operator', 'rights');
SELECT public.smartcar_access_token('owner-1', server => 'rights_other');
CALL public.smartcar_reseal_tokens('rights_other');
CALL public.smartcar_refresh(server => 'rights_other');
RESET search_path;
SELECT count(*) AS stolen FROM hostile.session;
SELECT (SELECT count(*) FROM pg_temp.session) + (SELECT count(*) FROM pg_temp.webhook_event) + (SELECT count(*) FROM hostile.webhook_event) AS stolen;
SELECT external_id, status, error, expires_at - created_at AS lifetime FROM smartcar_tesla.session WHERE external_id = 'hostile' ORDER BY 2;
SELECT server, error_type, error_action, access_type, virtual_key_paired FROM smartcar_tesla.connection ORDER BY 1;
SELECT event_id FROM smartcar_tesla.webhook_event ORDER BY 1;
-- the switch to the extension's owner ends with each statement, also after an error
SET ROLE "regress smartcar ""app""";
SELECT pg_temp.try('SELECT set_config(''transaction_read_only'', ''on'', true), smartcar_begin_connect(''owner'')'), current_user, pg_temp.try('SELECT FROM smartcar_tesla.account');
RESET ROLE;

-- the functions need USAGE on the server
REVOKE USAGE ON FOREIGN SERVER rights FROM "regress smartcar ""app""", regress_smartcar_operator;
SET ROLE "regress smartcar ""app""";
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number <= 5 ORDER BY number;
SET ROLE regress_smartcar_operator;
SELECT what, pg_temp.try(what) AS result FROM tries WHERE number BETWEEN 6 AND 10 ORDER BY number;
CALL smartcar_refresh();
CALL smartcar_sync();
CALL smartcar_disconnect_vehicle('v');
CALL smartcar_forget('owner-1');
CALL smartcar_reseal_tokens();
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA hostile CASCADE;
DROP OWNED BY regress_smartcar_nobody, "regress smartcar ""app""", regress_smartcar_operator, regress_smartcar_reader, regress_smartcar_member;
RESET client_min_messages;
DROP ROLE regress_smartcar_nobody, "regress smartcar ""app""", regress_smartcar_operator, regress_smartcar_reader, regress_smartcar_member;
DELETE FROM smartcar_tesla.session;
DELETE FROM smartcar_tesla.account;
DELETE FROM smartcar_tesla.connection;
DELETE FROM smartcar_tesla.webhook_event;
DROP SERVER rights CASCADE;
DROP SERVER rights_other;
RESET smartcar_tesla.server;
\pset null ''
