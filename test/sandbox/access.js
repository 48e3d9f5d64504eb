'use strict';

// Whether a request may reach a vehicle: the checks of readings and commands, in
// Smartcar's order.
//
// A refusal is {type, code, more}, which errors.js formats.

const {needsVirtualKey} = require('./store');
const {teslaScopeOf} = require('./permissions');

function refusal(type, code = null, more = {}) {
  return {type, code, more};
}

// Where the owner logs in again; the application has to add redirect_uri.
function reauthenticationUrl(request, settings, vehicleId) {
  const parameters = new URLSearchParams({response_type: 'vehicle_id', client_id: settings.client_id, vehicle_id: vehicleId});

  return `${request.origin}/oauth/reauthenticate?${parameters}`;
}

// The error that a test has set for an owner's account or a vehicle.
function refusalOfError(request, settings, vehicle, {type, code = null, ...more}) {
  if (type === 'CONNECTED_SERVICES_ACCOUNT' && code === 'AUTHENTICATION_FAILED' && more.resolution === undefined) {
    return refusal(type, code, {...more, resolution: {type: 'REAUTHENTICATE', url: reauthenticationUrl(request, settings, vehicle.id)}});
  }
  return refusal(type, code, more);
}

// Whether the owner's account responds at all.
function accountRefusal(request, {settings}, owner, vehicle) {
  if (owner.authentication_failed) {
    return refusalOfError(request, settings, vehicle, {type: 'CONNECTED_SERVICES_ACCOUNT', code: 'AUTHENTICATION_FAILED'});
  }
  return owner.error ? refusalOfError(request, settings, vehicle, owner.error) : null;
}

// permission: the Smartcar permission that the request needs; command: whether it
// changes something.  Returns null if the request is allowed.
function vehicleRefusal(request, sandbox, {connection, permission, command = false}) {
  const {store, settings} = sandbox;
  const {owner} = store.users.get(connection.userId);
  const vehicle = store.vehicles.get(connection.vehicleId);

  if (!connection.permissions.includes(permission)) {
    return refusal('PERMISSION', null);
  }

  const account = accountRefusal(request, sandbox, owner, vehicle);

  if (account) {
    return account;
  }
  if (vehicle.make === 'TESLA') {
    const scope = teslaScopeOf(permission);

    if (scope && !owner.tesla_permissions.has(scope)) {
      return refusal('CONNECTED_SERVICES_ACCOUNT', 'PERMISSION');
    }
    if (command && needsVirtualKey(vehicle) && !vehicle.paired) {
      return refusal('CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED',
        {resolution: {type: 'ACTION_REQUIRED', url: settings.virtual_key_url}});
    }
  }
  return vehicle.error ? refusalOfError(request, settings, vehicle, vehicle.error) : null;
}

module.exports = {refusal, vehicleRefusal, accountRefusal};
