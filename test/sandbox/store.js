'use strict';

// Owners, their vehicles, and the connections of the application.
//
// An owner is a Tesla account.  Smartcar knows it by a user id, and a connection
// joins such a user with a vehicle.  A vehicle can have several users, as when a
// company owns it and an employee drives it.

const crypto = require('crypto');

const {defaultOwners} = require('./default_owners');
const {enrol} = require('./subscriptions');

// Which vehicles accept no commands without the virtual key.
function needsVirtualKey(vehicle) {
  if (vehicle.make !== 'TESLA') {
    return false;
  }
  return /^(model [3y]|cybertruck)$/i.test(vehicle.model) ||
    (/^model [sx]$/i.test(vehicle.model) && vehicle.year >= 2021);
}

class Store {
  constructor(clock, settings) {
    this.clock = clock;
    this.settings = settings;
    this.clear();
    defaultOwners.forEach((owner) => this.addOwner(owner));
  }

  clear() {
    this.owners = new Map();
    this.vehicles = new Map();
    this.users = new Map();
    this.connections = new Map();
    this.connectionsOfUser = new Map();
    this.connectionsOfVehicle = new Map();
    this.sequence = 0;
    this.fleet = {owners: 0, vehicles: 0};
    this.lists = new Map();
  }

  // Adds an owner, or changes an existing one.
  addOwner(given) {
    const name = given.owner;
    const owner = this.owners.get(name) || {
      owner: name, name, email: `${name}@example.com`, user_id: crypto.randomUUID(), vehicles: [],
      tesla_permissions: new Set(), authentication_failed: false, error: null,
    };

    for (const field of ['name', 'email', 'user_id', 'authentication_failed', 'error']) {
      if (given[field] !== undefined) {
        owner[field] = given[field];
      }
    }
    if (given.tesla_permissions) {
      owner.tesla_permissions = new Set(given.tesla_permissions);
    }
    this.owners.set(name, owner);
    if (!this.users.has(owner.user_id)) {
      this.users.set(owner.user_id, {id: owner.user_id, owner, external_id: null});
    }
    for (const vehicle of given.vehicles || []) {
      this.addVehicle(owner, vehicle);
    }
    return owner;
  }

  addVehicle(owner, given) {
    const id = given.id || crypto.randomUUID();
    const vehicle = this.vehicles.get(id) || {
      id, vin: `5YJ3E1EA0NF${String(100000 + this.vehicles.size).slice(-6)}`, make: 'TESLA', model: 'Model 3',
      year: 2022, mode: 'live', paired: false, requiresMigration: false, powertrainType: 'BEV', error: null,
      signals: {},
    };

    for (const field of Object.keys(vehicle)) {
      if (given[field] !== undefined) {
        vehicle[field] = given[field];
      }
    }
    this.vehicles.set(id, vehicle);

    const owned = owner.vehicles.find((entry) => entry.id === id);

    if (owned) {
      owned.accessType = given.accessType || owned.accessType;
    } else {
      owner.vehicles.push({id, accessType: given.accessType === undefined ? 'OWNER' : given.accessType});
    }
    return vehicle;
  }

  accessType(owner, vehicleId) {
    const entry = owner.vehicles.find((vehicle) => vehicle.id === vehicleId);

    return entry ? entry.accessType : null;
  }

  // Connects a user with a vehicle, or gives an existing connection other permissions.
  connect(userId, vehicle, permissions) {
    const now = this.clock.now();
    const existing = this.connection(userId, vehicle.id);

    if (existing) {
      existing.permissions = permissions;
      existing.updatedAt = now;
      return existing;
    }
    this.sequence += 1;

    const connection = {
      id: crypto.randomUUID(), sequence: this.sequence, userId, vehicleId: vehicle.id, mode: vehicle.mode,
      permissions, createdAt: now, updatedAt: now,
    };

    this.keep(connection);
    return connection;
  }

  keep(connection) {
    const {id, userId, vehicleId} = connection;

    enrol(this, connection);
    this.connections.set(id, connection);
    if (!this.connectionsOfUser.has(userId)) {
      this.connectionsOfUser.set(userId, new Map());
    }
    this.connectionsOfUser.get(userId).set(vehicleId, connection);
    if (!this.connectionsOfVehicle.has(vehicleId)) {
      this.connectionsOfVehicle.set(vehicleId, new Map());
    }
    this.connectionsOfVehicle.get(vehicleId).set(userId, connection);
    this.lists.clear();
  }

  disconnect(connection) {
    this.connections.delete(connection.id);
    this.connectionsOfUser.get(connection.userId).delete(connection.vehicleId);
    this.connectionsOfVehicle.get(connection.vehicleId).delete(connection.userId);
    this.lists.clear();
  }

  connection(userId, vehicleId) {
    const ofUser = this.connectionsOfUser.get(userId);

    return ofUser && ofUser.get(vehicleId);
  }

  ofUser(userId) {
    return [...(this.connectionsOfUser.get(userId) || new Map()).values()];
  }

  ofVehicle(vehicleId) {
    return [...(this.connectionsOfVehicle.get(vehicleId) || new Map()).values()];
  }

  // The connections that match, the newest first.  The list of a mode is cached, because a
  // client that reads the pages of a large fleet requests it each time.
  list({userId, vehicleId, mode, externalId}) {
    const newestFirst = (connections) => connections.sort((one, other) => other.sequence - one.sequence);
    const matches = (connection) => (!mode || connection.mode === mode) &&
      (!userId || connection.userId === userId) && (!vehicleId || connection.vehicleId === vehicleId) &&
      (!externalId || this.users.get(connection.userId).external_id === externalId);

    if (vehicleId) {
      return newestFirst(this.ofVehicle(vehicleId).filter(matches));
    }
    if (userId) {
      return newestFirst(this.ofUser(userId).filter(matches));
    }
    if (externalId) {
      const users = [...this.users.values()].filter((user) => user.external_id === externalId);

      return newestFirst(users.flatMap((user) => this.ofUser(user.id)).filter(matches));
    }
    if (!this.lists.has(mode)) {
      this.lists.set(mode, newestFirst([...this.connections.values()].filter(matches)));
    }
    return this.lists.get(mode);
  }
}

module.exports = {Store, needsVirtualKey};
