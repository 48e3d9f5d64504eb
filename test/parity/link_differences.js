'use strict';

// Links that the packages and the extension build differently on purpose.
//
// The entries are explained in known_differences.js.

const {backendUrl, frontendUrl, INSTANCE_ID, WINDOW_ORIGIN} = require('./packages');
const {takeApart, parameter} = require('./compare');
const {linkQuestion} = require('./database');
const {usual, v3} = require('./edge_cases');

const refused = (sqlstate = '22023') => ({sqlstate});
const value = (result) => ({value: result});

// One parameter of the link on both sides.
const valueOf = (name) => (url) => parameter(url, name);

// A parameter of the link, including its bytes.
const bytesOf = (name) => (url) => takeApart(url).query.split('&').filter((part) => part.startsWith(`${name}=`));

function difference(build, what, reason, {link, changes, see, theirs, ours, question = linkQuestion(link)}) {
  return {
    what,
    reason,
    cases: [{see, package: () => build(link, changes), question, theirs, ours}],
  };
}

const backend = (...rest) => difference(backendUrl, ...rest);
const frontend = (...rest) => difference(frontendUrl, ...rest);

const backendDifferences = [
  backend('an empty list of permissions', 'the package prints an empty scope instead of leaving the choice to the dashboard', {
    link: {...usual, scope: []}, see: bytesOf('scope'), theirs: value(['scope=']), ours: refused(),
  }),
  backend('a permission that Smartcar does not know', 'the package prints any name, a typo too', {
    link: {...usual, scope: ['read_odmeter']}, see: valueOf('scope'), theirs: value('read_odmeter'), ours: refused(),
  }),
  backend('two permissions in one element', 'the package joins with spaces and does not look inside', {
    link: {...usual, scope: ['read_vin read_charge']}, see: valueOf('scope'), theirs: value('read_vin read_charge'), ours: refused(),
  }),
  backend('a null among the permissions', 'the package prints it as an empty name', {
    link: {...usual, scope: ['read_vin', null]}, see: valueOf('scope'), theirs: value('read_vin '), ours: refused('22004'),
  }),
  backend('single select switched off together with a VIN', 'the package lets the VIN win without a word', {
    link: {...usual, single_select: false, single_select_vin: '5YJSA1E14FF101307'},
    see: valueOf('single_select'), theirs: value('true'), ours: refused(),
  }),
  backend('single select as a plain boolean', 'the package documents it and ignores it', {
    link: {...usual, single_select: true}, changes: {singleSelect: true},
    see: valueOf('single_select'), theirs: value(null), ours: value('true'),
  }),
  backend('no mode', 'the package always prints one, the extension leaves Smartcar\'s default to Smartcar', {
    link: {...usual, mode: undefined}, see: valueOf('mode'), theirs: value('live'), ours: value(null),
  }),
  backend('no make', 'the extension is for Teslas and skips the list of brands unless it is told not to', {
    link: {client_id: usual.client_id}, question: {kind: 'link by default', input: {client_id: usual.client_id}},
    see: valueOf('make'), theirs: value(null), ours: value('TESLA'),
  }),
  backend('flags in another order', 'jsonb keeps names shortest first, the package keeps the order of the object', {
    link: {...usual, flags: {country: 'DE', color: '00819D'}},
    see: valueOf('flags'), theirs: value('country:DE color:00819D'), ours: value('color:00819D country:DE'),
  }),
  backend('no flags in the object', 'the package prints an empty parameter', {
    link: {...usual, flags: {}}, see: bytesOf('flags'), theirs: value(['flags=']), ours: value([]),
  }),
  backend('a flag that is null', 'the package prints the word null', {
    link: {...usual, flags: {country: null}}, see: valueOf('flags'), theirs: value('country:null'), ours: refused(),
  }),
  backend('a flag that is an object', 'the package prints what JavaScript calls it', {
    link: {...usual, flags: {country: {code: 'DE'}}}, see: valueOf('flags'), theirs: value('country:[object Object]'), ours: refused(),
  }),
  backend('a flag with a space in it', 'the package prints what reads as two flags', {
    link: {...usual, flags: {country: 'DE tesla_auth:true'}},
    see: valueOf('flags'), theirs: value('country:DE tesla_auth:true'), ours: refused(),
  }),
  backend('a flag without a value', 'the package prints a name and a colon', {
    link: {...usual, flags: {country: ''}}, see: valueOf('flags'), theirs: value('country:'), ours: refused(),
  }),
  backend('a flag that is a large number', 'numeric is printed in full, a JavaScript number with an exponent', {
    link: {...usual, flags: {serial: 1e21}}, see: valueOf('flags'), theirs: value('serial:1e+21'), ours: value(`serial:1${'0'.repeat(21)}`),
  }),
  backend('a flag that is a number with trailing zeros', 'JavaScript forgets how a number was written, numeric does not', {
    link: {...usual, flags: {version: 1.50}}, question: linkQuestion({...usual, flags: '{"version": 1.50}'}),
    see: valueOf('flags'), theirs: value('version:1.5'), ours: value('version:1.50'),
  }),
  backend('the id of an API credential', 'the package takes it, and Connect answers "400: Invalid parameter client_id"', {
    link: {...usual, client_id: 'client_01JABCDEF'}, see: valueOf('client_id'), theirs: value('client_01JABCDEF'), ours: refused(),
  }),
  backend('an application id with a space', 'the package takes any text', {
    link: {...usual, client_id: 'my application'}, see: valueOf('client_id'), theirs: value('my application'), ours: refused(),
  }),
  ...['http://example.com/callback', 'javascript:alert(1)', 'test_url', 'https://example.com/callback#top', 'https://'].map((uri) =>
    backend(`the redirect URI ${uri}`, 'the package takes any text, Smartcar\'s dashboard does not', {
      link: {...usual, redirect_uri: uri}, see: valueOf('redirect_uri'), theirs: value(uri), ours: refused(),
    })),
  backend('an empty redirect URI', 'the package leaves it out', {
    link: {...usual, redirect_uri: ''}, see: valueOf('redirect_uri'), theirs: value(null), ours: refused(),
  }),
  backend('a link of more than 32768 bytes', 'the package has no limit', {
    link: {...usual, state: 'x'.repeat(40000)}, see: (url) => url.length > 32768, theirs: value(true), ours: refused('54000'),
  }),
  backend('the characters !\'()*', 'both decode to the same, but only the extension encodes them, as RFC 3986 has them reserved', {
    link: {...usual, state: '!\'()*'}, see: bytesOf('state'), theirs: value(['state=!\'()*']), ours: value(['state=%21%27%28%29%2A']),
  }),
];

// The state as the package reads it from the callback; null if it cannot.
function stateThatComesBack(url) {
  try {
    return JSON.parse(atob(parameter(url, 'state'))).originalState;
  } catch {
    return null;
  }
}

const frontendDifferences = [
  frontend('no state', 'the package needs one for itself, to tell its own callback from others', {
    link: v3, see: valueOf('state'), theirs: value(btoa(JSON.stringify({instanceId: INSTANCE_ID}))), ours: value(null),
  }),
  frontend('a state beyond Latin-1', 'the package hands it to btoa(), which throws', {
    link: {...v3, state: '🚗'}, see: valueOf('state'), theirs: {throws: 'InvalidCharacterError'}, ours: value('🚗'),
  }),
  {
    what: 'a state whose base64 has a plus in it',
    reason: 'the package does not percent-encode it, so it reads back as a space and the callback never fires',
    cases: [
      {
        see: stateThatComesBack,
        package: () => frontendUrl({...v3, state: '>>>>>>'}),
        theirs: value(null),
      },
      {
        see: valueOf('state'),
        question: linkQuestion({...v3, state: '>>>>>>'}),
        ours: value('>>>>>>'),
      },
    ],
  },
  frontend('a VIN with a query in it', 'the package does not percent-encode it', {
    link: {...v3, single_select_vin: 'A&make=FORD'}, see: (url) => [parameter(url, 'single_select_vin'), parameter(url, 'make')],
    theirs: value(['A', 'FORD']), ours: value(['A&make=FORD', null]),
  }),
  frontend('an application id with a query in it', 'the package does not percent-encode it', {
    link: {...v3, client_id: 'A&make=FORD'}, see: (url) => [parameter(url, 'application_id'), parameter(url, 'make')],
    theirs: value(['A', 'FORD']), ours: value(['A&make=FORD', null]),
  }),
  frontend('an empty list of permissions', 'the package prints an empty scope instead of leaving the choice to the dashboard', {
    link: {...v3, scope: []}, see: bytesOf('scope'), theirs: value(['scope=']), ours: refused(),
  }),
  frontend('an owner\'s id that is null', 'the package prints the word null, which clears the id; here NULL leaves it out', {
    link: {...v3, external_id: null}, changes: {constructor_options: {externalId: null}},
    see: valueOf('external_id'), theirs: value('null'), ours: value(null),
  }),
  frontend('an owner\'s id that is empty', 'the package prints an empty parameter', {
    link: {...v3, external_id: ''}, see: bytesOf('external_id'), theirs: value(['external_id=']), ours: value([]),
  }),
  frontend('a make that is null', 'the package prints the word null', {
    link: {...v3, make: null}, changes: {link_options: {vehicleInfo: {make: null}}},
    see: valueOf('make'), theirs: value('null'), ours: value(null),
  }),
  frontend('a make that is empty', 'the package prints an empty parameter', {
    link: {...v3, make: ''}, see: bytesOf('make'), theirs: value(['make=']), ours: value([]),
  }),
  frontend('an empty VIN', 'the package prints an empty parameter and switches single select on', {
    link: {...v3, single_select_vin: ''}, see: valueOf('single_select'), theirs: value('true'), ours: value(null),
  }),
  frontend('no redirect URI with the response type "none"', 'the package tells Connect which window to answer; a database has none', {
    link: {...v3, redirect_uri: undefined, response_type: 'none'},
    see: valueOf('app_origin'), theirs: value(WINDOW_ORIGIN), ours: value(null),
  }),
  frontend('the name of the owner\'s id', 'in the newer API it is external_id; the package still has the older name for another option', {
    link: {...v3, external_id: 'owner 7'}, changes: {constructor_options: {externalId: undefined}, link_options: {user: 'owner 7'}},
    see: (url) => [parameter(url, 'user'), parameter(url, 'external_id')], theirs: value(['owner 7', null]), ours: value([null, 'owner 7']),
  }),
];

module.exports = {backendDifferences, frontendDifferences};
