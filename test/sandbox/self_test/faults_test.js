'use strict';

// Every fault, over plain HTTP, TLS and HTTP/2, seen from the client.

const assert = require('assert');
const http = require('http');
const http2 = require('http2');
const secure = require('https');
const net = require('net');
const zlib = require('zlib');

const {LOOPBACK, ask, bearer, clientHeaders, CLIENT, askHttp2, wait} = require('./client');

const USER = '/v2.0/user';
const user = (sandbox) => sandbox.get(USER);

// What comes in over a plain socket: [{after: milliseconds, text}].
function rawRequest(sandbox, path) {
  const start = Date.now();
  const pieces = [];

  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(sandbox.url).port), '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });

    socket.on('data', (chunk) => pieces.push({after: Date.now() - start, text: chunk.toString()}));
    socket.on('error', reject);
    socket.on('end', () => resolve(pieces));
  });
}

const tests = {
  async 'faults by times, after and nth'(sandbox) {
    const statuses = async (count) => {
      const list = [];

      for (let i = 0; i < count; i++) {
        list.push((await user(sandbox)).status);
      }
      return list;
    };

    await sandbox.fault({status: 500});
    assert.deepStrictEqual(await statuses(2), [500, 401]);
    await sandbox.fault({status: 502, times: 2, after: 1});
    assert.deepStrictEqual(await statuses(4), [401, 502, 502, 401]);
    await sandbox.fault({status: 503, match: {nth: 2}});
    assert.deepStrictEqual(await statuses(3), [401, 503, 401]);
    await sandbox.fault({status: 500, times: 0, match: {method: 'GET', path: '^/v2.0/user$', query: 'a=1'}});
    assert.deepStrictEqual(await statuses(1), [401]);
    for (let i = 0; i < 3; i++) {
      assert.strictEqual((await sandbox.get(`${USER}?a=1`)).status, 500);
    }
    assert.strictEqual((await sandbox.control('GET', 'faults')).faults[3].hits, 3);
    await sandbox.control('DELETE', 'faults');
    assert.strictEqual((await sandbox.get(`${USER}?a=1`)).status, 401);
  },

  async 'faults by body and by header'(sandbox) {
    await sandbox.fault([{status: 500, match: {body: 'grant_type=refresh'}}, {status: 502, match: {header: '^x-tag: a$'}}]);
    assert.strictEqual((await sandbox.token({grant_type: 'authorization_code', code: 'x'})).status, 400);
    assert.strictEqual((await sandbox.token({grant_type: 'refresh_token', refresh_token: 'x'})).status, 500);
    assert.strictEqual((await sandbox.get(USER, {'X-Tag': 'a'})).status, 502);
  },

  async 'errors in the format of the API'(sandbox) {
    await sandbox.fault({times: 3, status: 409, error: {type: 'VEHICLE_STATE', code: 'ASLEEP', description: 'zzz'}});

    const {json: v2} = await user(sandbox);
    const {json: v3} = await sandbox.get('/v3/connections');
    const {json: oauth} = await sandbox.token({});

    assert.deepStrictEqual([v2.type, v2.code, v2.statusCode, v2.description], ['VEHICLE_STATE', 'ASLEEP', 409, 'zzz']);
    assert.deepStrictEqual([v3.errors[0].code, v3.errors[0].status], ['ASLEEP', '409']);
    assert.deepStrictEqual(oauth, {error: 'asleep', error_description: 'zzz'});
    await sandbox.fault({status: 400, error: {error: 'invalid_grant'}});
    assert.deepStrictEqual((await sandbox.token({})).json, {error: 'invalid_grant'});
    await sandbox.fault({retry_after: 7});

    const limited = await user(sandbox);

    assert.deepStrictEqual([limited.status, limited.headers['retry-after'], limited.json.code], [429, '7', 'VEHICLE']);
  },

  async 'every kind of invalid body'(sandbox) {
    const one = async (fault) => {
      await sandbox.fault(fault);
      return user(sandbox);
    };

    assert.strictEqual((await one({body: '<html>', content_type: 'text/html', status: 503})).body, '<html>');
    assert.strictEqual((await one({body_base64: 'AP8='})).bytes.toString('hex'), '00ff');
    assert.strictEqual((await one({oversize: 3000000})).bytes.length, 3000000);

    const bomb = await one({bomb: 50000000});

    assert.strictEqual(bomb.headers['content-encoding'], 'gzip');
    assert.ok(bomb.bytes.length < 100000);
    assert.strictEqual(zlib.gunzipSync(bomb.bytes).length, 50000000);

    const broken = await one({invalid_utf8: true});

    assert.throws(() => new TextDecoder('utf-8', {fatal: true}).decode(broken.bytes));
    assert.ok((await one({nul: true})).bytes.includes(0));
    assert.strictEqual((await one({nul_escape: true})).json.id, 'a\0b');
    assert.strictEqual((await one({depth: 5})).body, '{"id":[[[[[]]]]]}');
    assert.strictEqual((await one({redirect: 'http://x/'})).headers.location, 'http://x/');

    const pages = [await one({gateway: 'html'}), await one({gateway: 'json'}), await one({gateway: 'empty', status: 502})];

    assert.deepStrictEqual(pages.map(({status, headers}) => [status, headers['content-type'], headers['sc-request-id']]),
      [[403, 'text/html', undefined], [403, 'application/json', undefined], [502, 'text/plain', undefined]]);
    assert.deepStrictEqual(pages.slice(1).map(({body}) => body), ['{"message":"Forbidden"}', '']);
    assert.match(pages[0].body, /^<html>/);
    assert.strictEqual((await one({headers: {'SC-Request-Id': 'mine'}})).headers['sc-request-id'], 'mine');
    assert.strictEqual((await one({big_headers: 8000})).headers['x-padding-7'].length, 1000);
    assert.strictEqual((await one({status: 204})).status, 204);
    assert.strictEqual((await one({status: 200, keep_body: true})).json.type, 'AUTHENTICATION');
  },

  async 'an echo of all secrets'(sandbox) {
    for (const [path, headers] of [['/oauth/token', clientHeaders], ['/v2.0/user', bearer('canary-token')], ['/v3/users/x', bearer('canary-token')]]) {
      await sandbox.fault({echo: true});

      const {status, body} = await sandbox.postForm(path, {code: 'canary-code'}, headers);

      assert.strictEqual(status, 400);
      assert.ok(body.includes('canary-code') && body.includes(headers.authorization));
      assert.strictEqual(body.includes(`${CLIENT.id}:${CLIENT.secret}`), path === '/oauth/token');
    }
  },

  async 'delays of the headers and of the body'(sandbox) {
    let start = Date.now();

    await sandbox.fault({delay_ms: 150});
    assert.strictEqual((await user(sandbox)).status, 401);
    assert.ok(Date.now() - start >= 145);

    for (const [fault, least] of [[{delay_body_ms: 150}, 145], [{slow_body_ms: 300}, 200], [{slow_headers_ms: 300}, 200]]) {
      await sandbox.fault({...fault, close: true});
      start = Date.now();

      const pieces = await rawRequest(sandbox, USER);

      assert.ok(pieces[0].after < 100, 'something comes at once');
      assert.ok(pieces[pieces.length - 1].after >= least, JSON.stringify(fault));
      assert.strictEqual(pieces[0].text.includes('\r\n\r\n'), !fault.slow_headers_ms);
      assert.match(pieces.map(({text}) => text).join(''), /^HTTP\/1.1 401 [^]*\}$/);
    }
  },

  async 'connections that are cut before and after processing'(sandbox) {
    const {refresh_token: token} = await sandbox.connect();
    const refresh = () => sandbox.token({grant_type: 'refresh_token', refresh_token: token});
    const used = async () => (await sandbox.control('GET', `account?refresh_token=${token}`)).token_used;

    await sandbox.fault({drop: 'before'});
    await assert.rejects(refresh());
    assert.strictEqual(await used(), false);
    await sandbox.fault({drop: 'after'});
    await assert.rejects(refresh());
    assert.strictEqual(await used(), true);
    await sandbox.fault({reset: true});
    await assert.rejects(refresh(), /ECONNRESET|hang up/);
    assert.strictEqual((await refresh()).status, 200, 'still in its grace');
    assert.deepStrictEqual((await sandbox.control('GET', 'log')).entries.map(({status}) => status), [0, 0, 0, 200]);
    assert.strictEqual((await sandbox.control('GET', 'statistics')).in_flight, 0);
  },

  async 'a request that is processed although the response is an error'(sandbox) {
    const {refresh_token: token} = await sandbox.connect();
    const used = async () => (await sandbox.control('GET', `account?refresh_token=${token}`)).token_used;

    await sandbox.fault({status: 500});
    assert.strictEqual((await sandbox.token({grant_type: 'refresh_token', refresh_token: token})).status, 500);
    assert.strictEqual(await used(), false);
    await sandbox.fault({status: 500, do_work: true});
    assert.strictEqual((await sandbox.token({grant_type: 'refresh_token', refresh_token: token})).status, 500);
    assert.strictEqual(await used(), true);
  },

  async 'a truncated body'(sandbox) {
    await sandbox.fault({truncate: 10});
    await assert.rejects(user(sandbox), /aborted/);
    await sandbox.fault({truncate: 10});

    const [head, body] = (await rawRequest(sandbox, USER)).map(({text}) => text).join('').split('\r\n\r\n');

    assert.strictEqual(body.length, 10);
    assert.ok(Number(/content-length: (\d+)/.exec(head)[1]) > 10);
  },

  async 'a fault that Node refuses to send does not end the sandbox'(sandbox) {
    await sandbox.fault({headers: {'x-a': 'b\r\nc: d'}, times: 1});
    await assert.rejects(user(sandbox));
    assert.strictEqual((await user(sandbox)).status, 401);
  },

  async 'faults of HTTP/2 streams'(sandbox) {
    const url = sandbox.addresses.https;
    const paths = (count) => Array.from({length: count}, (none, i) => `/v2.0/user?n=${i}`);
    const reasons = (outcomes) => outcomes.map(({status, value}) => (status === 'fulfilled' ? value.status : 'failed'));

    await sandbox.control('POST', 'settings', {delay: 50});
    assert.deepStrictEqual(reasons(await askHttp2(url, paths(5), {ca: sandbox.ca})), [401, 401, 401, 401, 401]);

    const {entries, max_in_flight: most} = await sandbox.control('GET', 'log');

    assert.strictEqual(most, 5);
    assert.strictEqual(new Set(entries.map(({port}) => port)).size, 1);
    assert.ok(entries.every(({protocol, port}) => protocol === '2' && port > 0));
    assert.strictEqual(new Set(entries.map(({stream}) => stream)).size, 5);

    await sandbox.fault({reset: true, match: {query: 'n=1'}});
    assert.deepStrictEqual(reasons(await askHttp2(url, paths(3), {ca: sandbox.ca})), [401, 'failed', 401]);
    await sandbox.fault({truncate: 5, match: {query: 'n=1'}});
    assert.deepStrictEqual(reasons(await askHttp2(url, paths(3), {ca: sandbox.ca})), [401, 'failed', 401]);
    await sandbox.fault({drop: 'after', match: {query: 'n=2'}});
    assert.strictEqual(reasons(await askHttp2(url, paths(3), {ca: sandbox.ca})).includes('failed'), true);
    await sandbox.fault([{headers: {connection: 'close'}, match: {query: 'n=0'}}, {goaway: true, match: {query: 'n=1'}}, {slow_headers_ms: 10}]);
    assert.deepStrictEqual(reasons(await askHttp2(url, paths(3), {ca: sandbox.ca})), [401, 401, 401]);
    assert.strictEqual((await sandbox.control('GET', 'statistics')).in_flight, 0);
  },

  async 'an HTTP/2 connection that stalls, and streams that are refused'(sandbox) {
    const session = http2.connect(sandbox.addresses.https, {ca: sandbox.ca, ...LOOPBACK});
    const status = (path) => new Promise((resolve) => {
      const stream = session.request({':path': path});

      stream.on('response', (headers) => resolve(headers[':status']));
      stream.on('error', (error) => resolve(/REFUSED_STREAM/.test(error.message) ? 'refused' : error.message));
      stream.resume();
    });

    await sandbox.fault([{refuse: true, match: {query: 'n=1'}}, {silent: true, match: {query: 'n=2'}}]);
    assert.strictEqual(await status(`${USER}?n=1`), 'refused');
    assert.strictEqual(await status(`${USER}?n=2`), 401);
    assert.strictEqual(await Promise.race([status(USER), wait(200).then(() => 'nothing')]), 'nothing');
    assert.strictEqual((await user(sandbox)).status, 401);
    session.destroy();
  },

  async 'raw bytes, and the next response on the connection'(sandbox) {
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});
    const status = () => new Promise((resolve, reject) => {
      http.get(sandbox.url + USER, {agent, ...LOOPBACK}, (incoming) => {
        incoming.on('end', () => resolve(incoming.statusCode)).resume();
      }).on('error', reject);
    });

    await sandbox.fault({raw: ['HTTP/1.1 299 Raw\r\ncontent-length: 2\r\n\r\n{', '}']});
    assert.strictEqual(await status(), 299);
    assert.strictEqual(await status(), 401);
    agent.destroy();
  },

  async 'clients that disconnect during a response'(sandbox) {
    const {https, https_http1: old} = sandbox.addresses;

    for (const effect of [{delay_ms: 150}, {delay_body_ms: 150}, {slow_body_ms: 400}, {slow_headers_ms: 400}, {delay_ms: 150, truncate: 4},
      {delay_ms: 150, drop: 'before'}, {delay_ms: 150, reset: true}, {delay_ms: 150, goaway: true}]) {
      await sandbox.fault({...effect, times: 3});

      const session = http2.connect(https, {ca: sandbox.ca, ...LOOPBACK});
      const stream = session.request({':path': USER});
      const others = [sandbox.url, old].map((url) => (url.startsWith('https') ? secure : http).get(url + USER, {ca: sandbox.ca, agent: false, ...LOOPBACK}));

      [session, stream, ...others].forEach((one) => one.on('error', () => {}));
      await wait(60);
      stream.close(8);
      others.forEach((one) => one.destroy());
      await wait(60);
      session.destroy();
      await wait(350);
    }
    assert.strictEqual((await user(sandbox)).status, 401);
    assert.strictEqual((await sandbox.control('GET', 'statistics')).in_flight, 0);
  },

  async 'faults over TLS with HTTP/1.1'(sandbox) {
    for (const url of [sandbox.addresses.https, sandbox.addresses.https_http1]) {
      await sandbox.fault({slow_headers_ms: 20});
      assert.strictEqual((await ask(url + USER, {ca: sandbox.ca})).status, 401);
      await sandbox.fault({drop: 'before'});
      await assert.rejects(ask(url + USER, {ca: sandbox.ca}));
    }
  },
};

module.exports = {args: ['--tls'], tests};
