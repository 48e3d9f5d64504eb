-- Callbacks of owners who agreed.

CREATE TABLE arrival AS
	SELECT format('https://app.example.com/callback?tenant=7&code=%s&state=%s&user_id=%s&virtual_key_url=%s&external_id=%s',
				  md5('code' || i)::uuid, md5('state' || i), md5('user' || i)::uuid,
				  'https%3A%2F%2Fwww.tesla.com%2F_ak%2Fsmartcar.com', 'owner-' || i) AS callback
	FROM generate_series(1, (SELECT rows FROM bench_run)) AS i;
VACUUM (FREEZE, ANALYZE) arrival;
CALL bench_warm('arrival');

CALL bench_check('a callback is parsed wrongly', $$
	SELECT bool_and(
			   code = md5('code' || i)::uuid::text AND state = md5('state' || i) AND
			   user_id = md5('user' || i)::uuid::text AND external_id = 'owner-' || i AND
			   virtual_key_url = 'https://www.tesla.com/_ak/smartcar.com' AND
			   num_nulls(vehicle_id, error, error_description, status_code, error_message,
						 vin, make, model, year, reason, selected_capacity) = 11)
	FROM (SELECT row_number() OVER () AS i, callback FROM arrival LIMIT 1000) AS part,
		 smartcar_parse_callback(callback) $$);

CALL bench_measure('parse callback', 'arrival', 'smartcar_parse_callback(callback)',
	floor_column => 'callback', floor_length => 'octet_length(callback)',
	floor_target => 2);

DROP TABLE arrival;
