'use strict';

// The parts of a sandbox, and its reset.

const {Clock} = require('./clock');
const {Faults} = require('./faults');
const {Limits} = require('./limits');
const {Log} = require('./log');
const {Store} = require('./store');
const {Tokens} = require('./tokens');
const {Webhooks} = require('./webhooks');
const {defaultSettings} = require('./settings');

function makeSandbox(overrides) {
  const sandbox = {
    log: new Log(), faults: new Faults(), statistics: {}, lastRequest: Date.now(),
    reset() {
      sandbox.settings = defaultSettings(overrides);
      sandbox.clock = new Clock();
      sandbox.store = new Store(sandbox.clock, sandbox.settings);
      sandbox.tokens = new Tokens(sandbox.clock, sandbox.settings);
      sandbox.limits = new Limits(sandbox.clock, sandbox.settings);
      if (sandbox.webhooks) {
        sandbox.webhooks.stop();
      }
      sandbox.webhooks = new Webhooks(sandbox);
      sandbox.faults.clear();
      sandbox.log.clear();
    },
  };

  sandbox.reset();
  return sandbox;
}

module.exports = {makeSandbox};
