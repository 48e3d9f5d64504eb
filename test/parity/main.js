'use strict';

// The comparison of the extension with the official packages.
//
// run.sh starts it in a scratch database.  PARITY_SEED and PARITY_CASES choose
// the random cases and how many there are.

const {Random} = require('./random');
const {Report} = require('./report');
const {prepare} = require('./database');
const {backend, frontend} = require('./packages');
const {selfCheck} = require('./self_check');
const {compareBackend, compareFrontend} = require('./link_groups');
const {compareWebhooks} = require('./webhook_groups');
const {compareKnownDifferences} = require('./known_differences');
const {compareCalls} = require('./calls');

const seed = process.env.PARITY_SEED || '1';
const count = Number(process.env.PARITY_CASES || 2000);

if (!Number.isSafeInteger(count) || count < 1) {
  console.error(`PARITY_CASES must be a number of cases: "${process.env.PARITY_CASES}"`);
  process.exit(2);
}

const report = new Report();
const skipped = [backend, frontend].filter((one) => one.skipped);

// Each part has a seed of its own, so that a change in one does not change the cases of the
// others.
const randomFor = (part) => new Random(`${seed}/${part}`);

report.note(`parity: Node ${process.versions.node}, PARITY_SEED=${seed} PARITY_CASES=${count}`);
for (const one of skipped) {
  report.skip(one.skipped);
}
if (skipped.length === 2) {
  process.exit(77);
}

selfCheck(report);
prepare();
compareBackend(report, randomFor('backend'), count);
compareFrontend(report, randomFor('frontend'), Math.ceil(count / 2));
compareWebhooks(report, randomFor('webhooks'), Math.ceil(count / 4));
compareKnownDifferences(report, randomFor('known differences'));
compareCalls(report).then(() => {
  process.exitCode = report.failed === 0 ? 0 : 1;
});
