'use strict';

// The readings of vehicles.  The values are computed from the id of the vehicle, so that
// a test always sees the same ones.

const MILES = 0.621371;

// A number from 0 to limit - 1 for a vehicle and a subject.
function pick(vehicle, subject, limit) {
  let hash = 2166136261;

  for (const character of vehicle.id + subject) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 16777619) >>> 0;
  }
  return hash % limit;
}

function kilometres(value, imperial) {
  return Math.round((imperial ? value * MILES : value) * 10) / 10;
}

// path: {permission, read(vehicle, imperial)}
const readings = {
  odometer: {
    permission: 'read_odometer', units: true,
    read: (vehicle, imperial) => ({distance: kilometres(1000 + pick(vehicle, 'odometer', 90000), imperial)}),
  },
  battery: {
    permission: 'read_battery', units: true,
    read: (vehicle, imperial) => ({
      percentRemaining: (20 + pick(vehicle, 'battery', 80)) / 100, range: kilometres(100 + pick(vehicle, 'range', 400), imperial),
    }),
  },
  'battery/capacity': {permission: 'read_battery', read: () => ({capacity: 75})},
  charge: {
    permission: 'read_charge',
    read: (vehicle) => ({isPluggedIn: Boolean(vehicle.charging), state: vehicle.charging ? 'CHARGING' : 'NOT_CHARGING'}),
  },
  'charge/limit': {permission: 'read_charge', read: (vehicle) => ({limit: vehicle.limit || 0.8})},
  location: {
    permission: 'read_location',
    read: (vehicle) => ({
      latitude: 47 + pick(vehicle, 'latitude', 50000) / 10000, longitude: 8 + pick(vehicle, 'longitude', 50000) / 10000,
    }),
  },
  'tires/pressure': {
    permission: 'read_tires', units: true,
    read: (vehicle, imperial) => {
      const pressure = imperial ? 42 : 290;

      return {frontLeft: pressure, frontRight: pressure, backLeft: pressure, backRight: pressure};
    },
  },
  security: {
    permission: 'read_security',
    read: (vehicle) => ({isLocked: vehicle.locked !== false, doors: [], windows: [], sunroof: [], storage: [], chargingPort: []}),
  },
  vin: {permission: 'read_vin', read: (vehicle) => ({vin: vehicle.vin})},
  '': {
    permission: 'read_vehicle_info',
    read: ({id, make, model, year}) => ({id, make, model, year}),
  },
};

// path: {permission, check(body), run(vehicle, body)}
const commands = {
  security: {
    permission: 'control_security',
    check: (body) => ['LOCK', 'UNLOCK'].includes(body.action) || 'action',
    run: (vehicle, body) => {
      vehicle.locked = body.action === 'LOCK';
    },
  },
  charge: {
    permission: 'control_charge',
    check: (body) => ['START', 'STOP'].includes(body.action) || 'action',
    run: (vehicle, body) => {
      vehicle.charging = body.action === 'START';
    },
  },
  'charge/limit': {
    permission: 'control_charge',
    check: (body) => (body.limit >= 0.5 && body.limit <= 1) || 'limit',
    run: (vehicle, body) => {
      vehicle.limit = body.limit;
    },
  },
  'navigation/destination': {
    permission: 'control_navigation',
    check: (body) => (typeof body.latitude === 'number' && typeof body.longitude === 'number') || 'latitude',
    run: () => {},
  },
};

module.exports = {readings, commands};
