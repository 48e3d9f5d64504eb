'use strict';

// The local Smartcar of test/sandbox, which both sides use.
//
// It is a process of its own, because questions to the extension block this one.
// PARITY_SANDBOX names its main.js; it ends when its standard input does.

const {spawn} = require('child_process');
const readline = require('readline');

class Sandbox {
  static async start() {
    const child = spawn(process.execPath, [process.env.PARITY_SANDBOX, '--no-bucket'], {stdio: ['pipe', 'pipe', 'inherit']});
    const [line] = await Promise.race([
      new Promise((resolve) => readline.createInterface({input: child.stdout}).once('line', (text) => resolve([text]))),
      new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (status) => reject(new Error(`the sandbox ended with ${status}`)));
      }),
    ]);

    return new Sandbox(child, JSON.parse(line).http);
  }

  constructor(child, origin) {
    this.child = child;
    this.origin = origin;
  }

  // A POST if there is a body, else a GET.
  async ask(path, content, method = content === undefined ? 'GET' : 'POST') {
    const response = await fetch(`${this.origin}/sandbox/${path}`, {
      method,
      headers: {'content-type': 'application/json'},
      body: content === undefined ? undefined : JSON.stringify(content),
    });
    const result = await response.json();

    if (!response.ok) {
      throw new Error(`the sandbox refused ${method} ${path}: ${result.error}`);
    }
    return result;
  }

  // Resets the sandbox: nobody is connected, and there are no faults.
  async reset() {
    await this.ask('reset', {});
    await this.ask('faults', undefined, 'DELETE');
  }

  clearLog() {
    return this.ask('log', undefined, 'DELETE');
  }

  async requests() {
    return (await this.ask('log')).entries;
  }

  // Whether a token works.
  async isLive(kind, token) {
    return (await this.ask(`account?${new URLSearchParams({[kind]: token})}`)).token_live === true;
  }

  stop() {
    this.child.removeAllListeners('exit');
    this.child.stdin.end();
    this.child.kill();
  }
}

module.exports = {Sandbox};
