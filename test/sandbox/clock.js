'use strict';

// The time of the sandbox: the machine's, shifted by what a test has asked for.
//
// A test that wants to see a token expire must not wait for it.

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
