'use strict';

// The ports with TLS, and those that never respond.

const assert = require('assert');
const fs = require('fs');
const net = require('net');
const path = require('path');
const tls = require('tls');
const {spawnSync} = require('child_process');

const {ask, askHttp2, wait} = require('./client');

const tests = {
  async 'valid and invalid certificates'(sandbox) {
    const {https, https_wrong_host: wrongHost, https_expired: expired, https_untrusted: untrusted, https_http1: old} = sandbox.addresses;
    const {ca} = sandbox;

    for (const url of [https, old, https.replace('localhost', '127.0.0.1')]) {
      assert.strictEqual((await ask(`${url}/v2.0/user`, {ca})).status, 401);
    }
    await assert.rejects(ask(https), /self.signed|unable to/);
    await assert.rejects(ask(wrongHost, {ca}), /altnames/);
    await assert.rejects(ask(expired, {ca}), /expired/);
    await assert.rejects(ask(untrusted, {ca}), /unable to|self.signed/);
  },

  async 'HTTP/2 where it is offered'(sandbox) {
    const {https, https_http1: old} = sandbox.addresses;
    const chosen = (url) => new Promise((resolve, reject) => {
      const {port} = new URL(url);
      const socket = tls.connect({port, host: '127.0.0.1', servername: 'localhost', ca: sandbox.ca, ALPNProtocols: ['h2', 'http/1.1']}, () => {
        resolve(socket.alpnProtocol);
        socket.destroy();
      });

      socket.on('error', reject);
    });

    assert.strictEqual(await chosen(https), 'h2');
    assert.strictEqual(await chosen(old), 'http/1.1');
    assert.strictEqual((await askHttp2(https, ['/v2.0/user'], {ca: sandbox.ca}))[0].value.status, 401);
  },

  async 'curl accepts the certificate with ca_file'(sandbox) {
    const {https, ca_file: ca} = sandbox.addresses;
    const curl = (url) => spawnSync('curl', ['-sS', '--http2', '--cacert', ca, '-o', '/dev/null', '-w', '%{http_version} %{http_code}', `${url}/v2.0/user`]);

    assert.strictEqual(curl(https).stdout.toString(), '2 401');
    assert.strictEqual(curl(sandbox.addresses.https_http1).stdout.toString(), '1.1 401');
    assert.strictEqual(curl(sandbox.addresses.https_expired).status, 60);
  },

  async 'ports that never respond, and one that is closed'(sandbox) {
    const {tls_silent: silentTls, tcp_silent: silent, closed_port: closed} = sandbox.addresses;

    for (const url of [silentTls, silent]) {
      const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
      let heard = false;

      socket.on('data', () => {
        heard = true;
      });
      socket.on('close', () => {
        heard = true;
      });
      socket.write('GET / HTTP/1.1\r\n\r\n');
      await wait(200);
      assert.strictEqual(heard, false);
      socket.destroy();
    }
    await assert.rejects(ask(`http://127.0.0.1:${closed}/`), /ECONNREFUSED/);
  },

  // A client to which the system gives that port would connect to itself.
  async 'nobody else gets the closed port'(sandbox) {
    const {closed_port: closed} = sandbox.addresses;
    const client = spawnSync('perl', ['-MSocket', '-e', `
      socket(my $client, PF_INET, SOCK_STREAM, 0);
      # IP_LOCAL_PORT_RANGE, which Linux has since 6.3
      setsockopt($client, 0, 51, pack('L', ${closed} << 16 | ${closed})) or exit 2;
      exit(connect($client, pack_sockaddr_in(${closed}, INADDR_LOOPBACK)) ? 1 : 0)`]);
    const server = net.createServer();

    assert.notStrictEqual(client.status, 1, 'not to a client');
    await assert.rejects(new Promise((resolve, reject) => {
      server.on('error', reject).listen(closed, resolve);
    }), /EADDRINUSE/);
  },

  async 'the directory has no key, and other users can read the rest'(sandbox) {
    const {ca_file: file} = sandbox.addresses;

    assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ['ca.pem']);
    assert.strictEqual(fs.statSync(file).mode & 0o777, 0o644);
    assert.strictEqual(fs.statSync(path.dirname(file)).mode & 0o777, 0o755);
  },
};

module.exports = {args: ['--tls'], tests};
