'use strict';

// The bodies of webhooks: VERIFY, VEHICLE_STATE and VEHICLE_ERROR of version 4.0.

const crypto = require('crypto');

const {signals, knownSignals, readSignal, SIGNAL_AGE} = require('./signals');
const {webhooksOf, isSubscribed} = require('./subscriptions');
const {v2Error} = require('./errors');

// The signals that an error of a kind concerns, unless the test names them.
function concerned({type, code}) {
  return type === 'PERMISSION' || code === 'PERMISSION' ? ['location-preciselocation'] : Object.keys(signals);
}

function signalName(code) {
  const {name = code, group = null} = signals[code] || {};

  return {code, name, group};
}

// One error of an event, with its own state.
function errorItem(sandbox, event, vehicleId) {
  const {type = 'CONNECTED_SERVICES_ACCOUNT', code = 'AUTHENTICATION_FAILED', ...more} = event.error || {};
  const request = {id: event.request_id || crypto.randomUUID()};
  const {description, suggestedUserMessage, docURL, resolution} = v2Error(request, type, code, more).body;
  const item = {type, code};
  const {state = 'ERROR'} = more.state === undefined ? event : more;
  const names = more.signals || concerned({type, code});

  if (state !== null) {
    item.state = state;
  }
  Object.assign(item, {description, suggestedUserMessage, docURL});
  if (state !== 'RESOLVED') {
    item.resolution = resolution;
    if (code === 'AUTHENTICATION_FAILED' && more.resolution === undefined) {
      const parameters = new URLSearchParams({response_type: 'vehicle_id', client_id: sandbox.settings.client_id, vehicle_id: vehicleId});

      item.resolution = {type: 'REAUTHENTICATE', url: `${event.origin}/oauth/reauthenticate?${parameters}`};
    }
    if (code === 'VIRTUAL_KEY_REQUIRED' && more.resolution === undefined) {
      item.resolution = {type: 'ACTION_REQUIRED', url: sandbox.settings.virtual_key_url};
    }
  }
  item.signals = names.map(signalName);
  return item;
}

// The webhook that sends an event: the given one, or the first.
function webhookOf({settings}, {webhook_id: id}) {
  const webhook = webhooksOf(settings).find((entry) => id === undefined || entry.id === id);

  if (!webhook) {
    throw new Error('there is no such webhook');
  }
  return webhook;
}

// The connection of an event: the given one, or the first that fits.
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

const milliseconds = (time) => (typeof time === 'number' ? time : Date.parse(time));

// A signal of an event, with times as numbers.  A test can give a code, or an object with a
// code and other members.
function signalItem(sandbox, event, connection, at, given) {
  const {code, body, status, oem_updated_at: updated, retrieved_at: retrieved} = typeof given === 'string' ? {code: given} : given;
  const read = Object.hasOwn(signals, code) ? readSignal({origin: event.origin}, sandbox, connection, code).attributes : {};

  return {
    ...signalName(code),
    ...((body || read.body) && {body: body || read.body}),
    status: status || (body ? {value: 'SUCCESS'} : read.status),
    meta: {
      oemUpdatedAt: updated === undefined ? at - SIGNAL_AGE : milliseconds(updated),
      retrievedAt: retrieved === undefined ? at : milliseconds(retrieved),
    },
  };
}

// The triggers of an event.
function triggersOf({triggers, first_delivery: first}, items) {
  return triggers || (first ? [{code: 'FIRST_DELIVERY'}] : items.slice(0, 1).map(({code}) => signalName(code)));
}

// The time of an event, by which the receiver orders events.  It is unique unless a test
// gives it.
function sequenceOf(sandbox, event, at) {
  if (event.sequence !== undefined) {
    return event.sequence;
  }
  if (event.at !== undefined) {
    return at;
  }
  sandbox.webhooks.sequence = Math.max(sandbox.webhooks.sequence + 1, at);
  return sandbox.webhooks.sequence;
}

// The parts of an event that are the same in each delivery.
function makeEvent(sandbox, event) {
  const type = event.type || 'VEHICLE_STATE';
  const at = event.at === undefined ? sandbox.clock.now() : milliseconds(event.at);
  const body = {eventId: event.event_id || crypto.randomUUID(), eventType: type, data: {}};

  if (type === 'VERIFY') {
    body.data = {challenge: event.challenge || crypto.randomUUID()};
    return body;
  }

  const connection = connectionOf(sandbox, event);
  const webhook = webhookOf(sandbox, event);

  if (!webhook.isEnabled || !isSubscribed(sandbox, connection, webhook.id)) {
    throw new Error('the vehicle is not subscribed to the webhook, or that is not enabled');
  }
  body.data = vehicleData(sandbox, event, connection);
  if (type === 'VEHICLE_ERROR') {
    body.data.errors = (event.errors || [event.error || {}]).map((error) => errorItem(sandbox, {...event, error}, connection.vehicleId));
  } else {
    const known = knownSignals(sandbox, connection);
    const items = (event.signals || (webhook.data || known).filter((code) => known.includes(code)))
      .map((given) => signalItem(sandbox, event, connection, at, given));

    body.data.triggers = triggersOf(event, items);
    body.data.signals = items;
  }
  body.meta = {sequence: sequenceOf(sandbox, event, at), webhookId: webhook.id, webhookName: webhook.name};
  return body;
}

// The text of one delivery.
function deliveryText(sandbox, event, body, deliveryId) {
  const {webhookId, webhookName, sequence} = body.meta || {};
  const {delivered_at: delivered} = event;

  if (event.body !== undefined) {
    return typeof event.body === 'string' ? event.body : JSON.stringify(event.body);
  }
  if (body.eventType === 'VERIFY') {
    const {id, name} = webhookOf(sandbox, event);

    return JSON.stringify(event.version === '2.0' ? {version: '2.0', webhookId: id, eventName: 'verify', payload: body.data} : {
      ...body,
      meta: {
        version: '4.0', deliveryId, deliveredAt: sandbox.clock.iso(), webhookId: id, webhookName: name, mode: event.mode || 'LIVE',
      },
    });
  }
  return JSON.stringify({
    ...body,
    meta: {
      version: '4.0', deliveryId, deliveredAt: delivered === undefined ? sandbox.clock.now() : milliseconds(delivered), webhookId, webhookName, sequence,
      ...(body.data.signals && {signalCount: body.data.signals.length}), mode: event.mode || 'LIVE',
    },
  });
}

module.exports = {makeEvent, deliveryText, webhookOf};
