--
-- schema.sql: what the garage stores for itself, and the two roles that it runs as.
--
--   psql -X -v ON_ERROR_STOP=1 -f schema.sql
--
-- Run it as a superuser in a database that has the extension smartcar_tesla and
-- a SERVER called smartcar, the only one that it uses.  The extension stores users,
-- tokens and vehicles; here is who is signed in, what vehicles have reported, and
-- what owners read.
--

BEGIN;

CREATE SCHEMA garage;

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'garage_web') THEN
		CREATE ROLE garage_web LOGIN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'garage_operator') THEN
		CREATE ROLE garage_operator LOGIN;
	END IF;
END
$$;

-- The web server begins and finishes sessions and receives webhooks; the operator
-- refreshes, syncs and reads signals.  Neither of them can read a token.
SELECT smartcar_grant('garage_web', 'application', 'smartcar');
SELECT smartcar_grant('garage_operator', 'operator', 'smartcar');
GRANT EXECUTE ON FUNCTION smartcar_get_signals_many TO garage_operator;

--
-- Owners, and who is signed in
--

-- external_id is the garage's own id of an owner, which Smartcar receives.
CREATE TABLE garage.owner (
	name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 80),
	external_id text NOT NULL UNIQUE DEFAULT gen_random_uuid()
);

-- Who is signed in.  Only the SHA-256 of the cookie is stored; notice is shown once,
-- on the next page.
CREATE TABLE garage.session (
	cookie_hash bytea PRIMARY KEY,
	external_id text NOT NULL REFERENCES garage.owner (external_id) ON DELETE CASCADE,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '12 hours',
	notice jsonb
);

-- A demonstration: any name is accepted.  Put your own way of signing in here.
CREATE FUNCTION garage.sign_in(name text, cookie text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM garage.session WHERE expires_at < now();
	INSERT INTO garage.owner VALUES (sign_in.name) ON CONFLICT DO NOTHING;
	INSERT INTO garage.session (cookie_hash, external_id)
		SELECT sha256(convert_to(cookie, 'UTF8')), o.external_id FROM garage.owner AS o WHERE o.name = sign_in.name;
END
$$;

CREATE FUNCTION garage.sign_out(cookie text) RETURNS void
BEGIN ATOMIC
	DELETE FROM garage.session WHERE cookie_hash = sha256(convert_to(cookie, 'UTF8'));
END;

CREATE FUNCTION garage.signed_in(cookie text) RETURNS garage.owner
BEGIN ATOMIC
	SELECT o.name, o.external_id FROM garage.session AS s JOIN garage.owner AS o USING (external_id)
	WHERE s.cookie_hash = sha256(convert_to(cookie, 'UTF8')) AND s.expires_at > now();
END;

CREATE FUNCTION garage.set_notice(cookie text, notice jsonb) RETURNS void
BEGIN ATOMIC
	UPDATE garage.session SET notice = set_notice.notice WHERE cookie_hash = sha256(convert_to(cookie, 'UTF8'));
END;

-- Returns the notice and deletes it.
CREATE FUNCTION garage.take_notice(cookie text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	taken jsonb;
BEGIN
	SELECT s.notice INTO taken FROM garage.session AS s
		WHERE s.cookie_hash = sha256(convert_to(cookie, 'UTF8')) AND s.notice IS NOT NULL FOR UPDATE;
	IF FOUND THEN
		PERFORM garage.set_notice(cookie, NULL);
	END IF;
	RETURN taken;
END
$$;

--
-- Links
--

-- The link that fixes what is wrong with a vehicle or, without one, connects.
CREATE FUNCTION garage.begin_link(external_id text, vehicle_id text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	action smartcar_action;
BEGIN
	SELECT s.action INTO action FROM smartcar_status AS s
		WHERE s.server = 'smartcar' AND s.external_id = begin_link.external_id AND s.vehicle_id = begin_link.vehicle_id;
	RETURN CASE action
		WHEN 'update_access' THEN smartcar_begin_reauth(external_id)
		WHEN 'reauthenticate' THEN smartcar_begin_reauth(external_id, vehicle_id => vehicle_id)
		ELSE smartcar_begin_connect(external_id)
	END;
END
$$;

--
-- What vehicles have reported
--

-- The signals that the page shows, in this order.
CREATE TABLE garage.signal (
	position integer NOT NULL,
	code text PRIMARY KEY,
	label text NOT NULL
);

INSERT INTO garage.signal VALUES
	(1, 'tractionbattery-stateofcharge', 'Charge'),
	(2, 'charge-ischarging', 'Charging'),
	(3, 'odometer-traveleddistance', 'Odometer');

-- user_id is in the key because what one user may read of a vehicle, another may not.
CREATE TABLE garage.reading (
	user_id text,
	vehicle_id text,
	code text REFERENCES garage.signal,
	value jsonb NOT NULL,
	unit text,
	reported_at timestamptz NOT NULL,
	PRIMARY KEY (user_id, vehicle_id, code)
);

--
-- What an owner reads
--

-- What to say for each action of smartcar_status, to a driver who needs a key, and to
-- an owner whose vehicle has moved to another account.
CREATE TABLE garage.hint (
	situation text PRIMARY KEY,
	tone text NOT NULL CHECK (tone IN ('good', 'waiting', 'wanted')),
	label text NOT NULL,
	hint text NOT NULL,
	button text
);

INSERT INTO garage.hint VALUES
	('none', 'good', 'Ready', 'Nothing is missing.', NULL),
	('update_access', 'wanted', 'Access incomplete',
	 'Nothing is ticked by default at Tesla. Tick what is missing, and come back.', 'Update access'),
	('connect', 'wanted', 'Not connected', 'Connect the vehicle again, and leave everything that we ask for ticked.', 'Connect again'),
	('reauthenticate', 'wanted', 'Login needed', 'Tesla asks you to log in again, for example after a change of your password.', 'Log in again'),
	('add_virtual_key', 'wanted', 'Key missing',
	 'This vehicle accepts commands only with a virtual key. Add ours on the phone that has the Tesla app.', NULL),
	('driver_key', 'wanted', 'Key needed',
	 'You use this vehicle as a driver. Stand beside it with the Tesla app open and add our virtual key, or ask its owner to add it.', NULL),
	('owner_changed', 'wanted', 'In another account', 'This Tesla is now connected to another account of ours, because somebody connected it there with '
	 'the same Tesla login. A Tesla login can belong to one account only. If you connect the vehicle here again, it leaves the other account.', 'Connect it here again'),
	('ask_owner', 'waiting', 'Check the Tesla app',
	 'The owner has to do something in the Tesla app or at the vehicle. We check again regularly.', NULL),
	('retry', 'waiting', 'One moment', 'The vehicle or Tesla does not respond at the moment. There is nothing for you to do; we try again.', NULL),
	('refresh_token', 'waiting', 'One moment', 'There is nothing for you to do; we try again.', NULL),
	('fix_setup', 'waiting', 'One moment', 'We have to fix something on our side. There is nothing for you to do.', NULL);

-- Vehicles that an owner has lost to another one within a month.  The view belongs to a
-- superuser, because the web server may not read the table.
CREATE VIEW garage.moved_vehicle AS
	SELECT c.previous_external_id AS external_id, c.vehicle_id, initcap(c.make) AS make, c.model, c.year
	FROM smartcar_tesla.connection AS c
	WHERE c.server = 'smartcar' AND c.status = 'connected' AND c.owner_changed_at > now() - interval '30 days'
		AND NOT EXISTS (SELECT FROM smartcar_tesla.connection AS own
			WHERE own.server = c.server AND own.vehicle_id = c.vehicle_id AND own.external_id = c.previous_external_id);

-- Owners see what Smartcar says about the state of a vehicle, for example that it is in
-- motion; its other descriptions are for developers.  security_invoker: a
-- role sees here what it may see in smartcar_status.
CREATE VIEW garage.vehicle WITH (security_invoker) AS
	SELECT s.external_id, s.user_id, s.vehicle_id, initcap(s.make) AS make, s.model, s.year, s.status, found.is_driver,
		s.missing_scopes, s.missing_tesla_permissions, smartcar_tesla_permissions(s.granted_scopes) AS granted_tesla_permissions,
		s.virtual_key_required, s.virtual_key_paired,
		CASE WHEN s.error_type = 'VEHICLE_STATE' THEN s.error_description END AS vehicle_error,
		h.situation, h.tone, h.label, h.hint, h.button,
		CASE WHEN h.situation IN ('add_virtual_key', 'driver_key') THEN coalesce(s.action_url, smartcar_virtual_key_url()) END AS key_url,
		CASE WHEN s.status = 'connected' AND (SELECT i.setting FROM smartcar_info() AS i WHERE i.name = 'api_version') <> '2.0' THEN
			(SELECT coalesce(jsonb_agg(jsonb_build_object('label', g.label, 'value', r.value, 'unit', r.unit, 'reported_at', r.reported_at)
				ORDER BY g.position), '[]')
			FROM garage.reading AS r JOIN garage.signal AS g USING (code) WHERE r.user_id = s.user_id AND r.vehicle_id = s.vehicle_id)
		END AS readings
	FROM smartcar_status AS s
		CROSS JOIN LATERAL (SELECT upper(s.access_type) IN ('DRIVER', 'SECONDARY') AS is_driver) AS found
		LEFT JOIN garage.hint AS h ON h.situation = CASE
			WHEN s.action = 'ask_owner' AND found.is_driver AND s.virtual_key_required AND s.virtual_key_paired IS NOT TRUE
				AND s.error_type IS DISTINCT FROM 'VEHICLE_STATE' THEN 'driver_key'
			ELSE s.action::text END
	WHERE s.server = 'smartcar'
	UNION ALL
	SELECT m.external_id, NULL, m.vehicle_id, m.make, m.model, m.year, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		h.situation, h.tone, h.label, h.hint, h.button, NULL, NULL
	FROM garage.moved_vehicle AS m JOIN garage.hint AS h ON h.situation = 'owner_changed';

-- What to say about an SQLSTATE, or about an error of Smartcar Connect; the longest
-- pattern that matches wins.
CREATE TABLE garage.message (
	code_like text PRIMARY KEY,
	message text NOT NULL
);

INSERT INTO garage.message VALUES
	('%', 'Something went wrong on our side. Please try again in a few minutes.'),
	('SCUNK', 'This link was not opened here, so nothing was changed. Connect again with the button below.'),
	('SCUSD', 'This link was already used, so nothing was changed. If your vehicle is not below, connect it again.'),
	('SCEXP', 'This link has expired, so nothing was changed. Connect again with the button below.'),
	('SCOWN', 'This link belongs to another account, so nothing was changed. Connect again with the button below.'),
	('SCBSY', 'Your vehicle is being connected in another tab. Reload this page in a few seconds.'),
	('SCCUT', 'We could not finish connecting your vehicle. Connect again with the button below.'),
	('22P02', 'The address that brought you here is damaged, so nothing was connected. Connect again with the button below.'),
	('SC%', 'Smartcar did not accept our request, so nothing was connected. Please connect again in a few minutes.'),
	('SC00_', 'Smartcar did not respond, so nothing was connected. Please connect again in a few minutes.'),
	('access_denied', 'You did not agree, so nothing was connected. You can connect at any time.'),
	('user_%', 'You came back early, so nothing was connected. You can connect at any time.'),
	('no_vehicles', 'There is no vehicle in this Tesla account, so nothing was connected. Please check the Tesla app and try again.'),
	('invalid_subscription',
	 'The connected services of this vehicle are not active, so nothing was connected. Please check the Tesla app and try again.'),
	('vehicle_incompatible', 'This vehicle cannot be connected.'),
	('server_error', 'Smartcar or Tesla has a problem at the moment, so nothing was connected. Please connect again in a few minutes.');

CREATE FUNCTION garage.message_for(code text) RETURNS text
BEGIN ATOMIC
	SELECT message FROM garage.message WHERE code LIKE code_like ORDER BY length(code_like) DESC, code_like DESC LIMIT 1;
END;

--
-- What the operator does
--

-- Owners whose vehicles are to be checked now, because the web server may send no
-- requests.  Without with_sync only the signals are read.
CREATE TABLE garage.check_request (
	external_id text PRIMARY KEY,
	with_sync boolean NOT NULL,
	requested_at timestamptz NOT NULL DEFAULT now(),
	is_running boolean NOT NULL DEFAULT false
);

CREATE FUNCTION garage.request_check(external_id text, with_sync boolean DEFAULT true) RETURNS void
BEGIN ATOMIC
	INSERT INTO garage.check_request VALUES (external_id, with_sync)
		ON CONFLICT (external_id) DO UPDATE
			SET with_sync = check_request.with_sync OR excluded.with_sync, requested_at = excluded.requested_at, is_running = false;
END;

-- Nobody waits for a check that has failed.
CREATE FUNCTION garage.is_checking(external_id text) RETURNS boolean
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM garage.check_request AS c
		WHERE c.external_id = is_checking.external_id AND c.with_sync AND c.requested_at > now() - interval '1 minute');
END;

-- The notice for what smartcar_finish_connect has returned.
CREATE FUNCTION garage.outcome(external_id text, status text, vehicle_ids text[], error text, previous_external_id text, requests bigint)
RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	IF status <> 'finished' THEN
		RETURN jsonb_build_object('tone', 'wanted', 'text', garage.message_for(error));
	END IF;
	-- a repeated callback sends no requests
	IF requests > 0 OR vehicle_ids IS NULL THEN
		PERFORM garage.request_check(external_id, with_sync => vehicle_ids IS NULL);
	END IF;
	RETURN jsonb_build_object('tone', 'good', 'text', 'Thank you. ' || CASE WHEN previous_external_id IS NULL
		THEN 'Here is the current status of your vehicles.'
		ELSE 'This Tesla was connected to another account of ours. It is now connected to yours, and no longer to the other one.' END);
END
$$;

-- Reads the signals of an owner's vehicles, one request for each vehicle.  One that
-- has no value now, for example because the vehicle is asleep, keeps the last one.
CREATE PROCEDURE garage.read_signals(owner text)
BEGIN ATOMIC
	INSERT INTO garage.reading
		SELECT u.user_id, s.vehicle_id, s.code, s.value, s.unit, coalesce(s.oem_updated_at, s.retrieved_at)
		FROM (
				SELECT user_id, array_agg(vehicle_id) AS vehicle_ids FROM smartcar_status
				WHERE server = 'smartcar' AND external_id = owner AND status = 'connected' GROUP BY user_id
			) AS u,
			smartcar_get_signals_many(u.vehicle_ids, ARRAY[u.user_id], (SELECT array_agg(code) FROM garage.signal)) AS s
		WHERE s.value IS NOT NULL AND coalesce(s.oem_updated_at, s.retrieved_at) IS NOT NULL
		ON CONFLICT (user_id, vehicle_id, code) DO UPDATE
			SET value = excluded.value, unit = excluded.unit, reported_at = excluded.reported_at
			WHERE reading.reported_at <= excluded.reported_at;
END;

-- Refreshes tokens, which only version 2.0 has, and checks the vehicles of owners who
-- have asked for it.  Called every few seconds: by run.sh in a loop, or as a job of
-- pg_cron.  A procedure that commits cannot have a SET clause or be SECURITY DEFINER.
CREATE PROCEDURE garage.run_jobs()
LANGUAGE plpgsql AS $$
DECLARE
	is_v2 boolean := (SELECT i.setting FROM smartcar_info() AS i WHERE i.name = 'api_version') = '2.0';
	owner text;
	with_sync boolean;
	done bigint;
	failed bigint;
	refused bigint;
	disconnected bigint;
	requests bigint;
BEGIN
	IF is_v2 THEN
		CALL smartcar_refresh(refreshed => done, failed => failed, refused => refused, requests => requests);
	END IF;
	LOOP
		UPDATE garage.check_request AS c SET is_running = true
			WHERE c.external_id = (SELECT external_id FROM garage.check_request WHERE NOT is_running LIMIT 1 FOR UPDATE SKIP LOCKED)
			RETURNING c.external_id, c.with_sync INTO owner, with_sync;
		EXIT WHEN owner IS NULL;
		COMMIT;
		IF with_sync THEN
			CALL smartcar_sync(external_id => owner, synced => done, failed => failed, disconnected => disconnected,
				requests => requests);
		END IF;
		IF NOT is_v2 THEN
			CALL garage.read_signals(owner);
		END IF;
		-- but not one that was requested again meanwhile
		DELETE FROM garage.check_request WHERE external_id = owner AND is_running;
		PERFORM pg_notify('garage', json_build_object('external_id', owner)::text);
		COMMIT;
	END LOOP;
END
$$;

--
-- Rights
--

REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA garage FROM PUBLIC;
GRANT USAGE ON SCHEMA garage TO garage_web, garage_operator;
GRANT SELECT, INSERT ON garage.owner TO garage_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON garage.session TO garage_web;
GRANT SELECT ON garage.hint, garage.vehicle, garage.moved_vehicle, garage.message, garage.signal, garage.reading TO garage_web;
-- ON CONFLICT reads the row that is there
GRANT SELECT, INSERT, UPDATE ON garage.check_request TO garage_web;
GRANT SELECT, UPDATE, DELETE ON garage.check_request TO garage_operator;
GRANT SELECT ON garage.signal TO garage_operator;
GRANT SELECT, INSERT, UPDATE ON garage.reading TO garage_operator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA garage TO garage_web;
GRANT EXECUTE ON PROCEDURE garage.run_jobs, garage.read_signals TO garage_operator;

COMMIT;
