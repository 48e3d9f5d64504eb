'use strict';

// The same links by the SDK, whose client is made once and kept.
//
// Only the length of a link is asked for.  V8 may then leave its pieces
// unjoined, which is to the SDK's advantage.

const smartcar = require('smartcar');

const {readLines, measure} = require('./measure');

const SCOPE = [
  'required:read_vehicle_info', 'required:read_vin', 'required:read_odometer', 'read_battery',
  'read_charge', 'control_charge', 'read_location', 'control_security', 'read_tires', 'read_security',
];

const calls = Number(process.env.ROWS);

const client = new smartcar.AuthClient({
  clientId: '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
  clientSecret: 'unused',
  redirectUri: 'https://app.example.com/callback?tenant=7',
  mode: 'live',
});

function measureLinks(caseName, file, toInput) {
  const rows = readLines(file).map((line) => JSON.parse(line));
  const inputs = rows.map(toInput);

  inputs.forEach(({scope, options}, i) => {
    const url = client.getAuthUrl(scope, options);

    if (url !== rows[i].url) {
      throw new Error(`the SDK builds another link: ${url}\ninstead of: ${rows[i].url}`);
    }
  });
  measure(caseName, 'sdk', calls, inputs, ({scope, options}) => client.getAuthUrl(scope, options).length);
}

measureLinks('connect link', 'link.json', ({state}) => ({
  scope: SCOPE,
  options: {state, makeBypass: 'TESLA'},
}));
measureLinks('connect link, scope from a column', 'link_with_scope.json', ({state, scope}) => ({
  scope,
  options: {state, makeBypass: 'TESLA'},
}));
measureLinks('connect link, every option', 'link_with_all.json', ({state, external_id: user, vin}) => ({
  scope: SCOPE,
  options: {
    state,
    user,
    makeBypass: 'TESLA',
    forcePrompt: true,
    singleSelect: {enabled: true, vin},
    flags: {color: '00819D', country: 'DE'},
  },
}));
