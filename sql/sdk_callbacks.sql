--
-- Callbacks, compared with what the official SDKs read from them
--
-- The rows are facts from the test suites of the SDKs and examples from
-- Smartcar's documentation: the origin, the callback from Connect, and the values
-- that were read.  They are listed in test/sdk.md.
--
-- Fields have our names: userId is user_id, errorType is error, and so on; the
-- members of the SDKs' vehicleInfo are separate.  A message from another window
-- is written as the query that it was made of.  A row names some fields; other
-- fields that were read are shown as "further".
--

CREATE TEMP TABLE callback (
	id text,
	origin text,
	callback text,
	note text,
	expected jsonb				-- the fields that the origin names
);

INSERT INTO callback (id, origin, callback, note, expected) VALUES
	('js-13', 'smartcar/javascript-sdk test/unit/redirect.test.js: should post message with expected parameters',
	 'https://javascript-sdk.smartcar.com/redirect?app_origin=https://www.the-next-awesome-car-app.com'
	 '&code=super-secret-code&error=vehicle_incompatible&error_description=this-is-an-error-description'
	 '&state=some-random-state&vin=some-vin&make=BMW&model=M3&year=2013'
	 '&virtual_key_url=https%3A%2F%2Fwww.tesla.com%2F_ak%2Fsmartcar.com&user_id=e9e10eb2-63d7-42ab-96fd-bbe7f4abff4c'
	 '&external_id=external-id-from-connect', NULL,
	 '{"code": "super-secret-code", "error": "vehicle_incompatible",
	   "error_description": "this-is-an-error-description", "isSmartcarHosted": true, "name": "SmartcarAuthMessage",
	   "state": "some-random-state", "make": "BMW", "model": "M3", "vin": "some-vin", "year": "2013",
	   "virtual_key_url": "https://www.tesla.com/_ak/smartcar.com", "user_id": "e9e10eb2-63d7-42ab-96fd-bbe7f4abff4c",
	   "external_id": "external-id-from-connect", "targetOrigin": "https://www.the-next-awesome-car-app.com"}'),
	('js-14', 'smartcar/javascript-sdk test/unit/redirect.test.js: if redirect origin is not javascript-sdk.smartcar.com then isSmartcarHosted: false',
	 'https://www.the-next-awesome-car-app.com', NULL,
	 '{"code": null, "error": null, "error_description": null, "isSmartcarHosted": false,
	   "name": "SmartcarAuthMessage", "state": null, "make": null, "model": null, "vin": null, "year": null,
	   "virtual_key_url": null, "user_id": null, "targetOrigin": "https://www.the-next-awesome-car-app.com",
	   "external_id": null}'),
	('js-15', 'smartcar/javascript-sdk test/unit/sdk.test.js: fires onComplete w/o error when error: null in postMessage',
	 '?code=super-secret-code&error=&user_id=e9e10eb2-63d7-42ab-96fd-bbe7f4abff4c&state=some-state', 'told as a query',
	 '{"error": null, "code": "super-secret-code", "state": "some-state", "virtual_key_url": null, "user_id": "e9e10eb2-63d7-42ab-96fd-bbe7f4abff4c", "external_id": null}'),
	('js-16', 'smartcar/javascript-sdk test/unit/sdk.test.js: fires onComplete with virtualKeyUrl when included',
	 '?code=super-secret-code&error_description=this%20doesnt%20matter'
	 '&virtual_key_url=https%3A%2F%2Fwww.tesla.com%2F_ak%2Fsmartcar.com&user_id=e9e10eb2-63d7-42ab-96fd-bbe7f4abff4c'
	 '&state=some-state', 'told as a query',
	 '{"error": null, "code": "super-secret-code", "state": "some-state", "virtual_key_url": "https://www.tesla.com/_ak/smartcar.com", "user_id": "e9e10eb2-63d7-42ab-96fd-bbe7f4abff4c"}'),
	('js-17', 'smartcar/javascript-sdk test/unit/sdk.test.js: VehicleIncompatible error does not add undefined properties to vehicleInfo',
	 '?error=vehicle_incompatible&error_description=describes%20the%20error&vin=some_vin&year=2017&make=TESLA', 'told as a query',
	 '{"error": "VehicleIncompatible", "vin": "some_vin", "make": "TESLA", "year": 2017, "model": null}'),
	('js-18', 'smartcar/javascript-sdk test/unit/sdk.test.js: VehicleIncompatible returns null for vehicleInfo when no info',
	 '?error=vehicle_incompatible&error_description=describes%20the%20error', 'told as a query',
	 '{"error": "VehicleIncompatible", "vin": null, "make": null, "model": null, "year": null}'),
	('js-19', 'smartcar/javascript-sdk test/unit/sdk.test.js: fires onComplete w/ InvalidSubscription error',
	 '?error=invalid_subscription&error_description=describes%20the%20error', 'told as a query',
	 '{"error": "InvalidSubscription", "message": "describes the error"}'),
	('js-20', 'smartcar/javascript-sdk test/unit/sdk.test.js: fires onComplete w/ "Unexpected error" error',
	 '?error=not_access_denied&error_description=describes%20the%20error', 'told as a query',
	 '{"error": "Error", "message": "Unexpected error: not_access_denied - describes the error"}'),
	('ios-03', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackSuccessWithState',
	 'http://localhost.com?code=9d3ba27c-6b1c-4c3c-8d2e-0f3a5b6c7d8e&state=4f1c8a5e-2b7d-4e0f-9a3c-1d2e3f4a5b6c', 'placeholders filled in',
	 '{"code": "9d3ba27c-6b1c-4c3c-8d2e-0f3a5b6c7d8e", "state": "4f1c8a5e-2b7d-4e0f-9a3c-1d2e3f4a5b6c", "error": null}'),
	('ios-04', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackSuccessWithStateWithoutValue',
	 'http://localhost.com?code=9d3ba27c-6b1c-4c3c-8d2e-0f3a5b6c7d8e&state', 'placeholders filled in',
	 '{"code": "9d3ba27c-6b1c-4c3c-8d2e-0f3a5b6c7d8e", "state": null, "error": null}'),
	('ios-05', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackSuccessWithUserId',
	 'http://localhost.com?code=9d3ba27c-6b1c-4c3c-8d2e-0f3a5b6c7d8e&user_id=725146a3-69f4-46c8-965d-54b3b6f81eb7', 'placeholders filled in',
	 '{"code": "9d3ba27c-6b1c-4c3c-8d2e-0f3a5b6c7d8e", "user_id": "725146a3-69f4-46c8-965d-54b3b6f81eb7", "error": null}'),
	('ios-06', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackAccessDenied',
	 'http://localhost.com?error=access_denied&error_description=User%20denied%20access%20to%20the%20requested%20scope%20of%20permissions.', NULL,
	 '{"code": null, "error": "accessDenied", "error_description": "User denied access to the requested scope of permissions.", "vin": null, "make": null, "model": null, "year": null}'),
	('ios-07', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackInvalidSubscription',
	 'http://localhost.com?error=invalid_subscription&error_description=The%20user''s%20subscription%20is%20invalid.', NULL,
	 '{"error": "invalidSubscription", "error_description": "The user''s subscription is invalid."}'),
	('ios-08', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackNoVehicles',
	 'http://localhost.com?error=no_vehicles&error_description=User%20does%20not%20have%20any%20vehicles%20connected%20to%20this%20connected%20services%20account', NULL,
	 '{"error": "noVehicles", "error_description": "User does not have any vehicles connected to this connected services account"}'),
	('ios-09', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackUserExitedFlowUserCancelled',
	 'http://localhost.com?error=user_cancelled&error_description=User%20cancelled%20or%20denied%20login%20at%20OEM%27s%20login%20screen', NULL,
	 '{"error": "userExitedFlow", "error_description": "User cancelled or denied login at OEM''s login screen"}'),
	('ios-10', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackConfigurationError',
	 'http://localhost.com?error=configuration_error'
	 '&error_description=There%20has%20been%20an%20error%20in%20the%20configuration%20of%20your%20application.'
	 '&status_code=400'
	 '&error_message=You%20have%20entered%20a%20test%20mode%20VIN.%20Please%20enter%20a%20VIN%20that%20belongs%20to%20a%20real%20vehicle.', NULL,
	 '{"error": "configurationError",
	   "error_description": "There has been an error in the configuration of your application.", "status_code": "400",
	   "error_message": "You have entered a test mode VIN. Please enter a VIN that belongs to a real vehicle."}'),
	('ios-11', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackUnrecognizedError',
	 'http://localhost.com?error=blargh&error_description=I''m%20an%20unidentified%20error.', NULL,
	 '{"error": "unknownError", "error_description": "I''m an unidentified error."}'),
	('ios-12', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testHandleCallbackMissingQueryParameters',
	 'http://localhost.com', NULL,
	 '{"code": null, "error": "missingQueryParameters", "error_description": null}'),
	('ios-13', 'smartcar/ios-sdk SmartcarAuthTests/SmartcarAuthTests.swift: testReceiveDirectResultResponseTypeNoneSuccessWithoutCode',
	 '?external_id=owner%2017', 'placeholders filled in; told as a query',
	 '{"code": null, "external_id": "owner 17", "error": null}'),
	('android-03', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_receiveResponse',
	 'scclient123://test?code=testcode123', NULL,
	 '{"code": "testcode123"}'),
	('android-04', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_receiveResponse_nullCode',
	 'scclient123://test', NULL,
	 '{"error_description": "Unable to fetch code. Please try again"}'),
	('android-05', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_receiveResponse_vehicleIncompatibleWithVehicle',
	 'scclient123://test?error=vehicle_incompatible&error_description=The%20user%27s%20vehicle%20is%20not%20compatible.&vin=1FDKE30G4JHA04964&make=FORD', NULL,
	 '{"error": "vehicle_incompatible", "error_description": "The user''s vehicle is not compatible.", "vin": "1FDKE30G4JHA04964", "make": "FORD"}'),
	('android-06', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_receiveResponse_codeWithState',
	 'scclient123://test?code=testCode&state=testState', NULL,
	 '{"code": "testCode", "state": "testState"}'),
	('android-07', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_receiveResponse_codeWithVirtualKeyUrl',
	 'scclient123://test?code=testCode&virtual_key_url=https://www.tesla.com/_ak/smartcar.com', NULL,
	 '{"code": "testCode", "state": null, "virtual_key_url": "https://www.tesla.com/_ak/smartcar.com"}'),
	('docs-03', 'smartcar.com/docs/connect/re-auth/handle-response',
	 'https://example.com/home?vehicle_id=sc4a1b01e5-0497-417c-a30e-6df6ba33ba46&state=0facda3319', NULL,
	 '{"vehicle_id": "sc4a1b01e5-0497-417c-a30e-6df6ba33ba46", "state": "0facda3319"}'),
	('docs-05', 'smartcar.com/docs/connect/handle-the-response',
	 'https://example.com/home?user_id=725146a3-69f4-46c8-965d-54b3b6f81eb7&state=0facda3319', NULL,
	 '{"code": null, "user_id": "725146a3-69f4-46c8-965d-54b3b6f81eb7", "state": "0facda3319", "error": null}');

-- Where we differ on purpose.
CREATE TEMP TABLE difference (
	id text,
	reason text,
	omitted text[],				-- fields that we do not have
	ours jsonb					-- fields that we fill in another way
);

INSERT INTO difference (id, reason, omitted, ours) VALUES
	('js-13', 'an error wins over a code; year is a number; the message of a page in a browser', '{isSmartcarHosted,name,targetOrigin}',
	 '{"year": 2013, "code": null}'),
	('js-14', 'the message of a page in a browser', '{isSmartcarHosted,name,targetOrigin}',
	 '{}'),
	('js-17', 'the error as Connect sends it', NULL,
	 '{"error": "vehicle_incompatible"}'),
	('js-18', 'the error as Connect sends it', NULL,
	 '{"error": "vehicle_incompatible"}'),
	('js-19', 'the error and its description as Connect sends them', '{message}',
	 '{"error": "invalid_subscription", "error_description": "describes the error"}'),
	('js-20', 'the error and its description as Connect sends them', '{message}',
	 '{"error": "not_access_denied", "error_description": "describes the error"}'),
	('ios-06', 'the error as Connect sends it', NULL,
	 '{"error": "access_denied"}'),
	('ios-07', 'the error as Connect sends it', NULL,
	 '{"error": "invalid_subscription"}'),
	('ios-08', 'the error as Connect sends it', NULL,
	 '{"error": "no_vehicles"}'),
	('ios-09', 'the error as Connect sends it', NULL,
	 '{"error": "user_cancelled"}'),
	('ios-10', 'the error as Connect sends it; status_code is a number', NULL,
	 '{"error": "configuration_error", "status_code": 400}'),
	('ios-11', 'the error as Connect sends it', NULL,
	 '{"error": "blargh"}'),
	('ios-12', 'nothing came, nothing is told', NULL,
	 '{"error": null}'),
	('android-04', 'nothing came, nothing is told', NULL,
	 '{"error_description": null}');

CREATE TEMP VIEW comparison AS
	SELECT v.id, v.expected, d.reason, d.omitted, d.ours, c.fields,
		   c.fields @> w.wanted AND (d.id IS NULL OR NOT c.fields @> v.expected) AS ok,
		   nullif(jsonb_strip_nulls(c.fields) - ARRAY(SELECT jsonb_object_keys(w.wanted)),
				  '{}') AS further
	  FROM callback v
	  LEFT JOIN difference d USING (id)
	 CROSS JOIN LATERAL (SELECT to_jsonb(smartcar_parse_callback(v.callback))) AS c (fields)
	 CROSS JOIN LATERAL (
		SELECT (v.expected - coalesce(d.omitted, '{}')) || coalesce(d.ours, '{}')) AS w (wanted);

SELECT id, ok, further FROM comparison ORDER BY id;

-- Rows that are not ok; there are none.
SELECT id, fields, expected FROM comparison WHERE ok IS NOT TRUE ORDER BY id;

SELECT id, omitted, ours, reason FROM difference ORDER BY id;
