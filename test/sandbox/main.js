'use strict';

// Starts a local Smartcar.
//
// Usage: node main.js [--grace SECONDS] [--code-lifetime SECONDS]
//                     [--access-lifetime SECONDS] [--refresh-lifetime SECONDS]
//                     [--delay MILLISECONDS] [--no-bucket] [--tls]
//                     [--parent-pid PID] [--idle SECONDS]
//
// --no-bucket: no rate limit of the application, also after POST /sandbox/reset.
//
// Prints one line of JSON with its addresses, and nothing else.

const fs = require('fs');

const {makeSandbox} = require('./sandbox');
const {makeHandler} = require('./exchange');
const {openListeners} = require('./listeners');
const {makeCertificates} = require('./certificates');
const {watchLifetime} = require('./lifetime');

const numbers = {
  '--grace': 'grace', '--code-lifetime': 'code_lifetime', '--access-lifetime': 'access_lifetime',
  '--refresh-lifetime': 'refresh_lifetime', '--delay': 'delay', '--parent-pid': 'parent_pid', '--idle': 'idle',
};

function usage(message) {
  process.stderr.write(`main.js: ${message}\n`);
  process.exit(2);
}

function readArguments(words) {
  const options = {};

  for (let i = 0; i < words.length; i++) {
    const name = numbers[words[i]];

    if (words[i] === '--tls') {
      options.tls = true;
    } else if (words[i] === '--no-bucket') {
      options.application_bucket = null;
    } else if (name && /^\d+(\.\d+)?$/.test(words[i + 1] || '')) {
      i += 1;
      options[name] = Number(words[i]);
    } else {
      usage(name ? `${words[i]} needs a number` : `unknown argument: ${words[i]}`);
    }
  }
  return options;
}

// The line is written as a whole, and the descriptor is then redirected: a reader sees the
// end of the file, and no later socket gets the number 1.
function announce(addresses) {
  fs.writeSync(1, `${JSON.stringify({...addresses, pid: process.pid})}\n`);
  fs.closeSync(1);
  fs.openSync('/dev/null', 'w');
}

async function main() {
  const {tls, parent_pid: parentPid, idle = 1800, ...settings} = readArguments(process.argv.slice(2));
  const sandbox = makeSandbox(settings);

  watchLifetime(sandbox, {parentPid, idle});

  const certificates = tls ? makeCertificates() : null;

  announce(await openListeners((secure) => makeHandler(sandbox, secure), certificates, sandbox.statistics));
}

main().catch((error) => {
  process.stderr.write(`main.js: ${error.stack}\n`);
  process.exit(1);
});
