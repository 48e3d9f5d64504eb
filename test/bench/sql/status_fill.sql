-- Connections of one application, of which one in so many has not granted all at
-- Tesla, as many not all at Smartcar, and as many have no virtual key.
--
-- Variables: count, few.

TRUNCATE smartcar_tesla.connection;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, connection_id, external_id, make, model, year, mode, powertrain_type,
								 granted_scopes, access_type, tesla_scopes, virtual_key_paired, connected_at, synced_at)
	SELECT 'status', 'user-' || i, 'vehicle-' || i, 'connection-' || i, 'external-' || i, 'TESLA',
		   (ARRAY['Model 3', 'Model Y', 'Model S', 'Model X'])[1 + i % 4], 2018 + i % 8, 'live', 'BEV',
		   CASE WHEN i % :few = 1 THEN '{read_vehicle_info,read_odometer,read_location,read_battery}'::text[]
				ELSE '{read_vehicle_info,read_odometer,read_location,read_battery,read_charge,control_charge}' END,
		   CASE WHEN i % (2 * :few) = 2 THEN 'DRIVER' ELSE 'OWNER' END,
		   CASE WHEN i % :few = 3 THEN '{vehicle_device_data}'::text[]
				ELSE '{openid,offline_access,user_data,vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds}' END,
		   i % :few <> 4, now(), now()
	FROM generate_series(1, :count) AS i;
VACUUM (FREEZE, ANALYZE) smartcar_tesla.connection;
CALL bench_warm('smartcar_tesla.connection');
