'use strict';

// Many connected owners at once, with numbered names: user-000001, vehicle-000001,
// access-000001, refresh-000001.

const {everyTeslaScope, readScope} = require('./permissions');

const models = [['Model 3', 2021], ['Model Y', 2023], ['Model S', 2019], ['Model X', 2022], ['Cybertruck', 2024]];

const numbered = (name, number) => `${name}-${String(number).padStart(6, '0')}`;

// owners: how many; vehicles: the total, distributed evenly, default one each.  Every
// tenth vehicle has no key.  The numbers of another fleet continue.
function makeFleet({store, tokens, settings, clock}, given) {
  const owners = given.owners || 1;
  const vehicles = given.vehicles || owners;
  const permissions = readScope(given.scope || settings.dashboard_scope).map(({name}) => name);
  const teslaPermissions = given.tesla_permissions || everyTeslaScope;
  const now = clock.now();

  for (let i = 0; i < owners; i++) {
    const number = ++store.fleet.owners;
    const userId = numbered('user', number);
    const owner = store.addOwner({
      owner: numbered('owner', number), name: `Owner ${number}`, user_id: userId, tesla_permissions: teslaPermissions,
    });
    const share = Math.floor((i + 1) * vehicles / owners) - Math.floor(i * vehicles / owners);

    store.users.get(userId).external_id = given.external_id === false ? null : numbered('external', number);
    for (let k = 0; k < share; k++) {
      const vehicleNumber = ++store.fleet.vehicles;
      const [model, year] = models[vehicleNumber % models.length];
      const vehicle = {
        id: numbered('vehicle', vehicleNumber), vin: `5YJ3E1EA0NF${String(vehicleNumber % 1000000).padStart(6, '0')}`,
        make: 'TESLA', model, year, mode: given.mode || 'live', paired: vehicleNumber % 10 !== 0, requiresMigration: false,
        powertrainType: 'BEV', error: null, signals: {},
      };

      store.vehicles.set(vehicle.id, vehicle);
      owner.vehicles.push({id: vehicle.id, accessType: 'OWNER'});
      store.sequence += 1;
      store.keep({
        id: numbered('connection', vehicleNumber), sequence: store.sequence, userId, vehicleId: vehicle.id, mode: vehicle.mode,
        permissions, createdAt: now, updatedAt: now,
      });
    }
    if (given.tokens !== false) {
      tokens.issuePair(tokens.account(userId), numbered('access', number), numbered('refresh', number));
    }
  }
  return {owners, vehicles, connections: store.connections.size};
}

module.exports = {makeFleet};
