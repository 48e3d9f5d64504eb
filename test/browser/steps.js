'use strict';

// What owners do in the garage, and what they see there.

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

// Clicks something that leads to Connect, consents there and comes back.  Returns
// the address of the callback.
async function through(page, garage, selector, answers) {
  const [request] = await Promise.all([
    page.waitForRequest((each) => each.url().startsWith(`${garage.url}/callback`)),
    page.click(selector).then(() => consent(page, answers)),
  ]);

  await page.waitForURL(`${garage.url}/garage`);
  await fits(page);
  return request.url();
}

async function connect(page, garage, answers) {
  return through(page, garage, 'a[href="/connect"]', answers);
}

async function notice(page) {
  return (await page.textContent('.notice')).trim();
}

// The words of developers, which owners must not need to know, and names of our own.
const INTERNAL = /\b(scopes?|tokens?|states?|sessions?|callbacks?|webhooks?|SQL|null|undefined)\b|\w_\w/i;

// A card as an owner reads it.
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

// Waits for a card to say something without anybody touching the page.
async function waitForBadge(page, badge) {
  await page.locator('.badge', {hasText: badge}).first().waitFor();
}

async function isNoticed(page, pattern) {
  assert.match(await notice(page), pattern);
}

module.exports = {INTERNAL, signIn, through, connect, notice, isNoticed, card, models, waitForBadge};
