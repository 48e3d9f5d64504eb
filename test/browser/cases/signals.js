'use strict';

// The readings of vehicles, with their times.

const assert = require('assert');

const {signIn, connect, isNoticed, card} = require('../steps');

const ADAS_CAR = '36ab27d0-fd9d-4455-823a-ce30af709ffc';

async function connected({garage, page}) {
  await signIn(page, garage, 'Ada');
  await connect(page, garage, {owner: 'ada'});
}

function shown(viewport) {
  return {
    title: `${viewport}: charge and odometer with their units and ages appear by themselves`,
    viewport,
    async run(all) {
      const {garage, page} = all;

      await connected(all);
      await page.locator('.readings > div').first().waitFor();
      assert.deepEqual((await card(page, 'Model 3')).readings,
        [['Charge', '87 %', '1 minute ago'], ['Charging', 'no', '1 minute ago'], ['Odometer', '5,139 km', '1 minute ago']]);
      await isNoticed(page, /^Thank you/);
      await garage.sql("UPDATE garage.reading SET reported_at = now() - interval '3 days 5 hours' WHERE code = 'odometer-traveleddistance'");
      await garage.sql("UPDATE garage.reading SET reported_at = now() + interval '1 hour' WHERE code = 'charge-ischarging'");
      await page.reload();
      assert.deepEqual((await card(page, 'Model 3')).readings.map(([, , age]) => age), ['1 minute ago', 'just now', '3 days ago']);
    },
  };
}

const kept = {
  title: 'a signal that cannot be read keeps its last value, and a late one replaces nothing',
  async run(all) {
    const {garage, page, sandbox} = all;

    await connected(all);
    await page.locator('.readings > div').first().waitFor();
    await sandbox.ask('vehicle', {id: ADAS_CAR, signals: {'tractionbattery-stateofcharge': {type: 'VEHICLE_STATE', code: 'ASLEEP'}}});
    await garage.sql(`UPDATE garage.reading SET value = '5', reported_at = now() +
      CASE code WHEN 'odometer-traveleddistance' THEN interval '2 minutes' ELSE interval '-2 minutes' END`);
    await page.click('text=Check again');
    await page.locator('.notice', {hasText: 'We have checked again.'}).waitFor();
    assert.deepEqual((await card(page, 'Model 3')).readings.map(([, value]) => value), ['5 %', 'no', '5 km']);
  },
};

const none = {
  title: 'a vehicle without signals says so',
  async run(all) {
    const {page, sandbox} = all;

    await sandbox.ask('settings', {webhooks: [{autoSubscribe: false}]});
    await connected(all);
    await page.click('text=Check again');
    await page.locator('.notice', {hasText: 'We have checked again.'}).waitFor();
    assert.equal(await page.textContent('.readings'), 'No readings from this vehicle yet.');
  },
};

const version2 = {
  title: 'v2: there are no signals, and the page does not mention them',
  version: 'v2',
  async run(all) {
    await connected(all);
    assert.equal(await all.page.locator('.readings').count(), 0);
  },
};

module.exports = [shown('desktop'), shown('phone'), kept, none, version2];
