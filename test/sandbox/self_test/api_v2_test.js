'use strict';

// The v2.0 API and its management API.

const assert = require('assert');

const {basic, bearer, clientHeaders, managerHeaders} = require('./client');

const ADA = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
const MODEL_S = '9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2';
const MODEL_X = 'd5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081';
const MODEL_Y = 'e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c';
const ERIK = '5b6c7d8e-9f0a-4b1c-92d3-e4f506172839';

const kind = ({status, json}) => [status, json.type, json.code, json.resolution.type];

const tests = {
  async 'errors have all members'(sandbox) {
    const response = await sandbox.get('/v2.0/user', bearer('nobody'));

    assert.strictEqual(response.status, 401);
    assert.deepStrictEqual(Object.keys(response.json), ['type', 'code', 'description', 'docURL', 'statusCode', 'requestId', 'resolution', 'suggestedUserMessage']);
    assert.strictEqual(response.json.requestId, response.headers['sc-request-id']);
    assert.strictEqual((await sandbox.get('/v1.0/user')).json.code, 'VERSION');
    assert.strictEqual((await sandbox.get('/nowhere')).json.code, 'PATH');
  },

  async 'lists have pages, with a slash at the end of the path or without'(sandbox) {
    await sandbox.control('POST', 'owner', {owner: 'many', vehicles: Array.from({length: 60}, (none, i) => ({id: `many-${i}`}))});

    const {access_token: token} = await sandbox.connect({owner: 'many'});
    const get = async (target) => (await sandbox.get(`/v2.0${target}`, bearer(token))).json;

    assert.strictEqual((await get('/vehicles')).vehicles.length, 10);
    assert.strictEqual((await get('/vehicles/?limit=50')).vehicles.length, 50);
    assert.deepStrictEqual(await get('/vehicles?limit=50&offset=58'), {vehicles: ['many-58', 'many-59'], paging: {count: 60, offset: 58}});
    assert.strictEqual((await get('/vehicles?limit=51')).type, 'VALIDATION');
    assert.deepStrictEqual((await get('/vehicles/many-1/permissions?limit=2&offset=1')).permissions, ['read_vin', 'read_odometer']);
  },

  async 'readings have headers and units'(sandbox) {
    const {access_token: token} = await sandbox.connect({owner: 'ben'});
    const metric = await sandbox.get(`/v2.0/vehicles/${MODEL_S}/odometer`, bearer(token));
    const imperial = await sandbox.get(`/v2.0/vehicles/${MODEL_S}/odometer/`, {...bearer(token), 'sc-unit-system': 'imperial'});

    assert.deepStrictEqual((await sandbox.get(`/v2.0/vehicles/${MODEL_S}`, bearer(token))).json, {id: MODEL_S, make: 'TESLA', model: 'Model S', year: 2019});
    assert.strictEqual(metric.headers['sc-unit-system'], 'metric');
    assert.match(metric.headers['sc-data-age'], /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.match(metric.headers['sc-fetched-at'], /Z$/);
    assert.ok(imperial.json.distance < metric.json.distance);
    for (const path of ['battery', 'charge', 'location', 'vin', 'security']) {
      assert.strictEqual((await sandbox.get(`/v2.0/vehicles/${MODEL_S}/${path}`, bearer(token))).status, 200, path);
    }
  },

  async 'the two errors called PERMISSION, and a vehicle of somebody else'(sandbox) {
    const {access_token: token} = await sandbox.connect({owner: 'ben', scope: 'read_location'});
    const get = (path) => sandbox.get(`/v2.0/vehicles/${path}`, bearer(token));

    assert.deepStrictEqual(kind(await get(`${MODEL_S}/odometer`)), [403, 'PERMISSION', null, 'REAUTHENTICATE']);
    assert.deepStrictEqual(kind(await get(`${ADA}/location`)), [403, 'PERMISSION', null, 'REAUTHENTICATE']);
    await sandbox.control('POST', 'revoke', {owner: 'ben', tesla_permissions: ['Vehicle Location']});
    assert.deepStrictEqual(kind(await get(`${MODEL_S}/location`)), [400, 'CONNECTED_SERVICES_ACCOUNT', 'PERMISSION', 'REAUTHENTICATE']);
  },

  async 'commands need the virtual key if the vehicle does'(sandbox) {
    const lock = {action: 'LOCK'};
    const {access_token: ada} = await sandbox.connect({owner: 'ada'});
    const {access_token: ben} = await sandbox.connect({owner: 'ben'});
    const refused = await sandbox.postJson(`/v2.0/vehicles/${ADA}/security`, lock, bearer(ada));

    assert.deepStrictEqual(kind(refused), [400, 'CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED', 'ACTION_REQUIRED']);
    assert.strictEqual(refused.json.resolution.url, 'https://www.tesla.com/_ak/smartcar.com');
    for (const vehicle of [MODEL_S, MODEL_X]) {
      assert.strictEqual((await sandbox.postJson(`/v2.0/vehicles/${vehicle}/security`, lock, bearer(ben))).status, 200);
    }
    assert.strictEqual((await sandbox.get(`/v2.0/vehicles/${MODEL_X}/security`, bearer(ben))).json.isLocked, true);
    assert.strictEqual((await sandbox.postJson(`/v2.0/vehicles/${MODEL_X}/security`, {action: 'X'}, bearer(ben))).json.type, 'VALIDATION');
    await sandbox.control('POST', 'vehicle', {id: ADA, paired: true});
    assert.strictEqual((await sandbox.postJson(`/v2.0/vehicles/${ADA}/security`, lock, bearer(ada))).status, 200);
  },

  async 'endpoints that only Teslas have'(sandbox) {
    const {access_token: carla} = await sandbox.connect({owner: 'carla', tesla_permissions: ['vehicle_device_data']});
    const {access_token: erik} = await sandbox.connect({owner: 'erik'});
    const tesla = (id, path, token) => sandbox.get(`/v2.0/vehicles/${id}/tesla/${path}`, bearer(token));

    assert.deepStrictEqual((await tesla(MODEL_Y, 'user/access', carla)).json, {accessType: 'DRIVER', permissions: ['vehicle_device_data']});
    assert.strictEqual((await tesla(MODEL_Y, 'virtual_key', carla)).json.code, 'VEHICLE_MISSING');
    assert.deepStrictEqual((await tesla(MODEL_Y, 'migration', carla)).json, {requiresMigration: false});
    assert.deepStrictEqual((await tesla(ERIK, 'migration', erik)).json, {requiresMigration: true});
    assert.deepStrictEqual(kind(await tesla(ERIK, 'virtual_key', erik)), [501, 'COMPATIBILITY', 'PLATFORM_NOT_CAPABLE', 'REAUTHENTICATE']);
    assert.strictEqual((await tesla(ERIK, 'user/access', erik)).json.type, 'SERVER');
    assert.strictEqual((await sandbox.get(`/v2.0/vehicles/${ERIK}/TESLA/migration`, bearer(erik))).json.type, 'PERMISSION');
  },

  async 'errors of vehicles and accounts that a test sets'(sandbox) {
    const {access_token: token} = await sandbox.connect({owner: 'ada'});
    const odometer = () => sandbox.get(`/v2.0/vehicles/${ADA}/odometer`, bearer(token));

    await sandbox.control('POST', 'vehicle', {id: ADA, error: {type: 'VEHICLE_STATE', code: 'ASLEEP'}});
    assert.deepStrictEqual(kind(await odometer()), [409, 'VEHICLE_STATE', 'ASLEEP', null]);
    await sandbox.control('POST', 'owner', {owner: 'ada', error: {type: 'CONNECTED_SERVICES_ACCOUNT', code: 'ACCOUNT_ISSUE'}});
    assert.deepStrictEqual(kind(await odometer()), [400, 'CONNECTED_SERVICES_ACCOUNT', 'ACCOUNT_ISSUE', null]);
    await sandbox.control('POST', 'owner', {owner: 'ada', error: null});
    await sandbox.control('POST', 'vehicle', {id: ADA, error: null});
    assert.strictEqual((await odometer()).status, 200);
  },

  async 'a batch of readings'(sandbox) {
    const {access_token: token} = await sandbox.connect({owner: 'ben', scope: 'read_odometer'});
    const requests = ['/odometer', '/location', '/nothing'].map((path) => ({path}));
    const {responses} = (await sandbox.postJson(`/v2.0/vehicles/${MODEL_S}/batch`, {requests}, bearer(token))).json;

    assert.deepStrictEqual(responses.map(({path, code}) => [path, code]), [['/odometer', 200], ['/location', 403], ['/nothing', 404]]);
    assert.strictEqual(responses[0].headers['sc-unit-system'], 'metric');
    assert.strictEqual(responses[1].body.type, 'PERMISSION');
  },

  async 'the owner and the application can disconnect a vehicle'(sandbox) {
    const {access_token: ben} = await sandbox.connect({owner: 'ben'});
    const {access_token: carla} = await sandbox.connect({owner: 'carla'});

    await sandbox.connect({owner: 'northwind'});
    assert.deepStrictEqual((await sandbox.delete(`/v2.0/vehicles/${MODEL_S}/application`, bearer(ben))).json, {status: 'success'});
    assert.deepStrictEqual((await sandbox.get('/v2.0/vehicles', bearer(ben))).json.vehicles, [MODEL_X]);
    assert.strictEqual((await sandbox.delete(`/v2.0/vehicles/${MODEL_Y}/application`, basic('default', 'wrong'))).status, 401);
    assert.strictEqual((await sandbox.delete(`/v2.0/vehicles/${MODEL_Y}/application`, managerHeaders)).status, 200);
    assert.deepStrictEqual((await sandbox.get('/v2.0/vehicles', bearer(carla))).json.vehicles, []);
    assert.strictEqual((await sandbox.get(`/v2.0/vehicles/${MODEL_Y}`, bearer(carla))).json.type, 'PERMISSION');
  },

  async 'compatibility needs no owner'(sandbox) {
    const ask = (query) => sandbox.get(`/v2.0/compatibility?${query}`, clientHeaders);

    assert.strictEqual((await sandbox.get('/v2.0/compatibility?vin=5YJ3E1EA7MF000101&scope=read_vin')).status, 401);
    assert.strictEqual((await ask('vin=short&scope=read_vin')).json.type, 'VALIDATION');

    const {compatible, capabilities} = (await ask('vin=5YJ3E1EA7MF000101&scope=read_vin%20read_fuel')).json;

    assert.strictEqual(compatible, true);
    assert.deepStrictEqual(capabilities.map(({permission, capable}) => [permission, capable]), [['read_vin', true], ['read_fuel', false]]);
    assert.deepStrictEqual((await ask('vin=WVWZZZ1KZAW000001&scope=read_vin')).json, {compatible: false, reason: 'MAKE_NOT_COMPATIBLE', capabilities: []});
  },

  async 'the management API lists all connections of the application'(sandbox) {
    await sandbox.control('POST', 'fleet', {owners: 10, vehicles: 25});

    const seen = [];
    let cursor = null;

    do {
      const {json} = await sandbox.get(`/v2.0/management/connections?limit=7${cursor ? `&cursor=${cursor}` : ''}`, managerHeaders);

      seen.push(...json.connections.map(({vehicleId}) => vehicleId));
      ({cursor} = json.paging);
      if (seen.length === 7) {
        // a connection that was listed is deleted: no other may be left out
        await sandbox.delete(`/v2.0/management/connections?vehicle_id=${seen[0]}`, managerHeaders);
      }
    } while (cursor);
    assert.strictEqual(seen.length, 25);
    assert.strictEqual(new Set(seen).size, 25);
    assert.strictEqual(seen[0], 'vehicle-000025', 'the newest first');
  },

  async 'connections are deleted by user, by vehicle and by both'(sandbox) {
    const target = '/v2.0/management/connections';

    await sandbox.connect({owner: 'carla'});
    await sandbox.connect({owner: 'northwind'});
    await sandbox.connect({owner: 'ben'});

    const carla = 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733';

    assert.deepStrictEqual((await sandbox.delete(`${target}?vehicle_id=${MODEL_Y}&user_id=${carla}`, managerHeaders)).json,
      {connections: [{userId: carla, vehicleId: MODEL_Y}]});
    assert.strictEqual((await sandbox.delete(`${target}?vehicle_id=${MODEL_Y}`, managerHeaders)).json.connections.length, 1);
    assert.strictEqual((await sandbox.delete(`${target}?user_id=4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622`, managerHeaders)).json.connections.length, 2);
    assert.strictEqual((await sandbox.delete(target, managerHeaders)).json.type, 'VALIDATION');
    assert.strictEqual((await sandbox.get(target, basic('default', 'wrong'))).status, 401);
    assert.strictEqual((await sandbox.get(target, managerHeaders)).json.connections.length, 1);
  },
};

module.exports = {tests};
