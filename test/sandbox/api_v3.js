'use strict';

// The v3 API: connections, vehicles, signals and commands, under the token of
// the application and, for a vehicle's data, the header sc-user-id.

const {v3Error} = require('./errors');
const {vehicleRefusal} = require('./access');
const {commands} = require('./readings');
const {signals, readSignal} = require('./signals');
const {listConnections, oneConnection, deleteUser} = require('./connections_v3');

// What v3 calls the commands: the v2.0 command, and its body.
const commandNames = {
  'charge/start': ['charge', () => ({action: 'START'})],
  'charge/stop': ['charge', () => ({action: 'STOP'})],
  'charge/set-limit': ['charge/limit', (body) => body],
  'security/lock': ['security', () => ({action: 'LOCK'})],
  'security/unlock': ['security', () => ({action: 'UNLOCK'})],
  'navigation/destination': ['navigation/destination', (body) => body],
};

function vehicle(request, {store}, id) {
  // known to the application only through a connection
  if (store.ofVehicle(id).length === 0) {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'VEHICLE_NOT_FOUND');
  }

  const {make, model, year, mode, powertrainType} = store.vehicles.get(id);

  return {
    status: 200,
    body: {
      data: {id, type: 'vehicle', attributes: {make, model, year, mode, powertrainType}, links: {self: `${request.origin}/v3/vehicles/${id}`}},
    },
  };
}

function allSignals(request, sandbox, connection) {
  const data = Object.keys(signals).map((code) => readSignal(request, sandbox, connection, code));

  return {status: 200, body: {data, meta: {page: 1, pageSize: data.length, totalCount: data.length}}};
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
  commands[path].run(sandbox.store.vehicles.get(connection.vehicleId), body);
  return {status: 200, body: {data: {id: request.id, type: 'command', attributes: {status: {value: 'SUCCESS'}}}}};
}

// What needs to know on whose behalf a vehicle is asked.
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
    return Object.hasOwn(signals, name) ? {status: 200, body: {data: readSignal(request, sandbox, connection, name)}} :
      v3Error(request, 'RESOURCE_NOT_FOUND', 'SIGNAL_NOT_FOUND');
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
  return v3Error(request, 'RESOURCE_NOT_FOUND', 'INVALID_PATH');
}

function apiV3(request, sandbox) {
  const answer = route(request, sandbox);

  answer.headers = {'content-type': sandbox.settings.v3_content_type, ...answer.headers, 'SC-Request-Id': request.id};
  return answer;
}

module.exports = {apiV3};
