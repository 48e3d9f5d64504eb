'use strict';

// The signals of v3: what a vehicle reports, each with a code.  A signal that cannot be
// read is part of a successful response, with the error in its status.

const {vehicleRefusal, accountRefusal} = require('./access');
const {readings} = require('./readings');
const {hasSignals} = require('./subscriptions');

// The age of a reading, in milliseconds.
const SIGNAL_AGE = 90000;

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

// Whether the store has a signal of a connection.  It is empty before the first
// subscription, and a vehicle can lack single signals.
function isKnown(sandbox, connection, code) {
  return Object.hasOwn(signals, code) && hasSignals(sandbox, connection) &&
    sandbox.store.vehicles.get(connection.vehicleId).signals[code] !== 'absent';
}

function knownSignals(sandbox, connection) {
  return Object.keys(signals).filter((code) => isKnown(sandbox, connection, code));
}

// What a test has set for a signal of a vehicle: a status, or an error.
function statusOf(told) {
  return typeof told === 'string' ? {value: told} : {value: 'ERROR', error: told};
}

// One signal of a connection, as v3 writes it.
function readSignal(request, sandbox, connection, code) {
  const {store, clock} = sandbox;
  const {name, group, permission, account, read} = signals[code];
  const vehicle = store.vehicles.get(connection.vehicleId);
  const {owner} = store.users.get(connection.userId);
  const told = vehicle.signals[code];
  let refusal;

  // what Smartcar knows about the account needs no consent of the owner
  if (account && connection.permissions.includes(permission)) {
    refusal = accountRefusal(request, sandbox, owner, vehicle);
  } else {
    refusal = vehicleRefusal(request, sandbox, {connection, permission});
  }

  const self = `${request.origin}/v3/vehicles/${vehicle.id}`;
  const attributes = {code, name, group, status: {value: 'SUCCESS'}};

  if (told && told !== 'absent') {
    attributes.status = statusOf(told);
  } else if (refusal) {
    attributes.status = statusOf({type: refusal.type, code: refusal.code, ...refusal.more});
  } else {
    attributes.body = read(vehicle, owner, store);
  }
  return {
    id: code, type: 'signal', attributes,
    meta: {retrievedAt: clock.iso(), oemUpdatedAt: clock.iso(clock.now() - SIGNAL_AGE), ingestedAt: clock.iso()},
    links: {self: `${self}/signals/${code}`, values: `${self}/signals`, vehicle: self},
  };
}

module.exports = {signals, isKnown, knownSignals, readSignal, SIGNAL_AGE};
