--
-- The action that a vehicle needs, its link, and the views smartcar_status and smartcar_todo
--

CREATE SERVER status FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
		scope 'required:read_location read_odometer control_charge', api_version '2.0');
CREATE SERVER status_other FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
		scope 'read_vin read_brand_new', extra_scopes 'read_brand_new', api_version '3', virtual_key_domain 'acme.app.car');
CREATE SERVER status_empty FOREIGN DATA WRAPPER smartcar_tesla;
SET smartcar_tesla.server = 'status';

-- the scopes that servers want
SELECT s AS server, smartcar_server_scopes(s, true) AS wanted FROM unnest(ARRAY['status', 'status_other', 'status_empty', 'dropped', '', NULL, 'status']) WITH ORDINALITY AS v (s, n) ORDER BY n;
SET smartcar_tesla.server = '';
SELECT smartcar_server_scopes(NULL, true);
SET smartcar_tesla.server = 'status';

-- every rule, in the order in which they apply
CREATE TEMP TABLE cases (number integer GENERATED ALWAYS AS IDENTITY, what text, server text DEFAULT 'status', status text DEFAULT 'connected', error_action smartcar_action,
	granted_scopes text[] DEFAULT '{read_location,read_odometer,control_charge}', tesla_scopes text[] DEFAULT '{vehicle_location,vehicle_device_data,vehicle_charging_cmds}',
	access_type text DEFAULT 'OWNER', make text DEFAULT 'TESLA', model text DEFAULT 'Model 3', year integer DEFAULT 2021, paired boolean DEFAULT true, expected smartcar_action);
INSERT INTO cases (what, expected) VALUES ('all is well', 'none');
INSERT INTO cases (what, expected, status) VALUES ('disconnected', 'connect', 'disconnected');
INSERT INTO cases (what, expected, status) VALUES ('no status', 'none', NULL);
INSERT INTO cases (what, expected, status, error_action) VALUES ('disconnected, and an error', 'connect', 'disconnected', 'ask_owner');
INSERT INTO cases (what, expected, error_action) VALUES ('a transient error alone', 'retry', 'retry');
INSERT INTO cases (what, expected, error_action, tesla_scopes)
	SELECT 'an error comes before missing permissions, unless it is transient',
		CASE a WHEN 'retry' THEN 'update_access' ELSE a END, a, '{}' FROM unnest(enum_range(NULL::smartcar_action)) AS a;
INSERT INTO cases (what, expected, tesla_scopes, granted_scopes) VALUES
	('nothing ticked at Tesla', 'update_access', '{}', '{}'),
	('one not ticked', 'update_access', '{vehicle_location,vehicle_device_data}', '{read_location,read_odometer}'),
	('one not ticked, though Smartcar says it is granted', 'update_access', '{vehicle_location,vehicle_device_data}', '{read_location,read_odometer,control_charge}'),
	('not ticked, permissions not known', 'update_access', '{vehicle_location}', NULL),
	('ticked, permissions not known', 'none', '{vehicle_location,vehicle_device_data,vehicle_charging_cmds}', NULL),
	('more ticked than is wanted', 'none',
		'{openid,offline_access,user_data,vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds,energy_device_data}',
		'{read_location,read_odometer,control_charge,read_vin}'),
	('ticked, but Smartcar has not one', 'connect', '{vehicle_location,vehicle_device_data,vehicle_charging_cmds}', '{read_location,read_odometer}'),
	('ticked, but Smartcar has none', 'connect', '{vehicle_location,vehicle_device_data,vehicle_charging_cmds}', '{}'),
	('Tesla not known, all permissions', 'none', NULL, '{read_location,read_odometer,control_charge}'),
	('Tesla not known, one missing', 'update_access', NULL, '{read_location,read_odometer}'),
	('nothing known', 'none', NULL, NULL),
	('other names at Tesla', 'update_access', '{"Vehicle Location","Vehicle Information","Vehicle Charge Management"}', '{read_location,read_odometer,control_charge}');
INSERT INTO cases (what, expected, make, model, year, paired) VALUES
	('key missing', 'add_virtual_key', 'TESLA', 'Model 3', 2021, false), ('key not known', 'none', 'TESLA', 'Model 3', 2021, NULL),
	('no key needed', 'none', 'TESLA', 'Model S', 2019, false), ('key missing, year not known', 'none', 'TESLA', 'Model S', NULL, false),
	('key missing, a newer one', 'add_virtual_key', 'Tesla', 'Model S', 2021, false), ('model not known, of 2021', 'add_virtual_key', 'TESLA', NULL, 2021, false),
	('model not known, of 2020', 'none', 'TESLA', NULL, 2020, false), ('neither model nor year', 'none', 'TESLA', NULL, NULL, false),
	('a new model', 'add_virtual_key', 'TESLA', 'Cybercab', 2026, false), ('a new model with a key', 'none', 'TESLA', 'Cybercab', 2026, true),
	('an old model that is not in the list', 'none', 'TESLA', 'Roadster', 2010, false),
	('another make', 'none', 'BMW', 'Model 3', 2021, false), ('make not known', 'none', NULL, 'Model 3', 2021, false);
INSERT INTO cases (what, expected, access_type, paired) VALUES ('a driver, key missing', 'ask_owner', 'DRIVER', false), ('a driver, key there', 'none', 'DRIVER', true),
	('a secondary account, key missing', 'ask_owner', 'SECONDARY', false), ('in small letters', 'ask_owner', 'secondary', false), ('a primary account, key missing', 'add_virtual_key', 'PRIMARY', false),
	('owner or driver not known, key missing', 'add_virtual_key', NULL, false);
INSERT INTO cases (what, expected, access_type, paired, tesla_scopes) VALUES ('key missing, but access first', 'update_access', 'DRIVER', false, '{}');
INSERT INTO cases (what, expected, paired, granted_scopes) VALUES ('key missing, but to connect first', 'connect', false, '{}');
INSERT INTO cases (what, expected, server, granted_scopes, tesla_scopes) VALUES
	('another server, another scope', 'connect', 'status_other', '{read_location,read_odometer,control_charge}', '{vehicle_device_data}'),
	('a permission that is not in the table', 'connect', 'status_other', '{read_vin}', '{vehicle_device_data}'),
	('a permission that is not in the table, but granted', 'none', 'status_other', '{read_vin,read_brand_new}', '{vehicle_device_data}'),
	('a server that wants nothing', 'none', 'status_empty', '{}', '{}'),
	('a server that is gone', NULL, 'dropped', '{}', '{}'), ('no server: the one of the setting', 'update_access', NULL, '{}', '{}');
SELECT number, what, expected, actual FROM cases, smartcar_tesla.next_action(status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, paired, server) AS actual
	WHERE actual IS DISTINCT FROM expected ORDER BY 1;
SELECT expected, count(*) FROM cases GROUP BY 1 ORDER BY 1;
-- one call for several servers in turn
SELECT count(*) AS wrong FROM (SELECT * FROM cases ORDER BY md5(number::text)) AS c WHERE smartcar_tesla.next_action(status, error_action,
	granted_scopes, tesla_scopes, access_type, make, model, year, paired, server) IS DISTINCT FROM expected;
-- for a dropped server, disconnected vehicles and errors still need an action; its scopes are unknown
SELECT smartcar_tesla.next_action('disconnected', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'dropped'), smartcar_tesla.next_action(NULL,
	'retry', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'dropped'),
	smartcar_tesla.next_action('connected', NULL, NULL, NULL, NULL, 'TESLA', 'Model 3', 2021, false, 'dropped');
-- malformed arrays
SELECT smartcar_tesla.next_action('connected', NULL, '{{read_vin},{read_vin}}', NULL, NULL, NULL, NULL, NULL, NULL, 'status');
SELECT smartcar_tesla.next_action('connected', NULL, NULL, '{NULL}', NULL, NULL, NULL, NULL, NULL, 'status');

-- the links
SELECT a AS action, smartcar_tesla.action_url(a::text, 'owner 1', 'vehicle 1', NULL, 'status') AS link FROM unnest(enum_range(NULL::smartcar_action)) AS a;
SELECT a AS action, smartcar_tesla.action_url(a, 'owner 1', 'vehicle-1', NULL, 'status_other') AS link
	FROM unnest(ARRAY['update_access', 'reauthenticate', 'add_virtual_key', 'no_such_action', NULL]) AS a;
SELECT a AS action, s AS server, smartcar_tesla.action_url(a, 'owner 1', 'vehicle-1', NULL, s) AS link FROM unnest(ARRAY['update_access', 'reauthenticate',
	'add_virtual_key']) AS a, unnest(ARRAY['dropped', 'status_empty']) AS s;
SELECT smartcar_tesla.action_url('reauthenticate', NULL, NULL, NULL, 'status');
SELECT smartcar_tesla.action_url('reauthenticate', NULL, '', NULL, 'status');
-- only links of Tesla are returned
SELECT u AS error_url, smartcar_tesla.action_url('add_virtual_key', NULL, 'v', u, 'status') AS link FROM unnest(ARRAY['https://www.tesla.com/_ak/other.app.car', 'https://tesla.com/_ak/other.app.car',
	'https://www.tesla.com.evil.example/_ak/x', 'javascript:alert(1)', 'http://www.tesla.com/_ak/other.app.car', '', NULL]) WITH ORDINALITY AS v (u, n) ORDER BY n;
SELECT smartcar_tesla.action_url('reauthenticate', NULL, 'v', 'https://www.tesla.com/_ak/other.app.car', 'status');

-- the view
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, status, make, model, year, mode, granted_scopes, access_type, tesla_scopes, virtual_key_paired,
	error_type, error_code, error_description, error_action, error_url, error_at, connected_at, synced_at) VALUES
	('status', 'user-1', 'vehicle-1', 'owner-1', 'connected', 'TESLA', 'Model 3', 2021, 'live', '{read_location,read_odometer,control_charge}', 'OWNER',
		'{vehicle_location,vehicle_device_data,vehicle_charging_cmds}', true,
		NULL, NULL, NULL, NULL, NULL, NULL, '2026-01-01 UTC', '2026-01-02 UTC'),
	('status', 'user-1', 'vehicle-2', 'owner-1', 'connected', 'TESLA', 'Model Y', 2023, 'live', '{read_odometer}', 'DRIVER', '{vehicle_device_data}',
		false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('status', 'user-2', 'vehicle-2', 'owner-2', 'connected', 'TESLA', 'Model Y', 2023, 'live', '{read_location,read_odometer,control_charge}', 'OWNER',
		'{vehicle_location,vehicle_device_data,vehicle_charging_cmds}', false,
		'CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED', 'A key is needed.', 'add_virtual_key', 'https://www.tesla.com/_ak/other.app.car', '2026-01-03 UTC', NULL, NULL),
	('status', 'user-3', 'vehicle-3', NULL, 'disconnected', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('status', 'user-4', 'vehicle-4', 'owner-4', 'connected', 'TESLA', 'Model S', 2017, 'live', NULL, NULL, NULL, NULL,
		'CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'Log in.', 'reauthenticate', NULL, '2026-01-03 UTC', NULL, NULL),
	('status', 'user-6', 'vehicle-6', 'owner-6', 'connected', 'TESLA', 'Model 3', 2021, 'live', '{read_odometer}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('dropped', 'user-5', 'vehicle-5', 'owner-5', 'connected', 'TESLA', 'Model 3', 2021, NULL, '{read_vin}', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SET timezone = 'UTC';
\x on
SELECT * FROM smartcar_status ORDER BY server, user_id, vehicle_id;
\x off
SELECT action, count(*) FROM smartcar_status GROUP BY 1 ORDER BY 1;
-- smartcar_todo
SELECT server, user_id, vehicle_id, action FROM smartcar_todo ORDER BY 1, 2, 3;
CREATE FUNCTION pg_temp.todo_differs() RETURNS boolean LANGUAGE sql AS $$
	SELECT EXISTS (TABLE smartcar_todo EXCEPT ALL SELECT * FROM smartcar_status WHERE action <> 'none')
		OR EXISTS (SELECT * FROM smartcar_status WHERE action <> 'none' EXCEPT ALL TABLE smartcar_todo)
$$;
SELECT pg_temp.todo_differs();
-- rows with the same hash need the same action, for every combination of facts and any scopes of the server
BEGIN;
DELETE FROM smartcar_tesla.connection;
SELECT pg_temp.todo_differs() AS without_rows;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired)
	SELECT COALESCE(server, 'status'), 'user', 'vehicle-' || row_number() OVER (),
		CASE number % 7 WHEN 0 THEN 'disconnected' ELSE 'connected' END,
		error_action, granted_scopes, tesla_scopes, access_type, make, model, year, paired
	FROM cases;
SELECT count(*) > 50 AS many, count(DISTINCT facts_hash) > 20 AS many_hashes FROM smartcar_tesla.connection_status;
SELECT pg_temp.todo_differs();
SELECT facts_hash FROM smartcar_tesla.connection_status GROUP BY 1 HAVING count(DISTINCT action) > 1;
ALTER SERVER status OPTIONS (SET scope 'read_vin control_security');
SELECT pg_temp.todo_differs();
SELECT facts_hash FROM smartcar_tesla.connection_status GROUP BY 1 HAVING count(DISTINCT action) > 1;
ROLLBACK;
-- the hash covers each column that the action depends on
SELECT count(DISTINCT smartcar_tesla.facts_hash(status, error_action, granted, tesla, access_type, make, model, year, paired, server)) AS hashes, count(*) AS rows
FROM (VALUES ('connected', NULL::smartcar_action, '{read_vin}'::text[], '{vehicle_location}'::text[], 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('disconnected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('connected', 'retry', '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('connected', NULL, NULL, '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('connected', NULL, '{}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('connected', NULL, '{read_vin}', NULL, 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'DRIVER', 'TESLA', 'Model 3', 2021, false, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'BMW', 'Model 3', 2021, false, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model S', 2021, false, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2020, false, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', NULL, false, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2021, true, 'status'),
	('connected', NULL, '{read_vin}', '{vehicle_location}', 'OWNER', 'TESLA', 'Model 3', 2021, false, 'status_other'))
	AS c (status, error_action, granted, tesla, access_type, make, model, year, paired, server);
-- owners and vehicles are found by an index
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id)
	SELECT 'fleet', 'user-' || i, 'vehicle-' || i, 'owner-' || i FROM generate_series(1, 5000) AS i;
ANALYZE smartcar_tesla.connection;
CREATE FUNCTION pg_temp.scans(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		RETURN QUERY SELECT substring(line FROM '(?:Parallel |Index |Bitmap |Seq )+Scan.*| Index Cond: .*');
	END LOOP;
END $$;
SET enable_bitmapscan = off;
SELECT * FROM pg_temp.scans($$SELECT action FROM smartcar_status WHERE server = 'fleet' AND external_id = 'owner-7'$$) AS line WHERE line IS NOT NULL;
SELECT * FROM pg_temp.scans($$SELECT action FROM smartcar_status WHERE server = 'fleet' AND vehicle_id = 'vehicle-7'$$) AS line WHERE line IS NOT NULL;
SELECT * FROM pg_temp.scans($$SELECT action FROM smartcar_status WHERE server = 'fleet' AND user_id = 'user-7'$$) AS line WHERE line IS NOT NULL;
SELECT * FROM pg_temp.scans($$SELECT action FROM smartcar_status WHERE external_id = 'owner-7'$$) AS line WHERE line IS NOT NULL;
SELECT count(*) AS scans_of_all FROM pg_temp.scans('SELECT action FROM smartcar_todo') AS line WHERE line LIKE '%Seq Scan%';
RESET enable_bitmapscan;
-- parallel workers come to the same result
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SELECT * FROM pg_temp.scans('SELECT action, count(*) FROM smartcar_status GROUP BY 1') AS line WHERE line IS NOT NULL;
SELECT action, count(*) FROM smartcar_status GROUP BY 1 ORDER BY 1;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;
DELETE FROM smartcar_tesla.connection WHERE server = 'fleet';
-- the scope of the server changes
ALTER SERVER status OPTIONS (SET scope 'read_vin');
SELECT user_id, vehicle_id, action, missing_scopes, missing_tesla_permissions FROM smartcar_status ORDER BY 1, 2;
SELECT pg_temp.todo_differs();
-- the server is dropped
DROP SERVER status;
SELECT user_id, vehicle_id, action, action_url, missing_scopes FROM smartcar_status ORDER BY 1, 2;
SELECT pg_temp.todo_differs();
-- the name belongs to a server of another wrapper
CREATE FOREIGN DATA WRAPPER status_wrapper;
CREATE SERVER status FOREIGN DATA WRAPPER status_wrapper;
SELECT user_id, vehicle_id, action FROM smartcar_status WHERE server = 'status' ORDER BY 1, 2;
SELECT smartcar_tesla.may_use('status'), smartcar_server_scopes('status', true) IS NULL AS wants_nothing;
DROP FOREIGN DATA WRAPPER status_wrapper CASCADE;
DELETE FROM smartcar_tesla.connection;
DROP SERVER status_other;
DROP SERVER status_empty;
RESET timezone;
RESET smartcar_tesla.server;
