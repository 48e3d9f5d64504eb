'use strict';

// Runs the cases one after the other and reports each.  Started by run.sh.

const {Sandbox} = require('./sandbox');
const {Garage} = require('./garage');
const {Browser} = require('./browser');
const {takePictures} = require('./pictures');
const {TooLate, within} = require('./limit');

const CASE_LIMIT = 120;
const STOP_LIMIT = 60;

const cases = ['connect', 'callback', 'owners', 'webhook', 'signals', 'fix', 'hostile', 'look', 'stop'].flatMap((name) => require(`./cases/${name}`));

async function runWithVisitor({viewport = 'desktop', run}, {sandbox, garage, browser}) {
  await sandbox.ask('reset', {});
  await garage.startOver();

  const visitor = await browser.visitor(garage, {viewport});

  try {
    await run({sandbox, garage, browser, page: visitor.page, visitor});
    await browser.complain();
  } catch (error) {
    error.stack += `\nat ${visitor.page.url()}`;
    throw error;
  }
}

async function runWithin(each, {sandbox, garages, browser}) {
  await within(CASE_LIMIT, 'the case', runWithVisitor(each, {sandbox, garage: garages[each.version || 'v3'], browser}));
  await within(STOP_LIMIT, 'closing the pages', browser.closeVisitors());
}

// A Chromium that hangs is no fault of the garage.  After any other case that hangs, later
// cases are not reliable.
async function runCase(each, all) {
  const {browser} = all;

  try {
    await runWithin(each, all).catch(async (error) => {
      if (await browser.isAlive()) {
        throw error;
      }
      process.stdout.write(`note - browser: Chromium did nothing any more in "${each.title}", which was run again in a new one\n`);
      await browser.startAgain();
      await runWithin(each, all);
    });
    process.stdout.write(`ok - browser: ${each.title}\n`);
    return true;
  } catch (error) {
    const text = String(error.stack || error).replace(/\x1b\[[0-9;]*m/g, '');

    process.stdout.write(`not ok - browser: ${each.title}\n${text.replace(/^/gm, '# ')}\n`);
    if (error instanceof TooLate) {
      process.exit(1);
    }
    await within(STOP_LIMIT, 'closing the pages', browser.closeVisitors());
    return false;
  }
}

async function main() {
  const {CASES: wanted = '', SCREENSHOTS: pictures} = process.env;
  const sandbox = await Sandbox.start(process.env.BROWSER_SANDBOX);
  const garages = {};
  let failed = 0;

  for (const [version, apiVersion] of [['v3', '3'], ['v2', '2.0']]) {
    garages[version] = await Garage.start({
      folder: process.env.BROWSER_EXAMPLE, database: `${process.env.BROWSER_DATABASE}_${version}`, sandbox, apiVersion,
    });
  }

  const browser = await Browser.start(process.env.BROWSER_EXECUTABLE);

  for (const each of cases.filter(({title}) => title.includes(wanted))) {
    failed += await runCase(each, {sandbox, garages, browser}) ? 0 : 1;
  }
  if (pictures) {
    await takePictures(pictures, {sandbox, garage: garages.v3, browser});
  }
  await browser.stop();
  await within(STOP_LIMIT, 'ending the example', Promise.all(Object.values(garages).map((garage) => garage.stop())));
  sandbox.stop();
  return failed;
}

main().then((failed) => process.exit(failed === 0 ? 0 : 1), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
