'use strict';

// The management API of v3, with the application token: webhooks, subscriptions, and the
// application itself.

const {v3Error} = require('./errors');
const {pageOf, invalid} = require('./pages');
const {signals} = require('./signals');
const {webhooksOf, subscribe, unsubscribe} = require('./subscriptions');

function notFound(request, code) {
  return v3Error(request, 'RESOURCE_NOT_FOUND', code);
}

function writeSignal(code) {
  const {group, name} = signals[code] || {group: null, name: code};

  return {group, name, code};
}

function writeWebhook({origin}, {started}, {id, name, callbackUri, errorCallbackUri, isEnabled, autoSubscribe, data}) {
  const collected = (data || Object.keys(signals)).map(writeSignal);

  return {
    id,
    type: 'webhook',
    attributes: {
      name, callbackUri: callbackUri || 'https://example.com/webhook', isEnabled, triggers: collected, data: collected,
      errorCallbackUri, autoSubscribe,
    },
    links: {self: `${origin}/v3/webhooks/${id}`},
    meta: {createdAt: started},
  };
}

function listWebhooks(request, sandbox) {
  const {query} = request;
  const contains = (text, name) => !query.has(name) || String(text).toLowerCase().includes(query.get(name).toLowerCase());
  const is = (value, name) => !query.has(name) || String(value) === query.get(name);
  const list = webhooksOf(sandbox.settings).filter(({name, callbackUri, isEnabled, autoSubscribe}) =>
    contains(name, 'filter[name]') && contains(callbackUri, 'filter[callbackUri]') &&
    is(isEnabled, 'filter[isEnabled]') && is(autoSubscribe, 'filter[autoSubscribe]'));

  return pageOf(request, list, 50, (webhook) => writeWebhook(request, sandbox.clock, webhook));
}

function oneWebhook(request, sandbox, id) {
  const webhook = webhooksOf(sandbox.settings).find((entry) => entry.id === id);

  return webhook ? {status: 200, body: {data: writeWebhook(request, sandbox.clock, webhook)}} : notFound(request, 'WEBHOOK_NOT_FOUND');
}

// A subscription that is not in force yet is not shown.
function subscriptionsOf({clock}, connections) {
  return connections.flatMap((connection) => connection.subscriptions
    .filter(({activeAt}) => activeAt <= clock.now()).map((subscription) => ({connection, subscription})));
}

function writeSubscription({origin}, {store, clock}, {connection, subscription}) {
  const {make, model, year, mode, powertrainType} = store.vehicles.get(connection.vehicleId);
  const to = (type, kind, id) => ({data: {type, id}, links: {related: `${origin}/v3/${kind}/${id}`}});

  return {
    type: 'subscription',
    id: subscription.id,
    attributes: {vehicle: {make, model, year, mode, powertrainType}},
    meta: {createdAt: clock.iso(subscription.createdAt), updatedAt: clock.iso(subscription.activeAt)},
    relationships: {
      webhook: to('webhook', 'webhooks', subscription.webhookId), user: to('user', 'users', connection.userId),
      vehicle: to('vehicle', 'vehicles', connection.vehicleId),
    },
    links: {self: `${origin}/v3/subscriptions/${subscription.id}`},
  };
}

function listSubscriptions(request, sandbox) {
  const {query} = request;
  const mode = query.get('filter[vehicle.mode]');
  const webhookId = query.get('filter[webhookId]');

  if (mode !== null && !['live', 'simulated'].includes(mode)) {
    return invalid(request, 'filter[vehicle.mode]');
  }

  const connections = sandbox.store.list({userId: query.get('filter[userId]'), vehicleId: query.get('filter[vehicleId]'), mode});
  const list = subscriptionsOf(sandbox, connections).filter(({subscription}) => !webhookId || subscription.webhookId === webhookId);

  return pageOf(request, list, 25, (entry) => writeSubscription(request, sandbox, entry));
}

// The response has no id, because the subscription is not in force yet.
function createSubscription(request, sandbox) {
  const given = request.isJson && request.json && request.json.data && request.json.data.attributes;
  const absent = ['webhookId', 'userId', 'vehicleId'].find((name) => !given || typeof given[name] !== 'string');

  if (absent) {
    return v3Error(request, 'VALIDATION', 'MISSING_PARAMETER', {detail: `missing ${absent}`});
  }

  const {webhookId, userId, vehicleId} = given;
  const connection = sandbox.store.connection(userId, vehicleId);
  const webhook = webhooksOf(sandbox.settings).find(({id}) => id === webhookId);

  if (!connection || !webhook) {
    return notFound(request, webhook ? 'VEHICLE_NOT_FOUND' : 'WEBHOOK_NOT_FOUND');
  }
  if (!subscribe(sandbox, connection, webhookId)) {
    return v3Error(request, 'VALIDATION', 'SUBSCRIPTION_EXISTS', {status: 409, detail: 'The vehicle is subscribed already.'});
  }
  if (webhook.callbackUri && webhook.isEnabled && sandbox.settings.subscription_delay === 0) {
    sandbox.webhooks.send({origin: request.origin, webhook_id: webhookId, user_id: userId, vehicle_id: vehicleId, first_delivery: true});
  }
  return {status: 202, body: {meta: {message: 'subscription creation in progress'}}};
}

function oneSubscription(request, sandbox, id) {
  const found = subscriptionsOf(sandbox, [...sandbox.store.connections.values()]).find(({subscription}) => subscription.id === id);

  if (!found) {
    return notFound(request, 'SUBSCRIPTION_NOT_FOUND');
  }
  if (request.method === 'DELETE') {
    unsubscribe(found.connection, id);
    return {status: 204};
  }
  return {status: 200, body: {data: writeSubscription(request, sandbox, found)}};
}

function writeApplication({origin}, {settings, clock}) {
  const id = settings.client_id;

  return {
    id, type: 'application', attributes: {name: settings.application_name, redirectUris: settings.redirect_uris},
    links: {self: `${origin}/v3/applications/${id}`}, meta: {createdAt: clock.started},
  };
}

function oneApplication(request, sandbox, id) {
  return id === sandbox.settings.client_id ? {status: 200, body: {data: writeApplication(request, sandbox)}} :
    notFound(request, 'APPLICATION_NOT_FOUND');
}

// "METHOD kind" of a list, and of one of it
const lists = {
  'GET webhooks': listWebhooks,
  'GET subscriptions': listSubscriptions,
  'POST subscriptions': createSubscription,
  'GET applications': (request, sandbox) => pageOf(request, [sandbox.settings.client_id], 25, () => writeApplication(request, sandbox)),
};
const members = {
  'GET webhooks': oneWebhook, 'GET subscriptions': oneSubscription, 'DELETE subscriptions': oneSubscription, 'GET applications': oneApplication,
};

// The response to a request to this API, or null if it is another API's.
function managementV3(request, sandbox, kind, id) {
  const name = `${request.method} ${kind}`;
  const routes = id ? members : lists;

  return Object.hasOwn(routes, name) ? routes[name](request, sandbox, id) : null;
}

module.exports = {managementV3};
