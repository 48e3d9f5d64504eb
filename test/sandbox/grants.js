'use strict';

// The effect of an owner's consent, given on the pages of Connect or by a control request.

const {teslaScopeOf} = require('./permissions');

// Stores the consent and returns the Smartcar user.
//
//   vehicles         the vehicles to connect
//   asked            the Smartcar permissions that the link asked for
//   granted          those that the owner has left ticked
//   teslaPermissions what the owner has ticked at Tesla, beside what was ticked before
// externalId       undefined: unchanged; null: deleted
//
// force            the permissions are held whatever was ticked at Tesla
// anew             false for a connection that should look like an old one
//
// A permission whose Tesla permission was not ticked is not held: Smartcar's API then
// returns PERMISSION.  Permissions that the link did not ask for are unchanged.
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

    // a new connection moves a vehicle to Tesla's present platform
    vehicle.requiresMigration = vehicle.requiresMigration && !anew;
    store.connect(user.id, vehicle, kept.concat(held));
  }
  return user;
}

module.exports = {grant};
