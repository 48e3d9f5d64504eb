'use strict';

// The webhooks of the application, and the connections that are subscribed to them.
//
// Without a subscription a vehicle sends no events, and the store of its signals is empty.
// It stays filled after the last subscription has ended.

const crypto = require('crypto');

// The defaults of a webhook; the webhooks are a setting.
const usualWebhook = {
  id: 'd1c6b0a4-6f7e-4f3f-9c0d-3a2b1c0d9e8f', name: 'sandbox', callbackUri: null, errorCallbackUri: null, isEnabled: true,
  autoSubscribe: true, data: null,
};

function webhooksOf({webhooks}) {
  return webhooks.map((webhook) => ({...usualWebhook, ...webhook}));
}

// Returns the new subscription, or null if it exists already.
function subscribe({settings, clock}, connection, webhookId) {
  if (connection.subscriptions.some((subscription) => subscription.webhookId === webhookId)) {
    return null;
  }

  const now = clock.now();
  const subscription = {id: crypto.randomUUID(), webhookId, createdAt: now, activeAt: now + settings.subscription_delay * 1000};

  connection.subscriptions.push(subscription);
  connection.signalsSince = Math.min(connection.signalsSince, subscription.activeAt);
  return subscription;
}

function unsubscribe(connection, id) {
  connection.subscriptions = connection.subscriptions.filter((subscription) => subscription.id !== id);
}

// A new connection is subscribed to the webhooks with autoSubscribe.
function enrol(part, connection) {
  connection.subscriptions = [];
  connection.signalsSince = Infinity;
  webhooksOf(part.settings).filter(({autoSubscribe}) => autoSubscribe).forEach(({id}) => subscribe(part, connection, id));
}

function isSubscribed({clock}, connection, webhookId) {
  return connection.subscriptions.some((subscription) => subscription.webhookId === webhookId && subscription.activeAt <= clock.now());
}

// Whether the store has any signal of the connection.
function hasSignals({clock}, connection) {
  return connection.signalsSince <= clock.now();
}

module.exports = {webhooksOf, subscribe, unsubscribe, enrol, isSubscribed, hasSignals};
