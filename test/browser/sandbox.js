'use strict';

// The local Smartcar of test/sandbox, and an owner who consents on its pages.

const {spawn} = require('child_process');
const readline = require('readline');

class Sandbox {
  static async start(program) {
    const child = spawn(process.execPath, [program, '--parent-pid', String(process.pid)], {stdio: ['pipe', 'pipe', 'inherit']});
    const [line] = await new Promise((resolve, reject) => {
      readline.createInterface({input: child.stdout}).once('line', (text) => resolve([text]));
      child.once('exit', () => reject(new Error('the sandbox has not started')));
    });

    return new Sandbox(child, JSON.parse(line).http);
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  stop() {
    this.child.kill();
  }

  // A control request, see the README of the sandbox.
  async ask(path, body = undefined) {
    const response = await fetch(`${this.url}/sandbox/${path}`, body === undefined ? {} :
      {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)});
    const text = await response.text();

    if (!response.ok) {
      throw new Error(`the sandbox says ${response.status}: ${text}`);
    }
    return JSON.parse(text);
  }

  // The number of requests to Smartcar, in both versions of the API.
  async requests() {
    return (await this.ask('log?path=^/(oauth2?/token|v3/|v2.0/)')).entries.length;
  }
}

// Consents on the pages of Connect.  ticked: the Tesla permissions, or 'all'; null: the page
// shows none.
async function consent(page, {owner, ticked = 'all', decision = 'allow'}) {
  await page.click(`a.owner[href*="sandbox_owner=${owner}"]`);
  await page.waitForSelector('button[value=allow]');
  for (const box of await page.$$('input[type=checkbox][name=tesla_permission]:not([disabled])')) {
    if (ticked === 'all' || ticked.includes(await box.getAttribute('value'))) {
      await box.check();
    }
  }
  await page.click(`button[value=${decision}]`);
}

module.exports = {Sandbox, consent};
