'use strict';

// The bodies of webhooks: VERIFY, VEHICLE_STATE and VEHICLE_ERROR of version 4.0.

const crypto = require('crypto');

const {signals, readSignal} = require('./signals');
const {v2Error} = require('./errors');

const usualSignals = ['odometer-traveleddistance', 'tractionbattery-stateofcharge'];
const webhookId = 'd1c6b0a4-6f7e-4f3f-9c0d-3a2b1c0d9e8f';

// The signals that an error of a kind concerns, unless the test names them.
function concerned({type, code}) {
  return type === 'PERMISSION' || code === 'PERMISSION' ? ['location-preciselocation'] : Object.keys(signals);
}

function errorItem(sandbox, event, vehicleId) {
  const {type = 'CONNECTED_SERVICES_ACCOUNT', code = 'AUTHENTICATION_FAILED', ...more} = event.error || {};
  const request = {id: event.request_id || crypto.randomUUID()};
  const {description, suggestedUserMessage, docURL, resolution} = v2Error(request, type, code, more).body;
  const item = {type, code, description, suggestedUserMessage, docURL};
  const names = more.signals || concerned({type, code});

  if (event.state !== null) {
    item.state = event.state || 'ERROR';
  }
  if (item.state !== 'RESOLVED') {
    item.resolution = resolution;
    if (code === 'AUTHENTICATION_FAILED' && more.resolution === undefined) {
      const parameters = new URLSearchParams({response_type: 'vehicle_id', client_id: sandbox.settings.client_id, vehicle_id: vehicleId});

      item.resolution = {type: 'REAUTHENTICATE', url: `${event.origin}/oauth/reauthenticate?${parameters}`};
    }
    if (code === 'VIRTUAL_KEY_REQUIRED' && more.resolution === undefined) {
      item.resolution = {type: 'ACTION_REQUIRED', url: sandbox.settings.virtual_key_url};
    }
  }
  item.signals = names.map((name) => ({code: name, name: (signals[name] || {}).name || name, group: (signals[name] || {}).group || null}));
  return item;
}

// The connection that an event is about: the named one, or the first that fits.
function connectionOf({store}, {user_id: userId, vehicle_id: vehicleId}) {
  const [connection] = store.list({userId, vehicleId});

  if (!connection) {
    throw new Error('there is no such connection');
  }
  return connection;
}

function vehicleData(sandbox, event, connection) {
  const {id, make, model, year, mode, powertrainType} = sandbox.store.vehicles.get(connection.vehicleId);
  const user = sandbox.store.users.get(connection.userId);

  return {
    user: {id: user.id, ...(user.external_id !== null && {externalId: user.external_id})},
    vehicle: {id, make, model, year, mode, powertrainType},
  };
}

// What of an event stays the same over its deliveries.
function makeEvent(sandbox, event) {
  const type = event.type || 'VEHICLE_STATE';
  const body = {eventId: event.event_id || crypto.randomUUID(), eventType: type, data: {}};

  if (type === 'VERIFY') {
    body.data = {challenge: event.challenge || crypto.randomUUID()};
    return body;
  }

  const connection = connectionOf(sandbox, event);
  const request = {origin: event.origin};

  body.data = vehicleData(sandbox, event, connection);
  if (type === 'VEHICLE_ERROR') {
    body.data.errors = (event.errors || [event.error || {}]).map((error) => errorItem(sandbox, {...event, error}, connection.vehicleId));
  } else {
    body.data.signals = (event.signals || usualSignals).map((code) => {
      const {attributes, meta} = readSignal(request, sandbox, connection, code);

      return {...attributes, meta};
    });
    body.triggers = event.triggers || [{type: 'SIGNAL_UPDATED', signal: {code: usualSignals[0]}}];
  }
  return body;
}

// The text of one delivery.
function deliveryText(sandbox, event, body, deliveryId) {
  if (event.body !== undefined) {
    return typeof event.body === 'string' ? event.body : JSON.stringify(event.body);
  }
  if (body.eventType === 'VERIFY' && event.version === '2.0') {
    return JSON.stringify({version: '2.0', webhookId, eventName: 'verify', payload: body.data});
  }
  return JSON.stringify({
    ...body,
    meta: {
      version: '4.0', deliveryId, deliveredAt: sandbox.clock.iso(), webhookId, webhookName: 'sandbox', mode: event.mode || 'LIVE',
      ...(body.data.signals && {signalCount: body.data.signals.length}),
    },
  });
}

module.exports = {makeEvent, deliveryText};
