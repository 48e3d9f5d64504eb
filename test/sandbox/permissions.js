'use strict';

// Smartcar's permissions, and the Tesla permission that each of them needs
// (https://smartcar.com/docs/help/oem-integrations/tesla/developers).

const teslaPermissions = {
  vehicle_device_data: 'Vehicle Information',
  vehicle_location: 'Vehicle Location',
  vehicle_cmds: 'Vehicle Commands',
  vehicle_charging_cmds: 'Vehicle Charge Management',
  user_data: 'Profile Information',
};

// Null: no Tesla permission is documented for it.
const smartcarPermissions = {
  control_charge: 'vehicle_charging_cmds',
  control_climate: 'vehicle_cmds',
  control_navigation: 'vehicle_cmds',
  control_pin: 'vehicle_cmds',
  control_security: 'vehicle_cmds',
  control_trunk: 'vehicle_cmds',
  read_alerts: null,
  read_battery: 'vehicle_device_data',
  read_charge: 'vehicle_device_data',
  read_charge_events: null,
  read_charge_locations: null,
  read_charge_records: 'vehicle_charging_cmds',
  read_climate: 'vehicle_device_data',
  read_compass: 'vehicle_device_data',
  read_diagnostics: null,
  read_engine_oil: 'vehicle_device_data',
  read_extended_vehicle_info: 'vehicle_device_data',
  read_fuel: 'vehicle_device_data',
  read_location: 'vehicle_location',
  read_odometer: 'vehicle_device_data',
  read_security: 'vehicle_device_data',
  read_service_history: null,
  read_speedometer: 'vehicle_device_data',
  read_thermometer: 'vehicle_device_data',
  read_tires: 'vehicle_device_data',
  read_user_profile: 'user_data',
  read_vehicle_info: 'vehicle_device_data',
  read_vin: 'vehicle_device_data',
};

const everyTeslaScope = Object.keys(teslaPermissions);

// The Tesla scope that a permission needs, or null.
function teslaScopeOf(permission) {
  return smartcarPermissions[permission] || null;
}

// Tesla permissions by scope or name, or "all", as a list of scopes.  Unknown ones are left
// out.
function readTeslaPermissions(names) {
  const scopes = new Set();

  for (const name of names || []) {
    const trimmed = String(name).trim();

    if (trimmed === 'all') {
      everyTeslaScope.forEach((scope) => scopes.add(scope));
    }
    for (const [scope, title] of Object.entries(teslaPermissions)) {
      if (trimmed === scope || trimmed === title) {
        scopes.add(scope);
      }
    }
  }
  return [...scopes];
}

// "required:read_vin read_charge" as [{name, required}], each name once.
function readScope(text) {
  const found = new Map();

  for (const word of String(text || '').split(/\s+/)) {
    const required = word.startsWith('required:');
    const name = required ? word.slice('required:'.length) : word;

    if (name !== '') {
      found.set(name, {name, required: required || Boolean(found.get(name) && found.get(name).required)});
    }
  }
  return [...found.values()];
}

module.exports = {smartcarPermissions, teslaPermissions, everyTeslaScope, teslaScopeOf, readTeslaPermissions, readScope};
