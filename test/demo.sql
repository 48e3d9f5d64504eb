--
-- demo.sql: one owner from the first link until nothing is missing.
--
-- test/demo.sh runs this in a database of its own, with the variable "sandbox" set to
-- the address of the local Smartcar in test/sandbox.  Its owners consent at once;
-- everything else is as with the real Smartcar.
--

\set QUIET on
\pset pager off
\pset footer off
\pset border 1
\pset null ''

CREATE EXTENSION smartcar_tesla;

-- One SERVER is one Smartcar application, its USER MAPPING holds the secrets.
-- Without the origins, the real Smartcar is called.
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_user_profile read_odometer read_location control_charge',
	connect_origin :'sandbox', iam_origin :'sandbox', vehicle_origin :'sandbox');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret');

\echo
\echo '== 1. The link that connects an owner (cut before every "&" to fit here)'
\echo
SELECT smartcar_connect_url(state => 'session-1', external_id => 'owner-7') AS link \gset
\pset tuples_only on
\pset format unaligned
SELECT replace(:'link', '&', E'\n  &');

\echo
\echo '== 2. The owner logs in, and ticks two of the four permissions at Tesla'
\echo
\set callback `curl -sS -o /dev/null -w '%{redirect_url}' -d owner=ada -d tesla_permission=vehicle_device_data -d tesla_permission=user_data :'link'`
SELECT replace(replace(:'callback', '?', E'\n  ?'), '&', E'\n  &');
\pset format aligned
\pset tuples_only off

\echo
\echo '== 3. The callback, parsed: its state is the one of the link, and the user is our owner-7'
\echo
SELECT state, user_id, virtual_key_url
FROM smartcar_parse_callback(:'callback');

CREATE TEMP TABLE vehicle AS
SELECT c.user_id, c.vehicle_id FROM smartcar_parse_callback(:'callback') AS p,
	 smartcar_get_connections(user_id => p.user_id, external_id => 'owner-7') AS c
WHERE p.state = 'session-1';

SELECT * FROM vehicle;

\echo '== 4. The vehicles, what was granted, and what is missing'
\echo
CREATE TEMP VIEW garage AS
SELECT v.make, v.model, v.year, a.access_type,
	   smartcar_missing_scopes(smartcar_get_permissions(vehicle_id, user_id => user_id), smartcar_server_scopes()) AS missing_scopes,
	   smartcar_missing_tesla_permissions(a.tesla_scopes, smartcar_server_scopes()) AS missing_at_tesla,
	   smartcar_virtual_key_required(v.make, v.model, v.year) AS needs_key,
	   smartcar_get_virtual_key(vehicle_id, user_id => user_id) AS has_key
FROM vehicle, smartcar_get_vehicle(vehicle_id, user_id => user_id) AS v,
	 smartcar_get_tesla_access(vehicle_id, user_id => user_id) AS a;

SELECT concat_ws(' ', make, model, year) AS vehicle, access_type,
	   array_to_string(missing_scopes, E'\n') AS "missing at Smartcar",
	   array_to_string(missing_at_tesla, E'\n') AS "to tick at Tesla", has_key AS key
FROM garage;

\echo '== 5. The error of a command, until that is fixed'
\echo
SELECT r.status, e.type, e.code, e.action
FROM vehicle,
	 smartcar_request('POST', '/vehicles/' || vehicle_id || '/commands/charge/start', user_id => user_id) AS r,
	 smartcar_parse_error(r.body, r.status, r.retry_after::text, r.request_id) AS e;

\echo '== 6. The link that updates access, and the link for the virtual key'
\echo
SELECT smartcar_reauth_url(state => 'session-2') AS link \gset
\pset tuples_only on
\pset format unaligned
SELECT replace(:'link', '&', E'\n  &');
SELECT smartcar_virtual_key_url();

\echo
\echo '== 7. The owner ticks the rest, and adds the key'
\echo
\set callback `curl -sS -o /dev/null -w '%{redirect_url}' -d owner=ada -d tesla_permission=all -d pair=36ab27d0-fd9d-4455-823a-ce30af709ffc :'link'`
SELECT replace(replace(:'callback', '?', E'\n  ?'), '&', E'\n  &');
\pset format aligned
\pset tuples_only off

\echo
\echo '== 8. Nothing is missing'
\echo
SELECT concat_ws(' ', make, model, year) AS vehicle, missing_scopes, missing_at_tesla, needs_key, has_key
FROM garage;

SELECT r.status, r.body::jsonb #> '{data,attributes}' AS attributes
FROM vehicle, smartcar_request('POST', '/vehicles/' || vehicle_id || '/commands/charge/start', user_id => user_id) AS r;
