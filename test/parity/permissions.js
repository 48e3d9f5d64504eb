'use strict';

// The permissions that Smartcar documents
// (https://smartcar.com/docs/api-reference/permissions).  The packages take any
// name, the extension only these, so the generated links stay within them.

module.exports = [
  'control_charge', 'control_climate', 'control_navigation', 'control_pin', 'control_security', 'control_trunk',
  'read_alerts', 'read_battery', 'read_charge', 'read_charge_events', 'read_charge_locations', 'read_charge_records',
  'read_climate', 'read_compass', 'read_diagnostics', 'read_engine_oil', 'read_extended_vehicle_info', 'read_fuel',
  'read_location', 'read_odometer', 'read_security', 'read_service_history', 'read_speedometer', 'read_thermometer',
  'read_tires', 'read_user_profile', 'read_vehicle_info', 'read_vin',
];
