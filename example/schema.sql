--
-- schema.sql: what the garage keeps for itself, and the two roles that it runs as.
--
--   psql -X -v ON_ERROR_STOP=1 -f schema.sql
--
-- Run it as a superuser in a database that has the extension smartcar_tesla and
-- a SERVER called smartcar, which is the one that its functions use.  Owners, tokens and vehicles are the business of the
-- extension; here is only who is signed in, which link was given to whom, and
-- what is said to an owner.
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

-- The web server begins and finishes round trips and takes webhooks; the
-- operator refreshes and syncs.  Neither of them can read a token.
SELECT smartcar_grant('garage_web', 'application', 'smartcar');
SELECT smartcar_grant('garage_operator', 'operator', 'smartcar');

--
-- Owners, and who is signed in
--

-- external_id is what Smartcar gets to know of an owner.
CREATE TABLE garage.owner (
	name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 80),
	external_id text NOT NULL UNIQUE DEFAULT gen_random_uuid()
);

-- The cookie of a browser is good for a session; only its SHA-256 is kept.
-- notice is what the owner is told on the next page.
CREATE TABLE garage.session (
	cookie_hash bytea PRIMARY KEY,
	external_id text NOT NULL REFERENCES garage.owner (external_id) ON DELETE CASCADE,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '12 hours',
	notice jsonb
);

-- A demonstration: whoever says a name is that owner.  Put your own way of
-- signing in here.
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

-- Returns it and forgets it.
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

-- The link that mends what is missing with a vehicle or, without one, connects.
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
-- What an owner sees
--

-- What to say for each action of smartcar_status.  Words are yours to change.
CREATE TABLE garage.advice (
	action smartcar_action PRIMARY KEY,
	tone text NOT NULL CHECK (tone IN ('good', 'waiting', 'wanted')),
	label text NOT NULL,
	advice text NOT NULL,
	button text,
	after_failure text NOT NULL
);

INSERT INTO garage.advice (action, tone, label, advice, button, after_failure) VALUES
	('none', 'good', 'Ready', 'Nothing is missing.',
	 NULL, 'This vehicle cannot be connected.'),
	('update_access', 'wanted', 'Access incomplete', 'Tesla ticks no permission by itself. Tick the ones that are missing, and come back.',
	 'Update access', 'You can begin again whenever you like.'),
	('connect', 'wanted', 'Not connected', 'Connect the vehicle again, and leave what we ask for ticked.',
	 'Connect again', 'You can begin again whenever you like.'),
	('reauthenticate', 'wanted', 'Login needed', 'Tesla wants you to log in again, for instance because your password has changed.',
	 'Log in again', 'You can begin again whenever you like.'),
	('add_virtual_key', 'wanted', 'Key missing', 'This vehicle takes commands only from those who have a virtual key. Add ours on the phone that has the Tesla app.',
	 NULL, 'Add the virtual key, then begin again.'),
	('ask_owner', 'waiting', 'Up to the owner', 'The owner has to act in the Tesla app or at the vehicle. A driver''s account cannot add a key.',
	 NULL, 'Please look into the Tesla app, then begin again.'),
	('retry', 'waiting', 'One moment', 'The vehicle or Tesla does not answer just now. There is nothing for you to do; we ask again.',
	 NULL, 'Please try again in a few minutes.'),
	('refresh_token', 'waiting', 'One moment', 'There is nothing for you to do; we ask again.',
	 NULL, 'Please try again in a few minutes.'),
	('fix_setup', 'waiting', 'One moment', 'We have to mend something on our side. There is nothing for you to do.',
	 NULL, 'We have to mend something on our side. Please try again tomorrow.');

-- Where Smartcar does not tell what is ticked at Tesla, it is what the missing
-- permissions need.  security_invoker: what the reader may not see stays unseen.
CREATE VIEW garage.vehicle WITH (security_invoker) AS
	SELECT s.external_id, s.vehicle_id, initcap(s.make) AS make, s.model, s.year, s.status, s.access_type,
		s.missing_scopes, coalesce(s.missing_tesla_permissions, smartcar_tesla_permissions(s.missing_scopes)) AS missing_tesla_permissions,
		s.granted_scopes,
		s.virtual_key_required, s.virtual_key_paired, s.error_description,
		s.action, s.action_url, a.tone, a.label, a.advice, a.button
	FROM smartcar_status AS s LEFT JOIN garage.advice AS a USING (action)
	WHERE s.server = 'smartcar';

-- What to say about an SQLSTATE; the longest pattern that fits wins.
CREATE TABLE garage.trouble (
	sqlstate_like text PRIMARY KEY,
	sentence text NOT NULL
);

INSERT INTO garage.trouble VALUES
	('%', 'Something went wrong on our side, and we have made a note of it. Please try again in a few minutes.'),
	('SCUNK', 'This return from Smartcar does not belong to a link that you opened here, so nothing was changed. Connect again with the button below.'),
	('SCUSD', 'This link was already used, so nothing was changed. If your vehicle is not below, connect it again.'),
	('SCEXP', 'This link has expired, so nothing was changed. Connect again with the button below.'),
	('SCOWN', 'This link belongs to another account, so nothing was changed. Connect again with the button below.'),
	('SCBSY', 'Your vehicle is being connected in another tab. Reload this page in a few seconds.'),
	('SCCUT', 'We could not finish connecting your vehicle. Connect again with the button below.'),
	('22P02', 'The address that brought you here is damaged, so nothing was connected. Begin again with the button below.'),
	('SC%', 'Smartcar did not accept our request, so nothing was connected. Please connect again in a few minutes.'),
	('SC00_', 'Smartcar did not answer, so nothing was connected. Please connect again in a few minutes.');

CREATE FUNCTION garage.sentence(state text) RETURNS text
BEGIN ATOMIC
	SELECT sentence FROM garage.trouble WHERE state LIKE sqlstate_like ORDER BY length(sqlstate_like) DESC, sqlstate_like DESC LIMIT 1;
END;

--
-- What the operator does
--

-- Owners who want to be asked about at once.  The web server may not call
-- smartcar_sync; it leaves a wish.
CREATE TABLE garage.wish (
	external_id text PRIMARY KEY
);

CREATE FUNCTION garage.ask_again(external_id text) RETURNS void
BEGIN ATOMIC
	INSERT INTO garage.wish VALUES (external_id) ON CONFLICT DO NOTHING;
END;

-- What to tell an owner when smartcar_finish_connect has returned.
CREATE FUNCTION garage.outcome(external_id text, callback text, status text, vehicle_ids text[], error text, action smartcar_action)
RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	reason text := rtrim(coalesce((smartcar_parse_callback(callback)).error_description, replace(error, '_', ' ')), '.');
BEGIN
	IF status = 'finished' THEN
		IF vehicle_ids IS NULL THEN
			PERFORM garage.ask_again(external_id);
		END IF;
		RETURN jsonb_build_object('tone', 'good', 'text', 'Thank you. This is how your vehicles stand now.');
	END IF;
	RETURN jsonb_build_object('tone', 'wanted', 'text', format('Nothing was connected. Smartcar says: %s. %s', reason,
		coalesce((SELECT a.after_failure FROM garage.advice AS a WHERE a.action = outcome.action), 'Please begin again.')));
END
$$;

-- Keeps tokens alive, which only version 2.0 has, and fulfils wishes.  Called every
-- few seconds: by run.sh in a loop, or as a job of pg_cron.  A procedure that commits
-- cannot have a SET clause or be SECURITY DEFINER.
CREATE PROCEDURE garage.look_after()
LANGUAGE plpgsql AS $$
DECLARE
	owner text;
	done bigint;
	failed bigint;
	refused bigint;
	disconnected bigint;
	requests bigint;
BEGIN
	IF (SELECT i.setting FROM smartcar_info() AS i WHERE i.name = 'api_version') = '2.0' THEN
		CALL smartcar_refresh(refreshed => done, failed => failed, refused => refused, requests => requests);
	END IF;
	LOOP
		DELETE FROM garage.wish WHERE external_id = (SELECT w.external_id FROM garage.wish AS w LIMIT 1 FOR UPDATE SKIP LOCKED)
			RETURNING external_id INTO owner;
		EXIT WHEN owner IS NULL;
		COMMIT;
		CALL smartcar_sync(external_id => owner, synced => done, failed => failed, disconnected => disconnected,
			requests => requests);
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
GRANT SELECT ON garage.advice, garage.vehicle, garage.trouble TO garage_web;
-- ON CONFLICT looks at what is there
GRANT SELECT, INSERT ON garage.wish TO garage_web;
GRANT SELECT, UPDATE, DELETE ON garage.wish TO garage_operator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA garage TO garage_web;
GRANT EXECUTE ON PROCEDURE garage.look_after TO garage_operator;

COMMIT;
