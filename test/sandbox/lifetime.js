'use strict';

// When the sandbox ends: on a signal, when its parent process is gone, or after some time
// without a request.
//
// The parent is gone when standard input ends, if it is a pipe: the system closes the
// other end however the parent ends.  But a pipe that another child has inherited stays
// open; for that there is --parent-pid.

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
  // /dev/null or a file is at its end from the beginning
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

// idle: seconds without a request after which the sandbox ends.
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
