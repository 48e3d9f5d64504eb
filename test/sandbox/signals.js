'use strict';

// The signals of v3: what a vehicle reports, each under a code of its own.  A
// signal that could not be had is part of a successful answer and says so in
// its status.

const {vehicleRefusal, accountRefusal} = require('./access');
const {readings} = require('./readings');

const reading = (path, convert) => (vehicle) => convert(readings[path].read(vehicle, false));

// code: {name, group, permission, read(vehicle, owner, store)}
const signals = {
  'vehicleuseraccount-permissions': {
    name: 'Permissions', group: 'VehicleUserAccount', permission: 'read_user_profile', account: true,
    read: (vehicle, owner) => ({values: [...owner.tesla_permissions]}),
  },
  'vehicleuseraccount-role': {
    name: 'Role', group: 'VehicleUserAccount', permission: 'read_user_profile', account: true,
    read: (vehicle, owner, store) => ({value: store.accessType(owner, vehicle.id)}),
  },
  'connectivitystatus-isdigitalkeypaired': {
    name: 'IsDigitalKeyPaired', group: 'ConnectivityStatus', permission: 'read_vehicle_info',
    read: (vehicle) => ({value: vehicle.paired}),
  },
  'odometer-traveleddistance': {
    name: 'TraveledDistance', group: 'Odometer', permission: 'read_odometer',
    read: reading('odometer', ({distance}) => ({value: distance, unit: 'km'})),
  },
  'tractionbattery-stateofcharge': {
    name: 'StateOfCharge', group: 'TractionBattery', permission: 'read_battery',
    read: reading('battery', ({percentRemaining}) => ({value: Math.round(percentRemaining * 100), unit: 'percent'})),
  },
  'location-preciselocation': {
    name: 'PreciseLocation', group: 'Location', permission: 'read_location',
    read: reading('location', ({latitude, longitude}) => ({latitude, longitude})),
  },
  'charge-ischarging': {
    name: 'IsCharging', group: 'Charge', permission: 'read_charge',
    read: reading('charge', ({state}) => ({value: state === 'CHARGING'})),
  },
  'vehicleidentification-vin': {
    name: 'VIN', group: 'VehicleIdentification', permission: 'read_vin',
    read: reading('vin', ({vin}) => ({value: vin})),
  },
  'closure-islocked': {
    name: 'IsLocked', group: 'Closure', permission: 'read_security',
    read: reading('security', ({isLocked}) => ({value: isLocked})),
  },
};

// One signal of a connection, as v3 writes it.
function readSignal(request, sandbox, connection, code) {
  const {store, clock} = sandbox;
  const {name, group, permission, account, read} = signals[code];
  const vehicle = store.vehicles.get(connection.vehicleId);
  const {owner} = store.users.get(connection.userId);
  let refusal;

  // what is known of the account itself does not need the owner's consent to it
  if (account && connection.permissions.includes(permission)) {
    refusal = accountRefusal(request, sandbox, owner, vehicle);
  } else {
    refusal = vehicleRefusal(request, sandbox, {connection, permission});
  }

  const attributes = refusal ?
    {code, name, group, status: {value: 'ERROR', error: {type: refusal.type, code: refusal.code, ...refusal.more}}} :
    {code, name, group, status: {value: 'SUCCESS'}, body: read(vehicle, owner, store)};

  return {
    id: code, type: 'signal', attributes,
    meta: {retrievedAt: clock.iso(), oemUpdatedAt: clock.iso(clock.now() - 90000)},
    links: {self: `${request.origin}/v3/vehicles/${vehicle.id}/signals/${code}`},
  };
}

module.exports = {signals, readSignal};
