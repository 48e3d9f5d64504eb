'use strict';

// Time limits, because a test that hangs reports nothing.

class TooLate extends Error {}

async function within(seconds, what, promise) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new TooLate(`${what} took more than ${seconds} s`)), seconds * 1000);
  });

  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

module.exports = {TooLate, within};
