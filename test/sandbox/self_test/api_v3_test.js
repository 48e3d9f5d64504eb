'use strict';

// The v3 API.

const assert = require('assert');

const {bearer} = require('./client');

const BEN = '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622';
const MODEL_S = '9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2';
const ADA = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
const MODEL_3 = '36ab27d0-fd9d-4455-823a-ce30af709ffc';

const kind = ({status, json}) => [status, json.errors[0].status, json.errors[0].type, json.errors[0].code];

async function client(sandbox) {
  const token = await sandbox.applicationToken();

  return {
    get: (target, headers) => sandbox.get(`/v3${target}`, {...bearer(token), ...headers}),
    delete: (target) => sandbox.delete(`/v3${target}`, bearer(token)),
    post: (target, body, headers) => sandbox.postJson(`/v3${target}`, body, {...bearer(token), ...headers}),
  };
}

const tests = {
  async 'only with a token of the application'(sandbox) {
    const {access_token: token} = await sandbox.connect();

    assert.deepStrictEqual(kind(await sandbox.get('/v3/connections')), [401, '401', 'AUTHENTICATION', 'UNAUTHORIZED']);
    assert.strictEqual((await sandbox.get('/v3/connections', bearer(token))).status, 401);
    assert.strictEqual((await sandbox.get('/v2.0/user', bearer(await sandbox.applicationToken()))).status, 401);
  },

  async 'connections, their shape'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ben', vehicles: [MODEL_S], scope: 'read_vin', external_id: 'b-1'});

    const {data: [row], meta} = (await api.get('/connections')).json;

    assert.deepStrictEqual(meta, {page: 1, pageSize: 10, totalCount: 1});
    assert.deepStrictEqual(row.attributes, {
      permissions: ['read_vin'], vehicle: {make: 'TESLA', model: 'Model S', year: 2019, mode: 'live', powertrainType: 'BEV'},
    });
    assert.deepStrictEqual(row.relationships, {
      vehicle: {data: {id: MODEL_S, type: 'vehicle'}}, user: {data: {id: BEN, type: 'user'}, meta: {externalId: 'b-1'}},
    });
    assert.match(row.meta.createdAt, /Z$/);
    assert.deepStrictEqual((await api.get(`/connections/${row.id}`)).json.data, row);
    assert.ok(row.links.self.startsWith(sandbox.url));
  },

  async 'pages and filters'(sandbox) {
    const api = await client(sandbox);
    const ids = async (query) => (await api.get(`/connections?${query}`)).json.data.map((row) => row.relationships.vehicle.data.id);

    await sandbox.control('POST', 'fleet', {owners: 100, vehicles: 250});
    await sandbox.connect({owner: 'simon'});

    let target = '/v3/connections?page[size]=100';
    let count = 0;
    let pages = 0;

    while (target) {
      const {json} = await sandbox.get(target, bearer(await sandbox.applicationToken()));

      pages += 1;
      count += json.data.length;
      assert.strictEqual(json.links.prev !== undefined, pages > 1);
      target = json.links.next && json.links.next.slice(sandbox.url.length);
    }
    assert.deepStrictEqual([pages, count], [3, 250]);
    assert.deepStrictEqual(await ids('filter[userId]=user-000002'), ['vehicle-000005', 'vehicle-000004', 'vehicle-000003']);
    assert.deepStrictEqual(await ids('filter%5BvehicleId%5D=vehicle-000007'), ['vehicle-000007']);
    assert.strictEqual((await ids('filter[user.externalId]=external-000001')).length, 2);
    assert.deepStrictEqual(await ids('filter[vehicle.mode]=simulated'), ['7f8e9dac-bb1c-4a2d-8e3f-4a5b6c7d8e9f']);
    assert.deepStrictEqual(await ids('page[number]=999'), []);
    assert.strictEqual((await api.get('/connections?page[size]=101')).status, 400);
  },

  async 'deleting a connection and a user'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ben'});
    await sandbox.connect({owner: 'ada'});

    const [{id}] = (await api.get(`/connections?filter[userId]=${ADA}`)).json.data;

    assert.strictEqual((await api.delete(`/connections/${id}`)).status, 204);
    assert.deepStrictEqual(kind(await api.delete(`/connections/${id}`)), [404, '404', 'RESOURCE_NOT_FOUND', 'CONNECTION_NOT_FOUND']);
    assert.strictEqual((await api.delete(`/users/${BEN}`)).status, 204);
    assert.strictEqual((await api.delete(`/users/${BEN}`)).status, 404);
    assert.strictEqual((await api.get('/connections')).json.meta.totalCount, 0);
  },

  async 'vehicles and signals'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ben', tesla_permissions: ['vehicle_device_data', 'user_data']});

    const signal = (code, user = BEN) => api.get(`/vehicles/${MODEL_S}/signals/${code}`, {'sc-user-id': user});

    assert.deepStrictEqual((await api.get(`/vehicles/${MODEL_S}`)).json.data.attributes,
      {make: 'TESLA', model: 'Model S', year: 2019, mode: 'live', powertrainType: 'BEV'});
    assert.strictEqual((await api.get(`/vehicles/${MODEL_3}`)).json.errors[0].code, 'VEHICLE_NOT_FOUND');
    assert.deepStrictEqual(kind(await api.get(`/vehicles/${MODEL_S}/signals`)), [400, '400', 'VALIDATION', 'MISSING_PARAMETER']);
    assert.strictEqual((await signal('vin', ADA)).json.errors[0].code, 'VEHICLE_NOT_FOUND');
    assert.strictEqual((await signal('no-such')).json.errors[0].code, 'SIGNAL_NOT_FOUND');
    assert.deepStrictEqual((await signal('vehicleuseraccount-permissions')).json.data.attributes.body, {values: ['vehicle_device_data', 'user_data']});
    assert.deepStrictEqual((await signal('vehicleuseraccount-role')).json.data.attributes.body, {value: 'OWNER'});
    assert.deepStrictEqual((await signal('connectivitystatus-isdigitalkeypaired')).json.data.attributes.body, {value: false});

    const {status, body} = (await signal('location-preciselocation')).json.data.attributes;

    assert.strictEqual(body, undefined);
    assert.deepStrictEqual(status, {value: 'ERROR', error: {type: 'PERMISSION', code: null}});
    await sandbox.control('POST', 'owner', {owner: 'ben', authentication_failed: true});

    const {error} = (await signal('odometer-traveleddistance')).json.data.attributes.status;

    assert.strictEqual(error.code, 'AUTHENTICATION_FAILED');
    assert.ok(error.resolution.url.includes(MODEL_S));
    assert.ok((await api.get(`/vehicles/${MODEL_S}/signals`, {'sc-user-id': BEN})).json.data.length > 5);
  },

  async 'commands'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ben'});
    await sandbox.connect({owner: 'ada'});
    assert.strictEqual((await api.post(`/vehicles/${MODEL_S}/commands/charge/start`, {}, {'sc-user-id': BEN})).status, 200);
    assert.strictEqual((await api.get(`/vehicles/${MODEL_S}/signals/charge-ischarging`, {'sc-user-id': BEN})).json.data.attributes.body.value, true);
    assert.deepStrictEqual(kind(await api.post(`/vehicles/${MODEL_3}/commands/security/lock`, {}, {'sc-user-id': ADA})),
      [400, '400', 'CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED']);
    assert.deepStrictEqual(kind(await api.get('/nowhere')), [404, '404', 'RESOURCE_NOT_FOUND', 'INVALID_PATH']);
  },
};

module.exports = {tests};
