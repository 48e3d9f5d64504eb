--
-- Webhooks: hashing a challenge, verifying a signature
--

-- a digest computed with openssl dgst -sha256 -hmac amt
SELECT smartcar_hash_challenge('challenge', 'amt');
SELECT smartcar_hash_challenge('challenge', 'amt') = '9baf5a7464bd86740ad5a06e439dcf535a075022ed2c92d74efacf646d79328e' AS pinned;
SELECT smartcar_hash_challenge(NULL, 'amt') IS NULL AS null_gives_null;
SELECT smartcar_hash_challenge('', 'amt') <> smartcar_hash_challenge(' ', 'amt') AS empty_is_a_challenge;

-- the signature is over the bytes, in upper or lower case, and nothing else is accepted
SELECT signature_is, smartcar_verify_webhook(body::bytea, signature, 'amt') AS as_bytea, smartcar_verify_webhook(body, signature, 'amt') AS as_text
FROM (VALUES ('{"pizza":"pasta"}', '4c05a8da471f05156ad717baa4017acd13a3a809850b9ca7d3301dcaaa854f70')) AS v (body, good),
LATERAL (VALUES
	('right', good), ('upper case', upper(good)), ('mixed case', upper(left(good, 9)) || substr(good, 10)),
	('one digit off', '5' || substr(good, 2)), ('last digit off', left(good, -1) || '1'),
	('too short', left(good, -1)), ('too long', good || '0'), ('with a space', ' ' || good), ('with a prefix', 'sha256=' || good),
	('not hexadecimal', 'g' || substr(good, 2)), ('empty', ''), ('missing', NULL)) AS s (signature_is, signature);
SELECT smartcar_verify_webhook(E'{"pizza": "pasta"}', '4c05a8da471f05156ad717baa4017acd13a3a809850b9ca7d3301dcaaa854f70', 'amt') AS other_bytes;
SELECT smartcar_verify_webhook('{"pizza":"pasta"}', '4c05a8da471f05156ad717baa4017acd13a3a809850b9ca7d3301dcaaa854f70', 'other') AS other_token;
SELECT smartcar_verify_webhook(NULL::bytea, 'x', 'amt') AS null_body, smartcar_verify_webhook(NULL::text, 'x', 'amt') AS null_text;
-- any bytes, an empty body and a large one
SELECT smartcar_verify_webhook(body, encode(hmac, 'hex'), 'amt') FROM (VALUES
	('\x00ff80fe'::bytea, '\xdb9151a71c74579637ce7705870745d63f4baee94a462d113d64b13b37b70441'::bytea)) AS v (body, hmac);
SELECT smartcar_verify_webhook(''::bytea, smartcar_hash_challenge('', 'amt'), 'amt') AS empty;
SELECT smartcar_verify_webhook(repeat('x', 1000000), smartcar_hash_challenge(repeat('x', 1000000), 'amt'), 'amt') AS large;
-- no jsonb variant exists: jsonb does not preserve the signed bytes
SELECT smartcar_verify_webhook('{"pizza":"pasta"}'::jsonb, 'x', 'amt');

-- the token is an argument or an option of the user mapping, and never empty
SELECT smartcar_hash_challenge('challenge', '');
SELECT smartcar_verify_webhook('x', 'y', '');
SELECT smartcar_verify_webhook('x'::bytea, NULL, '');
SELECT smartcar_hash_challenge('challenge');
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla;
\set VERBOSITY terse
SELECT smartcar_hash_challenge('challenge');
SELECT smartcar_verify_webhook('x', NULL);
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (client_secret 'canary');
SELECT smartcar_hash_challenge('challenge');
\set VERBOSITY default
ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (ADD management_token 'amt');
SELECT smartcar_hash_challenge('challenge');
SELECT smartcar_verify_webhook('{"pizza":"pasta"}'::bytea, '4c05a8da471f05156ad717baa4017acd13a3a809850b9ca7d3301dcaaa854f70');
-- a token that changes from row to row
SELECT token, smartcar_hash_challenge('challenge', token) = smartcar_hash_challenge('challenge', COALESCE(token, 'amt')) AS agrees,
	left(smartcar_hash_challenge('challenge', token), 8) AS hash
FROM (VALUES ('amt'), ('other'), (NULL), ('amt'), (NULL), ('amt')) AS v (token);
-- a token as an argument and the token of the mapping in turn
SELECT count(DISTINCT smartcar_hash_challenge('challenge', CASE WHEN i % 2 = 0 THEN repeat('x', i) END)) AS hashes,
	count(*) FILTER (WHERE smartcar_hash_challenge(repeat('y', 300), CASE WHEN i % 3 = 0 THEN repeat('z', i) END) = smartcar_hash_challenge(repeat('y', 300), 'amt')) AS of_the_mapping
	FROM generate_series(1, 300) AS i;
-- a file that does not exist
ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (DROP management_token, ADD management_token_file '/nonexistent/token');
SELECT smartcar_hash_challenge('challenge');
SELECT smartcar_hash_challenge('challenge', 'amt') IS NOT NULL AS argument_needs_no_file;
DROP SERVER smartcar CASCADE;
