'use strict';

// The control requests of a test, under /sandbox/.  README.md lists them; an invalid one
// gets 400 and {"error": "..."}.

const {makeFleet} = require('./fleet');
const {grant} = require('./grants');
const {readScope, readTeslaPermissions} = require('./permissions');
const {virtualKeyPage} = require('./virtual_key');
const {makeEvent} = require('./webhook_events');
const {showAccounts, findAccount, describe, checkTokens} = require('./control_accounts');

function required(value, what) {
  if (value === undefined || value === null) {
    throw new Error(`${what} is missing or not known`);
  }
  return value;
}

function showOwner(owner) {
  return {...owner, tesla_permissions: [...owner.tesla_permissions]};
}

// An owner by name or user id.
function ownerOf({store}, given) {
  const user = store.users.get(given.user_id);

  return required(given.owner ? store.owners.get(given.owner) : user && user.owner, 'owner');
}

// Connects without the pages.
function connectDirectly(sandbox, given) {
  const {store, tokens, settings} = sandbox;
  const owner = given.owner ? ownerOf(sandbox, given) : store.owners.values().next().value;
  const ids = given.vehicles || owner.vehicles.map(({id}) => id);
  const vehicles = ids.map((id) => required(store.vehicles.get(id), `vehicle ${id}`));
  const asked = readScope(given.permissions ? given.permissions.join(' ') : given.scope || settings.dashboard_scope).map(({name}) => name);
  const user = grant(sandbox, {
    owner, vehicles, asked, granted: asked, teslaPermissions: readTeslaPermissions(given.tesla_permissions || ['all']),
    externalId: given.external_id, force: Boolean(given.permissions), anew: false,
  });
  const account = tokens.account(user.id, given.single_select ? vehicles[0].id : null);
  const redirectUri = given.redirect_uri || settings.redirect_uris[0];

  return {
    code: tokens.issueCode(account, redirectUri, Boolean(given.redirect_uri)), user_id: user.id, redirect_uri: redirectUri,
    vehicles: ids, ...tokens.issuePair(account),
  };
}

function changeVehicle(sandbox, given) {
  const vehicle = required(sandbox.store.vehicles.get(given.id || given.vehicle_id), 'vehicle');

  for (const [field, value] of Object.entries(given)) {
    if (field !== 'id' && Object.hasOwn(vehicle, field)) {
      vehicle[field] = value;
    }
  }
  return vehicle;
}

// The owner withdraws Tesla permissions at Tesla.
function revoke(sandbox, given) {
  const owner = ownerOf(sandbox, given);

  readTeslaPermissions(given.tesla_permissions || ['all']).forEach((scope) => owner.tesla_permissions.delete(scope));
  return showOwner(owner);
}

function changeSettings({settings}, given) {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(settings, name)) {
      throw new Error(`unknown setting: ${name}`);
    }
    settings[name] = value;
  }
  return settings;
}

function expire({tokens}, given) {
  const named = given.user_id || given.access_token || given.refresh_token;

  tokens.expireAccess(named ? required(findAccount(tokens, given), 'account') : null);
  return {};
}

// Events that are made one after the other.  "before" of an event has control requests,
// which change the state that it reports; if one is invalid, nothing is sent.
async function sendSeries(sandbox, given, origin) {
  const {events = [], deliveries = events.map((event, index) => index)} = given;
  const made = [];

  for (const {before = {}, ...event} of events) {
    for (const [name, body] of Object.entries(before)) {
      await required(routes[`POST ${name}`], `before.${name}`)(sandbox, body, {origin});
    }

    const whole = {origin, ...event};

    made.push({event: whole, body: makeEvent(sandbox, whole)});
  }
  return sandbox.webhooks.sendSeries(given, made, deliveries);
}

function showLog({log}, query) {
  const text = (name) => query.get(name) || undefined;

  return {
    requests: log.requests, max_in_flight: log.maxInFlight, in_flight: log.inFlight,
    entries: log.list({
      since: Number(text('since') || 0), path: text('path'), method: text('method'), limit: Number(text('limit') || log.limit),
    }),
  };
}

function showStatistics({log, statistics, tokens, store}) {
  return {
    requests: log.requests, sequence: log.sequence, statuses: log.statuses, in_flight: log.inFlight, max_in_flight: log.maxInFlight,
    connections: statistics, accounts: tokens.accounts.size, connected: store.connections.size,
    memory: process.memoryUsage().rss,
  };
}

// "METHOD path": function(sandbox, body, request)
const routes = {
  'POST reset': (sandbox) => {
    sandbox.reset();
    return {};
  },
  'GET settings': ({settings}) => settings,
  'POST settings': changeSettings,
  'POST advance': ({clock}, {seconds}) => {
    clock.advance(Number(required(seconds, 'seconds')));
    return {now: clock.iso()};
  },
  'POST owner': (sandbox, given) => {
    required(given.owner, 'owner');

    const known = given.tesla_permissions && {tesla_permissions: readTeslaPermissions(given.tesla_permissions)};

    return showOwner(sandbox.store.addOwner({...given, ...known}));
  },
  'GET owners': ({store}) => ({owners: [...store.owners.values()].slice(0, 1000).map(showOwner)}),
  'POST vehicle': changeVehicle,
  'GET vehicle': ({store}, given, {query}) => required(store.vehicles.get(query.get('id')), 'vehicle'),
  'POST revoke': revoke,
  'POST fleet': makeFleet,
  'POST connect': connectDirectly,
  'POST expire': expire,
  'GET accounts': ({tokens}, given, {query}) => showAccounts(tokens, query),
  'GET account': ({tokens}, given, {query}) => describe(tokens, Object.fromEntries(query)),
  'POST account': ({tokens}, given) => checkTokens(tokens, required(given.refresh_tokens, 'refresh_tokens')),
  'GET log': (sandbox, given, {query}) => showLog(sandbox, query),
  'POST log': ({log}, given) => {
    log.configure(given);
    return {enabled: log.enabled, limit: log.limit};
  },
  'DELETE log': ({log}) => {
    log.clear();
    return {};
  },
  'GET statistics': showStatistics,
  'GET limits': ({limits}, given, {query}) => limits.show(query),
  'DELETE limits': ({limits}) => {
    limits.clear();
    return {};
  },
  'GET faults': ({faults}) => ({faults: faults.show()}),
  'POST faults': ({faults}, given) => ({ids: (Array.isArray(given) ? given : [given]).map((fault) => faults.add(fault))}),
  'DELETE faults': ({faults}, given, {query}) => {
    if (query.get('id')) {
      faults.remove(Number(query.get('id')));
    } else {
      faults.clear();
    }
    return {};
  },
  'POST webhook': ({webhooks}, given, {origin}) => webhooks.send({origin, ...given}),
  'POST webhooks': (sandbox, given, {origin}) => sendSeries(sandbox, given, origin),
  'GET webhooks': ({webhooks}, given, {query}) => ({
    events: webhooks.events.filter(({eventId}) => !query.get('event_id') || eventId === query.get('event_id')),
  }),
};

async function control(request, sandbox) {
  const path = request.path.slice('/sandbox/'.length);

  if (path === 'virtual_key') {
    return virtualKeyPage(request, sandbox);
  }

  const route = Object.hasOwn(routes, `${request.method} ${path}`) ? routes[`${request.method} ${path}`] : null;
  const body = request.body === '' ? {} : request.json;

  if (!route) {
    return {status: 404, body: {error: `there is no ${request.method} ${request.path}`}};
  }
  if (body === undefined || body === null || typeof body !== 'object') {
    throw new Error('the body must be JSON');
  }
  return {status: 200, body: await route(sandbox, body, request)};
}

module.exports = {control};
