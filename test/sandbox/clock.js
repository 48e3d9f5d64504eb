'use strict';

// The time of the sandbox: the machine's time plus the seconds that a test has added, so
// that a test does not wait for a token to expire.

class Clock {
  constructor() {
    this.offset = 0;
    this.started = this.iso();
  }

  now() {
    return Date.now() + this.offset;
  }

  advance(seconds) {
    this.offset += seconds * 1000;
  }

  iso(milliseconds = this.now()) {
    return new Date(milliseconds).toISOString();
  }
}

module.exports = {Clock};
