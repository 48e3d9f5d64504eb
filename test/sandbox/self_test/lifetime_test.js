'use strict';

// The start and the end of the sandbox, and that it leaves nothing behind.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const {spawn, spawnSync} = require('child_process');

const {ask, spawnSandbox, wait} = require('./client');

const main = path.join(__dirname, '..', 'main.js');

// Whether a process ends within two seconds and leaves no directory behind.
async function endsAfter(act, args = ['--tls']) {
  const {child, addresses} = await spawnSandbox(args);

  child.removeAllListeners('exit');

  const ended = new Promise((resolve) => {
    child.on('exit', (code) => resolve(code));
  });

  await act(child, addresses);

  const code = await Promise.race([ended, wait(2000).then(() => 'still there')]);

  if (code === 'still there') {
    child.kill('SIGKILL');
  }
  assert.strictEqual(code, 0);
  assert.strictEqual(addresses.ca_file ? fs.existsSync(path.dirname(addresses.ca_file)) : false, false);
}

const tests = {
  async 'prints one line, and nothing after it'(sandbox) {
    assert.match(sandbox.line, /^\{[^\n]*\}\n$/);
    assert.strictEqual(sandbox.addresses.pid, sandbox.child.pid);
    assert.strictEqual(sandbox.addresses.https, undefined);
    assert.strictEqual(fs.readlinkSync(`/proc/${sandbox.child.pid}/fd/1`), '/dev/null');
  },

  async 'ends on a signal'() {
    await endsAfter((child) => child.kill('SIGTERM'));
    await endsAfter((child) => child.kill('SIGINT'));
  },

  async 'ends with its standard input, also while requests run'() {
    await endsAfter((child) => child.stdin.end());
    await endsAfter(async (child, {http}) => {
      ask(`${http}/v2.0/user`).catch(() => {});
      await wait(100);
      child.stdin.end();
    }, ['--delay', '60000']);
  },

  async 'ends with its parent process'() {
    const parent = spawn('sleep', ['60']);

    try {
      await endsAfter(() => parent.kill('SIGKILL'), ['--parent-pid', String(parent.pid)]);
    } finally {
      parent.kill('SIGKILL');
    }
  },

  async 'ends after some time without a request'() {
    const start = Date.now();

    await endsAfter(() => {}, ['--idle', '1']);
    assert.ok(Date.now() - start >= 1000);
  },

  async 'goes on without a pipe as standard input'() {
    const child = spawn(process.execPath, [main], {stdio: ['ignore', 'pipe', 'inherit']});
    const line = await new Promise((resolve) => {
      child.stdout.on('data', (chunk) => resolve(String(chunk)));
    });

    await wait(300);
    assert.strictEqual((await ask(`${JSON.parse(line).http}/v2.0/user`)).status, 401);
    child.kill('SIGTERM');
  },

  async 'removes the directory of a killed sandbox'() {
    const {child, addresses} = await spawnSandbox(['--tls']);
    const directory = path.dirname(addresses.ca_file);

    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await wait(200);
    assert.strictEqual(fs.existsSync(directory), true);
    await endsAfter((other) => other.kill('SIGTERM'));
    assert.strictEqual(fs.existsSync(directory), false);
  },

  async 'refuses unknown arguments'() {
    for (const args of [['--nonsense'], ['--grace'], ['--grace', 'x']]) {
      const {status, stderr} = spawnSync(process.execPath, [main, ...args]);

      assert.strictEqual(status, 2);
      assert.match(String(stderr), /^main\.js: /);
    }
  },

  async 'has its lifetimes from the command line'() {
    const {child, addresses} = await spawnSandbox(['--grace', '0.5', '--access-lifetime', '7', '--refresh-lifetime', '8', '--code-lifetime', '9']);
    const {body} = await ask(`${addresses.http}/sandbox/settings`);
    const {grace, access_lifetime: access, refresh_lifetime: refresh, code_lifetime: code} = JSON.parse(body);

    child.removeAllListeners('exit');
    child.kill('SIGTERM');
    assert.deepStrictEqual([grace, access, refresh, code], [0.5, 7, 8, 9]);
  },
};

module.exports = {tests};
