'use strict';

// Text that would be a script if it were not escaped.

const assert = require('assert');

const {signIn, connect, card, isNoticed} = require('../steps');

const SCRIPT = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;`;
const ADAS_CAR = '36ab27d0-fd9d-4455-823a-ce30af709ffc';

// The page contains only scripts, images and elements of the garage.
async function isHarmless(page) {
  assert.deepEqual(await page.evaluate(() => [...document.scripts].map(({src}) => new URL(src).pathname)), ['/live.js']);
  assert.deepEqual(await page.evaluate(() => [...document.images].map(({src}) => new URL(src).pathname).filter((path) => path !== '/icon.svg')), []);
  assert.equal(await page.evaluate(() => document.querySelectorAll('[onerror], [style], style, iframe').length), 0);
}

const injection = {
  title: 'scripts in names, ids, models and callbacks are shown as text',
  async run({garage, page, sandbox}) {
    await garage.sql('INSERT INTO garage.owner (name, external_id) VALUES ($1, $1)', [SCRIPT.slice(0, 80)]);
    await signIn(page, garage, SCRIPT.slice(0, 80));
    assert.equal(await page.textContent('.top .owner'), SCRIPT.slice(0, 80));
    assert.equal(await page.textContent('footer code'), SCRIPT.slice(0, 80));
    await isHarmless(page);

    await sandbox.ask('vehicle', {id: ADAS_CAR, model: SCRIPT});
    await connect(page, garage, {owner: 'ada', ticked: ['Vehicle Information']});
    assert.equal(await page.textContent('article.card h2'), SCRIPT);
    await page.locator('.readings > div').first().waitFor();
    await isHarmless(page);

    await page.click('a[href="/connect"]');

    const state = new URL(page.url()).searchParams.get('state');

    await page.goto(`${garage.url}/callback?error=access_denied&error_description=${encodeURIComponent(SCRIPT)}&state=${state}`);
    await isNoticed(page, /^You did not agree, so nothing was connected\. You can connect at any time\.$/);
    await isHarmless(page);

    await garage.sql("UPDATE smartcar_tesla.connection SET error_type = 'VEHICLE_STATE', error_description = $1", [SCRIPT]);
    await garage.sql('UPDATE garage.reading SET value = to_jsonb($1::text), unit = $1', [SCRIPT]);
    await page.reload();
    assert((await page.textContent('.panel')).includes(`Smartcar says: ${SCRIPT}`));
    assert((await page.textContent('.readings')).includes(`${SCRIPT} ${SCRIPT}`));
    await isHarmless(page);
  },
};

const policy = {
  title: 'a script that is injected into the page does not run',
  async run({garage, page, browser}) {
    browser.allow(/Content Security Policy/);
    await signIn(page, garage, 'Ada');
    await page.evaluate(() => {
      const script = document.createElement('script');

      script.textContent = 'document.title = "taken over"';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="https://evil.example/x"><button id="x" onclick="document.title = 1">');
    });
    await page.click('#x');
    assert.equal(await page.title(), 'Your vehicles · Garage');

    const {headers} = await fetch(garage.url);

    assert.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  },
};

module.exports = [injection, policy];
