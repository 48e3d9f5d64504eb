'use strict';

// Whether everybody can read, understand and use the pages.

const assert = require('assert');

const {fits} = require('../browser');
const {INTERNAL, signIn, connect, card, waitForBadge} = require('../steps');

// Texts with less contrast to what is behind them than 4.5 to 1.
function faintTexts() {
  function parse(color) {
    return color.match(/[\d.]+/g).map(Number);
  }

  function luminance([red, green, blue]) {
    const [r, g, b] = [red, green, blue].map((value) => {
      const part = value / 255;

      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });

    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function behind(element) {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);

      if (color.length === 3 || color[3] === 1) {
        return color;
      }
    }
    return [255, 255, 255];
  }

  const faint = [];

  for (const element of document.body.querySelectorAll('*')) {
    const text = [...element.childNodes].filter(({nodeType}) => nodeType === Node.TEXT_NODE).map(({data}) => data.trim()).join('');

    if (text !== '' && element.getClientRects().length > 0) {
      const [light, dark] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
      const contrast = (light + 0.05) / (dark + 0.05);

      if (contrast < 4.5) {
        faint.push(`${text.slice(0, 30)}: ${contrast.toFixed(2)}`);
      }
    }
  }
  return faint;
}

// Everything that can be used has a name, and a frame when it has the focus.
async function canBeUsedByKeyboard(page) {
  const nameless = await page.evaluate(() => [...document.querySelectorAll('a, button, input, svg[role=img]')].filter((element) =>
    !(element.textContent.trim() || element.getAttribute('aria-label') || (element.labels && element.labels.length > 0))).length);

  assert.equal(nameless, 0, 'something has no name');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip', 'first comes the way past the header');

  // up to the end of the page, where the focus leaves it; the page may change at any time
  const outline = () => page.evaluate(() => document.activeElement !== document.body && getComputedStyle(document.activeElement).outlineStyle);
  let reached = 0;

  for (let style = await outline(); style; style = await outline()) {
    assert.notEqual(style, 'none', 'the focus is not seen');
    reached++;
    await page.keyboard.press('Tab');
  }
  assert.equal(reached, await page.locator('a:visible, button:visible, summary:visible').count(), 'something is out of reach');
}

async function readable(page, name) {
  assert.deepEqual(await page.evaluate(faintTexts), [], name);
  assert.doesNotMatch(await page.textContent('main'), INTERNAL, name);
  await fits(page);
}

function looks(colorScheme, viewport) {
  return {
    title: `every text has contrast and fits: ${colorScheme}, ${viewport}`,
    async run({garage, browser}) {
      const {page} = await browser.visitor(garage, {colorScheme, viewport});

      await page.goto(garage.url);
      await readable(page, 'sign in');
      await signIn(page, garage, 'Maximiliane-Anneliese von und zu Hohenwaldenburg-Sonnenstein');
      await readable(page, 'nothing yet');
      await canBeUsedByKeyboard(page);
      await connect(page, garage, {owner: 'ben', ticked: ['Vehicle Information']});
      await readable(page, 'something missing');
      await connect(page, garage, {owner: 'ada'});
      await connect(page, garage, {owner: 'carla'});
      await page.locator('.readings > div').first().waitFor();
      await canBeUsedByKeyboard(page);
      await page.click('.card details summary');
      await readable(page, 'a key, a driver');
      assert.equal((await card(page, 'Model 3')).badge, 'Key missing');

      const state = new URL((await page.context().request.get(`${garage.url}/connect`, {maxRedirects: 0})).headers().location).searchParams.get('state');

      await page.goto(`${garage.url}/callback?error=access_denied&state=${state}`);
      await readable(page, 'a refusal');

      const other = (await browser.visitor(garage)).page;

      await signIn(other, garage, 'Ada');
      await connect(other, garage, {owner: 'ada'});
      await waitForBadge(page, 'In another account');
      await readable(page, 'a vehicle in another account');
    },
  };
}

const words = {
  title: 'what owners read has no words of developers',
  async run({garage}) {
    const texts = (await garage.sql(`SELECT unnest(ARRAY[label, hint, button]) AS text FROM garage.hint
      UNION ALL SELECT label FROM garage.signal UNION ALL SELECT message FROM garage.message`)).map(({text}) => text);

    assert(texts.length > 40);
    assert.deepEqual(texts.filter((text) => text !== null && INTERNAL.test(text)), []);
  },
};

module.exports = [words, looks('light', 'desktop'), looks('dark', 'desktop'), looks('light', 'phone'), looks('dark', 'phone')];
