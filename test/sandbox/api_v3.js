'use strict';

// The v3 API: connections, vehicles, signals and commands, with the application token
// and, for the data of a vehicle, the header sc-user-id.  The management API of v3 has
// a host of its own; here only the path distinguishes it.

const {v3Error} = require('./errors');
const {vehicleRefusal} = require('./access');
const {commands} = require('./readings');
const {isKnown, knownSignals, readSignal} = require('./signals');
const {managementV3} = require('./management_v3');
const {pageOf} = require('./pages');
const {listConnections, oneConnection, deleteUser} = require('./connections_v3');

// The commands of v3: the v2.0 command, and its body.
const commandNames = {
  'charge/start': ['charge', () => ({action: 'START'})],
  'charge/stop': ['charge', () => ({action: 'STOP'})],
  'charge/set-limit': ['charge/limit', ({percent}) => ({limit: percent / 100})],
  'security/lock': ['security', () => ({action: 'LOCK'})],
  'security/unlock': ['security', () => ({action: 'UNLOCK'})],
  'navigation/set-destination': ['navigation/destination', (body) => body],
};

function vehicleResource({origin}, {store}, id) {
  const {make, model, year, mode, powertrainType} = store.vehicles.get(id);

  return {id, type: 'vehicle', attributes: {make, model, year, mode, powertrainType}, links: {self: `${origin}/v3/vehicles/${id}`}};
}

function vehicle(request, sandbox, id) {
  // known to the application only through a connection
  if (sandbox.store.ofVehicle(id).length === 0) {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'VEHICLE_NOT_FOUND');
  }
  return {status: 200, body: {data: vehicleResource(request, sandbox, id)}};
}

// An empty list of signals is no error.
function allSignals(request, sandbox, connection) {
  const response = pageOf(request, knownSignals(sandbox, connection), sandbox.settings.signal_page_size,
    (code) => readSignal(request, sandbox, connection, code), {}, sandbox.settings.signal_page_limit);

  if (response.status === 200) {
    response.body.included = {vehicle: vehicleResource(request, sandbox, connection.vehicleId)};
  }
  return response;
}

function oneSignal(request, sandbox, connection, code) {
  const id = connection.vehicleId;

  if (!isKnown(sandbox, connection, code)) {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'SIGNAL_NOT_FOUND', {detail: `Signal with code ${code} not found for vehicle with ID ${id}`});
  }
  return {status: 200, body: {data: readSignal(request, sandbox, connection, code), included: {vehicle: vehicleResource(request, sandbox, id)}}};
}

// A slow command is accepted with 202, and its outcome follows in the same response.
// An error is then only in the body.
function slowly(request, {settings}, response) {
  const {after = 0, takes = 0, error} = settings.long_command;
  const outcome = error ? v3Error(request, error.type, error.code || null, error) : response;

  return {status: 202, delay: after, hold: takes, body: outcome.body};
}

function command(request, sandbox, connection, name) {
  const [path, bodyOf] = commandNames[name];
  const given = request.body === '' ? {} : request.json;
  const parameters = given && (given.data && given.data.attributes ? given.data.attributes : given);
  const body = parameters && bodyOf(parameters);

  if (!body || commands[path].check(body) !== true) {
    return v3Error(request, 'VALIDATION', 'INVALID_INPUT_FORMAT');
  }

  const refusal = vehicleRefusal(request, sandbox, {connection, permission: commands[path].permission, command: true});

  if (refusal) {
    return v3Error(request, refusal.type, refusal.code, refusal.more);
  }

  const response = {status: 200, body: {data: {id: request.id, type: 'command', attributes: {status: {value: 'SUCCESS'}}}}};
  const {long_command: long} = sandbox.settings;

  if (!long || !long.error) {
    commands[path].run(sandbox.store.vehicles.get(connection.vehicleId), body);
  }
  return long ? slowly(request, sandbox, response) : response;
}

// Requests that need the header sc-user-id.
function forUser(request, sandbox, id, rest) {
  const userId = request.headers['sc-user-id'];

  if (!userId) {
    return v3Error(request, 'VALIDATION', 'MISSING_PARAMETER', {detail: 'missing userId'});
  }

  const connection = sandbox.store.connection(userId, id);

  if (!connection) {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'VEHICLE_NOT_FOUND');
  }
  if (rest === 'signals' && request.method === 'GET') {
    return allSignals(request, sandbox, connection);
  }

  const [, kind, name] = /^(signals|commands)\/(.+)$/.exec(rest) || [];

  if (kind === 'signals' && request.method === 'GET') {
    return oneSignal(request, sandbox, connection, name);
  }
  if (kind === 'commands' && request.method === 'POST' && Object.hasOwn(commandNames, name)) {
    return command(request, sandbox, connection, name);
  }
  return v3Error(request, 'RESOURCE_NOT_FOUND', 'INVALID_PATH');
}

function route(request, sandbox) {
  if (!sandbox.tokens.isApplicationToken(request.bearer)) {
    return v3Error(request, 'AUTHENTICATION', 'UNAUTHORIZED', {status: 401});
  }

  const {method} = request;
  const [kind, encoded, ...rest] = request.path.slice('/v3/'.length).split('/');
  const id = encoded && decodeURIComponent(encoded);
  const refusal = sandbox.limits.take(kind === 'vehicles' && sandbox.store.vehicles.has(id) ? id : null);

  if (refusal) {
    return v3Error(request, refusal.type, refusal.code, refusal.more);
  }
  if (kind === 'connections' && !id && method === 'GET') {
    return listConnections(request, sandbox);
  }
  if (kind === 'connections' && id && rest.length === 0 && (method === 'GET' || method === 'DELETE')) {
    return oneConnection(request, sandbox, id);
  }
  if (kind === 'users' && id && rest.length === 0 && method === 'DELETE') {
    return deleteUser(request, sandbox, id);
  }
  if (kind === 'vehicles' && id && rest.length === 0 && method === 'GET') {
    return vehicle(request, sandbox, id);
  }
  if (kind === 'vehicles' && id && rest.length > 0) {
    return forUser(request, sandbox, id, rest.join('/'));
  }
  return (rest.length === 0 && managementV3(request, sandbox, kind, id)) || v3Error(request, 'RESOURCE_NOT_FOUND', 'INVALID_PATH');
}

function apiV3(request, sandbox) {
  const response = route(request, sandbox);

  response.headers = {'content-type': sandbox.settings.v3_content_type, ...response.headers, 'SC-Request-Id': request.id};
  return response;
}

module.exports = {apiV3};
