'use strict';

// The list of models that Smartcar supports.

const assert = require('assert');

const PATH = '/v3/compatible-vehicles';

const ids = ({json}) => json.data.map(({id}) => id);

const tests = {
  async 'filters need no credentials'(sandbox) {
    const response = await sandbox.get(`${PATH}?filter[make]=TESLA&filter[region]=US&filter[powertrainType]=BEV`);

    assert.strictEqual(response.status, 200);
    assert.strictEqual(response.headers['cache-control'], 'public, max-age=86400');
    assert.deepStrictEqual(ids(response), [
      'TESLA-Cybertruck-2024-2026-BEV-US', 'TESLA-Model 3-2016-2026-BEV-US', 'TESLA-Model S-2012-2026-BEV-US',
      'TESLA-Model X-2015-2026-BEV-US', 'TESLA-Model Y-2020-2026-BEV-US',
    ]);

    const {capabilities, ...attributes} = response.json.data[1].attributes;

    assert.deepStrictEqual(attributes, {make: 'TESLA', model: 'Model 3', years: {start: 2016, end: 2026}, powertrainType: 'BEV', region: 'US'});
    for (const expected of [
      {type: 'signal', capability: 'closure-islocked', code: 'IsLocked'}, {type: 'command', capability: 'charge-start', code: 'Start'},
      {type: 'permission', capability: 'control_charge', code: 'control_charge'},
    ]) {
      assert.deepStrictEqual(capabilities.find(({capability}) => capability === expected.capability), expected);
    }
    assert.deepStrictEqual(ids(await sandbox.get(`${PATH}?filter[powertrainType]=PHEV&filter[region]=EUROPE`)), ['VOLVO-XC60-2018-2025-PHEV-EUROPE']);
    assert.deepStrictEqual(ids(await sandbox.get(`${PATH}?filter[make]=NONE`)), []);
  },

  async 'pages do not count as requests'(sandbox) {
    const found = [];
    let next = PATH;

    while (next) {
      const response = await sandbox.get(next);

      found.push(...ids(response));
      next = response.json.links.next && response.json.links.next.replace(/^http:\/\/[^/]*/, '');
    }
    assert.deepStrictEqual([found.length, new Set(found).size], [21, 21]);
    assert.strictEqual((await sandbox.get(`${PATH}?page[size]=101`)).status, 400);
    assert.strictEqual((await sandbox.control('GET', 'limits')).application.requests, 0);
  },

  async 'other methods and paths are refused'(sandbox) {
    assert.strictEqual((await sandbox.delete(PATH)).status, 404);
  },
};

module.exports = {tests};
