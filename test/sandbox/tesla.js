'use strict';

// The v2.0 endpoints for Teslas: the owner's grants at Tesla, the virtual key, and whether
// the owner must connect again.

const {v2Error} = require('./errors');
const {accountRefusal} = require('./access');

function userAccess(request, store, owner, vehicle) {
  // the former platform does not have this
  if (vehicle.requiresMigration) {
    return v2Error(request, 'SERVER', 'INTERNAL');
  }

  const permissions = [...owner.tesla_permissions];

  return {
    status: 200,
    body: {accessType: store.accessType(owner, vehicle.id), permissions: permissions.length > 0 ? permissions : null},
  };
}

function virtualKey(request, store, owner, vehicle) {
  if (vehicle.requiresMigration) {
    return v2Error(request, 'COMPATIBILITY', 'PLATFORM_NOT_CAPABLE');
  }
  if (store.accessType(owner, vehicle.id) !== 'OWNER') {
    return v2Error(request, 'CONNECTED_SERVICES_ACCOUNT', 'VEHICLE_MISSING');
  }
  return {status: 200, body: {isPaired: vehicle.paired}};
}

function teslaEndpoint(request, sandbox, connection, path) {
  const {store} = sandbox;
  const vehicle = store.vehicles.get(connection.vehicleId);
  const {owner} = store.users.get(connection.userId);
  const [make, ...rest] = path.split('/');
  const subject = rest.join('/');

  // the make must be lower case, and vehicles of another make have no such endpoints
  if (make !== 'tesla' || vehicle.make !== 'TESLA' ||
      (subject !== 'user/access' && !connection.permissions.includes('read_vehicle_info'))) {
    return v2Error(request, 'PERMISSION', null);
  }

  const refusal = accountRefusal(request, sandbox, owner, vehicle);

  if (refusal) {
    return v2Error(request, refusal.type, refusal.code, refusal.more);
  }
  switch (subject) {
    case 'user/access':
      return userAccess(request, store, owner, vehicle);
    case 'virtual_key':
      return virtualKey(request, store, owner, vehicle);
    default:
      return {status: 200, body: {requiresMigration: vehicle.requiresMigration}};
  }
}

module.exports = {teslaEndpoint};
