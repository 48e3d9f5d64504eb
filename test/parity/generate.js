'use strict';

// Random links and webhook bodies.
//
// The generators make only input that both sides accept and print alike; for the rest see
// known_differences.js.  A link is described by the arguments of smartcar_connect_url().

const permissions = require('./permissions');
const {servers} = require('./servers');
const {letters, plainText, hostileText, hostileLatin1} = require('./hostile_text');

const makes = ['TESLA', 'AUDI', 'BMW', 'FORD', 'HYUNDAI', 'LAND_ROVER', 'MERCEDES_BENZ', 'VOLKSWAGEN', 'Ford', 'tesla'];
const modes = ['live', 'simulated', 'test'];
const vinAlphabet = 'ABCDEFGHJKLMNPRSTUVWXYZ0123456789';

function makeScope(random, extra = []) {
  const known = permissions.concat(extra);

  return random.sample(known, random.between(1, known.length))
    .map((name) => (random.chance(0.3) ? `required:${name}` : name));
}

function makeRedirectUri(random) {
  const start = random.pick([
    'https://example.com', 'https://example.com/callback', 'https://app.example.co.uk:8443/a/b/',
    'https://xn--bcher-kva.example/%C3%BC', 'http://localhost', 'http://localhost:3000/callback',
    `sc${random.uuid()}://exchange`, 'https://example.com/~user/a,b;c(d)!*\'$',
  ]);

  return start + random.pick(['', '', '?', '?tenant=7', '?next=%2Fgarage%3Fid%3D1&lang=de', '?a=b+c&d=e%20f&&g', '?q=100%25',
    `?id=${random.text(letters, 12)}`]);
}

// PostgreSQL's jsonb keeps the names of an object shortest first.
function inOrderOfJsonb(names) {
  return names.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

function makeFlags(random) {
  const names = random.sample(['country', 'color', 'tesla_auth', 'beta', 'feature_1', 'a-b', 'x', 'ab', 'Upper'],
    random.between(1, 5));

  return Object.fromEntries(inOrderOfJsonb(names).map((name) => [name, random.pick([
    'DE', '00819D', 'a.b', plainText(random, 10), 'naïve', 'ключ', true, false, 0, random.below(1e6), -random.below(100),
    random.below(10000) / 100,
  ])]));
}

// The parameters that the links of both packages have.
function makeLink(random, serverNames) {
  const server = random.pick(serverNames);
  const options = servers[server] || {};
  const extra = (options.extra_scopes || '').split(' ').filter((name) => name !== '');
  const link = {};
  const maybe = (name, probability, make) => {
    if (random.chance(probability)) {
      link[name] = make();
    }
  };

  if (server !== null) {
    link.server = server;
  }
  maybe('client_id', options.client_id ? 0.3 : 1, () => random.uuid());
  maybe('redirect_uri', 0.6, () => makeRedirectUri(random));
  maybe('scope', 0.8, () => makeScope(random, extra));
  maybe('mode', options.mode ? 0.3 : 1, () => random.pick(modes));
  maybe('make', 0.5, () => random.pick(makes));
  maybe('force_prompt', 0.5, () => random.chance(0.5));
  maybe('external_id', 0.4, () => (random.chance(0.5) ? random.uuid() : hostileText(random, 6)));
  if (random.chance(0.3)) {
    link.single_select = random.chance(0.5);
  }
  if (link.single_select !== false && random.chance(0.3)) {
    link.single_select_vin = random.text(vinAlphabet, 17);
  }
  maybe('flags', 0.4, () => makeFlags(random));
  return link;
}

function backendLink(random) {
  const link = makeLink(random, [null, 'parity_bare', 'parity_defaults', 'parity_extra']);

  if (link.client_id && random.chance(0.1)) {
    link.client_id = random.pick(['cid', 'a&b=c', 'a+b%20c', '~!*\'()', '"<>"']);
  }
  if (random.chance(0.7)) {
    link.state = random.chance(0.3) ? plainText(random, 64) : hostileText(random, 12);
  }
  return link;
}

function frontendLink(random) {
  const link = makeLink(random, ['parity_v3', 'parity_v3_defaults']);

  if (random.chance(0.7)) {
    link.state = random.chance(0.3) ? plainText(random, 64) : hostileLatin1(random, 12);
  }
  if (random.chance(0.5)) {
    link.response_type = random.pick(['code', 'none']);
  }
  if (link.response_type === 'none' && !link.redirect_uri) {
    link.redirect_uri = makeRedirectUri(random);
  }
  return link;
}

// A JSON value as JSON.parse() would return it.
function makeValue(random, depth) {
  const kind = depth > 0 ? random.below(8) : random.below(6);

  switch (kind) {
    case 0: return null;
    case 1: return random.chance(0.5);
    case 2: return random.below(1000);
    case 3: return (random.next() - 0x80000000) / random.pick([1, 3, 1e3, 1e9, 1e-9, 1e-30]);
    case 4: return random.pick(['', '\u0000', '\ud83d', '\u2028', '\\u0041', '"', plainText(random, 20)]);
    case 5: return hostileText(random, 5);
    case 6: return Array.from({length: random.below(4)}, () => makeValue(random, depth - 1));
    default: return makeObject(random, depth - 1);
  }
}

function makeObject(random, depth) {
  const object = {};

  for (let i = random.below(5); i > 0; i--) {
    object[random.chance(0.8) ? plainText(random, 8) : hostileText(random, 3)] = makeValue(random, depth);
  }
  return object;
}

// The body of an event in Smartcar's format, with random data.
function makeBody(random) {
  return {
    eventId: random.uuid(),
    eventType: random.pick(['VEHICLE_STATE', 'VEHICLE_ERROR', 'VERIFY']),
    data: makeObject(random, 3),
    meta: {version: '4.0', deliveredAt: 1752104218549 + random.below(1e9)},
  };
}

function makeToken(random) {
  return random.chance(0.7) ? random.uuid() : hostileText(random, random.pick([2, 8, 40]));
}

function makeChallenge(random) {
  return random.chance(0.5) ? random.uuid() : hostileText(random, random.pick([1, 8, 60]));
}

module.exports = {backendLink, frontendLink, makeBody, makeToken, makeChallenge};
