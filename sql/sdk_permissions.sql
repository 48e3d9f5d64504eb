--
-- Permissions, compared with the official SDKs and Smartcar's Tesla page
--
-- The rows are facts from the test suites of the SDKs, some of them of versions
-- that still had such a function, and the table of Smartcar's documentation.
-- They are listed in test/sdk.md.  The Node SDK's tests use some names that are no
-- permissions of Smartcar; they are compared, too.
--

CREATE TEMP TABLE grants (
	id text,
	origin text,
	granted text[],
	wanted text[],
	expected boolean
);

INSERT INTO grants (id, origin, granted, wanted, expected) VALUES
	('node-39', 'smartcar/node-sdk test/unit/lib/vehicle.js: has permissions',
	 '{permission1,permission2,permission3}', '{required:permission1}', true),
	('node-40', 'smartcar/node-sdk test/unit/lib/vehicle.js: has permissions - multi',
	 '{permission1,permission2,permission3}', '{permission1,required:permission2}', true),
	('node-41', 'smartcar/node-sdk test/unit/lib/vehicle.js: has permissions - multi false',
	 '{permission1,permission2,permission3}', '{permission1,permission4}', false),
	('python-11', 'smartcar/python-sdk tests/test_vehicle.py: test_has_permissions',
	 '{read_odometer,read_vehicle_info}', '{read_odometer}', true),
	('python-12', 'smartcar/python-sdk tests/test_vehicle.py: test_has_permissions',
	 '{read_odometer,read_vehicle_info}', '{read_odometer,required:read_vehicle_info}', true),
	('python-13', 'smartcar/python-sdk tests/test_vehicle.py: test_has_permissions',
	 '{read_odometer,read_vehicle_info}', '{read_location}', false),
	('java-17', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java: testHasPermission',
	 '{read_odometer,read_vehicle_info,read_location}', '{read_odometer,required:read_vehicle_info}', true),
	('java-18', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/VehicleTest.java: testDoesNotHavePermission',
	 '{read_odometer}', '{read_odometer,read_vehicle_info}', false),
	('go-05', 'smartcar/go-sdk smartcar_e2e_test.go: TestHasPermissionsE2EMissingPermissions',
	 '{read_odometer,read_location}', '{read_odometer,read_location,read_battery}', false);

-- The SDKs only return a boolean; the missing scopes must agree with it.
SELECT id, smartcar_has_scopes(granted, wanted) IS NOT DISTINCT FROM expected
	   AND (smartcar_missing_scopes(granted, wanted) = '{}') IS NOT DISTINCT FROM expected AS ok,
	   smartcar_missing_scopes(granted, wanted) AS missing
  FROM grants ORDER BY id;

CREATE TEMP TABLE mapping (
	id text,
	origin text,
	expected jsonb
);

INSERT INTO mapping (id, origin, expected) VALUES
	('docs-04', 'smartcar.com/docs/help/oem-integrations/tesla/developers',
	 '{"control_charge": "vehicle_charging_cmds",
	   "control_climate": "vehicle_cmds",
	   "control_navigation": "vehicle_cmds",
	   "control_pin": "vehicle_cmds",
	   "control_security": "vehicle_cmds",
	   "control_trunk": "vehicle_cmds",
	   "read_battery": "vehicle_device_data",
	   "read_charge_records": "vehicle_charging_cmds",
	   "read_charge": "vehicle_device_data",
	   "read_climate": "vehicle_device_data",
	   "read_compass": "vehicle_device_data",
	   "read_engine_oil": "vehicle_device_data",
	   "read_extended_vehicle_info": "vehicle_device_data",
	   "read_fuel": "vehicle_device_data",
	   "read_location": "vehicle_location",
	   "read_odometer": "vehicle_device_data",
	   "read_security": "vehicle_device_data",
	   "read_speedometer": "vehicle_device_data",
	   "read_thermometer": "vehicle_device_data",
	   "read_tires": "vehicle_device_data",
	   "read_user_profile": "user_data",
	   "read_vehicle_info": "vehicle_device_data",
	   "read_vin": "vehicle_device_data"}');

-- The view has exactly these rows, and the functions agree with it.
SELECT m.id, m.expected = v.entries AND v.count = 23 AND v.by_function AS ok
  FROM mapping m,
	   (SELECT jsonb_object_agg(smartcar_permission, tesla_scope) AS entries, count(*),
			   bool_and(smartcar_tesla_scope(smartcar_permission) = tesla_scope
						AND smartcar_tesla_scope('required:' || smartcar_permission) = tesla_scope
						AND smartcar_tesla_permissions(ARRAY[smartcar_permission]) =
							ARRAY[tesla_permission]
						AND smartcar_missing_tesla_permissions(ARRAY[tesla_scope],
															   ARRAY[smartcar_permission]) = '{}'
						AND smartcar_missing_tesla_permissions('{}', ARRAY[smartcar_permission]) =
							ARRAY[tesla_permission]) AS by_function
		  FROM smartcar_permission_mapping) AS v;

SELECT m.id, e.key AS permission, e.value AS expected,
	   smartcar_tesla_scope(e.key) IS NOT DISTINCT FROM e.value AS ok
  FROM mapping m, jsonb_each_text(m.expected) AS e
 ORDER BY m.id, e.key;
