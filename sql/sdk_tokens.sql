--
-- Whether a token has ended, held against the official SDKs
--
-- The rows are facts from the test suites of the SDKs, some of them of versions
-- that still had such a function.  They are listed in test/sdk.md, with
-- those where we differ on purpose: mine is our answer there.
--

CREATE TEMP TABLE ends (
	id text,
	origin text,
	left_to_live interval,
	expected boolean,
	mine boolean
);

INSERT INTO ends (id, origin, left_to_live, expected, mine) VALUES
	('node-30', 'smartcar/node-sdk test/unit/index.js: isExpired - date', '-60 seconds', true, NULL),
	('node-31', 'smartcar/node-sdk test/unit/index.js: isExpired - date', '60 seconds', false, NULL),
	('go-04', 'smartcar/go-sdk smartcar_test.go: TestIsTokenExpiredFalse', '0 seconds', false, true),
	('ruby-07', 'smartcar/ruby-sdk spec/smartcar/e2e/auth_client_spec.rb: identifies expired tokens', '-86400 seconds', true, NULL),
	('ruby-08', 'smartcar/ruby-sdk spec/smartcar/e2e/auth_client_spec.rb: identifies valid tokens', '86400 seconds', false, NULL);

SELECT id, smartcar_token_expired(statement_timestamp() + left_to_live) IS NOT DISTINCT FROM coalesce(mine, expected) AS ok,
	   mine IS NOT NULL AS on_purpose
  FROM ends ORDER BY id;

-- node-32, smartcar/node-sdk test/unit/index.js: isExpired - error
SELECT smartcar_token_expired('not a date');

-- A token counts as ended a while before it is: 10 seconds, or the tolerance.
SELECT seconds, tolerance, smartcar_token_expired(statement_timestamp() + make_interval(secs => seconds),
												  tolerance) AS ended
  FROM (VALUES (0, '0'::interval), (0.001, '0'), (-0.001, '0'),
			   (60, '1 minute'), (61, '1 minute'), (-5, '-10 seconds'), (-11, '-10 seconds')) AS v (seconds, tolerance);
SELECT smartcar_token_expired(statement_timestamp() + interval '10 seconds'),
	   smartcar_token_expired(statement_timestamp() + interval '10.001 seconds');
SELECT smartcar_token_expired('infinity'), smartcar_token_expired('-infinity');
SELECT smartcar_token_expired(NULL) IS NULL, smartcar_token_expired(now(), NULL) IS NULL;

-- It is the time of the statement that counts, not that of the transaction.
BEGIN;
SELECT pg_sleep(0.02);
SELECT smartcar_token_expired(now() + interval '10 milliseconds', '0');
COMMIT;
