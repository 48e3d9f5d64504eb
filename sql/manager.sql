--
-- The connection manager without Smartcar: its tables, the start of sessions,
-- and what procedures refuse before they send anything.  Nobody listens on the
-- port of the server's origins.
--

CREATE SERVER manager FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
		scope 'required:read_location read_odometer control_charge', api_version '2.0',
		auth_origin 'http://127.0.0.1:1', iam_origin 'http://127.0.0.1:1', api_origin 'http://127.0.0.1:1',
		vehicle_origin 'http://127.0.0.1:1', management_origin 'http://127.0.0.1:1');
CREATE SERVER manager_v3 FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback', api_version '3');
CREATE SERVER empty FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (api_version '2.0');
SET smartcar_tesla.server = 'manager';

-- the tables
SELECT table_name, string_agg(column_name || ' ' || udt_name || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END, ', ' ORDER BY ordinal_position) AS columns
	FROM information_schema.columns
	WHERE table_schema = 'smartcar_tesla' GROUP BY 1 ORDER BY 1;
SELECT conrelid::regclass AS relation, pg_get_constraintdef(oid) AS definition FROM pg_constraint
	WHERE connamespace = 'smartcar_tesla'::regnamespace AND contype <> 'n'
	ORDER BY conrelid::regclass::text, 2;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'smartcar_tesla' ORDER BY 1;
\set VERBOSITY sqlstate
INSERT INTO smartcar_tesla.session (server, state_hash, link, expires_at) VALUES ('s', '\x00', 'connect', now());
INSERT INTO smartcar_tesla.session (server, state_hash, link, expires_at) VALUES ('s', sha256('x'), 'other', now());
INSERT INTO smartcar_tesla.session (server, state_hash, link, expires_at, status) VALUES ('s', sha256('x'), 'connect', now(), 'other');
INSERT INTO smartcar_tesla.account (server, user_id, status) VALUES ('s', 'u', 'other');
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, status) VALUES ('s', 'u', 'v', 'other');
\set VERBOSITY default

-- smartcar_begin_reauth() in v3 needs a known owner
INSERT INTO smartcar_tesla.account (server, user_id, external_id) VALUES ('manager_v3', 'user-9', 'owner-9');

-- a session stores the hash of its state, never the state
CREATE FUNCTION pg_temp.state_of(link text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT substring(link FROM '[?&]state=([^&]*)') $$;
CREATE TEMP TABLE begun (name text PRIMARY KEY, link text, state text GENERATED ALWAYS AS (pg_temp.state_of(link)) STORED);
INSERT INTO begun VALUES
	('connect', smartcar_begin_connect('owner-7')),
	('all', smartcar_begin_connect('owner & 8', ARRAY['read_vin', 'required:read_odometer'], NULL, true, '2 days',
		'https://example.com/other', 'manager')),
	('bare', smartcar_begin_connect()),
	('update', smartcar_begin_reauth('owner-7')),
	('update some', smartcar_begin_reauth('owner-7', scope => ARRAY['read_vin'], lifetime => '90 seconds')),
	('vehicle', smartcar_begin_reauth('owner-7', vehicle_id => 'vehicle-1', redirect_uri => 'https://example.com/other')),
	('vehicle bare', smartcar_begin_reauth(vehicle_id => 'vehicle-2')),
	('v3', smartcar_begin_connect('owner-9', ARRAY['read_vin'], server => 'manager_v3')),
	('v3 vehicle', smartcar_begin_reauth('owner-9', vehicle_id => 'vehicle-3', server => 'manager_v3'));
SELECT name, replace(link, state, '(state)') AS link FROM begun ORDER BY name COLLATE "C";
SELECT bool_and(state ~ '^[0-9a-f]{64}$') AS is_256_bits, count(DISTINCT state) AS different FROM begun;
SELECT b.name, s.server, s.link, s.external_id, s.vehicle_id, s.redirect_uri, s.scope, s.status, s.expires_at - s.created_at AS lifetime,
		s.ended_at, s.user_id, s.error, s.error_description, s.action
	FROM begun b FULL JOIN smartcar_tesla.session s ON s.state_hash = sha256(b.state::bytea) ORDER BY b.name COLLATE "C";
SELECT count(*) AS holds_a_state FROM smartcar_tesla.session s, begun b WHERE position(b.state IN s::text) > 0 OR position(encode(decode(b.state, 'hex'), 'escape') IN s::text) > 0;
-- states differ from row to row of one statement
SELECT count(DISTINCT smartcar_begin_connect(i::text)) FROM generate_series(1, 100) AS i;
-- sessions belong to the transaction of the caller
BEGIN;
SELECT smartcar_begin_connect('rolled back') IS NOT NULL AS begun;
ROLLBACK;
SELECT count(*) FROM smartcar_tesla.session WHERE external_id = 'rolled back';
BEGIN READ ONLY;
SELECT smartcar_begin_connect();
ROLLBACK;

-- arguments
SELECT smartcar_begin_connect(lifetime => NULL);
SELECT smartcar_begin_reauth(lifetime => NULL);
\set SHOW_CONTEXT never
SELECT l AS lifetime, smartcar_begin_connect('lifetimes', lifetime => l) IS NOT NULL AS begun FROM unnest(ARRAY['1 microsecond', '30 days', '720 hours']::interval[]) AS l;
SELECT smartcar_begin_connect(lifetime => '0');
SELECT smartcar_begin_connect(lifetime => '-1 hour');
SELECT smartcar_begin_connect(lifetime => '1 day -25 hours');
SELECT smartcar_begin_connect(lifetime => '30 days 1 second');
SELECT smartcar_begin_connect(lifetime => '31 days');
SELECT smartcar_begin_connect(lifetime => '1 month');
SELECT smartcar_begin_reauth(lifetime => '1000000 years');
-- external_id: v3 needs one, and it must fit into an index
SELECT smartcar_begin_connect(server => 'manager_v3');
SELECT smartcar_begin_connect('', server => 'manager_v3');
SELECT smartcar_begin_reauth(server => 'manager_v3');
SELECT smartcar_begin_reauth('owner ''8''', scope => ARRAY['read_vin'], server => 'manager_v3');
SELECT smartcar_begin_connect(repeat(E'\u00fc', 256)) IS NOT NULL AS of_512_bytes;
SELECT smartcar_begin_connect(repeat(E'\u00fc', 256) || 'x');
SELECT smartcar_begin_reauth(repeat('x', 513));
-- refused as for smartcar_connect_url() and smartcar_reauth_url()
SELECT smartcar_begin_connect(scope => '{}');
SELECT smartcar_begin_connect(scope => ARRAY['read_odmeter']);
SELECT smartcar_begin_connect(scope => ARRAY['read_vin', NULL]);
SELECT smartcar_begin_connect(redirect_uri => 'javascript:alert(1)');
SELECT smartcar_begin_connect(server => 'no_such_server');
SELECT smartcar_begin_connect(server => 'empty');
SELECT smartcar_begin_reauth(vehicle_id => '');
SELECT smartcar_begin_reauth(scope => ARRAY['read_odmeter']);
SELECT smartcar_begin_reauth(server => 'empty');
SET smartcar_tesla.server = '';
SELECT smartcar_begin_connect();
SELECT smartcar_begin_reauth();
SELECT smartcar_access_token('owner-7');
SELECT smartcar_receive_webhook('x', 'y');
CALL smartcar_finish_connect('code=c');
CALL smartcar_refresh();
CALL smartcar_sync();
CALL smartcar_disconnect_vehicle('v');
CALL smartcar_forget('owner-7');
CALL smartcar_reseal_tokens();
SET smartcar_tesla.server = 'manager';
-- the refused calls began no session
SELECT count(*) FROM smartcar_tesla.session WHERE external_id IS NULL;
-- an external_id in any script is stored unchanged
SELECT smartcar_begin_connect(E'\u00fcn\u00efc\u00f6de \U0001F697 ''";--%_\\ smartcar_tesla.session') IS NOT NULL AS begun;
SELECT external_id FROM smartcar_tesla.session WHERE external_id LIKE E'\u00fcn%';

-- smartcar_adopt(): users get their external_id
SET smartcar_tesla.server = 'manager_v3';
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id) VALUES
	('manager_v3', 'user-1', 'v1', NULL), ('manager_v3', 'user-1', 'v2', NULL), ('manager_v3', 'user-2', 'v3', 'owner-2'), ('manager', 'user-1', 'v1', NULL);
CALL smartcar_adopt(NULL, '{}');
CALL smartcar_adopt('{}', NULL);
CALL smartcar_adopt('{user-1}', '{}');
CALL smartcar_adopt('{user-1,NULL}', '{a,b}');
CALL smartcar_adopt('{user-1,user-2}', '{a,NULL}');
CALL smartcar_adopt('{{user-1}}', '{{a}}');
CALL smartcar_adopt('{""}', '{a}');
CALL smartcar_adopt('{session-1}', '{a}');
CALL smartcar_adopt('{user-1}', '{""}');
CALL smartcar_adopt('{user-1}', ARRAY[repeat('x', 513)]);
CALL smartcar_adopt('{user-1,user-2,user-1}', '{a,b,c}');
CALL smartcar_adopt('{user-1}', '{a}', 'no_such_server');
BEGIN READ ONLY;
CALL smartcar_adopt('{user-1}', '{a}');
ROLLBACK;
SELECT count(*) AS changed FROM smartcar_tesla.connection WHERE external_id IS DISTINCT FROM CASE user_id WHEN 'user-2' THEN 'owner-2' END;
CALL smartcar_adopt('{}', '{}');
-- it belongs to the transaction of the caller
BEGIN;
CALL smartcar_adopt('{user-1}', '{owner-1}');
ROLLBACK;
-- a user can be given twice, as a join with vehicles does; an unknown user is skipped
CALL smartcar_adopt('{user-2,user-1,user-3,user-1}', '{owner-2,owner-1,owner-3,owner-1}');
CALL smartcar_adopt('{user-2,user-1}', '{owner-2,owner-1}');
-- a user who belongs to another owner
CALL smartcar_adopt('{user-2}', '{owner-1}');
SELECT server, user_id, vehicle_id, external_id FROM smartcar_tesla.connection ORDER BY 1, 2, 3;
SELECT server, user_id, external_id FROM smartcar_tesla.account ORDER BY 1, 2;
-- in v2.0 no account is made, because an account has tokens
CALL smartcar_adopt('{user-1}', '{owner-1}', 'manager');
SELECT server, user_id, external_id FROM smartcar_tesla.account ORDER BY 1, 2;
DELETE FROM smartcar_tesla.connection;
SET smartcar_tesla.server = 'manager';

-- procedures refuse to run inside a transaction block
BEGIN;
CALL smartcar_finish_connect('code=c');
ROLLBACK;
\set VERBOSITY sqlstate
BEGIN;
CALL smartcar_refresh();
ROLLBACK;
BEGIN;
CALL smartcar_sync();
ROLLBACK;
BEGIN;
CALL smartcar_disconnect_vehicle('v');
ROLLBACK;
BEGIN;
CALL smartcar_forget('owner-7');
ROLLBACK;
BEGIN;
CALL smartcar_reseal_tokens();
ROLLBACK;
-- and in a function, in a DO block with an exception handler, and in a multi-statement query
CREATE FUNCTION pg_temp.reseal() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL smartcar_reseal_tokens(); END $$;
SELECT pg_temp.reseal();
DO $$ BEGIN CALL smartcar_reseal_tokens(); EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT 1 \; CALL smartcar_reseal_tokens();
\set VERBOSITY default
-- a plain DO block can commit
DO $$ BEGIN CALL smartcar_reseal_tokens(); END $$;

-- missing options and refused arguments
CALL smartcar_finish_connect(NULL);
CALL smartcar_finish_connect('code=c');
CALL smartcar_refresh();
CALL smartcar_sync();
CALL smartcar_reseal_tokens();
ALTER SERVER manager OPTIONS (ADD token_key_file '/nonexistent/token_key');
CALL smartcar_finish_connect('code=c');
CALL smartcar_refresh();
CALL smartcar_sync();
CALL smartcar_reseal_tokens();
CALL smartcar_disconnect_vehicle(NULL);
CALL smartcar_forget(NULL);
CALL smartcar_forget('');
CALL smartcar_forget(repeat('x', 513));
CALL smartcar_refresh(max_accounts => -1);
CALL smartcar_refresh(server => 'no_such_server');
CALL smartcar_sync(server => 'no_such_server');
-- no session was ended
SELECT status, count(*) FROM smartcar_tesla.session GROUP BY 1;

-- callbacks with an invalid state; v3 has no tokens to seal, so no key is needed
CALL smartcar_finish_connect('code=c', server => 'manager_v3');
CALL smartcar_finish_connect('code=c&state=' || repeat('0', 64), server => 'manager_v3');
-- the name of a result, which begin_connect has as an argument
CALL smartcar_finish_connect('code=c&state=' || repeat('0', 64), server => 'manager_v3', external_id => 'owner-1');
CALL smartcar_finish_connect('code=c&state=' || repeat('0', 64), 'owner-1', 'manager_v3', external_id => 'owner-1');

SELECT 'https://example.com/callback?error=access_denied&error_description=User+denied+access&state=' || state AS callback FROM begun WHERE name = 'connect' \gset
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
-- a callback with an error ends its session, once
SELECT 'https://example.com/callback?error=access_denied&error_description=User+denied+access&state=' || state AS callback FROM begun WHERE name = 'v3' \gset
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
SELECT external_id, status, ended_at >= created_at AS ended, user_id, error, error_description, action FROM smartcar_tesla.session WHERE status <> 'open';
-- a vehicle's callback needs only its state, and clears the login error of the vehicle
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, error_type, error_code, error_description, error_action, error_at) VALUES
	('manager_v3', 'user-9', 'vehicle-3', 'CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'log in', 'reauthenticate', now()),
	('manager_v3', 'user-9', 'vehicle-4', 'CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'log in', 'reauthenticate', now()),
	('manager', 'user-9', 'vehicle-3', 'CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'log in', 'reauthenticate', now()),
	('manager_v3', 'user-8', 'vehicle-3', 'VEHICLE_STATE', 'DOOR_OPEN', 'door', 'ask_owner', now());
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, error_type, error_code, error_description, error_action, error_at) VALUES
	('manager_v3', 'user-7', 'vehicle-3', 'owner-7', 'CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'log in', 'reauthenticate', now());
UPDATE smartcar_tesla.connection SET errors = jsonb_build_array(jsonb_build_object('type', error_type, 'code', error_code,
		'description', error_description, 'action', error_action, 'known_at', error_at))
	WHERE error_type IS NOT NULL;
SELECT 'https://example.com/callback?vehicle_id=vehicle-4&state=' || state AS callback FROM begun WHERE name = 'v3 vehicle' \gset
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
SELECT server, user_id, vehicle_id, error_type, error_code, error_description, error_action, error_url, error_at IS NOT NULL AS has_time FROM smartcar_tesla.connection ORDER BY 1, 2, 3;
-- an expired session, and one whose code was being exchanged when the server crashed
SELECT 'code=c&state=' || pg_temp.state_of(smartcar_begin_connect('late', server => 'manager_v3')) AS callback \gset
UPDATE smartcar_tesla.session SET expires_at = clock_timestamp() WHERE external_id = 'late';
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
SELECT 'code=c&state=' || pg_temp.state_of(smartcar_begin_connect('crashed', server => 'manager_v3')) AS callback \gset
UPDATE smartcar_tesla.session SET status = 'exchanging' WHERE external_id = 'crashed';
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
-- a v3 callback without user_id
SELECT 'code=c&state=' || pg_temp.state_of(smartcar_begin_connect('nobody', server => 'manager_v3')) AS callback \gset
CALL smartcar_finish_connect(:'callback', server => 'manager_v3');
SELECT external_id, status, error, action FROM smartcar_tesla.session WHERE external_id IN ('late', 'crashed', 'nobody') ORDER BY 1;

-- access tokens that do not exist or cannot be used
SELECT smartcar_access_token() IS NULL AS nobody;
SELECT smartcar_access_token('owner-7');
INSERT INTO smartcar_tesla.account (server, user_id, external_id, status, access_token, access_expires_at) VALUES
	('manager', 'user-1', 'twice', 'active', NULL, NULL), ('manager', 'user-2', 'twice', 'active', NULL, NULL),
	('manager', 'user-3', 'refused', 'reauthenticate', '\x01', now() + interval '1 hour'),
	('manager', 'user-4', 'expired', 'active', '\x01', now() - interval '1 hour'),
	('manager', 'user-5', 'soon', 'active', '\x01', now() + interval '9 seconds'),
	('manager', 'user-6', 'garbage', 'active', '\x01', now() + interval '1 hour'),
	('manager_v3', 'user-7', 'owner-7', 'active', NULL, NULL);
SELECT smartcar_access_token('twice');
SELECT smartcar_access_token('twice', 'user-2');
SELECT smartcar_access_token('refused');
SELECT smartcar_access_token('expired');
SELECT smartcar_access_token('soon');
SELECT smartcar_access_token('garbage');
SELECT smartcar_access_token('garbage', 'user-5');
SELECT smartcar_access_token('owner-7');
SELECT smartcar_access_token('owner-7', server => 'manager_v3');
DROP TABLE begun;
DELETE FROM smartcar_tesla.session;
DELETE FROM smartcar_tesla.account;
DELETE FROM smartcar_tesla.connection;
DROP SERVER manager;
DROP SERVER manager_v3;
DROP SERVER empty;
RESET smartcar_tesla.server;
