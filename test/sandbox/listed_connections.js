'use strict';

// The connections that a list contains: those of the application or, if a test has set it,
// none, or those of another application.

const foreign = (id) => `foreign-${id}`;

// As many connections as there are, of another application.
function madeUp({store}, connection) {
  const userId = foreign(connection.userId);

  return {
    ...connection, id: foreign(connection.id), userId, vehicleId: foreign(connection.vehicleId),
    vehicle: store.vehicles.get(connection.vehicleId), user: {id: userId, external_id: null},
  };
}

function listedConnections(sandbox, filter) {
  const {settings, store} = sandbox;

  switch (settings.connections_listed) {
    case 'none':
      return [];
    case 'foreign':
      // a filter matches none of them
      return filter.userId || filter.vehicleId || filter.externalId ? [] :
        store.list(filter).map((connection) => madeUp(sandbox, connection));
    default:
      return store.list(filter);
  }
}

module.exports = {listedConnections};
