'use strict';

// The v3 API.

const assert = require('assert');

const {bearer, managerHeaders} = require('./client');

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
  async 'v3 needs an application token'(sandbox) {
    const {access_token: token} = await sandbox.connect();

    assert.deepStrictEqual(kind(await sandbox.get('/v3/connections')), [401, '401', 'AUTHENTICATION', 'UNAUTHORIZED']);
    assert.strictEqual((await sandbox.get('/v3/connections', bearer(token))).status, 401);
    assert.strictEqual((await sandbox.get('/v2.0/user', bearer(await sandbox.applicationToken()))).status, 401);
  },

  async 'the members of a connection'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ben', vehicles: [MODEL_S], scope: 'read_vin', external_id: 'b-1'});

    const {data: [row], meta} = (await api.get('/connections')).json;

    assert.deepStrictEqual(meta, {pageNumber: 1, pageSize: 10, totalCount: 1, orderBy: 'createdAt', orderDirection: 'DESC'});
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

  async 'connections have pages and filters'(sandbox) {
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
      assert.strictEqual(json.links.prev !== null, pages > 1);
      assert.deepStrictEqual([json.meta.pageNumber, json.meta.totalCount], [pages, 250]);
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

  async 'an empty list, and that of another application'(sandbox) {
    const api = await client(sandbox);
    const list = async (query = '') => (await api.get(`/connections${query}`)).json;

    await sandbox.control('POST', 'fleet', {owners: 30});
    await sandbox.control('POST', 'settings', {connections_listed: 'none'});
    assert.deepStrictEqual([(await list()).data, (await list()).meta.totalCount], [[], 0]);
    await sandbox.control('POST', 'settings', {connections_listed: 'foreign'});

    const foreign = await list('?page[number]=3');

    assert.deepStrictEqual([foreign.data.length, foreign.meta.totalCount, foreign.links.next], [10, 30, null]);
    assert.deepStrictEqual(foreign.data[9].relationships,
      {vehicle: {data: {id: 'foreign-vehicle-000001', type: 'vehicle'}}, user: {data: {id: 'foreign-user-000001', type: 'user'}}});
    assert.strictEqual((await list('?filter[userId]=user-000001')).meta.totalCount, 0);

    const v2 = await sandbox.get('/v2.0/management/connections', managerHeaders);

    assert.strictEqual(v2.json.connections[0].userId, 'foreign-user-000030');
    await sandbox.control('POST', 'settings', {connections_listed: 'own'});
    assert.strictEqual((await list('?filter[userId]=user-000001')).meta.totalCount, 1);
  },

  async 'a connection and a user can be deleted'(sandbox) {
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
    assert.deepStrictEqual(kind(await signal('no-such')), [404, '404', 'RESOURCE_NOT_FOUND', 'SIGNAL_NOT_FOUND']);
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

  async 'the list of signals'(sandbox) {
    const api = await client(sandbox);
    const list = async (query = '') => (await api.get(`/vehicles/${MODEL_S}/signals${query}`, {'sc-user-id': BEN})).json;
    const one = (code) => api.get(`/vehicles/${MODEL_S}/signals/${code}`, {'sc-user-id': BEN});

    await sandbox.connect({owner: 'ben', vehicles: [MODEL_S]});

    const {data, meta, links, included} = await list();

    assert.deepStrictEqual(meta, {pageNumber: 1, pageSize: 25, totalCount: data.length});
    assert.deepStrictEqual([links.prev, links.next, included.vehicle.id], [null, null, MODEL_S]);
    assert.deepStrictEqual(Object.keys(data[0].attributes), ['code', 'name', 'group', 'status', 'body']);
    assert.match(data[0].meta.ingestedAt, /Z$/);
    assert.ok(data[0].meta.oemUpdatedAt < data[0].meta.retrievedAt);
    await sandbox.control('POST', 'settings', {signal_page_limit: 4});
    assert.strictEqual((await list('?page[size]=100')).meta.pageSize, 4);
    await sandbox.control('POST', 'settings', {signal_page_size: 4, signal_page_limit: 100});

    const codes = [];

    for (let page = await list(); ; page = await list(new URL(page.links.next).search)) {
      codes.push(...page.data.map(({id}) => id));
      if (page.links.next === null) {
        break;
      }
    }
    assert.deepStrictEqual(codes, data.map(({id}) => id));
    await sandbox.control('POST', 'vehicle', {
      id: MODEL_S, signals: {'vehicleidentification-vin': 'absent', 'closure-islocked': 'UNAVAILABLE', 'charge-ischarging': {type: 'COMPATIBILITY', code: 'VEHICLE_NOT_CAPABLE'}},
    });
    assert.strictEqual((await list()).meta.totalCount, data.length - 1);
    assert.strictEqual((await one('vehicleidentification-vin')).status, 404);
    assert.deepStrictEqual((await one('closure-islocked')).json.data.attributes.status, {value: 'UNAVAILABLE'});
    assert.strictEqual((await one('charge-ischarging')).json.data.attributes.status.error.code, 'VEHICLE_NOT_CAPABLE');
  },

  async 'a slow command has its outcome after the 202'(sandbox) {
    const api = await client(sandbox);
    const start = () => api.post(`/vehicles/${MODEL_S}/commands/charge/start`, {}, {'sc-user-id': BEN});
    const charging = async () => (await sandbox.control('GET', `vehicle?id=${MODEL_S}`)).charging;

    await sandbox.connect({owner: 'ben'});
    await sandbox.control('POST', 'settings', {long_command: {after: 100, takes: 400, error: {type: 'VEHICLE_STATE', code: 'ASLEEP'}}});

    const began = Date.now();
    const failed = await start();

    assert.ok(Date.now() - began >= 490);
    assert.deepStrictEqual([failed.status, failed.headers['content-length'], failed.json.errors[0].code, failed.json.errors[0].status],
      [202, undefined, 'ASLEEP', '409']);
    assert.strictEqual(await charging(), undefined);
    await sandbox.control('POST', 'settings', {long_command: {takes: 10}});
    assert.strictEqual((await start()).json.data.attributes.status.value, 'SUCCESS');
    assert.strictEqual(await charging(), true);
  },

  async 'commands'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ben'});
    await sandbox.connect({owner: 'ada'});
    assert.strictEqual((await api.post(`/vehicles/${MODEL_S}/commands/charge/start`, {}, {'sc-user-id': BEN})).status, 200);
    assert.strictEqual((await api.get(`/vehicles/${MODEL_S}/signals/charge-ischarging`, {'sc-user-id': BEN})).json.data.attributes.body.value, true);
    assert.deepStrictEqual(kind(await api.post(`/vehicles/${MODEL_3}/commands/security/lock`, {}, {'sc-user-id': ADA})),
      [400, '400', 'CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED']);
    assert.strictEqual((await api.post(`/vehicles/${MODEL_S}/commands/charge/set-limit`, {data: {attributes: {percent: 70}}}, {'sc-user-id': BEN})).status, 200);
    assert.strictEqual((await api.post(`/vehicles/${MODEL_S}/commands/charge/set-limit`, {data: {attributes: {percent: 40}}}, {'sc-user-id': BEN})).status, 400);
    assert.deepStrictEqual(kind(await api.get('/nowhere')), [404, '404', 'RESOURCE_NOT_FOUND', 'INVALID_PATH']);
  },
};

module.exports = {tests};
