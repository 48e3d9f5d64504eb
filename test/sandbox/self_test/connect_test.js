'use strict';

// The pages of Connect, as a program uses them: every flow, and every error.

const assert = require('assert');

const {bearer, CLIENT} = require('./client');

const callback = 'https://example.com/callback';
const link = (parameters, path = 'authorize') => `/oauth/${path}?${new URLSearchParams(parameters)}`;
const authorize = (more = {}) => link({
  response_type: 'code', client_id: CLIENT.id, redirect_uri: callback, scope: 'required:read_location read_odometer', state: 's 1&', ...more,
});

// The parameters of the callback in a response.
function back(response, base = callback) {
  assert.strictEqual(response.status, 302, response.body);
  assert.ok(response.headers.location.startsWith(base), response.headers.location);
  return Object.fromEntries(new URL(response.headers.location).searchParams);
}

const tests = {
  async 'pages to log in and to consent'(sandbox) {
    const login = await sandbox.get(authorize());
    const consent = await sandbox.get(`${authorize()}&sandbox_owner=ben`);

    assert.strictEqual(login.status, 200);
    assert.match(login.headers['content-type'], /^text\/html/);
    assert.match(login.body, /Ada Lindqvist/);
    assert.match(consent.body, /2019 TESLA Model S/);
    assert.match(consent.body, /name="tesla_permission" value="Vehicle Location">/, 'Tesla ticks nothing');
    assert.doesNotMatch(consent.body, /\{\{/);
  },

  async 'the name of an owner is escaped in pages'(sandbox) {
    await sandbox.control('POST', 'owner', {owner: 'eve', name: '<script>"\'', vehicles: [{model: '<b>', mode: 'live'}]});
    for (const page of [await sandbox.get(authorize()), await sandbox.get(`${authorize()}&sandbox_owner=eve`)]) {
      assert.doesNotMatch(page.body, /<script>|<b><b>/);
    }
  },

  async 'after consent the code works'(sandbox) {
    const {code, user_id: userId, state, virtual_key_url: key} = back(await sandbox.postForm(authorize(), {
      owner: 'ada', tesla_permission: 'Vehicle Location,vehicle_device_data',
    }));
    const tokens = (await sandbox.token({grant_type: 'authorization_code', code, redirect_uri: callback})).json;
    const vehicle = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
    const granted = await sandbox.get(`/v2.0/vehicles/${vehicle}/permissions`, bearer(tokens.access_token));

    assert.strictEqual(state, 's 1&');
    assert.strictEqual(key, 'https://www.tesla.com/_ak/smartcar.com');
    assert.deepStrictEqual((await sandbox.get('/v2.0/user', bearer(tokens.access_token))).json, {id: userId});
    assert.deepStrictEqual(granted.json.permissions, ['read_location', 'read_odometer']);
  },

  async 'a required Tesla permission must be ticked'(sandbox) {
    const refused = await sandbox.postForm(authorize(), {owner: 'ben'});

    assert.strictEqual(refused.status, 422);
    assert.match(refused.body, /Tesla permission needed: Vehicle Location/);
    assert.strictEqual((await sandbox.control('GET', 'statistics')).connected, 0);
  },

  async 'a permission that was not granted at Tesla is not held'(sandbox) {
    const parameters = back(await sandbox.postForm(authorize(), {owner: 'ben', tesla_permission: 'vehicle_location'}));
    const tokens = (await sandbox.token({grant_type: 'authorization_code', code: parameters.code, redirect_uri: callback})).json;
    const response = await sandbox.get('/v2.0/vehicles/9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2/odometer', bearer(tokens.access_token));

    assert.strictEqual(response.json.type, 'PERMISSION');
    assert.strictEqual(parameters.virtual_key_url, undefined, 'no key is missing');
  },

  async 'updating access, with and without a callback'(sandbox) {
    const vehicle = '9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2';
    const {access_token: token} = await sandbox.connect({owner: 'ben', scope: 'read_odometer', tesla_permissions: ['vehicle_device_data']});
    const held = async () => (await sandbox.get(`/v2.0/vehicles/${vehicle}/permissions`, bearer(token))).json.permissions;

    back(await sandbox.postForm(authorize({make: 'TESLA', scope: 'required:read_location'}), {owner: 'ben', tesla_permission: 'vehicle_location'}));
    assert.deepStrictEqual(await held(), ['read_odometer', 'read_location']);

    const update = link({response_type: 'vehicle_id', make: 'TESLA', client_id: CLIENT.id, scope: 'control_charge'}, 'reauthenticate');

    assert.strictEqual((await sandbox.postForm(update, {owner: 'ben'})).status, 422, 'cannot leave without');

    const done = await sandbox.postForm(update, {owner: 'ben', tesla_permission: 'vehicle_charging_cmds'});

    assert.strictEqual(done.status, 200);
    assert.deepStrictEqual(await held(), ['read_odometer', 'read_location', 'control_charge']);
  },

  async 'logging in again for one vehicle'(sandbox) {
    const vehicle = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
    const {access_token: token} = await sandbox.connect({owner: 'ada'});
    const odometer = () => sandbox.get(`/v2.0/vehicles/${vehicle}/odometer`, bearer(token));

    await sandbox.control('POST', 'owner', {owner: 'ada', authentication_failed: true});

    const {type, code, resolution} = (await odometer()).json;

    assert.deepStrictEqual([type, code, resolution.type], ['CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'REAUTHENTICATE']);
    assert.ok(resolution.url.startsWith(`${sandbox.url}/oauth/reauthenticate?`));

    const completed = `${resolution.url.slice(sandbox.url.length)}&redirect_uri=${encodeURIComponent(callback)}&state=x`;

    assert.strictEqual((await sandbox.get(completed)).status, 200);
    assert.deepStrictEqual(back(await sandbox.postForm(completed, {})), {vehicle_id: vehicle, state: 'x'});
    assert.strictEqual((await odometer()).status, 200);

    const hosted = link({response_type: 'none', application_id: CLIENT.id, vehicle_id: vehicle, external_id: 'e'}, 'reauthenticate');

    assert.strictEqual((await sandbox.postForm(hosted, {})).status, 200);
    assert.strictEqual(back(await sandbox.postForm(completed, {})).external_id, 'e');
  },

  async 'links of v3'(sandbox) {
    const parameters = {response_type: 'none', application_id: CLIENT.id, external_id: 'ext-1', scope: 'read_vin', state: 'q'};
    const response = back(await sandbox.postForm(link({...parameters, redirect_uri: `${callback}`}), {owner: 'ben'}));

    assert.deepStrictEqual(response, {user_id: '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622', external_id: 'ext-1', state: 'q'});
    assert.strictEqual((await sandbox.postForm(link(parameters), {owner: 'ben'})).status, 200, 'ends on a page');
    assert.ok(back(await sandbox.postForm(link({...parameters, response_type: 'code'}), {owner: 'ben'})).code);
    assert.strictEqual(back(await sandbox.postForm(link({...parameters, response_type: 'code', external_id: 'null'}), {owner: 'ben'})).external_id, undefined);
  },

  async 'errors in callbacks'(sandbox) {
    const given = {vin: '0SCAUDI012FE3B132', make: 'AUDI', model: 'A4', year: '2012', status_code: '400', error_message: 'oops'};
    const extra = {vehicle_incompatible: ['vin', 'make', 'model', 'year'], configuration_error: ['status_code', 'error_message']};

    for (const error of ['access_denied', 'vehicle_incompatible', 'invalid_subscription', 'no_vehicles', 'configuration_error',
      'server_error', 'user_manually_returned_to_application', 'user_cancelled', 'user_exited']) {
      const parameters = back(await sandbox.postForm(authorize(), {decision: 'error', error, ...given}));

      assert.strictEqual(parameters.error, error);
      assert.strictEqual(parameters.state, 's 1&');
      assert.strictEqual(parameters.code, undefined);
      assert.deepStrictEqual(Object.keys(parameters).filter((name) => name in given), extra[error] || []);
    }
    assert.strictEqual(back(await sandbox.postForm(authorize(), {decision: 'deny'})).error, 'access_denied');
    assert.strictEqual(back(await sandbox.postForm(authorize(), {owner: 'nora'})).error, 'no_vehicles');
  },

  async 'invalid links show an error page'(sandbox) {
    const wrong = {
      'Invalid parameter client_id': {client_id: 'client_sandbox'},
      'Unauthorized redirect_uri': {redirect_uri: 'https://example.org/callback'},
      'Application not authorized to request permission(s): read_odmeter': {scope: 'read_vin required:read_odmeter'},
      'Invalid parameter mode': {mode: 'real'},
      'Invalid parameter response_type': {response_type: 'token'},
      'Invalid parameter single_select_vin': {single_select: 'true', single_select_vin: 'short'},
    };

    for (const [message, parameters] of Object.entries(wrong)) {
      for (const response of [await sandbox.get(authorize(parameters)), await sandbox.postForm(authorize(parameters), {owner: 'ben'})]) {
        assert.strictEqual(response.status, 400);
        assert.ok(response.body.includes(`400: ${message}`), message);
        assert.strictEqual(response.headers.location, undefined);
      }
    }
    for (const uri of ['http://localhost.evil.example/', 'http://localhost@evil.example/', 'https://example.com/callback/', 'http://example.com/callback']) {
      assert.strictEqual((await sandbox.get(authorize({redirect_uri: uri}))).status, 400, uri);
    }
  },

  async 'single_select connects one vehicle'(sandbox) {
    const parameters = back(await sandbox.postForm(authorize({single_select: 'true', single_select_vin: '7SAXCBE52NF000203'}), {
      owner: 'ben', tesla_permission: 'all',
    }));
    const tokens = (await sandbox.token({grant_type: 'authorization_code', code: parameters.code, redirect_uri: callback})).json;

    assert.deepStrictEqual((await sandbox.get('/v2.0/vehicles', bearer(tokens.access_token))).json.vehicles, ['d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081']);
  },

  async 'the virtual key is added during Connect and later'(sandbox) {
    const vehicle = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
    const consent = (more) => sandbox.postForm(authorize(), {owner: 'ada', tesla_permission: 'all', ...more});

    assert.ok(back(await consent()).virtual_key_url);
    assert.match((await sandbox.get('/sandbox/virtual_key')).body, new RegExp(vehicle));
    assert.match((await sandbox.postForm(`/sandbox/virtual_key?vehicle_id=${vehicle}`, {})).body, /Key added/);
    assert.strictEqual(back(await consent()).virtual_key_url, undefined);
    await sandbox.control('POST', 'vehicle', {id: vehicle, paired: false});
    assert.strictEqual(back(await consent({pair: vehicle})).virtual_key_url, undefined);
  },

  async 'a page that is submitted with nothing ticked'(sandbox) {
    assert.strictEqual((await sandbox.postForm(authorize(), {form: 'page', owner: 'ben', permission: 'read_location'})).status, 422);
    assert.strictEqual((await sandbox.postForm(authorize({scope: 'read_vin'}), {
      form: 'page', owner: 'ben', vehicle: '9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2',
    })).status, 422);
  },
};

module.exports = {tests};
