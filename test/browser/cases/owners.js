'use strict';

// Owners are separated from each other, and from other sites.

const assert = require('assert');
const {spawnSync} = require('child_process');
const {once} = require('events');
const http = require('http');
const net = require('net');

const {signIn, through, connect, isNoticed, card, models, waitForBadge} = require('../steps');

const ADAS_CAR = '36ab27d0-fd9d-4455-823a-ce30af709ffc';

const apart = {
  title: 'two owners do not see each other\'s vehicles',
  async run({garage, page, browser}) {
    const other = (await browser.visitor(garage)).page;

    await signIn(page, garage, 'Ada');
    await connect(page, garage, {owner: 'ada', ticked: ['Vehicle Information']});
    await signIn(other, garage, 'Ben');
    await connect(other, garage, {owner: 'ben'});
    await page.reload();
    assert.deepEqual(await models(page), ['Model 3']);
    assert.deepEqual(await models(other), ['Model S', 'Model X']);
    assert(!(await other.content()).includes(ADAS_CAR));

    // Ada's vehicle needs an update of access; Ben cannot see it.
    const response = await other.context().request.get(`${garage.url}/connect?vehicle=${ADAS_CAR}`, {maxRedirects: 0});

    assert.equal(response.status(), 303);
    assert.deepEqual((await garage.sql("SELECT DISTINCT link FROM smartcar_tesla.session WHERE status = 'open'")).map(({link}) => link), ['connect']);
  },
};

// One Tesla login is one user of Smartcar, who can belong to one owner.
function household(version, viewport) {
  return {
    title: `${version}, ${viewport}: two owners with one Tesla login are both told who has the vehicle now`,
    version,
    viewport,
    async run({garage, page, browser}) {
      const other = (await browser.visitor(garage, {viewport})).page;

      await signIn(page, garage, 'Ada');
      await connect(page, garage, {owner: 'ada'});
      await isNoticed(page, /^Thank you\. Here is the current status of your vehicles\.$/);
      await signIn(other, garage, 'Byron');
      await connect(other, garage, {owner: 'ada'});
      await isNoticed(other, /^Thank you\. This Tesla was connected to another account of ours\. It is now connected to yours, and no longer/);
      assert.equal((await card(other, 'Model 3')).badge, 'Key missing');

      // by itself, on the open page
      await waitForBadge(page, 'In another account');

      const {what, facts, readings, found} = await card(page, 'Model 3');

      assert.equal(what, 'Tesla · 2021');
      assert.match(await found.locator('.panel').textContent(), /This Tesla is now connected to another account of ours/);
      assert.deepEqual({facts, readings}, {facts: {}, readings: []}, 'nothing about the vehicle is seen any more');
      assert.equal(await page.locator('.empty').count(), 0);
      assert(!(await page.content()).includes('Byron'), 'and not whose account it is');

      // Ada connects it again
      await through(page, garage, 'a.button:text("Connect it here again")', {owner: 'ada'});
      await isNoticed(page, /^Thank you\. This Tesla was connected to another account/);
      assert.deepEqual(await page.locator('.badge').allTextContents(), ['Key missing']);
      await waitForBadge(other, 'In another account');
    },
  };
}

const cookie = {
  title: 'scripts and forms of other sites cannot use the cookie',
  async run({garage, page, browser, sandbox, visitor}) {
    browser.allow(/status of 403/);
    await signIn(page, garage, 'Ada');

    const [{httpOnly, sameSite, value}] = await visitor.context.cookies(garage.url);

    assert.deepEqual({httpOnly, sameSite}, {httpOnly: true, sameSite: 'Lax'});
    assert.match(value, /^[0-9a-f]{64}$/);
    assert.equal(await page.evaluate('document.cookie'), '');
    await page.goto(`${sandbox.url}/sandbox/virtual_key`);
    await Promise.all([page.waitForURL(`${garage.url}/sign-out`), page.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), {method: 'post', action});

      document.body.append(form);
      form.submit();
    }, `${garage.url}/sign-out`)]);
    await isNoticed(page, /^This form was sent from another site/);
    await page.goto(garage.url);
    assert.equal(page.url(), `${garage.url}/garage`, 'she is still signed in');
    await page.click('text=Sign out');
    await page.waitForURL(`${garage.url}/`);
    await visitor.context.addCookies([{name: 'session', value, url: garage.url}]);
    await page.goto(`${garage.url}/garage`);
    assert.equal(page.url(), `${garage.url}/`, 'and then no more, whatever cookie is sent');
  },
};

function statusFor(garage, headers) {
  return new Promise((resolve, reject) => {
    http.get(garage.url, {headers}, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

function healthOf(garage, environment) {
  return spawnSync(process.execPath, ['healthcheck.js'], {cwd: garage.folder, env: {...process.env, ...environment}}).status;
}

// Somebody else may have taken the port before the example listens on it.
async function launchOnKnownPort(garage, environment) {
  for (;;) {
    const port = await freePort();

    try {
      return {port, ...await garage.launch({...environment, PORT: String(port)})};
    } catch (error) {
      if (!String(error.message).includes(`EADDRINUSE: address already in use 127.0.0.1:${port}`)) {
        throw error;
      }
    }
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const {port} = server.address();

      server.close(() => resolve(port));
    });
  });
}

const behindProxy = {
  title: 'behind a TLS proxy the cookie is for https only, and the health check works',
  async run({garage}) {
    const {child, url, port} = await launchOnKnownPort(garage, {ORIGIN: 'https://garage.example.com/'});

    try {
      assert.equal(url, 'https://garage.example.com');

      const response = await new Promise((resolve, reject) => {
        http.request(`http://localhost:${port}/sign-in`, {method: 'POST', headers: {host: 'garage.example.com', origin: url}}, (incoming) => {
          incoming.resume();
          resolve(incoming);
        }).on('error', reject).end('name=Ada');
      });

      assert.equal(response.statusCode, 303);
      assert.equal(healthOf(garage, {ORIGIN: url, PORT: port}), 0);
      assert.equal(healthOf(garage, {PORT: port}), 1, 'under a name that is not served');
      assert.match(response.headers['set-cookie'][0], /^__Host-session=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure$/);
    } finally {
      child.kill();
    }
    await once(child, 'exit');
    assert.equal(healthOf(garage, {ORIGIN: url, PORT: port}), 1, 'and nobody listens');
  },
};

const names = {
  title: 'another host name is refused, and an unknown address has a page that says so',
  async run({garage, page, browser}) {
    browser.allow(/status of 404/);
    assert.equal(await statusFor(garage, {host: 'evil.example'}), 421);
    assert.equal(await statusFor(garage, {}), 200);
    await page.goto(`${garage.url}/../server.js`);
    await isNoticed(page, /^There is no such page/);
    await page.goto(`${garage.url}/garage`);
    assert.equal(page.url(), `${garage.url}/`, 'the garage is for those who are signed in');
  },
};

const withoutDatabase = {
  title: 'without the database the page shows a sentence, and no stack',
  async run({garage, page, browser}) {
    browser.allow(/status of 500/);

    const {child, url} = await garage.launch({PGHOST: '/nonexistent'});

    try {
      await page.goto(url);
      await page.fill('#name', 'Ada');
      await page.click('form.sign-in button');
      await isNoticed(page, /^We cannot be reached at the moment\. Please try again in a few minutes\.$/);
      assert.doesNotMatch(await page.content(), /ENOENT|nonexistent|\.js:\d/);
    } finally {
      child.kill();
    }
  },
};

const rights = {
  title: 'the role of the server cannot read a token',
  async run({garage, page}) {
    await signIn(page, garage, 'Ada');
    await connect(page, garage, {owner: 'ada'});

    const statements = ['SELECT * FROM smartcar_tesla.account', 'SELECT * FROM smartcar_tesla.session', 'CALL smartcar_refresh()',
      "SELECT smartcar_access_token('x')", "SELECT smartcar_exchange_code('x')", 'CALL garage.run_jobs()'];

    for (const statement of statements) {
      await assert.rejects(garage.asServer(statement), {code: '42501'}, statement);
    }
    assert.equal((await garage.asServer('SELECT * FROM smartcar_status')).length, 1);
  },
};

module.exports = [apart, household('v3', 'desktop'), household('v3', 'phone'), household('v2', 'desktop'), cookie, behindProxy, names, withoutDatabase, rights];
