'use strict';

// The pictures of the manual.

const fs = require('fs');
const path = require('path');

const {signIn, through, connect, waitForBadge} = require('./steps');

const LIMIT = 150 * 1024;

async function take(page, folder, name, fullPage = false) {
  const file = path.join(folder, `${name}.png`);

  await page.evaluate(() => document.activeElement.blur());
  await page.mouse.move(0, 0);
  await page.screenshot({path: file, fullPage});
  if (fs.statSync(file).size > LIMIT) {
    throw new Error(`${file} is too large: ${fs.statSync(file).size}`);
  }
  process.stdout.write(`# ${file}\n`);
}

// The id is the same in every run, so that pictures change only if the pages do.
async function startOver(sandbox, garage) {
  await sandbox.ask('reset', {});
  await garage.startOver();
  await garage.sql("INSERT INTO garage.owner (name, external_id) VALUES ('Ada', 'owner-7')");
}

async function reported(page, count) {
  await page.locator('.readings').nth(count - 1).locator('time').first().waitFor();
}

async function takePictures(folder, {sandbox, garage, browser}) {
  fs.mkdirSync(folder, {recursive: true});
  await startOver(sandbox, garage);

  const {page} = await browser.visitor(garage);

  await signIn(page, garage, 'Ada');
  await connect(page, garage, {owner: 'ada', ticked: ['Vehicle Information']});
  await reported(page, 1);
  await take(page, folder, 'example-missing');
  await through(page, garage, 'a.button:text("Update access")', {owner: 'ada', ticked: 'all'});
  await reported(page, 1);
  await take(page, folder, 'example-key');
  await connect(page, garage, {owner: 'ben'});
  await sandbox.ask('vehicle', {id: '36ab27d0-fd9d-4455-823a-ce30af709ffc', paired: true});
  await page.click('text=I have added it');
  await page.locator('.notice', {hasText: /checked again|changed/}).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll('.badge')].every(({textContent}) => textContent === 'Ready'));
  await reported(page, 3);
  await take(page, folder, 'example-ready', true);

  const phone = (await browser.visitor(garage, {viewport: 'phone', colorScheme: 'dark'})).page;

  await startOver(sandbox, garage);
  await signIn(phone, garage, 'Ada');
  await connect(phone, garage, {owner: 'ada'});
  await reported(phone, 1);
  await take(phone, folder, 'example-phone');

  const other = (await browser.visitor(garage)).page;

  await signIn(other, garage, 'Byron');
  await connect(other, garage, {owner: 'ada'});
  await signIn(page, garage, 'Ada');
  await waitForBadge(page, 'In another account');
  await take(page, folder, 'example-moved');
  await browser.closeVisitors();
}

module.exports = {takePictures};
