--
-- demo_fleet.sql: a fleet of eight owners, from what a backend has stored.
--
-- test/demo.sh runs this in a database of its own.  It needs nothing but the
-- installed extension: no network, no account with Smartcar.
--

\set QUIET on
\pset pager off
\pset footer off
\pset border 1
\pset null ''

CREATE EXTENSION smartcar_tesla;

-- One SERVER is one Smartcar application, its USER MAPPING holds the secrets.
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'read_battery read_odometer required:read_location control_charge control_climate');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	management_token 'a-token-for-this-demo-only');

-- What a backend knows about its owners: the Smartcar permissions that they granted,
-- the scopes that they ticked at Tesla, the vehicle, and whether it has the key.
CREATE TABLE owner (
	name text PRIMARY KEY,
	granted text[] NOT NULL,
	tesla_granted text[] NOT NULL,
	make text NOT NULL,
	model text NOT NULL,
	year integer NOT NULL,
	has_key boolean NOT NULL);

INSERT INTO owner VALUES
	('Ada', '{read_battery,read_odometer,read_location,control_charge,control_climate}',
	 '{vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds}',
	 'TESLA', 'Model 3', 2022, true),
	('Bruno', '{read_battery,read_odometer,control_charge,control_climate}',
	 '{vehicle_device_data,vehicle_cmds,vehicle_charging_cmds}',
	 'TESLA', 'Model Y', 2023, true),
	('Chioma', '{read_battery,read_odometer,read_location}',
	 '{vehicle_device_data,vehicle_location}',
	 'TESLA', 'Model S', 2018, false),
	('Dmitri', '{read_battery,read_odometer,read_location,control_charge,control_climate}',
	 '{vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds}',
	 'TESLA', 'Model Y', 2024, false),
	('Elif', '{read_battery,read_odometer,read_location}',
	 '{user_data,vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds}',
	 'TESLA', 'Model X', 2021, true),
	('Farah', '{read_odometer}',
	 '{}',
	 'TESLA', 'Cybertruck', 2025, false),
	('Goran', '{read_battery,read_odometer,read_location,control_charge,control_climate}',
	 '{vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds}',
	 'TESLA', 'Model S', 2019, false),
	('Hana', '{read_battery,control_charge,control_climate}',
	 '{vehicle_cmds,vehicle_charging_cmds}',
	 'TESLA', 'Model 3', 2021, false);

-- What is missing for each owner.  An owner who has ticked everything at Tesla cannot be
-- asked there again: missing Smartcar permissions are then granted in Connect.  In
-- production, state is a random value that is stored until the callback returns it.
CREATE VIEW gap AS
SELECT o.*,
	   smartcar_missing_scopes(o.granted, wanted) AS missing,
	   smartcar_missing_tesla_permissions(o.tesla_granted, wanted) AS missing_at_tesla,
	   smartcar_virtual_key_required(o.make, o.model, o.year) AS needs_key
FROM owner o, smartcar_server_scopes() AS wanted;

CREATE VIEW next_step AS
SELECT name, step.action,
	   CASE step.action
		   WHEN 'update_access' THEN smartcar_reauth_url(state => 'session-of-' || name)
		   WHEN 'connect' THEN smartcar_connect_url(state => 'session-of-' || name, force_prompt => true)
		   WHEN 'add_virtual_key' THEN smartcar_virtual_key_url()
	   END AS link
FROM gap,
	 LATERAL (VALUES ('update_access'::smartcar_action, 1, missing_at_tesla <> '{}'),
					 ('connect', 2, missing <> '{}' AND missing_at_tesla = '{}'),
					 ('add_virtual_key', 3, needs_key AND NOT has_key)) AS step (action, place, applies)
WHERE step.applies
ORDER BY name, step.place;

\echo
\echo '== What the application wants, and what Tesla must allow for it'
\echo
SELECT scope AS "Smartcar permission",
	   smartcar_tesla_permission(scope) AS "Tesla permission",
	   smartcar_tesla_scope(scope) AS "in the API of Tesla"
FROM unnest(smartcar_server_scopes()) AS scope;

\echo '== The fleet: who lacks which Smartcar permission, and who needs a virtual key'
\echo
SELECT name AS owner, concat_ws(' ', model, year) AS vehicle,
	   array_to_string(missing, E'\n') AS "missing at Smartcar",
	   CASE WHEN NOT needs_key THEN 'not needed' WHEN has_key THEN 'there' ELSE 'missing' END
		   AS "virtual key"
FROM gap ORDER BY name;

\echo '== What they must still tick at Tesla, and why'
\echo
SELECT name AS owner, tick.permission AS "to tick at Tesla",
	   string_agg(wanted.scope, ', ' ORDER BY wanted.place) AS "because the application wants"
FROM gap,
	 unnest(missing_at_tesla) WITH ORDINALITY AS tick (permission, place),
	 unnest(smartcar_server_scopes()) WITH ORDINALITY AS wanted (scope, place)
WHERE smartcar_tesla_permission(wanted.scope) = tick.permission
GROUP BY name, tick.permission, tick.place
ORDER BY name, tick.place;

\echo '== The link that fixes it (one line each; cut before every "&" to fit here)'
\pset tuples_only on
\pset format unaligned
SELECT E'\n' || name || ': ' ||
	   CASE action
		   WHEN 'update_access' THEN 'tick what is missing at Tesla'
		   WHEN 'connect' THEN 'has ticked all at Tesla, but must grant it to the application in Connect'
		   WHEN 'add_virtual_key' THEN 'add the virtual key, on the phone with the Tesla app'
	   END || ' (' || action || E')\n  ' || replace(link, '&', E'\n  &')
FROM next_step;
SELECT E'\nNothing to do for: ' || string_agg(name, ', ' ORDER BY name)
FROM owner WHERE name NOT IN (SELECT name FROM next_step);
\pset format aligned
\pset tuples_only off

\echo
\echo '== What came back: two callbacks of Connect, as fields'
\echo
WITH came (callback) AS (VALUES
	('https://example.com/callback?user_id=6fd1ba5e-2c4f-4c1b-9a37-1f3f6f1d2b90&state=session-of-Hana'
	 '&virtual_key_url=https%3A%2F%2Fwww.tesla.com%2F_ak%2Fsmartcar.com'),
	('https://example.com/callback?error=access_denied'
	 '&error_description=User+denied+access+to+application.&state=session-of-Bruno'))
SELECT p.state, f.key AS field, f.value
FROM came, smartcar_parse_callback(callback) AS p,
	 jsonb_each_text(jsonb_strip_nulls(to_jsonb(p))) AS f
WHERE f.key <> 'state'
ORDER BY p.state DESC, f.key;

\echo '== Error responses of the API, and the action for each'
\echo
WITH response (status, retry_after, body) AS (VALUES
	(400, NULL, '{"type": "CONNECTED_SERVICES_ACCOUNT", "code": "VIRTUAL_KEY_REQUIRED", "resolution":
		{"type": "ACTION_REQUIRED", "url": "https://www.tesla.com/_ak/smartcar.com"}}'),
	(403, NULL, '{"type": "PERMISSION", "code": null, "resolution": {"type": "REAUTHENTICATE"}}'),
	(409, NULL, '{"type": "VEHICLE_STATE", "code": "DOOR_OPEN", "resolution": {"type": null}}'),
	(429, '30', '{"type": "RATE_LIMIT", "code": "VEHICLE", "resolution": {"type": "RETRY_LATER"}}'),
	(401, NULL, '{"error": "invalid_grant", "error_description": "The code has expired."}'))
SELECT e.status, concat_ws(E':\n', e.type, e.code) AS error, e.action,
	   coalesce(e.resolution_url, 'after ' || e.retry_after || ' s') AS "where or when"
FROM response r, smartcar_parse_error(r.body, r.status, r.retry_after) AS e;

\echo '== A webhook: the response to its challenge, and the signatures of events'
\echo
SELECT smartcar_hash_challenge('a challenge of Smartcar') AS "response to the challenge";

WITH event (what, body, signature) AS (VALUES
	('as it was sent', '{"eventType": "VEHICLE_STATE", "eventId": "5a537912"}',
	 'd40fe49b7fdf2e2cd05a7358582787b2989e8064a8eabd14663072c39ec264b7'),
	('with one digit changed', '{"eventType": "VEHICLE_STATE", "eventId": "5a537913"}',
	 'd40fe49b7fdf2e2cd05a7358582787b2989e8064a8eabd14663072c39ec264b7'),
	('without a signature', '{"eventType": "VEHICLE_STATE", "eventId": "5a537912"}',
	 NULL))
SELECT what AS "the event", smartcar_verify_webhook(body, signature) AS genuine
FROM event;
