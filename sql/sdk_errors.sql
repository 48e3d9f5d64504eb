--
-- Error responses, compared with what the official SDKs read from them
--
-- The rows are facts from the test suites of the SDKs and from runs of their
-- published packages: the origin, the response, and the values that were read.
-- They are listed in test/sdk.md.
--
-- Fields have our names: statusCode is status, docURL is doc_url, and so on; the
-- headers Retry-After and SC-Request-Id are arguments.  We have no message of the
-- form "type:code - description", so the comparison builds it from our columns.
-- field_count is the number of columns that are not NULL.
--

CREATE TEMP TABLE response (
	id text,
	origin text,
	status integer,
	retry_after text,
	request_id text,
	note text,
	body text,
	expected jsonb				-- the fields that the origin names
);

INSERT INTO response (id, origin, status, retry_after, request_id, note, body, expected) VALUES
	('node-33', 'smartcar/node-sdk test/unit/lib/util.js: handleError - non-json',
	 504, NULL, NULL, NULL,
	 'what',
	 '{"status": 504, "message": "what"}'),
	('node-34', 'smartcar/node-sdk test/unit/lib/util.js: handleError - String/non-json body',
	 500, NULL, NULL, NULL,
	 'what',
	 '{"status": 500, "type": "SDK_ERROR", "message": "SDK_ERROR:undefined - what"}'),
	('node-35', 'smartcar/node-sdk test/unit/lib/util.js: handleError - when bit-flips because of moon position',
	 999, NULL, NULL, NULL,
	 '{"random": "testing"}',
	 '{"status": 999, "type": "SDK_ERROR", "message": "SDK_ERROR:undefined - Unknown error"}'),
	('node-36', 'smartcar/node-sdk test/unit/lib/util.js: handleError - SmartcarError V2 no resolution',
	 500, NULL, NULL, NULL,
	 '{"type": "type", "code": "code", "description": "description", "resolution": null, "detail": null, "requestId": "123", "docURL": null, "statusCode": 500}',
	 '{"status": 500, "type": "type", "code": "code", "description": "description", "request_id": "123",
	   "message": "type:code - description", "resolution_type": null, "resolution_url": null, "detail": null,
	   "doc_url": null}'),
	('node-37', 'smartcar/node-sdk test/unit/lib/util.js: handleError - SmartcarError V2 with all attrbutes',
	 500, NULL, NULL, NULL,
	 '{"type": "type", "code": "code", "description": "description", "docURL": "docURL", "resolution": {"pizza": "resolution"}, "requestId": "123", "statusCode": 500, "detail": ["pizza"]}',
	 '{"status": 500, "resolution": {"pizza": "resolution"}, "doc_url": "docURL", "detail": ["pizza"], "request_id": "123", "message": "type:code - description"}'),
	('node-38', 'smartcar/node-sdk test/unit/lib/vehicle.js: request - rate limit',
	 429, '1700000000000', NULL, NULL,
	 '{"error": "RATE_LIMIT", "suggestedUserMessage": "This just will not do"}',
	 '{"retry_after": "1700000000000", "suggested_user_message": "This just will not do"}'),
	('java-09', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/ErrorPermissionV1.json: testV1PermissionError',
	 403, NULL, '67127d3a-a08a-41f0-8211-f96da36b2d6e', NULL,
	 '{"error": "permission_error", "message": "Insufficient permissions to access requested resource."}',
	 '{"status": 403, "type": "permission_error", "code": null, "description": "Insufficient permissions to access requested resource.", "request_id": "67127d3a-a08a-41f0-8211-f96da36b2d6e"}'),
	('java-10', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/ErrorVehicleStateV1.json: testV1VehicleStateError',
	 409, NULL, '67127d3a-a08a-41f0-8211-f96da36b2d6e', NULL,
	 '{"error": "vehicle_state_error", "message": "Vehicle state cannot be determined.", "code": "VS_000"}',
	 '{"status": 409, "type": "vehicle_state_error", "code": "VS_000", "description": "Vehicle state cannot be determined.", "request_id": "67127d3a-a08a-41f0-8211-f96da36b2d6e"}'),
	('java-11', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/ErrorResolutionObject.json: testErrorResolutionObject',
	 401, NULL, '67127d3a-a08a-41f0-8211-f96da36b2d6e', NULL,
	 '{"type": "PERMISSION", "code": null,
	   "description": "Your application has insufficient permissions to access the requested resource. Please prompt the user to re-authenticate using Smartcar Connect.",
	   "docURL": "https://smartcar.com/docs/errors/v2.0/other-errors/#permission", "statusCode": 403,
	   "requestId": "5dea93a1-3f79-4246-90c5-89610a20471b",
	   "resolution": {"type": "REAUTHENTICATE", "url": "https://example.com"}}',
	 '{"resolution_type": "REAUTHENTICATE", "resolution_url": "https://example.com"}'),
	('java-12', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/ErrorResolutionObject2.json: testErrorResolutionObjectNoUrl',
	 401, NULL, '67127d3a-a08a-41f0-8211-f96da36b2d6e', NULL,
	 '{"type": "PERMISSION", "code": null,
	   "description": "Your application has insufficient permissions to access the requested resource. Please prompt the user to re-authenticate using Smartcar Connect.",
	   "docURL": "https://smartcar.com/docs/errors/v2.0/other-errors/#permission", "statusCode": 403,
	   "requestId": "5dea93a1-3f79-4246-90c5-89610a20471b", "resolution": {"type": "REAUTHENTICATE"}}',
	 '{"resolution_type": "REAUTHENTICATE", "resolution_url": null}'),
	('java-13', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/ErrorVehicleStateV2.json: testV2VehicleStateError',
	 409, NULL, '67127d3a-a08a-41f0-8211-f96da36b2d6e', NULL,
	 '{"type": "VEHICLE_STATE", "code": "ASLEEP",
	   "description": "The vehicle is in a sleep state and temporarily unable to perform your request.",
	   "docURL": "https://smartcar.com/docs/errors/v2.0/vehicle-state/#asleep", "statusCode": 409,
	   "requestId": "5dea93a1-3f79-4246-90c5-89610a20471b", "resolution": null}',
	 '{"status": 409, "type": "VEHICLE_STATE", "code": "ASLEEP", "resolution_type": null, "request_id": "67127d3a-a08a-41f0-8211-f96da36b2d6e"}'),
	('java-14', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/ErrorVehicleRateLimit.json: testV2RateLimitError',
	 429, '12345', '67127d3a-a08a-41f0-8211-f96da36b2d6e', NULL,
	 '{"type": "RATE_LIMIT", "code": "VEHICLE",
	   "description": "You have reached the throttling rate limit for this vehicle. Please see the retry-after header (seconds) for when to retry the request.",
	   "docURL": "https://smartcar.com/docs/errors/v2.0/upstream/#vehicle_rate_limit", "statusCode": 429,
	   "requestId": "5dea93a1-3f79-4246-90c5-89610a20471b", "resolution": {"type": "RETRY_LATER"},
	   "suggestedUserMessage": "Your vehicle is temporarily unable to connect to KabobMobile. Please be patient while we’re working to resolve this issue."}',
	 '{"status": 429, "retry_after": 12345, "suggested_user_message": "Your vehicle is temporarily unable to connect to KabobMobile. Please be patient while we’re working to resolve this issue."}'),
	('java-15', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java: testNullErrorResponse',
	 500, NULL, NULL, NULL,
	 '',
	 '{"status": 500, "type": "SDK_ERROR", "description": "Empty response body"}'),
	('java-16', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java + src/test/resources/BatchResponseErrorV2.json: testBatchHTTPErrorV2',
	 409, NULL, NULL, NULL,
	 '{"type": "VEHICLE_STATE", "code": "DOOR_OPEN", "statusCode": 409,
	   "requestId": "27767d51-3c32-47c0-8521-6f2be21bfb5b", "description": "Door is open.",
	   "docURL": "https://smartcar.com/docs/errors/v2.0/vehicle-state/#door_open", "resolution": null}',
	 '{"status": 409, "type": "VEHICLE_STATE", "code": "DOOR_OPEN", "description": "Door is open.", "message": "VEHICLE_STATE:DOOR_OPEN - Door is open.", "retry_after": 0}'),
	('ruby-09', 'smartcar/ruby-sdk spec/smartcar/integration/utils_spec.rb: #build_error V1',
	 500, NULL, 'request_id', NULL,
	 '{"error": "monkeys_on_mars", "message": "yes, really"}',
	 '{"status": 500, "type": "monkeys_on_mars", "message": "monkeys_on_mars: - yes, really", "request_id": "request_id"}'),
	('ruby-10', 'smartcar/ruby-sdk spec/smartcar/integration/utils_spec.rb: #build_error V2 string resolution',
	 500, NULL, NULL, NULL,
	 '{"type": "type", "code": "code", "description": "description", "requestId": "123", "statusCode": 500, "resolution": "resolution"}',
	 '{"status": 500, "type": "type", "code": "code", "description": "description", "resolution": {"type": "resolution"}, "request_id": "123"}'),
	('python-06', 'smartcar/python-sdk tests/e2e/test_exception.py: test_non_json_exception',
	 100, NULL, NULL, NULL,
	 'Yay',
	 '{"status": 100, "message": "Yay", "field_count": 2}'),
	('python-07', 'smartcar/python-sdk tests/e2e/test_exception.py: test_json_cant_be_parsed',
	 900, NULL, NULL, 'message is the description',
	 'diggity',
	 '{"status": 900, "type": "SDK_ERROR", "description": "diggity"}'),
	('python-08', 'smartcar/python-sdk tests/e2e/test_exception.py: test_bad_access_code_exchange',
	 400, NULL, NULL, 'message is the description; the value of error is not known',
	 '{"error": "{oauth error}", "error_description": "Invalid code: THIS_SHOULD_NOT_WORK."}',
	 '{"status": 400, "description": "Invalid code: THIS_SHOULD_NOT_WORK."}'),
	('python-09', 'smartcar/python-sdk tests/e2e/test_exception.py: test_bad_refresh_token_exchange',
	 400, NULL, NULL, 'message is the description; the value of error is not known',
	 '{"error": "{oauth error}", "error_description": "Invalid refresh_token: THIS_SHOULD_NOT_WORK."}',
	 '{"status": 400, "description": "Invalid refresh_token: THIS_SHOULD_NOT_WORK."}'),
	('python-10', 'smartcar/python-sdk a4dfeff smartcar/exception.py, observed',
	 403, NULL, NULL, NULL,
	 '{"type": "PERMISSION", "code": null, "description": "d", "resolution": "REAUTHENTICATE", "statusCode": 403, "requestId": "r"}',
	 '{"status": 403, "type": "PERMISSION", "message": "PERMISSION - d", "resolution": {"type": null, "url": null}}');

-- Where we differ on purpose.
CREATE TEMP TABLE difference (
	id text,
	reason text,
	omitted text[],				-- fields that we do not have
	ours jsonb					-- fields that we fill in another way
);

INSERT INTO difference (id, reason, omitted, ours) VALUES
	('node-34', 'no type of our own for what cannot be read', NULL,
	 '{"type": null, "message": "what"}'),
	('node-35', 'no type of our own for what cannot be read; detail is the whole body', NULL,
	 '{"type": null, "message": null, "detail": {"random": "testing"}}'),
	('node-37', 'of a resolution only its type and url', '{resolution}',
	 '{"resolution_type": null, "resolution_url": null}'),
	('node-38', 'retry_after is a number', NULL,
	 '{"retry_after": 1700000000000}'),
	('java-13', 'the request id of the body comes first', NULL,
	 '{"request_id": "5dea93a1-3f79-4246-90c5-89610a20471b"}'),
	('java-15', 'no type or text of our own for what cannot be read', NULL,
	 '{"type": null, "description": null}'),
	('java-16', 'retry_after is NULL without its header', NULL,
	 '{"retry_after": null}'),
	('ruby-09', 'no colon without a code', NULL,
	 '{"message": "monkeys_on_mars - yes, really"}'),
	('ruby-10', 'the resolution is two columns', '{resolution}',
	 '{"resolution_type": "resolution", "resolution_url": null}'),
	('python-07', 'no type of our own for what cannot be read', NULL,
	 '{"type": null}'),
	('python-10', 'a text resolution is its type', '{resolution}',
	 '{"resolution_type": "REAUTHENTICATE", "resolution_url": null}');

CREATE TEMP VIEW comparison AS
	SELECT v.id, v.expected, d.reason, d.omitted, d.ours, f.fields,
		   f.fields @> w.wanted AND (d.id IS NULL OR NOT f.fields @> v.expected) AS ok
	  FROM response v
	  LEFT JOIN difference d USING (id)
	 CROSS JOIN LATERAL smartcar_parse_error(v.body, v.status, v.retry_after, v.request_id) AS e
	 CROSS JOIN LATERAL (
		SELECT to_jsonb(e) || jsonb_build_object(
				   'message', nullif(concat_ws(' - ', nullif(concat_ws(':', e.type, e.code), ''),
											   e.description), ''),
				   'field_count', (SELECT count(*) FROM jsonb_each(jsonb_strip_nulls(to_jsonb(e)))))
		) AS f (fields)
	 CROSS JOIN LATERAL (
		SELECT (v.expected - coalesce(d.omitted, '{}')) || coalesce(d.ours, '{}')) AS w (wanted);

SELECT id, ok FROM comparison ORDER BY id;

-- Rows that are not ok; there are none.
SELECT id, fields, expected FROM comparison WHERE ok IS NOT TRUE ORDER BY id;

SELECT id, omitted, ours, reason FROM difference ORDER BY id;

-- The response to a batch has status 200.  It is no error, so it has no type; each
-- item is parsed with its own status and headers.  The Node SDK uses those of the
-- batch instead.
SELECT v.id, e.status = 429 AND e.retry_after = 999
	   AND e.type = v.expected ->> 'type' AND e.request_id = v.expected ->> 'request_id'
	   AND NOT to_jsonb(e) @> v.expected AS ok,
	   whole.status, whole.type IS NULL AND whole.detail = v.body AS whole_ok, v.reason
  FROM (VALUES
		('node-51', 'smartcar 10.4.0 (npm) lib/smartcar-service.js, observed',
		 '{"responses": [{"path": "/odometer", "code": 429,
		   "headers": {"Retry-After": "999", "content-type": "application/json"},
		   "body": {"type": "RATE_LIMIT", "code": "VEHICLE", "description": "d", "statusCode": 429, "requestId": "inner"}}]}'::jsonb,
		 '{"status": 200, "retry_after": null, "request_id": "inner", "type": "RATE_LIMIT"}'::jsonb,
		 'the status and the headers of the item')
	   ) AS v (id, origin, body, expected, reason),
	   jsonb_array_elements(v.body -> 'responses') AS item,
	   smartcar_parse_error((item -> 'body')::text, (item ->> 'code')::integer,
							item -> 'headers' ->> 'Retry-After') AS e,
	   smartcar_parse_error(v.body::text, 200) AS whole
 ORDER BY v.id;
