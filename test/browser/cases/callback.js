'use strict';

// Invalid callbacks: wrong, used, malformed, of somebody else.

const assert = require('assert');

const {consent} = require('../sandbox');
const {signIn, connect, isNoticed, models} = require('../steps');

// Goes to an address that redirects to the garage, and checks that nothing was changed.
async function changesNothing(page, garage, sandbox, address) {
  const before = await garage.everything();
  const requests = await sandbox.requests();

  await page.goto(address);
  await page.waitForURL(`${garage.url}/garage`);
  assert.equal(await garage.everything(), before, 'nothing is changed');
  assert.equal(await sandbox.requests(), requests, 'nothing is sent');
}

const wrongState = {
  title: 'a callback with a wrong state',
  async run({garage, page, sandbox}) {
    await signIn(page, garage, 'Ada');
    await changesNothing(page, garage, sandbox, `${garage.url}/callback?code=stolen&state=${'0'.repeat(64)}`);
    await isNoticed(page, /^This link was not opened here, so nothing was changed\./);
    await changesNothing(page, garage, sandbox, `${garage.url}/callback?code=stolen`);
    await isNoticed(page, /was not opened here/);
  },
};

const used = {
  title: 'a repeated callback returns the first result',
  async run({garage, page, sandbox}) {
    await signIn(page, garage, 'Ada');

    const address = await connect(page, garage, {owner: 'ada'});

    await page.locator('.readings > div').first().waitFor();
    await changesNothing(page, garage, sandbox, address);
    await isNoticed(page, /^Thank you\./);
    assert.deepEqual(await models(page), ['Model 3']);
  },
};

const damaged = {
  title: 'a malformed callback',
  async run({garage, page, sandbox}) {
    await signIn(page, garage, 'Ada');
    await changesNothing(page, garage, sandbox, `${garage.url}/callback?code=x&state=%zz`);
    await isNoticed(page, /^The address that brought you here is damaged/);
  },
};

// CSRF: an attacker sends a link to somebody else, whose vehicle it would connect.
const ofSomebodyElse = {
  title: 'a link that somebody else has begun gives them no vehicle',
  async run({garage, page, sandbox, browser}) {
    const mallory = (await browser.visitor(garage)).page;

    await signIn(mallory, garage, 'Mallory');
    await signIn(page, garage, 'Ben');
    await mallory.click('a[href="/connect"]');
    await mallory.waitForSelector('a.owner');
    await page.goto(mallory.url());
    await consent(page, {owner: 'ben'});
    await page.waitForURL(`${garage.url}/garage`);
    await isNoticed(page, /^This link belongs to another account, so nothing was changed\./);
    assert.deepEqual(await models(page), []);
    await mallory.goto(`${garage.url}/garage`);
    assert.deepEqual(await models(mallory), []);
    assert.equal(await sandbox.requests(), 0, 'nothing was sent');
  },
};

const signedOut = {
  title: 'a callback without a signed-in owner waits until the owner signs in',
  async run({garage, page, sandbox, browser, visitor}) {
    browser.allow(/status of 403/);
    await signIn(page, garage, 'Ada');
    await page.click('a[href="/connect"]');
    await page.waitForSelector('a.owner');

    const session = (await visitor.context.cookies(garage.url))[0];

    await visitor.context.clearCookies();
    await consent(page, {owner: 'ada'});
    await page.waitForURL(`${garage.url}/callback?**`);
    await isNoticed(page, /^You are not signed in, so nothing was connected\./);
    assert.equal(await sandbox.requests(), 0);
    await visitor.context.addCookies([session]);
    await page.reload();
    await page.waitForURL(`${garage.url}/garage`);
    assert.deepEqual(await models(page), ['Model 3']);
  },
};

const silent = (version, path, parameter, credential) => ({
  title: `${version}: Smartcar does not respond: a sentence, no stack, no secret in the log`,
  version,
  async run({garage, page, sandbox, visitor}) {
    await signIn(page, garage, 'Ada');
    await sandbox.ask('faults', {match: {path}, times: 0, drop: 'after'});

    const address = await connect(page, garage, {owner: 'ada'});
    const proof = new URL(address).searchParams.get(parameter);
    const state = new URL(address).searchParams.get('state');
    const [{value: cookie}] = await visitor.context.cookies(garage.url);

    await isNoticed(page, /^Smartcar did not respond, so nothing was connected\. Please connect again in a few minutes\.$/);
    assert.match(garage.log, /^\S+ SC001: /m, 'the log says why');
    for (const secret of [proof, state, cookie, credential]) {
      assert(secret.length > 8 && !garage.log.includes(secret), 'a secret is in the log');
      assert(!(await page.content()).includes(secret), 'a secret is on the page');
    }
    assert.doesNotMatch(await page.content(), /SC001|\.js:\d|Error/);
  },
});

module.exports = [wrongState, used, damaged, ofSomebodyElse, signedOut,
  silent('v3', '/v3/connections', 'user_id', 'sandbox-api-secret'), silent('v2', '/oauth/token', 'code', 'sandbox-client-secret')];
