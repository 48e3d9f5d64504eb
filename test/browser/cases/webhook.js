'use strict';

// Webhooks: a signed one changes the page that is open, a forged one nothing.

const assert = require('assert');

const {signIn, connect, card, waitForBadge} = require('../steps');

const ADAS_ID = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
const ADAS_CAR = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
const asleep = {type: 'VEHICLE_ERROR', user_id: ADAS_ID, vehicle_id: ADAS_CAR, error: {type: 'VEHICLE_STATE', code: 'ASLEEP'}, wait: true};

async function send(sandbox, garage, event) {
  return (await sandbox.ask('webhook', {url: `${garage.url}/webhook`, time_scale: 0, ...event}));
}

async function connected({garage, page, sandbox}) {
  await signIn(page, garage, 'Ada');
  await sandbox.ask('vehicle', {id: ADAS_CAR, paired: true});
  await connect(page, garage, {owner: 'ada'});
  assert.equal((await card(page, 'Model 3')).badge, 'Ready');
}

const signed = {
  title: 'a signed webhook changes the open page, and its end changes it back',
  async run(all) {
    const {garage, page, sandbox} = all;

    await connected(all);
    assert.equal((await send(sandbox, garage, asleep)).accepted, true);
    await waitForBadge(page, 'One moment');
    assert.match(await page.textContent('#notice'), /Something has changed/);
    await send(sandbox, garage, {...asleep, state: 'RESOLVED'});
    await waitForBadge(page, 'Ready');
  },
};

const undisturbed = {
  title: 'an owner who reads a card, or moves by keyboard, is not disturbed by a change',
  async run(all) {
    const {garage, page, sandbox} = all;

    await connected(all);
    await page.focus('.card summary');
    await page.keyboard.press('Enter');
    await page.evaluate(() => {
      document.body.style.minHeight = '5000px';
      window.scrollTo(0, 3000);
    });
    await send(sandbox, garage, asleep);
    await waitForBadge(page, 'One moment');
    assert.equal(await page.locator('.card details[open]').count(), 1);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');
    assert.equal(await page.evaluate(() => window.scrollY), 3000);
  },
};

// Every link and button that a card can have can be found again by its id.
const found = {
  title: 'what has the focus in a card has an id of its own, also if two users have the vehicle',
  async run(all) {
    const {garage, page} = all;

    await signIn(page, garage, 'Ben');
    await connect(page, garage, {owner: 'ben', ticked: ['Vehicle Information']});
    await connect(page, garage, {owner: 'ada'});
    await garage.sql(`INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, make, model, granted_scopes)
      SELECT server, 'another-user', vehicle_id, external_id, make, model, granted_scopes FROM smartcar_tesla.connection`);
    await page.reload();
    await page.locator('.key').first().waitFor();

    const ids = await page.locator('#vehicles :is(a, button, summary)').evaluateAll((elements) => elements.map(({id}) => id));

    assert(ids.length >= 6);
    assert.equal(new Set(ids.filter(Boolean)).size, ids.length);
  },
};

const forged = {
  title: 'a forged webhook is 401 and changes nothing',
  async run(all) {
    const {garage, page, sandbox} = all;

    await connected(all);

    const before = await garage.everything();

    for (const forgery of [{management_token: 'guessed'}, {signature: '0'.repeat(64)}, {signature: ''}]) {
      const {accepted, deliveries} = await send(sandbox, garage, {...asleep, ...forgery});

      assert.equal(accepted, false);
      assert.deepEqual(deliveries.map(({response}) => [response.status, response.body]), Array(4).fill([401, '']));
    }
    assert.equal(await garage.everything(), before);
    await page.reload();
    assert.equal((await card(page, 'Model 3')).badge, 'Ready');
    assert.equal(garage.log, '', 'it leaves no trace in the log');
  },
};

const challenge = {
  title: 'a challenge gets its response, a body that is too large is not read',
  async run({garage, sandbox}) {
    const {accepted, deliveries} = await send(sandbox, garage, {type: 'VERIFY', wait: true});

    assert.equal(accepted, true);
    assert.equal(deliveries[0].response.headers['content-type'], 'application/json');

    const response = await fetch(`${garage.url}/webhook`, {method: 'POST', body: Buffer.alloc(1024 * 1024 + 1)});

    assert.equal(response.status, 413);
    assert.equal((await fetch(`${garage.url}/webhook`, {method: 'POST', body: Buffer.alloc(1024 * 1024)})).status, 401);
  },
};

const missed = {
  title: 'a page that was cut off, or its server started again, catches up',
  async run(all) {
    const {garage, page, sandbox, visitor, browser} = all;

    browser.allow(/net::ERR_/);
    await connected(all);
    await visitor.context.setOffline(true);
    await send(sandbox, garage, asleep);
    assert.equal((await card(page, 'Model 3')).badge, 'Ready');
    await visitor.context.setOffline(false);
    await waitForBadge(page, 'One moment');
    await garage.restartServer(() => garage.sql('UPDATE smartcar_tesla.connection SET error_type = NULL, error_action = NULL'));
    await waitForBadge(page, 'Ready');
  },
};

const deaf = {
  title: 'the connection that listens is lost, and nothing that came meanwhile',
  async run(all) {
    const {garage, page} = all;

    await connected(all);
    await garage.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'garage listener' AND datname = current_database()");
    await garage.sql("UPDATE smartcar_tesla.connection SET error_type = 'X', error_action = 'retry'");
    await waitForBadge(page, 'One moment');
  },
};

const behindProxy = {
  title: 'a page that got an error from a proxy listens again',
  async run(all) {
    const {garage, page, browser} = all;

    browser.allow(/status of 502/);
    await connected(all);
    await page.route('**/events', (route) => route.fulfill({status: 502}), {times: 1});
    await page.reload();
    await garage.sql("UPDATE smartcar_tesla.connection SET error_type = 'X', error_action = 'retry'");

    const response = await page.waitForResponse((each) => each.url() === `${garage.url}/events` && each.status() === 200);

    assert.equal(response.headers()['x-accel-buffering'], 'no', 'and the proxy is told not to buffer');
    await waitForBadge(page, 'One moment');
  },
};

const others = {
  title: 'a change of one owner is not told to another',
  async run(all) {
    const {garage, sandbox, browser} = all;
    const other = (await browser.visitor(garage)).page;

    await connected(all);
    await signIn(other, garage, 'Ben');
    await send(sandbox, garage, asleep);
    await waitForBadge(all.page, 'One moment');
    assert.equal(await other.textContent('#notice'), '');
  },
};

module.exports = [signed, undisturbed, found, forged, challenge, missed, deaf, behindProxy, others];
