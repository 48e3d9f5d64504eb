--
-- Permissions
--

-- the table of the Tesla page, row by row
SELECT * FROM smartcar_permission_mapping;
SELECT tesla_permission, tesla_scope, count(*) FROM smartcar_permission_mapping
	GROUP BY 1, 2 ORDER BY 3 DESC, 1;
-- all permissions, and those without a Tesla permission
SELECT cardinality(smartcar_tesla.known_permissions());
SELECT p FROM unnest(smartcar_tesla.known_permissions()) AS p WHERE smartcar_tesla_permission(p) IS NULL;
-- the lookup finds every name of the table, and no similar name
SELECT count(*) AS rows, count(DISTINCT p) AS names,
	bool_and((smartcar_tesla_permission(p) IS NOT NULL) = (p IN (SELECT smartcar_permission FROM smartcar_permission_mapping))) AS mapped,
	bool_and(smartcar_tesla_permission(p || 'x') IS NULL) AS not_longer,
	bool_and(smartcar_tesla_permission(left(p, -1)) IS NULL OR left(p, -1) = ANY (smartcar_tesla.known_permissions())) AS not_shorter,
	bool_and(smartcar_tesla_permission(upper(p)) IS NULL) AS not_upper
	FROM unnest(smartcar_tesla.known_permissions()) AS p;

SELECT smartcar_tesla_permission('read_location'), smartcar_tesla_scope('read_location');
SELECT smartcar_tesla_permission('required:read_location'), smartcar_tesla_scope('required:read_location');
SELECT smartcar_tesla_permission('read_alerts'), smartcar_tesla_permission('read_something_new'), smartcar_tesla_permission(NULL);
SELECT smartcar_tesla_permission('');
SELECT smartcar_tesla_permission('read location');
SELECT smartcar_tesla_scope('required:');
SELECT smartcar_tesla_scope(E'read_vin\n');
SELECT smartcar_tesla_scope('réad');
SELECT smartcar_tesla_scope(repeat('x', 1000000));
SELECT smartcar_tesla_scope(repeat('x', 128)) IS NULL AS longest;
SELECT smartcar_tesla_scope(repeat('x', 129)) IS NULL AS too_long;

SELECT smartcar_tesla_permissions('{read_location,required:read_vin,read_odometer,read_alerts,control_pin,unknown_one,read_location}');
SELECT smartcar_tesla_permissions('{}'), smartcar_tesla_permissions(NULL);
SELECT smartcar_tesla_permissions(smartcar_tesla.known_permissions());

-- missing scopes
SELECT smartcar_missing_scopes('{read_vin,read_odometer}', '{required:read_location,read_vin,control_charge}');
SELECT smartcar_missing_scopes('{required:read_vin}', '{read_vin}');
SELECT smartcar_missing_scopes('{}', '{read_vin,required:read_vin,read_vin,new_one,required:new_one,new_one}');
SELECT smartcar_missing_scopes('{new_one}', '{new_one,newer_one}');
SELECT smartcar_missing_scopes('{read_vin}', '{}'), smartcar_missing_scopes('{}', '{}');
SELECT smartcar_missing_scopes(NULL, '{read_vin}'), smartcar_missing_scopes('{read_vin}', NULL);
SELECT smartcar_missing_scopes('{control_security:lock}', '{control_security:lock,control_security}');
SELECT smartcar_has_scopes('{read_vin,read_odometer}', '{required:read_vin}'),
	smartcar_has_scopes('{read_vin}', '{read_vin,read_odometer}'),
	smartcar_has_scopes('{}', '{}'), smartcar_has_scopes('{}', '{x}'),
	smartcar_has_scopes(NULL, '{}'), smartcar_has_scopes('{}', NULL);
-- arrays with other lower bounds, and slices
SELECT smartcar_missing_scopes('[5:6]={read_vin,read_odometer}'::text[], (ARRAY['read_vin', 'read_fuel', 'read_tires'])[2:3]);
-- smartcar_has_scopes() and smartcar_missing_scopes() agree, for 200 random pairs of arrays
SELECT count(*) FROM (
	SELECT array_agg(p) FILTER (WHERE i & 1 = 1) AS granted, array_agg(p) FILTER (WHERE i & 2 = 2) AS wanted
	FROM generate_series(0, 199) AS run, LATERAL (
		SELECT p, (hashtext(p || run) & 3) AS i FROM unnest(smartcar_tesla.known_permissions()) AS p) AS x
	GROUP BY run) AS sets
	WHERE smartcar_has_scopes(granted, wanted) IS DISTINCT FROM (smartcar_missing_scopes(granted, wanted) = '{}')
	OR smartcar_missing_scopes(granted, wanted) IS DISTINCT FROM
		(SELECT COALESCE(array_agg(w ORDER BY place), '{}') FROM unnest(wanted) WITH ORDINALITY AS u (w, place) WHERE w <> ALL (granted));

SELECT smartcar_missing_tesla_permissions('{vehicle_device_data,openid,offline_access}', '{read_vin,required:read_location,control_charge,control_pin,read_alerts,control_trunk}');
SELECT smartcar_missing_tesla_permissions('{}', '{read_vin}'), smartcar_missing_tesla_permissions('{vehicle_device_data}', '{read_vin}');
SELECT smartcar_missing_tesla_permissions(NULL, '{read_vin}'), smartcar_missing_tesla_permissions('{}', NULL);

SELECT smartcar_add_required('{read_vin,required:read_location,read_alerts,unknown_one,required:unknown_one}');
SELECT smartcar_add_required('{}'), smartcar_add_required(NULL);
SELECT smartcar_add_required(smartcar_add_required('{read_vin,read_alerts}')) = smartcar_add_required('{read_vin,read_alerts}') AS idempotent;

-- malformed arrays
SELECT smartcar_has_scopes('{read_vin,NULL}', '{read_vin}');
SELECT smartcar_has_scopes('{read_vin}', '{NULL}');
SELECT smartcar_has_scopes('{{read_vin}}', '{read_vin}');
SELECT smartcar_has_scopes('{"read vin"}', '{read_vin}');
SELECT smartcar_has_scopes('{read_vin}', '{read_odometer,""}');
SELECT smartcar_missing_scopes('{{read_vin},{read_odometer}}', '{read_vin}');
SELECT smartcar_missing_scopes('{}', '{{read_vin}}');
SELECT smartcar_missing_scopes('{}', '{NULL}');
SELECT smartcar_missing_scopes(ARRAY[E'a\nb'], '{}');
SELECT smartcar_tesla_permissions('{NULL}');
SELECT smartcar_tesla_permissions('{{read_vin}}');
SELECT smartcar_add_required('{NULL}');
SELECT smartcar_add_required('{{read_vin}}');
SELECT smartcar_add_required('{"a b"}');
SELECT smartcar_missing_tesla_permissions('{NULL}', '{}');
SELECT smartcar_missing_tesla_permissions('{{x}}', '{}');

-- large arrays, with known and unknown names
SELECT cardinality(smartcar_missing_scopes('{}', array_agg('name_' || i))) FROM generate_series(1, 10000) AS i;
SELECT cardinality(smartcar_missing_scopes(array_agg('name_' || i), array_agg('name_' || (i * 2)))) FROM generate_series(1, 10000) AS i;
SELECT smartcar_missing_scopes(array_fill('read_vin'::text, ARRAY[10000]), array_fill('read_fuel'::text, ARRAY[10000]));
