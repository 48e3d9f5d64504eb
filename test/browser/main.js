'use strict';

// Runs the cases one after the other and says of each whether it went well.
// Started by run.sh.

const {Sandbox} = require('./sandbox');
const {Garage} = require('./garage');
const {Browser} = require('./browser');
const {takePictures} = require('./pictures');

const cases = ['connect', 'callback', 'owners', 'webhook', 'mend', 'hostile', 'look'].flatMap((name) => require(`./cases/${name}`));

async function runCase({title, version = 'v2', viewport = 'desktop', run}, {sandbox, garages, browser}) {
  const garage = garages[version];

  await sandbox.ask('reset', {});
  await garage.startOver();

  const visitor = await browser.visitor(garage, {viewport});

  try {
    await run({sandbox, garage, browser, page: visitor.page, visitor});
    await browser.complain();
    process.stdout.write(`ok - browser: ${title}\n`);
    return true;
  } catch (error) {
    const text = String(error.stack || error).replace(/\x1b\[[0-9;]*m/g, '');

    process.stdout.write(`not ok - browser: ${title}\n${text.replace(/^/gm, '# ')}\n# at ${visitor.page.url()}\n`);
    return false;
  } finally {
    await browser.closeVisitors();
  }
}

async function main() {
  const {CASES: wanted = '', SCREENSHOTS: pictures} = process.env;
  const sandbox = await Sandbox.start(process.env.BROWSER_SANDBOX);
  const garages = {};
  let failed = 0;

  for (const [version, apiVersion] of [['v2', '2.0'], ['v3', '3']]) {
    garages[version] = await Garage.start({
      folder: process.env.BROWSER_EXAMPLE, database: `${process.env.BROWSER_DATABASE}_${version}`, sandbox, apiVersion,
    });
  }

  const browser = await Browser.start(process.env.BROWSER_EXECUTABLE);

  for (const each of cases.filter(({title}) => title.includes(wanted))) {
    failed += await runCase(each, {sandbox, garages, browser}) ? 0 : 1;
  }
  if (pictures) {
    await takePictures(pictures, {sandbox, garage: garages.v2, browser});
  }
  await browser.stop();
  await Promise.all(Object.values(garages).map((garage) => garage.stop()));
  sandbox.stop();
  return failed;
}

main().then((failed) => process.exit(failed === 0 ? 0 : 1), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
