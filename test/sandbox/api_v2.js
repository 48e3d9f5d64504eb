'use strict';

// The v2.0 API: users, vehicles, permissions, readings and commands, under the
// access token of an owner.

const {v2Error} = require('./errors');
const {isClient} = require('./oauth');
const {isManager} = require('./management');
const {vehicleRefusal} = require('./access');
const {readings, commands} = require('./readings');
const {teslaEndpoint} = require('./tesla');
const {compatibility} = require('./compatibility');
const {batch} = require('./batch');

const SUCCESS = {status: 'success', message: 'Successfully sent request to vehicle'};

// The connections of the account of an access token.
function connectionsOf(account, {store}) {
  const all = store.ofUser(account.userId);

  return account.vehicleId ? all.filter((connection) => connection.vehicleId === account.vehicleId) : all;
}

// Part of a list by limit and offset, or the error in them.
function page(request, list, usual, most) {
  const limit = request.integer('limit', usual, 1, most);
  const offset = request.integer('offset', 0, 0, 999999999);

  if (limit === null || offset === null) {
    const field = limit === null ? 'limit' : 'offset';

    return {error: v2Error(request, 'VALIDATION', 'PARAMETER', {detail: [{field, message: `"${field}" is not usable`}]})};
  }
  return {part: list.slice(offset, offset + limit), paging: {count: list.length, offset}};
}

function listVehicles(request, sandbox, account) {
  const ids = connectionsOf(account, sandbox).map((connection) => connection.vehicleId);
  const {part, paging, error} = page(request, ids, 10, 50);

  return error || {status: 200, body: {vehicles: part, paging}};
}

function listPermissions(request, connection) {
  const {part, paging, error} = page(request, connection.permissions, 25, 100);

  return error || {status: 200, body: {permissions: part, paging}};
}

// The headers with the age of a reading and its unit system.
function readingHeaders({clock}, imperial, units) {
  const now = clock.now();

  return {
    'SC-Data-Age': clock.iso(now - 90000), 'SC-Fetched-At': clock.iso(now),
    ...(units && {'SC-Unit-System': imperial ? 'imperial' : 'metric'}),
  };
}

function refused(request, {type, code, more}) {
  return v2Error(request, type, code, more);
}

// Counts a request.  Returns the refusal if it is one too many, or null.
function limited(request, sandbox, vehicleId = null) {
  const refusal = sandbox.limits.take(vehicleId);

  return refusal && refused(request, refusal);
}

function readVehicle(request, sandbox, connection, path) {
  const reading = readings[path];
  const imperial = /^imperial$/i.test(request.headers['sc-unit-system'] || '');
  const refusal = vehicleRefusal(request, sandbox, {connection, permission: reading.permission});

  if (refusal) {
    return refused(request, refusal);
  }
  return {
    status: 200,
    headers: path === '' ? undefined : readingHeaders(sandbox, imperial, reading.units),
    body: reading.read(sandbox.store.vehicles.get(connection.vehicleId), imperial),
  };
}

function commandVehicle(request, sandbox, connection, path) {
  const command = commands[path];
  const body = request.isJson ? request.json : undefined;

  if (!body || typeof body !== 'object') {
    return v2Error(request, 'VALIDATION', null, {description: 'The body must be JSON.'});
  }

  const valid = command.check(body);

  if (valid !== true) {
    return v2Error(request, 'VALIDATION', null, {detail: [{field: valid, message: `"${valid}" is not usable`}]});
  }

  const refusal = vehicleRefusal(request, sandbox, {connection, permission: command.permission, command: true});

  if (refusal) {
    return refused(request, refusal);
  }
  command.run(sandbox.store.vehicles.get(connection.vehicleId), body);
  return {status: 200, body: SUCCESS};
}

// A request about one vehicle; path is what follows its id.
function vehicleEndpoint(request, sandbox, connection, path) {
  const {method} = request;

  if (path === 'permissions' && method === 'GET') {
    return listPermissions(request, connection);
  }
  if (path === 'application' && method === 'DELETE') {
    sandbox.store.disconnect(connection);
    return {status: 200, body: {status: 'success'}};
  }
  if (path === 'batch' && method === 'POST') {
    // each of its parts is a request of its own
    return batch(request, (part, partPath) =>
      limited(part, sandbox, connection.vehicleId) || vehicleEndpoint(part, sandbox, connection, partPath));
  }
  if (/^[a-z]+\/(user\/access|virtual_key|migration)$/i.test(path) && method === 'GET') {
    return teslaEndpoint(request, sandbox, connection, path);
  }
  if (method === 'GET' && Object.hasOwn(readings, path)) {
    return readVehicle(request, sandbox, connection, path);
  }
  if (method === 'POST' && Object.hasOwn(commands, path)) {
    return commandVehicle(request, sandbox, connection, path);
  }
  return v2Error(request, 'RESOURCE_NOT_FOUND', 'PATH');
}

// The application can also disconnect a vehicle without an owner's token: then for all
// owners.
function disconnectAsManager(request, {store}, vehicleId) {
  const connections = store.ofVehicle(vehicleId);

  if (connections.length === 0) {
    return v2Error(request, 'PERMISSION', null);
  }
  connections.forEach((connection) => store.disconnect(connection));
  return {status: 200, body: {status: 'success'}};
}

function route(request, sandbox) {
  const path = request.path.slice('/v2.0/'.length);
  const {settings, tokens, store} = sandbox;

  if (path === 'compatibility') {
    return isClient(request, settings) ? limited(request, sandbox) || compatibility(request, sandbox) : v2Error(request, 'AUTHENTICATION');
  }

  const match = /^vehicles\/([^/]+)\/?(.*)$/.exec(path);
  const vehicleId = match && decodeURIComponent(match[1]);

  if (match && match[2] === 'application' && request.method === 'DELETE' && isManager(request, settings)) {
    return limited(request, sandbox, store.vehicles.has(vehicleId) ? vehicleId : null) || disconnectAsManager(request, sandbox, vehicleId);
  }

  const account = tokens.accountOf(request.bearer);

  if (!account) {
    return v2Error(request, 'AUTHENTICATION');
  }

  const tooMany = match && match[2] === 'batch' ? null : limited(request, sandbox, store.vehicles.has(vehicleId) ? vehicleId : null);

  if (tooMany) {
    return tooMany;
  }
  if (path === 'user' && request.method === 'GET') {
    return {status: 200, body: {id: account.userId}};
  }
  if (path === 'vehicles' && request.method === 'GET') {
    return listVehicles(request, sandbox, account);
  }
  if (!match) {
    return v2Error(request, 'RESOURCE_NOT_FOUND', 'PATH');
  }

  const connection = !account.vehicleId || account.vehicleId === vehicleId ?
    store.connection(account.userId, vehicleId) : undefined;

  return connection ? vehicleEndpoint(request, sandbox, connection, match[2]) : v2Error(request, 'PERMISSION', null);
}

function apiV2(request, sandbox) {
  const response = route(request, sandbox);

  response.headers = {...response.headers, 'SC-Request-Id': request.id};
  return response;
}

module.exports = {apiV2};
