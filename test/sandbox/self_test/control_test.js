'use strict';

// The control requests: the log, the counts, the fleet, and the settings.

const assert = require('assert');
const http = require('http');

const {bearer, wait} = require('./client');

const tests = {
  async 'the log has requests, and no control requests'(sandbox) {
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});

    await sandbox.get('/v2.0/user/?a=b', {'X-Thing': 'One'}, {agent});
    await sandbox.postForm('/oauth/token', {grant_type: 'x'});
    await sandbox.get('/v2.0/vehicles', {}, {agent});
    agent.destroy();

    const {entries: [first, second, third]} = await sandbox.control('GET', 'log');

    assert.deepStrictEqual([first.method, first.path, first.query, first.headers['x-thing'], first.status, first.protocol],
      ['GET', '/v2.0/user/', 'a=b', 'One', 401, '1.1']);
    assert.deepStrictEqual([second.body, second.status], ['grant_type=x', 401]);
    assert.strictEqual(first.port, third.port, 'the same connection');
    assert.notStrictEqual(first.port, second.port);
    assert.strictEqual(third.sequence, first.sequence + 2);
    assert.strictEqual((await sandbox.control('GET', 'log?path=token&method=POST')).entries.length, 1);
    assert.strictEqual((await sandbox.control('GET', `log?since=${second.sequence}`)).entries.length, 1);
    assert.strictEqual((await sandbox.control('GET', 'log?limit=1')).entries[0].sequence, third.sequence);
    await sandbox.control('DELETE', 'log');
    assert.deepStrictEqual((await sandbox.control('GET', 'log')).entries, []);
  },

  async 'the log is bounded, and can be switched off'(sandbox) {
    await sandbox.control('POST', 'log', {limit: 3});
    for (let i = 0; i < 5; i++) {
      await sandbox.get(`/x${i}`);
    }
    assert.deepStrictEqual((await sandbox.control('GET', 'log')).entries.map(({path}) => path), ['/x2', '/x3', '/x4']);
    await sandbox.control('POST', 'log', {enabled: false, limit: 20000});
    await sandbox.get('/y');

    const {entries, requests} = await sandbox.control('GET', 'log');

    await sandbox.control('POST', 'log', {enabled: true});
    assert.deepStrictEqual(entries, []);
    assert.strictEqual(requests, 6);
  },

  async 'requests in flight are counted'(sandbox) {
    await sandbox.control('POST', 'settings', {delay: 500});

    const start = Date.now();

    await Promise.all(Array.from({length: 20}, () => sandbox.get('/v2.0/user')));
    assert.ok(Date.now() - start >= 495 && Date.now() - start < 15 * 500);

    const {max_in_flight: most, in_flight: now} = await sandbox.control('GET', 'statistics');

    assert.strictEqual(most, 20);
    assert.strictEqual(now, 0);
  },

  async 'a client that disconnects is logged'(sandbox) {
    await sandbox.control('POST', 'settings', {delay: 200});

    const outgoing = http.get(`${sandbox.url}/v2.0/user`);

    outgoing.on('error', () => {});
    await wait(50);
    assert.strictEqual((await sandbox.control('GET', 'log')).entries[0].status, null);
    outgoing.destroy();
    await wait(300);
    assert.strictEqual((await sandbox.control('GET', 'log')).entries[0].status, -1);
    assert.strictEqual((await sandbox.control('GET', 'statistics')).in_flight, 0);
  },

  async 'a fleet has numbered owners'(sandbox) {
    const made = await sandbox.control('POST', 'fleet', {owners: 1000, vehicles: 1500});
    const more = await sandbox.control('POST', 'fleet', {owners: 10, scope: 'read_vin', tesla_permissions: []});
    const user = await sandbox.get('/v2.0/user', bearer('access-000999'));
    const refreshed = await sandbox.token({grant_type: 'refresh_token', refresh_token: 'refresh-001000'});

    assert.strictEqual(made.connections, 1500);
    assert.strictEqual(more.connections, 1510);
    assert.deepStrictEqual(user.json, {id: 'user-000999'});
    assert.strictEqual(refreshed.status, 200);
    assert.strictEqual((await sandbox.control('GET', 'accounts?limit=0')).live, 1010);

    const {vehicles} = (await sandbox.get('/v2.0/vehicles', bearer('access-001010'))).json;

    assert.strictEqual(vehicles.length, 1);
    assert.deepStrictEqual((await sandbox.get(`/v2.0/vehicles/${vehicles[0]}/permissions`, bearer('access-001010'))).json.permissions, ['read_vin']);
  },

  async 'reset undoes everything'(sandbox) {
    await sandbox.control('POST', 'settings', {client_id: 'x', delay: 1});
    await sandbox.control('POST', 'advance', {seconds: 1000});
    await sandbox.connect();
    await sandbox.fault({times: 0, status: 500});
    await sandbox.control('POST', 'reset');
    assert.strictEqual((await sandbox.control('GET', 'settings')).client_id, '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07');
    assert.strictEqual((await sandbox.control('GET', 'accounts')).count, 0);
    assert.deepStrictEqual((await sandbox.control('GET', 'faults')).faults, []);
    assert.deepStrictEqual((await sandbox.control('GET', 'log')).entries, []);
  },

  async 'the old client secret works during a rotation'(sandbox) {
    const {refresh_token: token} = await sandbox.connect();

    await sandbox.control('POST', 'settings', {client_secrets: ['new']});
    assert.strictEqual((await sandbox.token({grant_type: 'refresh_token', refresh_token: token})).status, 401);
  },

  async 'a test can let access tokens expire'(sandbox) {
    const ada = await sandbox.connect({owner: 'ada'});
    const ben = await sandbox.connect({owner: 'ben'});
    const status = async (token) => (await sandbox.get('/v2.0/user', bearer(token))).status;

    await sandbox.control('POST', 'expire', {user_id: ada.user_id});
    assert.deepStrictEqual([await status(ada.access_token), await status(ben.access_token)], [401, 200]);
    await sandbox.control('POST', 'expire', {});
    assert.strictEqual(await status(ben.access_token), 401);
  },

  async 'invalid control requests are refused'(sandbox) {
    for (const [path, body] of [['settings', {nonsense: 1}], ['faults', {}], ['faults', {effect: 1}], ['faults', {gateway: 'x'}], ['faults', {match: {pth: 'x'}, status: 500}],
      ['connect', {owner: 'nobody'}], ['revoke', {}], ['advance', {}], ['nowhere', {}]]) {
      await assert.rejects(sandbox.control('POST', path, body), /40[04]/, path);
    }
    assert.strictEqual((await sandbox.postForm('/sandbox/connect', {a: 'b'})).status, 400);
  },
};

module.exports = {tests};
