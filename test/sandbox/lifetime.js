'use strict';

// When the sandbox ends: on a signal, when the one who started it is gone, or
// when nobody has asked for anything for a while.
//
// The starter is seen to be gone when our standard input ends, if it is a pipe:
// the system closes the other end whatever happened to it.  A pipe that another
// child of the starter has inherited stays open, though; for that there is
// --parent-pid.

const fs = require('fs');

function end() {
  process.exit(0);
}

function watchStandardInput() {
  let status;

  try {
    status = fs.fstatSync(0);
  } catch (error) {
    return;
  }
  // /dev/null or a file tells nothing: it is at its end from the beginning
  if (!status.isFIFO() && !status.isSocket()) {
    return;
  }
  process.stdin.on('end', end);
  process.stdin.on('close', end);
  process.stdin.on('error', end);
  process.stdin.resume();
}

function watchParent(pid) {
  setInterval(() => {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (error.code === 'ESRCH') {
        end();
      }
    }
  }, 500);
}

// idle: after how many seconds without a request it ends.
function watchLifetime(sandbox, {parentPid, idle}) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, end);
  }
  watchStandardInput();
  if (parentPid) {
    watchParent(parentPid);
  }
  setInterval(() => {
    if (Date.now() - sandbox.lastRequest > idle * 1000) {
      end();
    }
  }, Math.min(10000, idle * 500));
}

module.exports = {watchLifetime};
