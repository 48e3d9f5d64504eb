-- Connect links.

CREATE TABLE owner AS
	SELECT md5('state' || i) AS state
	FROM generate_series(1, (SELECT rows FROM bench_run)) AS i;
VACUUM (FREEZE, ANALYZE) owner;
CALL bench_warm('owner');

CREATE TABLE owner_with_scope AS
	SELECT md5('state' || i) AS state,
		   ARRAY(SELECT CASE WHEN random() < 0.3 THEN 'required:' ELSE '' END || permission
				 FROM unnest(smartcar_tesla.known_permissions()) AS permission
				 WHERE i IS NOT NULL	-- other ones for every row
				 ORDER BY random() LIMIT 10) AS scope
	FROM generate_series(1, (SELECT rows FROM bench_run)) AS i;
VACUUM (FREEZE, ANALYZE) owner_with_scope;
CALL bench_warm('owner_with_scope');

CREATE TABLE owner_with_vehicle AS
	SELECT md5('state' || i) AS state,
		   'owner-' || i AS external_id,
		   '5YJ3E1EA7LF' || lpad((i % 1000000)::text, 6, '0') AS vin
	FROM generate_series(1, (SELECT rows FROM bench_run)) AS i;
VACUUM (FREEZE, ANALYZE) owner_with_vehicle;
CALL bench_warm('owner_with_vehicle');

\set scope '\'{required:read_vehicle_info,required:read_vin,required:read_odometer,read_battery,read_charge,control_charge,read_location,control_security,read_tires,read_security}\''
\set link 'smartcar_connect_url(' :scope ', state, make => \'TESLA\')'
\set link_with_scope 'smartcar_connect_url(scope, state, make => \'TESLA\')'
\set link_with_all 'smartcar_connect_url(' :scope ', state, make => \'TESLA\', force_prompt => true, single_select => true, single_select_vin => vin, flags => \'{"color": "00819D", "country": "DE"}\', external_id => external_id, mode => \'live\', response_type => \'code\')'
\set constants '\'TESLA\', \'8229df9f-91a0-4ff0-a1ae-a1f38ee24d07\', \'https://app.example.com/callback?tenant=7\', \'live\''
\set plpgsql_link 'bench_connect_url(' :scope ', state, ' :constants ')'
\set plpgsql_link_with_scope 'bench_connect_url(scope, state, ' :constants ')'

CALL bench_check('PL/pgSQL builds another link',
	format('SELECT bool_and(%s = %s) FROM (SELECT * FROM owner LIMIT 1000) AS part',
		   :'plpgsql_link', :'link'));
CALL bench_check('PL/pgSQL builds another link',
	format('SELECT bool_and(%s = %s) FROM (SELECT * FROM owner_with_scope LIMIT 1000) AS part',
		   :'plpgsql_link_with_scope', :'link_with_scope'));

CALL bench_measure('connect link', 'owner', :'link',
	floor_column => 'state', floor_length => 'octet_length(' || :'link' || ')',
	plpgsql_expression => :'plpgsql_link',
	floor_target => 1.25, node_target => 3, plpgsql_target => 100);
CALL bench_measure('connect link, scope from a column', 'owner_with_scope', :'link_with_scope',
	floor_column => 'scope', floor_length => 'octet_length(' || :'link_with_scope' || ')',
	plpgsql_expression => :'plpgsql_link_with_scope', floor_target => 2);
CALL bench_measure('connect link, every option', 'owner_with_vehicle', :'link_with_all',
	floor_column => 'vin', floor_length => 'octet_length(' || :'link_with_all' || ')');

-- What the SDK gets: the same rows, and the links that it should come to.
\set inputs 100000
SELECT json_build_object('state', state, 'url', :link) FROM owner LIMIT :inputs
\g (format=unaligned tuples_only=on) :directory/link.json
SELECT json_build_object('state', state, 'scope', scope, 'url', :link_with_scope)
FROM owner_with_scope LIMIT :inputs
\g (format=unaligned tuples_only=on) :directory/link_with_scope.json
SELECT json_build_object('state', state, 'external_id', external_id, 'vin', vin, 'url', :link_with_all)
FROM owner_with_vehicle LIMIT :inputs
\g (format=unaligned tuples_only=on) :directory/link_with_all.json

DROP TABLE owner, owner_with_scope, owner_with_vehicle;
