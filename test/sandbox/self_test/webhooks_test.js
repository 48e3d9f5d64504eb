'use strict';

// Webhooks, with a receiver that accepts them or does not.

const assert = require('assert');
const crypto = require('crypto');
const http = require('http');

const {wait} = require('./client');

const TOKEN = 'sandbox-management-token';
const hmac = (text) => crypto.createHmac('sha256', TOKEN).update(text).digest('hex');

// A receiver that responds with responses[0], responses[1], ... and then always with the last.
async function receiver(responses, use) {
  const received = [];
  const server = http.createServer((incoming, outgoing) => {
    const chunks = [];

    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const {status, body: text = ''} = responses[Math.min(received.length, responses.length - 1)](JSON.parse(body));

      received.push({at: Date.now(), headers: incoming.headers, body});
      outgoing.writeHead(status);
      outgoing.end(text);
    });
  });

  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    await use(`http://127.0.0.1:${server.address().port}/hook`, received);
  } finally {
    server.close();
  }
}

const status = (code) => () => ({status: code});

const tests = {
  async 'a challenge is not signed'(sandbox) {
    const solve = ({data}) => ({status: 200, body: JSON.stringify({challenge: hmac(data.challenge)})});

    await receiver([solve], async (url, received) => {
      const record = await sandbox.control('POST', 'webhook', {type: 'VERIFY', url, wait: true});

      assert.strictEqual(record.accepted, true);
      assert.strictEqual(received[0].headers['sc-signature'], undefined);
      assert.strictEqual(JSON.parse(received[0].body).eventType, 'VERIFY');
    });
    await receiver([() => ({status: 200, body: '{"challenge":"x"}'})], async (url) => {
      assert.strictEqual((await sandbox.control('POST', 'webhook', {type: 'VERIFY', url, wait: true})).accepted, false);
    });
  },

  async 'an event is repeated until it is accepted, each time as another delivery'(sandbox) {
    await sandbox.connect({owner: 'ben', external_id: 'b'});
    await receiver([status(500), status(503), status(200)], async (url, received) => {
      const record = await sandbox.control('POST', 'webhook', {url, wait: true, time_scale: 0.004});
      const bodies = received.map(({body}) => JSON.parse(body));

      assert.strictEqual(record.accepted, true);
      assert.deepStrictEqual(record.deliveries.map(({response}) => response.status), [500, 503, 200]);
      assert.strictEqual(new Set(bodies.map(({eventId}) => eventId)).size, 1);
      assert.strictEqual(new Set(bodies.map(({meta}) => meta.deliveryId)).size, 3);
      assert.ok(received.every(({headers, body}) => headers['sc-signature'] === hmac(body)));
      assert.ok(received[1].at - received[0].at >= 95 && received[2].at - received[1].at >= 195);
      assert.strictEqual(bodies[0].data.user.externalId, 'b');
      assert.strictEqual(bodies[0].meta.signalCount, bodies[0].data.signals.length);
    });
  },

  async 'VEHICLE_STATE has the signals'(sandbox) {
    await sandbox.connect({owner: 'ada', external_id: 'a'});

    const {deliveries: [{body}]} = await sandbox.control('POST', 'webhook', {
      first_delivery: true, at: '2026-11-26T10:00:00Z', delivered_at: 1800000000000, signals: ['connectivitystatus-isdigitalkeypaired', {code: 'vehicleuseraccount-role', body: {value: 'Driver'}, oem_updated_at: 5}],
    });
    const {data, meta, ...envelope} = JSON.parse(body);
    const at = Date.parse('2026-11-26T10:00:00Z');

    assert.deepStrictEqual(Object.keys(envelope), ['eventId', 'eventType']);
    assert.deepStrictEqual(Object.keys(data), ['user', 'vehicle', 'triggers', 'signals']);
    assert.deepStrictEqual(data.triggers, [{code: 'FIRST_DELIVERY'}]);
    assert.deepStrictEqual(data.signals, [
      {
        code: 'connectivitystatus-isdigitalkeypaired', name: 'IsDigitalKeyPaired', group: 'ConnectivityStatus', body: {value: false},
        status: {value: 'SUCCESS'}, meta: {oemUpdatedAt: at - 90000, retrievedAt: at},
      },
      {
        code: 'vehicleuseraccount-role', name: 'Role', group: 'VehicleUserAccount', body: {value: 'Driver'},
        status: {value: 'SUCCESS'}, meta: {oemUpdatedAt: 5, retrievedAt: at},
      },
    ]);
    assert.deepStrictEqual(Object.keys(meta),
      ['version', 'deliveryId', 'deliveredAt', 'webhookId', 'webhookName', 'sequence', 'signalCount', 'mode']);
    assert.deepStrictEqual([meta.sequence, meta.mode, meta.deliveredAt], [at, 'LIVE', 1800000000000]);
  },

  async 'events are delivered late, twice, and in another order'(sandbox) {
    const paired = ({body}) => JSON.parse(body).data.signals[0].body.value;
    const sequence = ({body}) => JSON.parse(body).meta.sequence;
    const key = {type: 'VEHICLE_STATE', signals: ['connectivitystatus-isdigitalkeypaired']};
    const {user_id: userId, vehicles: [id]} = await sandbox.connect({owner: 'ada'});
    const series = {
      events: [{...key, user_id: userId}, {...key, user_id: userId, mode: 'TEST', before: {vehicle: {id, paired: true}, advance: {seconds: 60}}}],
      deliveries: [1, {event: 0, late: 100}, 1],
    };

    await receiver([status(500), status(200)], async (url, received) => {
      const began = Date.now();
      const {deliveries} = await sandbox.control('POST', 'webhooks', {...series, url, time_scale: 0.002});

      assert.ok(Date.now() - began >= 195);
      assert.deepStrictEqual(received.map(paired), [true, false, true]);
      assert.ok(sequence(received[1]) + 60000 <= sequence(received[0]));
      assert.deepStrictEqual([deliveries[0].eventId === deliveries[2].eventId, deliveries[0].deliveryId === deliveries[2].deliveryId], [true, false]);
      assert.deepStrictEqual(deliveries.map(({response}) => response.status), [500, 200, 200]);
      assert.ok(received.every(({headers, body}) => headers['sc-signature'] === hmac(body)));
      assert.strictEqual(JSON.parse(received[0].body).meta.mode, 'TEST');
    });
    assert.deepStrictEqual((await sandbox.control('POST', 'webhooks', {events: [key]})).deliveries.map(({response}) => response), [null]);
    await assert.rejects(sandbox.control('POST', 'webhooks', {events: [key], deliveries: [1]}), /there is no event 1/);
  },

  async 'an event can have several errors, each with its state'(sandbox) {
    await sandbox.connect({owner: 'ada'});

    const {deliveries: [{body}]} = await sandbox.control('POST', 'webhook', {
      type: 'VEHICLE_ERROR', errors: [{code: 'SUBSCRIPTION', state: 'RESOLVED'}, {type: 'VEHICLE_STATE', code: 'ASLEEP'}],
    });
    const {data: {errors}, meta} = JSON.parse(body);

    assert.deepStrictEqual(errors.map(({type, code, state}) => [type, code, state]),
      [['CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'RESOLVED'], ['VEHICLE_STATE', 'ASLEEP', 'ERROR']]);
    assert.deepStrictEqual([typeof meta.sequence, meta.signalCount], ['number', undefined]);
  },

  async 'a delivery is given up after three more attempts'(sandbox) {
    await sandbox.connect({owner: 'ben'});
    await receiver([status(400)], async (url, received) => {
      const {eventId, done} = await sandbox.control('POST', 'webhook', {url});

      assert.strictEqual(done, false, 'does not wait unless asked to');
      await wait(600);

      const {events: [record]} = await sandbox.control('GET', `webhooks?event_id=${eventId}`);

      assert.deepStrictEqual([record.done, record.accepted, received.length], [true, false, 4]);
    });
  },

  async 'an error and its resolution can be made without sending them'(sandbox) {
    await sandbox.connect({owner: 'ada'});

    const make = async (given) => {
      const {deliveries: [{body, signature}]} = await sandbox.control('POST', 'webhook', {type: 'VEHICLE_ERROR', ...given});

      assert.strictEqual(signature, hmac(body));
      return JSON.parse(body).data.errors[0];
    };
    const failed = await make({});
    const over = await make({state: 'RESOLVED', error: {type: 'PERMISSION', code: null}});

    assert.deepStrictEqual([failed.code, failed.state, failed.resolution.type], ['AUTHENTICATION_FAILED', 'ERROR', 'REAUTHENTICATE']);
    assert.ok(failed.resolution.url.startsWith(`${sandbox.url}/oauth/reauthenticate?`));
    assert.deepStrictEqual([over.type, over.code, over.state, over.resolution], ['PERMISSION', null, 'RESOLVED', undefined]);
    assert.strictEqual((await make({state: null})).state, undefined);
    assert.strictEqual((await make({error: {type: 'CONNECTED_SERVICES_ACCOUNT', code: 'VIRTUAL_KEY_REQUIRED'}})).resolution.type, 'ACTION_REQUIRED');
  },

  async 'a test can give the body and the signature'(sandbox) {
    await sandbox.connect({owner: 'ada'});

    const {deliveries: [{body, signature}]} = await sandbox.control('POST', 'webhook', {body: '{"a" : 1e2}', signature: 'zz'});

    assert.deepStrictEqual([body, signature], ['{"a" : 1e2}', 'zz']);

    const legacy = await sandbox.control('POST', 'webhook', {type: 'VERIFY', version: '2.0', challenge: 'c'});

    assert.strictEqual(JSON.parse(legacy.deliveries[0].body).payload.challenge, 'c');
    assert.strictEqual(legacy.expected, hmac('c'));
  },
};

module.exports = {tests};
