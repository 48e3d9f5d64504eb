-- Accounts in place of those that were there, from lines of
-- test/lib/seal_tokens.js in bench_account.

TRUNCATE smartcar_tesla.account;
INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at)
	SELECT 'refresh', user_id, 'owner of ' || user_id, decode(access_token, 'hex'), now() + '1 minute',
		   decode(refresh_token, 'hex'), now() + '60 days', now()
	FROM bench_account;
VACUUM ANALYZE smartcar_tesla.account;
