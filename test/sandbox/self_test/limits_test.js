'use strict';

// The limits of an application and of a vehicle.

const assert = require('assert');

const {bearer, startSandbox} = require('./client');

const VEHICLE = '/v2.0/vehicles/vehicle-000001';

const limits = (sandbox, query = '') => sandbox.control('GET', `limits${query}`);

async function client(sandbox) {
  const headers = {...bearer(await sandbox.applicationToken()), 'sc-user-id': 'user-000001'};

  return (target) => sandbox.get(`/v3${target}`, headers);
}

const tests = {
  async 'the application has a bucket of requests'(sandbox) {
    await sandbox.control('POST', 'fleet', {owners: 1});

    const get = await client(sandbox);

    for (let i = 0; i < 119; i++) {
      assert.strictEqual((await get('/connections')).status, 200);
    }
    assert.strictEqual((await sandbox.get(VEHICLE, bearer('access-000001'))).status, 200, 'v2.0 takes from it as well');

    const v3 = await get('/vehicles/vehicle-000001/signals');
    const v2 = await sandbox.get(VEHICLE, bearer('access-000001'));

    assert.deepStrictEqual([v3.status, v3.json.errors[0].type, v3.json.errors[0].code, v3.headers['retry-after']], [429, 'RATE_LIMIT', 'SMARTCAR_API', undefined]);
    assert.deepStrictEqual([v2.status, v2.json.type, v2.json.code, v2.headers['retry-after']], [429, 'RATE_LIMIT', 'SMARTCAR_API', undefined]);
    assert.deepStrictEqual(await limits(sandbox), {
      application: {requests: 122, refused: 2, available: 0}, count: 1, vehicles: [{vehicle_id: 'vehicle-000001', requests: 1, refused: 0, in_month: 1}],
    });
    await sandbox.control('POST', 'advance', {seconds: 61});
    assert.deepStrictEqual([(await get('/connections')).status, (await get('/webhooks')).status, (await get('/connections')).status], [200, 200, 429]);
    await sandbox.control('DELETE', 'limits');
    assert.strictEqual((await limits(sandbox)).application.available, 120);
    await sandbox.control('POST', 'settings', {application_bucket: null});
    assert.strictEqual((await limits(sandbox)).application.available, null);
  },

  async '--no-bucket removes the limit'() {
    const unlimited = await startSandbox(['--no-bucket']);

    await unlimited.control('POST', 'settings', {application_bucket: 1});
    await unlimited.control('POST', 'reset');
    assert.strictEqual((await limits(unlimited)).application.available, null, 'also after a reset');
    await unlimited.stop();
  },

  async 'requests that are refused otherwise do not count'(sandbox) {
    await sandbox.control('POST', 'settings', {application_bucket: 1});
    await sandbox.get('/v3/connections');
    await sandbox.token({});
    assert.deepStrictEqual((await limits(sandbox)).application, {requests: 0, refused: 0, available: 1});

    const get = await client(sandbox);

    assert.deepStrictEqual([(await get('/connections')).status, (await get('/connections')).status], [200, 429], 'the last one is good');
  },

  async 'the monthly limit of a vehicle'(sandbox) {
    await sandbox.control('POST', 'fleet', {owners: 2});
    await sandbox.control('POST', 'settings', {vehicle_month_limit: 2});

    const get = await client(sandbox);
    const v2 = (path) => sandbox.get(path, bearer('access-000001'));

    assert.strictEqual((await get('/vehicles/vehicle-000001')).status, 200);
    assert.strictEqual((await v2(`${VEHICLE}/permissions`)).status, 200);

    const {status, json} = await get('/vehicles/vehicle-000001/signals');
    const second = await v2(VEHICLE);

    assert.deepStrictEqual([status, json.errors[0].type, json.errors[0].code], [430, 'BILLING', 'VEHICLE_REQUEST_LIMIT']);
    assert.deepStrictEqual([second.status, second.json.code, second.json.resolution.type], [430, 'VEHICLE_REQUEST_LIMIT', 'CONTACT_SUPPORT']);
    assert.strictEqual((await get('/connections')).status, 200, 'the list is not a request to a vehicle');
    assert.strictEqual((await sandbox.get('/v2.0/vehicles/vehicle-000002', bearer('access-000002'))).status, 200);
    assert.deepStrictEqual((await limits(sandbox, '?vehicle_id=vehicle-000001')).vehicles,
      [{vehicle_id: 'vehicle-000001', requests: 4, refused: 2, in_month: 2}]);
    await sandbox.control('POST', 'advance', {seconds: 31 * 24 * 60 * 60});
    assert.strictEqual((await get('/vehicles/vehicle-000001')).status, 401, 'the token has expired');
    assert.strictEqual((await (await client(sandbox))('/vehicles/vehicle-000001')).status, 200);
  },

  async 'the rate limit of a vehicle'(sandbox) {
    await sandbox.control('POST', 'fleet', {owners: 1});
    await sandbox.control('POST', 'settings', {vehicle_rate_limit: {requests: 1, seconds: 60}});

    const get = await client(sandbox);

    assert.strictEqual((await get('/vehicles/vehicle-000001')).status, 200);

    const {status, json, headers} = await get('/vehicles/vehicle-000001');

    assert.deepStrictEqual([status, json.errors[0].type, json.errors[0].code], [429, 'RATE_LIMIT', 'VEHICLE']);
    assert.ok(headers['retry-after'] >= 59 && headers['retry-after'] <= 60);
    await sandbox.control('POST', 'advance', {seconds: Number(headers['retry-after'])});
    assert.strictEqual((await get('/vehicles/vehicle-000001')).status, 200);
  },

  async 'each part of a batch is a request'(sandbox) {
    await sandbox.control('POST', 'fleet', {owners: 1});
    await sandbox.control('POST', 'settings', {vehicle_month_limit: 2});

    const body = {requests: [{path: '/odometer'}, {path: '/battery'}, {path: '/vin'}]};
    const {json} = await sandbox.postJson(`${VEHICLE}/batch`, body, bearer('access-000001'));

    assert.deepStrictEqual(json.responses.map(({code}) => code), [200, 200, 430]);
    assert.strictEqual((await limits(sandbox)).application.requests, 3);
  },
};

module.exports = {tests};
