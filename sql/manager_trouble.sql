--
-- The view smartcar_trouble: what support has to look at
--

\pset null (null)
CREATE SERVER trouble FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback');
CREATE SERVER trouble_other FOREIGN DATA WRAPPER smartcar_tesla;

SELECT count(*) AS at_first FROM smartcar_trouble;

-- sessions: one for each owner, some with a later one
INSERT INTO smartcar_tesla.session (external_id, status, link, created_at, expires_at, ended_at, vehicle_id, error, error_description, action, server, state_hash)
	SELECT e, s, l, now() + created::interval, now() + expires::interval, CASE WHEN s IN ('finished', 'failed') THEN now() + created::interval + interval '1 minute' END,
		v, error, description, action::smartcar_action, server, sha256(gen_random_uuid()::text::bytea)
	FROM (VALUES
		('open', 'open', 'connect', '-10 min', '50 min', NULL, NULL, NULL, NULL, 'trouble'),
		('unused', 'open', 'connect', '-2 h', '-1 h', NULL, NULL, NULL, NULL, 'trouble'),
		('unused, a month ago', 'open', 'connect', '-31 d', '-30 d -1 s', NULL, NULL, NULL, NULL, 'trouble'),
		('unused login', 'open', 'reauthenticate', '-2 h', '-1 h', 'vehicle-1', NULL, NULL, NULL, 'trouble'),
		('unused, then begun again', 'open', 'connect', '-2 h', '-1 h', NULL, NULL, NULL, NULL, 'trouble'),
		('unused, then begun again', 'open', 'connect', '-10 min', '50 min', NULL, NULL, NULL, NULL, 'trouble'),
		('unused, before that finished', 'finished', 'connect', '-3 h', '-2 h', NULL, NULL, NULL, NULL, 'trouble'),
		('unused, before that finished', 'open', 'update_access', '-2 h', '-1 h', NULL, NULL, NULL, NULL, 'trouble'),
		('refused', 'failed', 'connect', '-2 h', '-1 h', NULL, 'access_denied', 'User denied access to the requested scope of permissions.', 'connect', 'trouble'),
		('refused, then open', 'failed', 'connect', '-2 h', '-1 h', NULL, 'access_denied', 'User denied access.', 'connect', 'trouble'),
		('refused, then open', 'open', 'connect', '-10 min', '50 min', NULL, NULL, NULL, NULL, 'trouble'),
		('refused, then finished', 'failed', 'connect', '-2 h', '-1 h', NULL, 'access_denied', 'User denied access.', 'connect', 'trouble'),
		('refused, then finished', 'finished', 'connect', '-1 h', '-1 min', NULL, NULL, NULL, NULL, 'trouble'),
		('login of one vehicle, then of another', 'failed', 'reauthenticate', '-2 h', '-1 h', 'vehicle-1', 'access_denied', NULL, 'connect', 'trouble'),
		('login of one vehicle, then of another', 'finished', 'reauthenticate', '-1 h', '-1 min', 'vehicle-2', NULL, NULL, NULL, 'trouble'),
		('setup', 'failed', 'connect', '-2 h', '-1 h', NULL, 'invalid_grant', 'Unauthorized redirect_uri', 'fix_setup', 'trouble'),
		('unknown error', 'failed', 'connect', '-2 h', '-1 h', NULL, 'something_new', NULL, NULL, 'trouble'),
		('cut off', 'exchanging', 'update_access', '-10 min', '50 min', NULL, NULL, NULL, NULL, 'trouble'),
		('being finished', 'exchanging', 'connect', '-10 min', '50 min', NULL, NULL, NULL, NULL, 'trouble'),
		(NULL, 'failed', 'connect', '-2 h', '-1 h', NULL, 'vehicle_incompatible', NULL, 'none', 'trouble'),
		(NULL, 'finished', 'connect', '-1 h', '-1 min', NULL, NULL, NULL, NULL, 'trouble'),
		('of the other server', 'failed', 'connect', '-2 h', '-1 h', NULL, 'access_denied', NULL, 'connect', 'trouble_other'),
		('of the other server', 'finished', 'connect', '-1 h', '-1 min', NULL, NULL, NULL, NULL, 'trouble')
	) AS v (e, s, l, created, expires, v, error, description, action, server);
-- the lock of smartcar_finish_connect()
SELECT pg_advisory_lock(('x' || encode(substr(state_hash, 1, 8), 'hex'))::bit(64)::bigint) FROM smartcar_tesla.session WHERE external_id = 'being finished';

SELECT server, external_id, user_id, vehicle_id, kind, date_trunc('minute', now() - since) AS ago, action, error, message,
	attempts, next_attempt_at, date_trunc('minute', expires_at - now()) AS expires_in
	FROM smartcar_trouble ORDER BY kind, external_id;
SELECT pg_advisory_unlock_all();
SELECT external_id, kind FROM smartcar_trouble WHERE external_id = 'being finished';
SELECT smartcar_tesla.is_being_finished('\x01'), smartcar_tesla.is_being_finished(NULL), smartcar_tesla.is_being_finished(sha256(''));
DELETE FROM smartcar_tesla.session;

-- accounts
INSERT INTO smartcar_tesla.account (server, user_id, external_id, status, access_token, refresh_token, refresh_expires_at,
		created_at, refreshed_at, attempts, next_attempt_at, error_sqlstate, error_description, error_at) VALUES
	('trouble', 'user-1', 'well', 'active', '\x01', '\x02', now() + interval '50 d',
		now() - interval '10 h', now() - interval '1 h', 0, NULL, NULL, NULL, NULL),
	('trouble', 'user-2', 'failing', 'active', '\x01', '\x02', now() + interval '50 d',
		now() - interval '10 h', now() - interval '5 h', 7, now() + interval '9 min',
		'SC503', 'Service Unavailable', now() - interval '1 min'),
	('trouble', 'user-3', 'failing from the start', 'active', '\x01', '\x02', now() + interval '50 d',
		now() - interval '10 h', NULL, 1, now() + interval '9 s', 'SC001', 'could not connect', now()),
	('trouble', 'user-6', 'failing for its key', 'active', '\x01', '\x02', now() + interval '50 d',
		now() - interval '10 h', now() - interval '5 h', 9, now() + interval '9 min',
		'55000', 'the stored refresh token cannot be opened', now()),
	('trouble', 'user-4', 'refused', 'reauthenticate', '\x01', '\x02', now() + interval '50 d',
		now() - interval '10 h', now() - interval '5 h', 1, now(),
		'SC400', 'Invalid or expired refresh token.', now() - interval '2 h'),
	('trouble', 'user-5', 'without tokens', 'active', NULL, NULL, NULL,
		now() - interval '10 h', NULL, 0, NULL, NULL, NULL, NULL);
SELECT server, external_id, user_id, vehicle_id, kind, date_trunc('minute', now() - since) AS ago, action, error, message,
	attempts, next_attempt_at > now() AS is_ahead, date_trunc('day', expires_at - now()) AS expires_in
	FROM smartcar_trouble ORDER BY user_id;
DELETE FROM smartcar_tesla.account;

-- connections: a transient error and a disconnected vehicle are no trouble; an unknown error is
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, status, error_type, error_code, error_description, error_action, error_at)
	SELECT 'trouble', 'user-1', 'vehicle-' || a, 'owner-1', 'connected', 'TYPE', 'CODE', 'description', a, now() - interval '1 h' FROM unnest(enum_range(NULL::smartcar_action)) AS a;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, status, error_type, error_code, error_description, error_action, error_at) VALUES
	('trouble', 'user-1', 'unknown', 'owner-1', 'connected', 'NEW', NULL, 'something new', NULL, now() - interval '1 h'),
	('trouble', 'user-1', 'well', 'owner-1', 'connected', NULL, NULL, NULL, NULL, now() - interval '1 h'),
	('trouble', 'user-1', 'disconnected', 'owner-1', 'disconnected', 'TYPE', NULL, NULL, 'fix_setup', now() - interval '1 h');
SELECT server, external_id, user_id, vehicle_id, kind, date_trunc('minute', now() - since) AS ago, action, error, message, attempts, next_attempt_at
	FROM smartcar_trouble ORDER BY vehicle_id;
DELETE FROM smartcar_tesla.connection;

-- a vehicle that was connected by another owner is trouble for the previous owner, until they connect it again
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, previous_external_id, owner_changed_at) VALUES
	('trouble', 'user-1', 'vehicle-1', 'wife', 'husband', now() - interval '1 h'),
	('trouble', 'user-1', 'vehicle-2', 'wife', 'husband', now() - interval '1 h'),
	('trouble', 'user-2', 'vehicle-2', 'husband', NULL, NULL),
	('trouble', 'user-3', 'vehicle-3', 'wife', 'husband', now() - interval '31 d');
SELECT server, external_id, user_id, vehicle_id, kind, date_trunc('minute', now() - since) AS ago, action, error, message FROM smartcar_trouble;
DELETE FROM smartcar_tesla.connection;

-- large tables are not scanned: rows are found by an index, or kept for 30 days only
INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, refresh_token) SELECT 'trouble', 'user-' || n, 'owner-' || n, '\x01', '\x02' FROM generate_series(1, 5000) AS n;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, status) SELECT 'trouble', 'user-' || n, 'vehicle-' || n, 'owner-' || n, 'connected' FROM generate_series(1, 5000) AS n;
UPDATE smartcar_tesla.account SET status = 'reauthenticate' WHERE user_id = 'user-7';
UPDATE smartcar_tesla.account SET attempts = 1 WHERE user_id = 'user-8';
UPDATE smartcar_tesla.connection SET error_type = 'TYPE', error_action = 'ask_owner' WHERE user_id = 'user-9';
ANALYZE smartcar_tesla.account, smartcar_tesla.connection;
CREATE FUNCTION pg_temp.scanned(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Seq Scan on (account|connection)' THEN
			RETURN NEXT line;
		END IF;
	END LOOP;
END $$;
SELECT pg_temp.scanned('TABLE smartcar_trouble');
SELECT pg_temp.scanned(format('SELECT * FROM smartcar_trouble WHERE %I = %L', name, 'x')) FROM unnest('{server,external_id,kind}'::text[]) AS name;
-- the check can fail: smartcar_status needs such a scan
SELECT pg_temp.scanned('TABLE smartcar_status');
SELECT external_id, kind FROM smartcar_trouble ORDER BY 1;
DELETE FROM smartcar_tesla.account;
DELETE FROM smartcar_tesla.connection;

DROP SERVER trouble;
DROP SERVER trouble_other;
\pset null ''
