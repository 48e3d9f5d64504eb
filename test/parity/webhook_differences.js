'use strict';

// Webhook bodies that `smartcar` and the extension verify differently.
//
// Smartcar signs the bytes that it sends.  The package parses the body, serializes it with
// JSON.stringify() and hashes that, so it refuses every body that is valid JSON but not as
// JavaScript prints it, and accepts bodies that were never signed.  The entries are
// explained in known_differences.js; those with a list of bodies are made for random data.

const {makeBody} = require('./generate');
const {backend} = require('./packages');
const {sign, verifyQuestion} = require('./signature');

const TOKEN = '5e1f7d1c-3b0a-4c0e-9a55-6d3b7f6f2a10';
const RANDOM_BODIES = 25;

const value = (result) => ({value: result});

// The package gets what the documentation of Node's frameworks passes: the parsed body,
// unless `handOver` says otherwise.
function judged({signed, received = signed, signature = sign(TOKEN, signed), handOver = JSON.parse, theirs, ours, kinds}) {
  return (kinds || ['verify', 'verify text']).map((kind) => ({
    package: () => backend.api.verifyPayload(TOKEN, signature, handOver(received)),
    question: verifyQuestion(kind, TOKEN, received, signature),
    theirs: value(theirs),
    ours: value(ours),
  }));
}

// A correctly signed body that only the extension accepts.
const refusedThere = (bodies, options = {}) => (random) =>
  bodies(random).flatMap((signed) => judged({signed, theirs: false, ours: true, ...options}));

function repeat(make) {
  return (random) => Array.from({length: RANDOM_BODIES}, () => make(random));
}

// The data of an event with one more field, as written.
function bodyWith(random, field) {
  return JSON.stringify(makeBody(random)).replace(/^\{/, `{${field},`);
}

// An integer that JavaScript prints differently.
function longInteger(random) {
  for (;;) {
    const digits = random.text('123456789', 1) + random.text('0123456789', random.between(16, 25));

    if (String(Number(digits)) !== digits) {
      return digits;
    }
  }
}

function escapeCharacter(character) {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const webhookDifferences = [
  {
    what: 'a number such as 100.0',
    reason: 'the package prints it as 100',
    cases: refusedThere(repeat((random) => bodyWith(random, `"distance":${random.below(10000)}.0`))),
  },
  {
    what: 'a number such as 1.5e3',
    reason: 'the package prints it as 1500',
    cases: refusedThere(repeat((random) => bodyWith(random, `"distance":${random.between(1, 9)}.5e${random.between(1, 9)}`))),
  },
  {
    what: 'an integer above 2^53',
    reason: 'the package rounds it',
    cases: refusedThere((random) => ['{"id":9007199254740993}', '{"id":12345678901234567890}',
      ...repeat((r) => bodyWith(r, `"id":${longInteger(r)}`))(random)]),
  },
  {
    what: 'the number -0',
    reason: 'the package prints it as 0',
    cases: refusedThere(() => ['{"change":-0}', '{"change":-0.0}']),
  },
  {
    what: 'characters written as \\u escapes',
    reason: 'the package prints the characters themselves',
    cases: refusedThere((random) => ['{"n":"caf\\u00e9"}', '{"n":"\\ud83d\\ude97"}',
      ...repeat((r) => bodyWith(r, `"note":"${escapeCharacter(r.text('AZaz09 éßЖ漢', 1))}"`))(random)]),
  },
  {
    what: 'an escape in capital letters',
    reason: 'the package prints it in small ones',
    cases: refusedThere(() => ['{"n":"\\u001F"}']),
  },
  {
    what: 'a slash written as \\/',
    reason: 'the package prints a bare one',
    cases: refusedThere(() => ['{"url":"https:\\/\\/example.com\\/"}']),
  },
  {
    what: 'spaces between the parts',
    reason: 'the package prints none',
    cases: refusedThere((random) => ['{"pizza": "pasta"}', ' {}', '{}\n', '{\r\n}',
      ...repeat((r) => JSON.stringify(makeBody(r), null, r.between(1, 4)))(random)]),
  },
  {
    what: 'names that look like integers',
    reason: 'the package prints them first and in numerical order',
    cases: refusedThere((random) => ['{"b":1,"10":2}', '{"10":1,"9":2}',
      ...repeat((r) => bodyWith(r, `"id":"x","${r.below(100)}":true`))(random)]),
  },
  {
    what: 'a name that is there twice',
    reason: 'the package prints the last one only',
    cases: refusedThere(() => ['{"a":1,"a":2}']),
  },
  {
    what: 'the body as text, as the documentation of Smartcar asks for',
    reason: 'the package prints it as a JSON string, quotes and all',
    cases: refusedThere(repeat((random) => JSON.stringify(makeBody(random))), {handOver: (body) => body}),
  },
  {
    what: 'the body as bytes',
    reason: 'the package prints the Buffer as an object of numbers',
    cases: refusedThere(repeat((random) => JSON.stringify(makeBody(random))), {handOver: (body) => Buffer.from(body)}),
  },
  {
    what: 'a body that is not JSON',
    reason: 'there is nothing to parse, and text is refused',
    cases: refusedThere(() => ['', 'challenge=1', '\ufeff{}'], {handOver: (body) => body}),
  },
  {
    what: 'a body that is not UTF-8',
    reason: 'decoding it loses the bytes',
    cases: () => judged({
      signed: Buffer.from('{"n":"\xe9"}', 'latin1'), handOver: (body) => JSON.parse(body.toString('utf8')),
      theirs: false, ours: true, kinds: ['verify'],
    }),
  },
  {
    what: 'a signature in capital letters',
    reason: 'the package compares text, although hexadecimal has no case',
    cases: (random) => repeat((r) => JSON.stringify(makeBody(r)))(random).flatMap((signed) => judged({
      signed, signature: sign(TOKEN, signed).toUpperCase(), theirs: false, ours: true,
    })),
  },
  {
    what: 'a body that was changed on the way but parses to the same',
    reason: 'the package does not look at the bytes, so it accepts what was never signed',
    cases: () => [
      {signed: '{"a":2}', received: '{"a":1,"a":2}'},
      {signed: '{"a":2}', received: '{ "a" : 2 }'},
      {signed: '{"a":2}', received: '{"a":2.0}'},
      {signed: '{"id":9007199254740992}', received: '{"id":9007199254740993}'},
      {signed: '{"n":"é"}', received: '{"n":"\\u00e9"}'},
    ].flatMap((change) => judged({...change, theirs: true, ours: false})),
  },
  {
    what: 'no body',
    reason: 'the package throws; the extension says that nothing was verified',
    cases: [{
      package: () => backend.api.verifyPayload(TOKEN, sign(TOKEN, ''), undefined),
      question: verifyQuestion('verify', TOKEN, null, sign(TOKEN, '')),
      theirs: {throws: 'TypeError'},
      ours: value(false),
    }],
  },
  {
    what: 'an empty management token',
    reason: 'the package takes it as a key, so that a setting that was forgotten lets every forger in',
    cases: [
      {
        package: () => backend.api.hashChallenge('', 'challenge'),
        question: {kind: 'hash', input: {token: '', challenge: 'challenge'}},
        theirs: value(sign('', 'challenge')),
        ours: {sqlstate: '22023'},
      },
      ...['verify', 'verify text'].map((kind) => ({
        package: () => backend.api.verifyPayload('', sign('', '{}'), {}),
        question: verifyQuestion(kind, '', '{}', sign('', '{}')),
        theirs: value(true),
        ours: {sqlstate: '22023'},
      })),
    ],
  },
];

module.exports = {webhookDifferences};
