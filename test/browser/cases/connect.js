'use strict';

// From the first click until nothing is missing, on a desktop and on a phone, in both versions
// of the API.

const assert = require('assert');

const {fits} = require('../browser');
const {readQrCode} = require('../qr');
const {signIn, through, connect, isNoticed, card, models, waitForBadge} = require('../steps');

const KEY_LINK = 'https://www.tesla.com/_ak/smartcar.com';
const ADAS_CAR = '36ab27d0-fd9d-4455-823a-ce30af709ffc';

// The link is for a phone: there it is a button; a desktop shows a QR code.
async function checkKeyLink(page, found, viewport) {
  const button = found.locator('a.button.on-phone');

  assert.equal(await button.getAttribute('href'), KEY_LINK);
  assert.equal(await button.isVisible(), viewport === 'phone', 'the button');
  assert.equal(await found.locator('svg.qr').isVisible(), viewport === 'desktop', 'the QR code');
  if (viewport === 'desktop') {
    assert.equal(await readQrCode(page, found.locator('svg.qr')), KEY_LINK);
  }
}

function wholeWay(version, viewport) {
  return {
    title: `${version}, ${viewport}: connect, see what is missing, update access, add the key, nothing is missing`,
    version,
    viewport,
    async run({sandbox, garage, page}) {
      await signIn(page, garage, 'Ada');
      assert.deepEqual(await models(page), []);
      await connect(page, garage, {owner: 'ada', ticked: ['Vehicle Information']});
      await isNoticed(page, /^Thank you/);

      let seen = await card(page, 'Model 3');

      assert.equal(seen.what, 'Tesla · 2021');
      assert.equal(seen.badge, 'Access incomplete');
      assert.deepEqual(seen.missing, ['Profile Information', 'Vehicle Location', 'Vehicle Charge Management']);
      assert.equal(seen.facts['Virtual key'], 'needed, and not added yet');

      await through(page, garage, 'a.button:text("Update access")', {owner: 'ada', ticked: 'all'});
      assert.equal(await garage.lastLink(), 'update_access');
      seen = await card(page, 'Model 3');
      assert.deepEqual(seen.missing, []);
      assert.equal(seen.facts.Permissions, 'all granted');
      assert.equal(seen.badge, 'Key missing');
      await checkKeyLink(page, seen.found, viewport);

      await sandbox.ask('vehicle', {id: ADAS_CAR, paired: true});
      await page.click('text=I have added it');
      await waitForBadge(page, 'Ready');
      seen = await card(page, 'Model 3');
      assert.deepEqual(seen.facts, {Connected: 'through your Tesla account', Permissions: 'all granted', 'Virtual key': 'added'});
      assert.equal(await seen.found.locator('.panel').count(), 0);
      assert.equal(await seen.found.locator('details p').textContent(),
        'Vehicle Information, Profile Information, Vehicle Location, Vehicle Charge Management');
      await fits(page);
    },
  };
}

const deny = {
  title: 'an owner denies, and nothing is connected',
  async run({garage, page, sandbox}) {
    await signIn(page, garage, 'Ada');
    await connect(page, garage, {owner: 'ada', ticked: [], decision: 'deny'});
    await isNoticed(page, /^You did not agree, so nothing was connected\. You can connect at any time\.$/);
    assert.deepEqual(await models(page), []);
    assert.equal(await sandbox.requests(), 0);
    await page.reload();
    assert.equal(await page.locator('.notice').count(), 0, 'it is said once');
  },
};

const noVehicle = {
  title: 'an account without vehicles: the owner is told what to do',
  async run({garage, page}) {
    await signIn(page, garage, 'Nora');
    await connect(page, garage, {owner: 'nora', ticked: []});
    await isNoticed(page, /^There is no vehicle in this Tesla account, so nothing was connected\. Please check the Tesla app and try again\.$/);
  },
};

const several = {
  title: 'several vehicles, of which one needs no key',
  async run({garage, page}) {
    await signIn(page, garage, 'Ben');
    await connect(page, garage, {owner: 'ben'});
    assert.deepEqual(await models(page), ['Model S', 'Model X']);
    assert.deepEqual((await card(page, 'Model S')).facts['Virtual key'], 'not needed for this vehicle');
    assert.deepEqual((await card(page, 'Model X')).facts['Virtual key'], 'added');
    assert.deepEqual(await page.locator('.badge').allTextContents(), ['Ready', 'Ready']);
  },
};

// In v2.0, Smartcar does not tell a driver's account whether there is a key.
function driver(version, viewport, keyFact) {
  return {
    title: `${version}, ${viewport}: a driver sees how to get the key, and nothing that contradicts it`,
    version,
    viewport,
    async run({garage, page}) {
      await signIn(page, garage, 'Carla');
      await connect(page, garage, {owner: 'carla'});

      const {what, badge, facts, found} = await card(page, 'Model Y');

      assert.equal(what, 'Tesla · 2023 · you are a driver');
      assert.equal(badge, 'Key needed');
      assert.deepEqual(facts, {Connected: 'through your Tesla account', Permissions: 'all granted', 'Virtual key': keyFact});
      assert.equal(await found.locator('.panel > p').first().textContent(), 'You use this vehicle as a driver. ' +
        'Stand beside it with the Tesla app open and add our virtual key, or ask its owner to add it.');
      assert.doesNotMatch(await found.textContent(), /cannot add|not known|does not allow/);
      await checkKeyLink(page, found, viewport);
    },
  };
}

const driverElsewhere = {
  title: 'a driver whose vehicle needs its owner does not see the key first',
  async run({garage, page}) {
    await signIn(page, garage, 'Carla');
    await connect(page, garage, {owner: 'carla'});
    await garage.sql(`UPDATE smartcar_tesla.connection
      SET error_type = 'VEHICLE_STATE', error_code = 'IN_MOTION', error_description = 'The vehicle is in motion.', error_action = 'ask_owner'`);
    await page.reload();

    const {badge, found} = await card(page, 'Model Y');

    assert.equal(badge, 'Check the Tesla app');
    assert.match(await found.locator('.panel').textContent(), /Smartcar says: The vehicle is in motion\./);
    assert.equal(await found.locator('.qr').count(), 0);
  },
};

module.exports = [wholeWay('v3', 'desktop'), wholeWay('v3', 'phone'), wholeWay('v2', 'desktop'), deny, noVehicle, several,
  driver('v3', 'desktop', 'needed, and not added yet'), driver('v3', 'phone', 'needed, and not added yet'),
  driver('v2', 'desktop', 'needed; we cannot see whether it was added'), driverElsewhere];
