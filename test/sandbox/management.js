'use strict';

// The v2.0 management API: all connections of the application, with its management token.

const {v2Error} = require('./errors');
const {listedConnections} = require('./listed_connections');

function isManager(request, settings) {
  const {basic} = request;

  return basic !== null && basic.user === 'default' && basic.password === settings.management_token;
}

function invalid(request, field) {
  return v2Error(request, 'VALIDATION', 'PARAMETER', {detail: [{field, message: `"${field}" is not usable`}]});
}

// A cursor names the connection to continue after, so that it stays valid when
// connections are added or deleted.
const writeCursor = (sequence) => Buffer.from(`after:${sequence}`).toString('base64url');

function readCursor(text) {
  const match = /^after:(\d+)$/.exec(Buffer.from(text, 'base64url').toString());

  return match ? Number(match[1]) : null;
}

// The position of the first older connection; the list has the newest first.
function placeAfter(list, sequence) {
  let low = 0;
  let high = list.length;

  while (low < high) {
    const middle = (low + high) >> 1;

    if (list[middle].sequence >= sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function listConnections(request, sandbox) {
  const {query} = request;
  const limit = request.integer('limit', 10, 1, 100);
  const cursor = query.get('cursor') ? readCursor(query.get('cursor')) : Infinity;
  const mode = query.get('mode');

  if (limit === null || cursor === null) {
    return invalid(request, limit === null ? 'limit' : 'cursor');
  }
  if (mode !== null && !['live', 'simulated', 'test'].includes(mode)) {
    return invalid(request, 'mode');
  }

  const list = listedConnections(sandbox, {userId: query.get('user_id'), vehicleId: query.get('vehicle_id'), mode});
  const start = placeAfter(list, cursor);
  const part = list.slice(start, start + limit);
  const more = start + limit < list.length;

  return {
    status: 200,
    body: {
      connections: part.map((connection) => ({
        userId: connection.userId, vehicleId: connection.vehicleId, connectedAt: sandbox.clock.iso(connection.createdAt), mode: connection.mode,
      })),
      paging: {cursor: more ? writeCursor(part[part.length - 1].sequence) : null},
    },
  };
}

function deleteConnections(request, {store}) {
  const userId = request.query.get('user_id');
  const vehicleId = request.query.get('vehicle_id');

  if (!userId && !vehicleId) {
    return invalid(request, 'user_id');
  }

  const gone = store.list({userId, vehicleId}).slice();

  gone.forEach((connection) => store.disconnect(connection));
  return {status: 200, body: {connections: gone.map(({userId: user, vehicleId: vehicle}) => ({userId: user, vehicleId: vehicle}))}};
}

function route(request, sandbox) {
  if (!isManager(request, sandbox.settings)) {
    return v2Error(request, 'AUTHENTICATION');
  }

  const refusal = sandbox.limits.take();

  if (refusal) {
    return v2Error(request, refusal.type, refusal.code, refusal.more);
  }
  if (request.path === '/v2.0/management/connections' && request.method === 'GET') {
    return listConnections(request, sandbox);
  }
  if (request.path === '/v2.0/management/connections' && request.method === 'DELETE') {
    return deleteConnections(request, sandbox);
  }
  return v2Error(request, 'RESOURCE_NOT_FOUND', 'PATH');
}

function managementV2(request, sandbox) {
  const response = route(request, sandbox);

  response.headers = {...response.headers, 'SC-Request-Id': request.id};
  return response;
}

module.exports = {managementV2, isManager};
