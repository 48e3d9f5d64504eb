-- Statistics of a quiet day, and then accounts whose refresh has failed and which wait.
-- Those that are there have waited and can be refreshed.
--
-- Variable: waiting.

VACUUM ANALYZE smartcar_tesla.account;
UPDATE smartcar_tesla.account SET attempts = 3, next_attempt_at = now(), access_expires_at = now() + '1 minute';
INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at, attempts, next_attempt_at)
	SELECT 'refresh', 'waits-' || i, 'waits-' || i, '\x00', now() - interval '1 hour', '\x00', now() + '60 days', now() - interval '3 hours', 7,
		   now() + interval '30 minutes'
	FROM generate_series(1, :waiting) AS i;
