-- What an owner has not granted.

CREATE TABLE fleet AS
	SELECT ARRAY(SELECT permission
				 FROM unnest(smartcar_tesla.known_permissions()) AS permission
				 WHERE i IS NOT NULL	-- other ones for every row
				 ORDER BY random() LIMIT 6 + i % 7) AS granted
	FROM generate_series(1, (SELECT rows FROM bench_run)) AS i;
VACUUM (FREEZE, ANALYZE) fleet;
CALL bench_warm('fleet');

\set wanted '\'{required:read_vehicle_info,required:read_vin,required:read_odometer,read_battery,read_charge,control_charge,read_location,control_security,read_tires,read_security}\''
\set missing 'smartcar_missing_scopes(granted, ' :wanted ')'

CALL bench_check('other scopes are missing',
	format($$
		SELECT bool_and(%s = ARRAY(
			SELECT replace(name, 'required:', '')
			FROM unnest(%L::text[]) WITH ORDINALITY AS w (name, place)
			WHERE replace(name, 'required:', '') <> ALL (granted)
			ORDER BY place))
		FROM (SELECT * FROM fleet LIMIT 1000) AS part $$,
		:'missing', :wanted));

-- an array of the same size in bytes
CALL bench_measure('missing scopes', 'fleet', :'missing',
	floor_column => 'granted', floor_length => 'pg_column_size(' || :'missing' || ') - 4',
	floor_target => 2);

DROP TABLE fleet;
