'use strict';

// The connections that a list has: those of the application or, when a test says
// so, none, or those of another application.

const foreign = (id) => `foreign-${id}`;

// The connections of somebody else, as many as our own.
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
      // none of them is what a filter asks for
      return filter.userId || filter.vehicleId || filter.externalId ? [] :
        store.list(filter).map((connection) => madeUp(sandbox, connection));
    default:
      return store.list(filter);
  }
}

module.exports = {listedConnections};
