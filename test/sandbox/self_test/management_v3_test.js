'use strict';

// The management API of v3, and the effect of a subscription.

const assert = require('assert');
const http = require('http');

const {bearer, wait} = require('./client');

const WEBHOOK = 'd1c6b0a4-6f7e-4f3f-9c0d-3a2b1c0d9e8f';
const ADA = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
const MODEL_3 = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
const ROLE = `/vehicles/${MODEL_3}/signals/vehicleuseraccount-role`;

async function client(sandbox) {
  const headers = {...bearer(await sandbox.applicationToken()), 'sc-user-id': ADA};

  return {
    get: (target) => sandbox.get(`/v3${target}`, headers),
    delete: (target) => sandbox.delete(`/v3${target}`, headers),
    subscribe: (attributes) => sandbox.postJson('/v3/subscriptions', {data: {attributes}}, headers),
  };
}

const asAda = {webhookId: WEBHOOK, userId: ADA, vehicleId: MODEL_3};
const kind = ({status, json}) => [status, json.errors[0].type, json.errors[0].code];

const tests = {
  async 'webhooks and applications'(sandbox) {
    const api = await client(sandbox);

    await sandbox.control('POST', 'settings', {webhooks: [{}, {id: 'w-2', name: 'Other', callbackUri: 'https://example.com/two', autoSubscribe: false, data: ['closure-islocked']}]});

    const {data, meta} = (await api.get('/webhooks')).json;

    assert.deepStrictEqual([data.map(({id}) => id), meta], [[WEBHOOK, 'w-2'], {pageNumber: 1, pageSize: 50, totalCount: 2}]);
    assert.deepStrictEqual(data[1].attributes, {
      name: 'Other', callbackUri: 'https://example.com/two', isEnabled: true, triggers: [{group: 'Closure', name: 'IsLocked', code: 'closure-islocked'}],
      data: [{group: 'Closure', name: 'IsLocked', code: 'closure-islocked'}], errorCallbackUri: null, autoSubscribe: false,
    });
    assert.deepStrictEqual((await api.get('/webhooks/w-2')).json.data, data[1]);
    assert.deepStrictEqual(kind(await api.get('/webhooks/none')), [404, 'RESOURCE_NOT_FOUND', 'WEBHOOK_NOT_FOUND']);
    assert.deepStrictEqual((await api.get('/webhooks?filter[name]=oth&filter[autoSubscribe]=false')).json.data.map(({id}) => id), ['w-2']);
    assert.strictEqual((await api.get('/webhooks?filter[isEnabled]=false')).json.meta.totalCount, 0);

    const {data: [application]} = (await api.get('/applications')).json;

    assert.strictEqual(application.attributes.name, 'Sandbox Application');
    assert.deepStrictEqual((await api.get(`/applications/${application.id}`)).json.data, application);
    assert.strictEqual((await sandbox.get('/v3/webhooks')).status, 401);
    assert.strictEqual((await sandbox.postJson('/v3/webhooks', {}, bearer(await sandbox.applicationToken()))).status, 404);
  },

  async 'autoSubscribe subscribes a new connection'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ada'});
    await sandbox.control('POST', 'fleet', {owners: 60});

    const {data: [row], meta} = (await api.get(`/subscriptions?filter[userId]=${ADA}`)).json;

    assert.strictEqual(meta.totalCount, 1);
    assert.deepStrictEqual([row.type, row.attributes.vehicle.model], ['subscription', 'Model 3']);
    assert.deepStrictEqual(['webhook', 'user', 'vehicle'].map((name) => row.relationships[name].data.id), [WEBHOOK, ADA, MODEL_3]);
    assert.deepStrictEqual((await api.get(`/subscriptions/${row.id}`)).json.data, row);
    assert.deepStrictEqual((await api.get('/subscriptions?page[number]=3')).json.meta, {pageNumber: 3, pageSize: 25, totalCount: 61});
    assert.strictEqual((await api.get('/subscriptions?filter[vehicle.mode]=x')).status, 400);
    assert.strictEqual((await api.subscribe(asAda)).status, 409);
  },

  async 'a vehicle that was never subscribed has no signals'(sandbox) {
    const api = await client(sandbox);
    const list = async () => (await api.get(`/vehicles/${MODEL_3}/signals`)).json;

    await sandbox.control('POST', 'settings', {webhooks: [{autoSubscribe: false}]});
    await sandbox.connect({owner: 'ada'});
    assert.deepStrictEqual([(await list()).data, (await list()).meta.totalCount], [[], 0]);
    assert.deepStrictEqual(kind(await api.get(ROLE)), [404, 'RESOURCE_NOT_FOUND', 'SIGNAL_NOT_FOUND']);
    assert.strictEqual((await api.get(`/vehicles/${MODEL_3}`)).status, 200);
    await assert.rejects(sandbox.control('POST', 'webhook', {}), /not subscribed/);

    const made = await api.subscribe(asAda);

    assert.deepStrictEqual([made.status, made.json], [202, {meta: {message: 'subscription creation in progress'}}]);
    assert.strictEqual((await api.subscribe(asAda)).status, 409);
    assert.ok((await list()).meta.totalCount > 5);
    assert.strictEqual((await api.get(ROLE)).status, 200);
    await sandbox.control('POST', 'webhook', {});

    const {data: [{id}]} = (await api.get(`/subscriptions?filter[webhookId]=${WEBHOOK}&filter[vehicleId]=${MODEL_3}`)).json;

    assert.strictEqual((await api.delete(`/subscriptions/${id}`)).status, 204);
    assert.deepStrictEqual(kind(await api.delete(`/subscriptions/${id}`)), [404, 'RESOURCE_NOT_FOUND', 'SUBSCRIPTION_NOT_FOUND']);
    assert.strictEqual((await api.get('/subscriptions')).json.meta.totalCount, 0);
    assert.strictEqual((await api.get(ROLE)).status, 200, 'what was stored stays');
    await assert.rejects(sandbox.control('POST', 'webhook', {}), /not subscribed/);
    assert.strictEqual((await api.subscribe(asAda)).status, 202);
  },

  async 'invalid subscriptions are refused'(sandbox) {
    const api = await client(sandbox);

    await sandbox.connect({owner: 'ada'});
    assert.deepStrictEqual(kind(await api.subscribe({webhookId: WEBHOOK, userId: ADA})), [400, 'VALIDATION', 'MISSING_PARAMETER']);
    assert.deepStrictEqual(kind(await api.subscribe({...asAda, webhookId: 'none'})), [404, 'RESOURCE_NOT_FOUND', 'WEBHOOK_NOT_FOUND']);
    assert.deepStrictEqual(kind(await api.subscribe({...asAda, userId: 'none'})), [404, 'RESOURCE_NOT_FOUND', 'VEHICLE_NOT_FOUND']);
  },

  async 'a subscription that is not in force yet'(sandbox) {
    const api = await client(sandbox);

    await sandbox.control('POST', 'settings', {webhooks: [{autoSubscribe: false}], subscription_delay: 30});
    await sandbox.connect({owner: 'ada'});
    assert.strictEqual((await api.subscribe(asAda)).status, 202);
    assert.strictEqual((await api.subscribe(asAda)).status, 409);
    assert.strictEqual((await api.get('/subscriptions')).json.meta.totalCount, 0);
    assert.strictEqual((await api.get(ROLE)).status, 404);
    await assert.rejects(sandbox.control('POST', 'webhook', {}), /not subscribed/);
    await sandbox.control('POST', 'advance', {seconds: 30});

    const {data: [{id}], meta} = (await api.get('/subscriptions')).json;

    assert.strictEqual(meta.totalCount, 1);
    assert.strictEqual((await api.get(ROLE)).status, 200);
    await api.delete(`/subscriptions/${id}`);
    assert.strictEqual((await api.subscribe(asAda)).status, 202);
    assert.strictEqual((await api.get(ROLE)).status, 200, 'what the first one has stored stays');
  },

  async 'a new subscription sends FIRST_DELIVERY'(sandbox) {
    const api = await client(sandbox);
    const received = new Promise((resolve) => {
      const server = http.createServer((incoming, outgoing) => {
        incoming.on('data', (body) => {
          outgoing.end();
          server.close();
          resolve(JSON.parse(body));
        });
      }).listen(0, '127.0.0.1', async () => {
        const callbackUri = `http://127.0.0.1:${server.address().port}/`;

        await sandbox.control('POST', 'settings', {webhooks: [{autoSubscribe: false, callbackUri, data: ['closure-islocked']}]});
        await sandbox.connect({owner: 'ada', external_id: 'a'});
        await api.subscribe(asAda);
      });
    });
    const {data} = await Promise.race([received, wait(5000).then(() => assert.fail('nothing was delivered'))]);

    assert.deepStrictEqual([data.triggers, data.user, data.signals.map(({code}) => code)],
      [[{code: 'FIRST_DELIVERY'}], {id: ADA, externalId: 'a'}, ['closure-islocked']]);
  },
};

module.exports = {tests};
