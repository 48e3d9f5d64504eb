'use strict';

// The links and hashes of the two official packages.
//
// Both are called with the argument names of smartcar_connect_url(), so that one description
// of a link is enough for all three.  `smartcar` is for backends, `@smartcar/auth` for
// browsers: it reads `window`, which is a stub here.

const fs = require('fs');
const path = require('path');

const {complete} = require('./servers');

// `@smartcar/auth` wraps the state together with a random number; a fixed one makes its links
// repeatable.
const INSTANCE_ID = '175210421854912345678';

const WINDOW_ORIGIN = 'https://garage.example.com';

// Both packages read addresses from the environment.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('SMARTCAR_')) {
    delete process.env[name];
  }
}

globalThis.window = {
  addEventListener() {},
  removeEventListener() {},
  btoa,
  atob,
  location: {origin: WINDOW_ORIGIN},
};

function manifest(name) {
  return JSON.parse(fs.readFileSync(path.join(__dirname, 'node_modules', name, 'package.json'), 'utf8'));
}

// Whether a version such as 18.9.0 is at least one such as 18.20.0.
function atLeast(version, least) {
  const numbers = version.split('.').map(Number);
  const limits = least.split('.').map(Number);

  for (let i = 0; i < 3; i++) {
    if (numbers[i] !== limits[i]) {
      return numbers[i] > limits[i];
    }
  }
  return true;
}

// Loads a package; if it needs a newer Node, returns why it is left out.
function load(name) {
  const {version, engines = {}} = manifest(name);
  const least = /^>=\s*(\d+\.\d+\.\d+)$/.exec(engines.node || '');

  if (least && !atLeast(process.versions.node, least[1])) {
    return {name, version, skipped: `${name} ${version} asks for Node ${engines.node}, this is ${process.versions.node}`};
  }
  return {name, version, api: require(name)};
}

const backend = load('smartcar');
const frontend = load('@smartcar/auth');

function present(value) {
  return value !== undefined && value !== null;
}

function withoutAbsent(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

// The options of `smartcar`, with `changes` for options that the extension does not have.
function backendUrl(link, changes = {}) {
  const given = complete(link);
  const client = new backend.api.AuthClient(withoutAbsent({
    clientId: given.client_id,
    clientSecret: 'unused',
    redirectUri: given.redirect_uri,
    mode: given.mode,
  }));
  const singleSelect = withoutAbsent({enabled: given.single_select, vin: given.single_select_vin});
  const options = {
    forcePrompt: given.force_prompt,
    state: given.state,
    makeBypass: given.make,
    singleSelect: Object.keys(singleSelect).length > 0 ? singleSelect : undefined,
    flags: given.flags,
    user: given.external_id,
    ...changes,
  };

  return present(given.scope) ? client.getAuthUrl(given.scope, options) : client.getAuthUrl(options);
}

// The options of `@smartcar/auth`, which has two parameters in onComplete.
function frontendUrl(link, changes = {}) {
  const given = complete(link);
  const client = new frontend.api(withoutAbsent({
    applicationId: given.client_id,
    redirectUri: given.redirect_uri,
    scope: given.scope,
    mode: given.mode,
    responseType: given.response_type,
    externalId: given.external_id,
    onComplete: (error, code) => [error, code],
    ...changes.constructor_options,
  }));

  client.instanceId = INSTANCE_ID;
  return client.getAuthUrl({
    state: given.state,
    forcePrompt: given.force_prompt,
    vehicleInfo: present(given.make) ? {make: given.make} : undefined,
    singleSelect: present(given.single_select_vin) ? {vin: given.single_select_vin} : given.single_select,
    flags: given.flags && Object.entries(given.flags).map(([name, value]) => `${name}:${value}`),
    ...changes.link_options,
  });
}

module.exports = {INSTANCE_ID, WINDOW_ORIGIN, backend, frontend, backendUrl, frontendUrl};
