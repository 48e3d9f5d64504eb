'use strict';

// Later problems, and how an owner fixes them.

const assert = require('assert');

const {signIn, through, connect, isNoticed, card, waitForBadge} = require('../steps');

const ADAS_ID = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
const ADAS_CAR = '36ab27d0-fd9d-4455-823a-ce30af709ffc';

async function connected({garage, page, sandbox}) {
  await signIn(page, garage, 'Ada');
  await sandbox.ask('vehicle', {id: ADAS_CAR, paired: true});
  await connect(page, garage, {owner: 'ada'});
  assert.equal((await card(page, 'Model 3')).badge, 'Ready');
}

// The consent page of a re-authentication has no boxes.
const reauthenticate = {
  title: 'the login at Tesla no longer works: log in again',
  async run(all) {
    const {garage, page, sandbox} = all;

    await connected(all);
    await sandbox.ask('owner', {owner: 'ada', authentication_failed: true});
    await sandbox.ask('webhook', {type: 'VEHICLE_ERROR', url: `${garage.url}/webhook`, user_id: ADAS_ID, vehicle_id: ADAS_CAR, wait: true});
    await waitForBadge(page, 'Login needed');

    // the operator will check again soon, and the page then says so instead
    const [response] = await Promise.all([
      page.waitForResponse(`${garage.url}/garage`),
      through(page, garage, 'a.button:text("Log in again")', {owner: 'ada'}),
    ]);

    assert.match(await response.text(), />Thank you\. /);
    assert.equal(await garage.lastLink(), 'reauthenticate');
    await waitForBadge(page, 'Ready');
    assert.equal((await card(page, 'Model 3')).badge, 'Ready');
  },
};

const connectAgain = {
  title: 'a vehicle that was disconnected is connected again',
  async run(all) {
    const {garage, page} = all;

    await connected(all);
    await garage.sql('SELECT * FROM smartcar_delete_connections(vehicle_id => $1)', [ADAS_CAR]);
    await page.click('text=Check again');
    await waitForBadge(page, 'Not connected');
    await through(page, garage, 'a.button:text("Connect again")', {owner: 'ada'});
    assert.equal(await garage.lastLink(), 'connect');
    assert.equal((await card(page, 'Model 3')).badge, 'Ready');
  },
};

const revoked = {
  title: 'access that is withdrawn at Tesla is shown as missing',
  async run(all) {
    const {page, sandbox, garage} = all;

    await connected(all);
    await sandbox.ask('revoke', {owner: 'ada', tesla_permissions: ['vehicle_location']});
    await page.click('text=Check again');
    await waitForBadge(page, 'Access incomplete');
    assert.deepEqual((await card(page, 'Model 3')).missing, ['Vehicle Location']);
    await through(page, garage, 'a.button:text("Update access")', {owner: 'ada'});
    assert.equal(await garage.lastLink(), 'update_access');
    assert.equal((await card(page, 'Model 3')).badge, 'Ready');
  },
};

// The operator may finish before the page listens.
const checkedEarly = {
  title: 'a check that ends before the page listens is shown as done',
  async run(all) {
    const {page, garage} = all;

    await connected(all);
    await page.route('**/events', async (route) => {
      while ((await garage.sql('SELECT FROM garage.check_request')).length > 0) {
        await page.waitForTimeout(100);
      }
      await route.continue();
    });
    await page.click('text=Check again');
    await page.locator('.notice', {hasText: 'We have checked again. Here is the current status of your vehicles.'}).waitFor();
  },
};

module.exports = [checkedEarly, reauthenticate, connectAgain, revoked];
