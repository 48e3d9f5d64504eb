'use strict';

// Connections under v3: /connections and /users.

const {v3Error} = require('./errors');
const {listedConnections} = require('./listed_connections');
const {pageOf, invalid} = require('./pages');

function row(request, {store, clock}, connection) {
  const {make, model, year, mode, powertrainType} = connection.vehicle || store.vehicles.get(connection.vehicleId);
  const user = connection.user || store.users.get(connection.userId);

  return {
    id: connection.id,
    type: 'connection',
    attributes: {permissions: connection.permissions, vehicle: {make, model, year, mode, powertrainType}},
    relationships: {
      vehicle: {data: {id: connection.vehicleId, type: 'vehicle'}},
      user: {
        data: {id: user.id, type: 'user'},
        ...(user.external_id !== null && {meta: {externalId: user.external_id}}),
      },
    },
    meta: {createdAt: clock.iso(connection.createdAt), updatedAt: clock.iso(connection.updatedAt)},
    links: {self: `${request.origin}/v3/connections/${connection.id}`},
  };
}

function listConnections(request, sandbox) {
  const {query} = request;
  const mode = query.get('filter[vehicle.mode]') || 'live';

  if (!['live', 'simulated', 'test'].includes(mode)) {
    return invalid(request, 'filter[vehicle.mode]');
  }

  const list = listedConnections(sandbox, {
    userId: query.get('filter[userId]'), vehicleId: query.get('filter[vehicleId]'),
    externalId: query.get('filter[user.externalId]'), mode,
  });

  return pageOf(request, list, 10, (connection) => row(request, sandbox, connection), {orderBy: 'createdAt', orderDirection: 'DESC'});
}

function oneConnection(request, sandbox, id) {
  const connection = sandbox.store.connections.get(id);

  if (!connection) {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'CONNECTION_NOT_FOUND');
  }
  if (request.method === 'DELETE') {
    sandbox.store.disconnect(connection);
    return {status: 204};
  }
  return {status: 200, body: {data: row(request, sandbox, connection)}};
}

function deleteUser(request, {store}, id) {
  const connections = store.ofUser(id);

  if (connections.length === 0) {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'USER_NOT_FOUND');
  }
  connections.forEach((connection) => store.disconnect(connection));
  store.users.get(id).external_id = null;
  return {status: 204};
}

module.exports = {listConnections, oneConnection, deleteUser};
