'use strict';

// The example application, in a database of its own.

const {execFileSync, spawn} = require('child_process');
const path = require('path');
const readline = require('readline');

const {within} = require('./limit');

// Longer than the web server waits for any response.
const END_LIMIT = 20;

class Garage {
  static async start({folder, database, sandbox, apiVersion}) {
    const garage = new Garage(folder, database);

    garage.psql('-v', `sandbox=${sandbox.url}`,
      ...(apiVersion === '2.0' ? ['-v', 'api_version=2.0', '-v', `key_file=${process.env.SMARTCAR_KEY_FILE}`] : []),
      '-v', 'redirect_uri=http://localhost/callback', '-f', path.join(folder, 'local_smartcar.sql'));
    garage.psql('-f', path.join(folder, 'schema.sql'));

    const {Pool} = require(path.join(folder, 'node_modules/pg'));

    garage.superuser = new Pool({database, max: 2});
    garage.operator = new Pool({database, user: 'garage_operator', max: 1});
    garage.server = new Pool({database, user: 'garage_web', max: 1});
    await garage.startServer();
    await garage.sql(`ALTER SERVER smartcar OPTIONS (SET redirect_uri '${garage.url}/callback')`);
    garage.runJobs();
    return garage;
  }

  constructor(folder, database) {
    Object.assign(this, {folder, database, log: '', stopped: false, turn: Promise.resolve()});
  }

  // startOver() and the operator take turns, so that neither waits for locks of the other.
  async inTurn(work) {
    const mine = this.turn.then(work);

    this.turn = mine.catch(() => {});
    return mine;
  }

  psql(...words) {
    execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', ...words],
      {env: {...process.env, PGDATABASE: this.database}, stdio: ['ignore', 'inherit', 'inherit']});
  }

  async sql(text, values = []) {
    return (await this.superuser.query(text, values)).rows;
  }

  // As the role of the web server.
  async asServer(text) {
    return (await this.server.query(text)).rows;
  }

  // The kind of the last link: connect, update_access or reauthenticate.
  async lastLink() {
    return (await this.sql('SELECT link FROM smartcar_tesla.session ORDER BY created_at DESC LIMIT 1'))[0].link;
  }

  // Everything that a callback or a webhook can change, as text.
  async everything() {
    const tables = ['smartcar_tesla.session', 'smartcar_tesla.account', 'smartcar_tesla.connection', 'smartcar_tesla.webhook_event'];
    const parts = tables.map((table) => `SELECT '${table}' || t::text AS line FROM ${table} AS t`);

    return JSON.stringify(await this.sql(`${parts.join(' UNION ALL ')} ORDER BY 1`));
  }

  // Closed pages may still be served: DELETE does not wait for readers.
  async startOver() {
    await this.inTurn(async () => {
      for (const table of ['garage.check_request', 'garage.reading', 'garage.session', 'garage.owner', 'smartcar_tesla.webhook_event', 'smartcar_tesla.session',
        'smartcar_tesla.connection', 'smartcar_tesla.account']) {
        await this.sql(`DELETE FROM ${table}`);
      }
    });
    this.log = '';
  }

  // The first line of output is its address; its log is kept.
  async launch(environment) {
    const child = spawn(process.execPath, ['server.js'], {
      cwd: this.folder, env: {...process.env, PGUSER: 'garage_web', PGDATABASE: this.database, PORT: '0', ...environment},
    });

    child.stderr.on('data', (text) => {
      this.log += text;
    });
    return {child, url: await new Promise((resolve, reject) => {
      readline.createInterface({input: child.stdout}).once('line', resolve);
      child.once('exit', () => reject(new Error(`the example has not started: ${this.log}`)));
    })};
  }

  async startServer() {
    Object.assign(this, await this.launch({}));
  }

  // Ends the web server and starts it again under the same address.
  async restartServer(meanwhile) {
    const ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });

    this.child.kill();
    await within(END_LIMIT, 'the end of the web server', ended);
    await meanwhile();
    Object.assign(this, await this.launch({PORT: new URL(this.url).port}));
  }

  async runJobs() {
    while (!this.stopped) {
      await this.inTurn(() => this.operator.query('CALL garage.run_jobs()')).catch((error) => {
        this.log += `operator: ${error.message}\n`;
      });
      await new Promise((resolve) => {
        setTimeout(resolve, 200);
      });
    }
    await this.operator.end();
  }

  async stop() {
    this.stopped = true;
    this.child.kill();
    await Promise.all([this.superuser.end(), this.server.end()]);
  }
}

module.exports = {Garage};
