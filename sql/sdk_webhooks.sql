--
-- Webhooks, compared with the official SDKs and Smartcar's documentation
--
-- The rows are facts from the test suites of the SDKs, from runs of their
-- published packages, and digests of bodies that an SDK hashes wrongly, because it
-- parses and serializes them first.  They are listed in test/sdk.md.
--

-- How a statement is refused: the SQLSTATE and the message.
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE statement INTO result;
	RETURN 'accepted: ' || coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- All tokens are arguments, so no server is used.
SET smartcar_tesla.server = '';

CREATE TEMP TABLE challenge (
	id text,
	origin text,
	management_token text,
	challenge text,
	expected text,
	note text
);

INSERT INTO challenge (id, origin, management_token, challenge, expected, note) VALUES
	('node-18', 'smartcar/node-sdk test/unit/index.js: hashChallenge',
	 'amt', 'challenge', '9baf5a7464bd86740ad5a06e439dcf535a075022ed2c92d74efacf646d79328e', NULL),
	('java-06', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/SmartcarTest.java: testHashChallenge',
	 'amt', 'challenge', '9baf5a7464bd86740ad5a06e439dcf535a075022ed2c92d74efacf646d79328e', NULL),
	('python-05', 'smartcar/python-sdk a4dfeff smartcar/smartcar.py, observed',
	 'abc123abc123', '9c9c9c9c', '2a596ed34b8c6f069492d952aa51f076fee7b1c662b6498e0217a0d41fd9b936', NULL),
	('computed-01', 'computed: what key and message in each other''s place give',
	 'challenge', 'amt', '7ab7c12606f7e43a826cb6bd4dc45462fb90f5dc9ff83f796f90cc63aec14023',
	 'must not be the response to node-18');

SELECT id, smartcar_hash_challenge(challenge, management_token) IS NOT DISTINCT FROM expected
	   AND (id <> 'computed-01' OR smartcar_hash_challenge(management_token, challenge) <> expected) AS ok,
	   note
  FROM challenge ORDER BY id;

-- The Node SDK accepts an empty token, with which anybody can make a signature.
SELECT v.id, left(refusal, 5) = '22023' AND strpos(refusal, 'management_token') > 0 AS ok, refusal
  FROM (VALUES
		('node-19', 'smartcar 10.4.0 (npm) index.js, observed', '', '',
		 'b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad')
	   ) AS v (id, origin, management_token, challenge, expected),
	   unnest(ARRAY[
		format('SELECT smartcar_hash_challenge(%L, %L)', v.challenge, v.management_token),
		format('SELECT smartcar_verify_webhook(%L::text, %L, %L)', v.challenge, v.expected, v.management_token),
		format('SELECT smartcar_verify_webhook(%L::bytea, %L, %L)', v.challenge, v.expected, v.management_token)
	   ]) WITH ORDINALITY AS s (statement, place),
	   pg_temp.refusal(s.statement) AS refusal
 ORDER BY v.id, s.place;

CREATE TEMP TABLE payload (
	id text,
	origin text,
	management_token text,
	signature text,
	body text,
	expected boolean,
	note text
);

INSERT INTO payload (id, origin, management_token, signature, body, expected, note) VALUES
	('node-20', 'smartcar/node-sdk test/unit/index.js: verifyPayload',
	 'amt', '4c05a8da471f05156ad717baa4017acd13a3a809850b9ca7d3301dcaaa854f70',
	 '{"pizza":"pasta"}', true, NULL),
	('ruby-05', 'smartcar/ruby-sdk spec/smartcar/e2e/smartcar_spec.rb: .verfify_payload',
	 'amt', '4c05a8da471f05156ad717baa4017acd13a3a809850b9ca7d3301dcaaa854f70',
	 '{"pizza":"pasta"}', true, NULL),
	('node-21', 'computed: what smartcar 10.4.0 (npm) index.js refuses',
	 'amt', '04040b7103998aefa260b790c63a8f1502fe3e93f5db7cf5f1427c0a1dd1dc15',
	 '{"pizza": "pasta"}', true, 'a space is lost by parsing'),
	('node-22', 'computed: what smartcar 10.4.0 (npm) index.js refuses',
	 'amt', '8100b489a2c2af20caca8f14228fd0ff3a1b93bf466fa1a2e110a6fb9ba6ab1c',
	 '{"distance":100.0}', true, '100.0 becomes 100'),
	('node-23', 'computed: what smartcar 10.4.0 (npm) index.js refuses',
	 'amt', 'f2deca3d6895fbf63ce83edcdf12a73cf0f09aa0573303929b6062b71b5a2fd1',
	 '{"id":12345678901234567890}', true, 'a large integer is rounded'),
	('node-24', 'computed: what smartcar 10.4.0 (npm) index.js refuses',
	 'amt', '13cfc49d4f84823cd8bf87bfd63fe418e02714c442ee4acc9e5d88243088295c',
	 '{"n":"caf\u00e9"}', true, 'an escape becomes the character');

-- The signature is valid for the body as text and as bytea, in upper and lower
-- case, and for no other token, body or signature.
SELECT id, smartcar_verify_webhook(convert_to(body, 'UTF8'), signature, management_token) = expected
	   AND smartcar_verify_webhook(body, signature, management_token) = expected
	   AND smartcar_verify_webhook(body, upper(signature), management_token) = expected AS ok,
	   smartcar_verify_webhook(body, signature, management_token || 'x')
	   OR smartcar_verify_webhook(body || ' ', signature, management_token)
	   OR smartcar_verify_webhook(body, translate(signature, '0f', 'f0'), management_token) AS forged,
	   note
  FROM payload ORDER BY id;

CREATE TEMP TABLE verify_event (
	id text,
	origin text,
	management_token text,
	event jsonb,
	expected jsonb,				-- the body of the response
	note text
);

INSERT INTO verify_event (id, origin, management_token, event, expected, note) VALUES
	('docs-06', 'smartcar.com/docs/api-reference/webhooks/events/verify, digest computed', 'amt',
	 '{"eventId": "52f6e0bb-1369-45da-a61c-9e67d092d6db", "eventType": "VERIFY",
	   "data": {"challenge": "3a5c8f72-e6d9-4b1a-9f2e-8c7d6a5b4e3f"}, "meta": {"version": "4.0",
	   "webhookId": "5a8e5e38-1e12-4011-a36d-56f120053f9e", "webhookName": "Example Webhook",
	   "deliveryId": "5d569643-3a47-4cd1-a3ec-db5fc1f6f03b", "deliveredAt": 1761896351529}}',
	 '{"challenge": "2f0e63b32f2dca91ae5c5f9c10e8647463d58288734aa8bb84fa3ede78b9b50d"}', NULL),
	('docs-07', 'smartcar.com/docs/api-reference/webhooks/events/verify, digest computed', 'amt',
	 '{"version": "2.0", "webhookId": "5a8e5e38-1e12-4011-a36d-56f120053f9e", "eventName": "verify", "payload": {"challenge": "3a5c8f72-e6d9-4b1a-9f2e-8c7d6a5b4e3f"}}',
	 '{"challenge": "2f0e63b32f2dca91ae5c5f9c10e8647463d58288734aa8bb84fa3ede78b9b50d"}',
	 'the older form of the event');

-- The response as an application builds it.
SELECT id, jsonb_build_object('challenge', smartcar_hash_challenge(
			coalesce(event #>> '{data,challenge}', event #>> '{payload,challenge}'),
			management_token)) IS NOT DISTINCT FROM expected AS ok, note
  FROM verify_event ORDER BY id;
