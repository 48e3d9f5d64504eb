'use strict';

// The outcome of a form in Connect.
//
// It is one of {redirect: parameters}, {done: text} for a flow that ends on a page of
// Connect, and {problem: text} for a form that has to be corrected.

const {grant} = require('./grants');
const {errorParameters} = require('./connect_errors');
const {readTeslaPermissions, teslaPermissions, teslaScopeOf} = require('./permissions');
const {needsVirtualKey} = require('./store');

// The owners that a page offers: everyone, or those who have connected the vehicle.
function ownersFor({store}, link) {
  if (link.flow === 'login') {
    return store.ofVehicle(link.vehicleId).map(({userId}) => store.users.get(userId).owner);
  }
  if (link.flow === 'update') {
    return [...store.owners.values()].filter((owner) => store.ofUser(owner.user_id).length > 0);
  }
  return [...store.owners.values()];
}

// The vehicles of an owner that a link can connect.
function vehiclesFor({store}, link, owner) {
  if (link.flow === 'update') {
    return store.ofUser(owner.user_id).map(({vehicleId}) => store.vehicles.get(vehicleId));
  }
  return owner.vehicles.map(({id}) => store.vehicles.get(id)).filter((vehicle) => vehicle.mode === link.mode &&
    (!link.make || vehicle.make === link.make) && (!link.singleVin || vehicle.vin === link.singleVin));
}

// The Tesla scopes that the owner must not leave unticked.
function neededAtTesla(link) {
  const needed = link.permissions.filter(({required}) => required || link.flow === 'update');

  return [...new Set(needed.map(({name}) => teslaScopeOf(name)).filter((scope) => scope !== null))];
}

function missingAtTesla(link, owner, ticked) {
  return neededAtTesla(link).filter((scope) => !ticked.includes(scope) && !owner.tesla_permissions.has(scope));
}

function missingText(scopes) {
  return `Tesla permission needed: ${scopes.map((scope) => teslaPermissions[scope]).join(', ')}. ` +
    'Go back to Tesla and tick it, or leave.';
}

function externalIdParameter({store}, owner) {
  const {external_id: externalId} = store.users.get(owner.user_id);

  return externalId === null ? {} : {external_id: externalId};
}

function chosenVehicles(link, fields, candidates) {
  if (fields.vehicles === null) {
    return link.single ? candidates.slice(0, 1) : candidates;
  }
  return candidates.filter(({id}) => fields.vehicles.includes(id));
}

// The outcome of a link that connects vehicles.
function authorize(sandbox, link, owner, fields) {
  const candidates = vehiclesFor(sandbox, link, owner);
  const asked = link.permissions.map(({name}) => name);
  const ticked = readTeslaPermissions(fields.teslaPermissions);

  if (candidates.length === 0) {
    return {redirect: errorParameters('no_vehicles')};
  }

  const vehicles = chosenVehicles(link, fields, candidates);
  const locked = link.permissions.filter(({required}) => required).map(({name}) => name);
  const granted = asked.filter((name) => locked.includes(name) || fields.permissions === null || fields.permissions.includes(name));

  if (vehicles.length === 0) {
    return {problem: 'Choose at least one vehicle.'};
  }
  if (link.single && vehicles.length > 1) {
    return {problem: 'Choose one vehicle only.'};
  }
  if (granted.length === 0) {
    return {problem: 'Leave at least one permission ticked.'};
  }

  const teslas = vehicles.filter(({make}) => make === 'TESLA');
  const missing = teslas.length > 0 ? missingAtTesla(link, owner, ticked) : [];

  if (missing.length > 0) {
    return {problem: missingText(missing)};
  }
  return connected(sandbox, link, owner, {vehicles, asked, granted, ticked: teslas.length > 0 ? ticked : [], pair: fields.pair});
}

function connected(sandbox, link, owner, {vehicles, asked, granted, ticked, pair}) {
  const {tokens, settings} = sandbox;

  vehicles.filter(({id}) => pair.includes(id)).forEach((vehicle) => {
    vehicle.paired = true;
  });

  const user = grant(sandbox, {owner, vehicles, asked, granted, teslaPermissions: ticked, externalId: link.externalId});
  const account = tokens.account(user.id, link.single ? vehicles[0].id : null);
  const redirect = {};

  if (link.responseType === 'code') {
    redirect.code = tokens.issueCode(account, link.redirectUri, link.redirectGiven);
  }
  if (settings.callback_user_id || link.responseType === 'none') {
    redirect.user_id = user.id;
  }
  Object.assign(redirect, externalIdParameter(sandbox, owner));
  if (vehicles.some((vehicle) => needsVirtualKey(vehicle) && !vehicle.paired)) {
    redirect.virtual_key_url = settings.virtual_key_url;
  }
  return {redirect, done: 'Your vehicles are connected. You can close this page.'};
}

// "Updating access with Tesla" without a callback.
function update(sandbox, link, owner, fields) {
  const asked = link.permissions.map(({name}) => name);
  const ticked = readTeslaPermissions(fields.teslaPermissions);
  const missing = missingAtTesla(link, owner, ticked);

  if (missing.length > 0) {
    return {problem: missingText(missing)};
  }
  grant(sandbox, {
    owner, vehicles: vehiclesFor(sandbox, link, owner), asked, granted: asked, teslaPermissions: ticked, externalId: link.externalId,
  });
  return {done: 'Your access is up to date. You can close this page.'};
}

function logIn(sandbox, link, owner) {
  owner.authentication_failed = false;
  if (link.externalId !== undefined) {
    sandbox.store.users.get(owner.user_id).external_id = link.externalId;
  }
  return {
    redirect: {vehicle_id: link.vehicleId, ...externalIdParameter(sandbox, owner)}, done: 'You are logged in again. You can close this page.',
  };
}

// fields: {decision, error, owner, vehicles, permissions, teslaPermissions, pair,
// more}; null for vehicles or permissions means all of them.
function consent(sandbox, link, fields) {
  if (fields.decision === 'deny') {
    return {redirect: errorParameters('access_denied'), done: 'You have refused. You can close this page.'};
  }
  if (fields.decision === 'error') {
    return {redirect: errorParameters(fields.error, fields.more), done: `Connect has ended with ${fields.error}.`};
  }

  const owners = ownersFor(sandbox, link);
  const owner = fields.owner ? owners.find((candidate) => candidate.owner === fields.owner) : owners[0];

  if (!owner) {
    return {problem: 'This account is not known here.'};
  }
  if (link.flow === 'authorize') {
    return authorize(sandbox, link, owner, fields);
  }
  return link.flow === 'update' ? update(sandbox, link, owner, fields) : logIn(sandbox, link, owner);
}

module.exports = {consent, ownersFor, vehiclesFor, neededAtTesla};
