'use strict';

// Tests the sandbox itself, end to end: each file of self_test/ starts one and acts as a
// client.
//
// Usage: node self_test.js [NAME...]     the files with these names, default all

const fs = require('fs');
const path = require('path');

const directory = path.join(__dirname, 'self_test');
const subjects = fs.readdirSync(directory).filter((name) => name.endsWith('_test.js')).map((name) => name.slice(0, -'_test.js'.length));

async function main(names) {
  let passed = 0;
  let failed = 0;

  for (const subject of names.length > 0 ? names : subjects) {
    const {startSandbox} = require('./self_test/client');
    const {args = [], tests} = require(path.join(directory, `${subject}_test.js`));
    const sandbox = await startSandbox(args);

    for (const [what, test] of Object.entries(tests)) {
      try {
        await sandbox.control('POST', 'reset');
        await test(sandbox);
        passed += 1;
        console.log(`ok - ${subject}: ${what}`);
      } catch (error) {
        failed += 1;
        console.log(`not ok - ${subject}: ${what}\n${String(error.stack).replace(/^/gm, '# ')}`);
      }
    }
    await sandbox.stop();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

main(process.argv.slice(2)).catch((error) => {
  console.log(`${error.stack}\n0 passed, 1 failed`);
  process.exit(1);
});
