'use strict';

// What an owner's consent does, however it was given: on the pages of Connect or
// by a test that leaves them out.

const {teslaScopeOf} = require('./permissions');

// Stores the consent and returns the Smartcar user.
//
//   vehicles         the vehicles to connect
//   asked            the Smartcar permissions that the link asked for
//   granted          those that the owner has left ticked
//   teslaPermissions what the owner has ticked at Tesla, beside what was ticked before
//   externalId       undefined: leave as it is; null: forget it
//
//   force            the permissions are held whatever was ticked at Tesla
//   anew             false for a connection that is to look like an old one
//
// A permission whose Tesla permission was not ticked is not held: Smartcar's API
// then answers PERMISSION.  What a link does not ask about stays as it was.
function grant({store}, {owner, vehicles, asked, granted, teslaPermissions, externalId, force = false, anew = true}) {
  const user = store.users.get(owner.user_id);

  teslaPermissions.forEach((scope) => owner.tesla_permissions.add(scope));
  owner.authentication_failed = false;
  if (externalId !== undefined) {
    user.external_id = externalId;
  }
  for (const vehicle of vehicles) {
    const earlier = store.connection(user.id, vehicle.id);
    const kept = earlier ? earlier.permissions.filter((name) => !asked.includes(name)) : [];
    const held = granted.filter((name) => {
      const scope = vehicle.make === 'TESLA' ? teslaScopeOf(name) : null;

      return force || scope === null || owner.tesla_permissions.has(scope);
    });

    // connecting anew moves a vehicle to Tesla's present interface
    vehicle.requiresMigration = vehicle.requiresMigration && !anew;
    store.connect(user.id, vehicle, kept.concat(held));
  }
  return user;
}

module.exports = {grant};
