'use strict';

// test/lib/sandbox.sh, which starts the sandbox for shell scripts.

const assert = require('assert');
const path = require('path');
const {spawn, spawnSync} = require('child_process');

const {ask, wait} = require('./client');

const library = path.join(__dirname, '..', '..', 'lib', 'sandbox.sh');

function run(script) {
  return spawnSync('bash', ['-euo', 'pipefail', '-c', `. "$0"; ${script}`, library], {input: ''});
}

const tests = {
  async 'starts, sends control requests, and stops'() {
    const {status, stdout, stderr} = run(`
      start_sandbox --tls --grace 3
      ask_sandbox settings | grep -o '"grace":3'
      ask_sandbox advance '{"seconds":1}' >/dev/null
      curl -sS --cacert "$sandbox_ca_file" -o /dev/null -w '%{http_code}\\n' "$sandbox_https/v2.0/user"
      for name in url https https_wrong_host https_expired https_untrusted https_http1 tls_silent tcp_silent closed_port; do
        variable=sandbox_$name
        printf '%s %s\\n' $name "\${!variable}" | sed 's/[0-9]\\{4,5\\}$/PORT/'
      done
      pid=$sandbox_pid
      stop_sandbox
      stop_sandbox
      ! kill -0 "$pid" 2>/dev/null`);

    assert.strictEqual(status, 0, String(stderr));
    assert.deepStrictEqual(String(stdout).split('\n').slice(0, 4), ['"grace":3', '401', 'url http://127.0.0.1:PORT', 'https https://localhost:PORT']);
    assert.match(String(stdout), /closed_port PORT\n$/);
  },

  async 'reports a sandbox that does not start'() {
    const {status, stderr} = run('start_sandbox --nonsense || exit 7');

    assert.strictEqual(status, 7);
    assert.match(String(stderr), /unknown argument/);
  },

  async 'a killed script ends the sandbox, even if a child has inherited the pipe'() {
    const script = spawn('bash', ['-c', '. "$0"; start_sandbox; sleep 30 & echo "$sandbox_url $!"; wait', library], {stdio: ['ignore', 'pipe', 'inherit']});
    const [url, child] = (await new Promise((resolve) => {
      script.stdout.on('data', (chunk) => resolve(String(chunk)));
    })).trim().split(' ');

    assert.strictEqual((await ask(`${url}/v2.0/user`)).status, 401);
    script.kill('SIGKILL');
    await wait(1500);
    await assert.rejects(ask(`${url}/v2.0/user`), /ECONNREFUSED/);
    process.kill(Number(child));
  },
};

module.exports = {tests};
