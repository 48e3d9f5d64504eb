'use strict';

// The steps of an owner in the example application, and what they see there.

const assert = require('assert');

const {consent} = require('./sandbox');
const {fits} = require('./browser');

async function signIn(page, garage, name) {
  await page.goto(garage.url);
  await page.fill('#name', name);
  await page.click('form.sign-in button');
  await page.waitForURL(`${garage.url}/garage`);
  await fits(page);
}

// Clicks a link to Connect and consents there.  Returns the address of the callback.
async function through(page, garage, selector, choices) {
  const [request] = await Promise.all([
    page.waitForRequest((each) => each.url().startsWith(`${garage.url}/callback`)),
    page.click(selector).then(() => consent(page, choices)),
  ]);

  await page.waitForURL(`${garage.url}/garage`);
  await fits(page);
  return request.url();
}

async function connect(page, garage, choices) {
  return through(page, garage, 'a[href="/connect"]', choices);
}

async function notice(page) {
  return (await page.textContent('.notice')).trim();
}

// Words of developers that owners should not see, and internal names.
const INTERNAL = /\b(scopes?|tokens?|states?|sessions?|callbacks?|webhooks?|SQL|null|undefined)\b|\w_\w/i;

// The content of a card.
async function card(page, model) {
  const found = page.locator('article.card', {has: page.locator('h2', {hasText: model})});
  const facts = Object.fromEntries(await found.locator('.facts li').evaluateAll((items) => items.map((item) =>
    [item.querySelector('b').textContent, item.querySelector('b').nextElementSibling.textContent])));

  return {
    what: await found.locator('header p').textContent(), badge: await found.locator('.badge').textContent(), facts,
    missing: await found.locator('.missing em').allTextContents(),
    readings: await found.locator('.readings > div').evaluateAll((items) => items.map((item) => [...item.children].map(({textContent}) => textContent))),
    found,
  };
}

async function models(page) {
  return page.locator('article.card h2').allTextContents();
}

// Waits until a card changes by itself.
async function waitForBadge(page, badge) {
  await page.locator('.badge', {hasText: badge}).first().waitFor();
}

async function isNoticed(page, pattern) {
  assert.match(await notice(page), pattern);
}

module.exports = {INTERNAL, signIn, through, connect, notice, isNoticed, card, models, waitForBadge};
