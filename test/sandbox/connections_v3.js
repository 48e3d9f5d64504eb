'use strict';

// Connections under v3: /connections and /users.

const {v3Error} = require('./errors');

function row(request, {store, clock}, connection) {
  const {make, model, year, mode, powertrainType} = store.vehicles.get(connection.vehicleId);
  const user = store.users.get(connection.userId);

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

function invalid(request, name) {
  return v3Error(request, 'VALIDATION', 'INVALID_INPUT_FORMAT', {detail: `The parameter ${name} cannot be used.`});
}

function pageLinks(request, number, last) {
  const to = (page) => {
    const query = new URLSearchParams(request.search);

    query.set('page[number]', page);
    return `${request.origin}${request.path}?${query}`;
  };

  return {
    self: to(number), first: to(1), last: to(last),
    ...(number < last && {next: to(number + 1)}), ...(number > 1 && {prev: to(number - 1)}),
  };
}

function listConnections(request, sandbox) {
  const {query} = request;
  const number = request.integer('page[number]', 1, 1, 999999999);
  const size = request.integer('page[size]', 10, 1, 100);
  const mode = query.get('filter[vehicle.mode]') || 'live';

  if (number === null || size === null) {
    return invalid(request, number === null ? 'page[number]' : 'page[size]');
  }
  if (!['live', 'simulated', 'test'].includes(mode)) {
    return invalid(request, 'filter[vehicle.mode]');
  }

  const list = sandbox.store.list({
    userId: query.get('filter[userId]'), vehicleId: query.get('filter[vehicleId]'),
    externalId: query.get('filter[user.externalId]'), mode,
  });
  const last = Math.max(1, Math.ceil(list.length / size));

  return {
    status: 200,
    body: {
      data: list.slice((number - 1) * size, number * size).map((connection) => row(request, sandbox, connection)),
      meta: {page: number, pageSize: size, totalCount: list.length},
      links: pageLinks(request, number, last),
    },
  };
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
