'use strict';

// Compares the challenges and signatures of `smartcar` with those of the extension.

const {makeBody, makeToken, makeChallenge} = require('./generate');
const {backend} = require('./packages');
const {valueDifferences} = require('./compare');
const {ask} = require('./database');
const {sign, verifyQuestion} = require('./signature');

// A digest from the test suite of the package (https://github.com/smartcar/node-sdk),
// because two sides that are wrong in the same way agree.
const pinned = {
  token: 'amt',
  challenge: 'challenge',
  digest: '9baf5a7464bd86740ad5a06e439dcf535a075022ed2c92d74efacf646d79328e',
};

const challengeEdges = [
  {token: 'amt', challenge: ''},
  {token: ' ', challenge: ' '},
  {token: 'k'.repeat(64), challenge: 'a block of the hash is 64 bytes'},
  {token: 'k'.repeat(65), challenge: 'a longer key is hashed first'},
  {token: 'é🔑'.repeat(50), challenge: 'é🚗\n'.repeat(5000)},
];

// Values that a sender, or a forger, could put into the header of a body.
const signatures = {
  right: (token, body) => sign(token, body),
  'of another token': (token, body) => sign(`${token}x`, body),
  'of another body': (token, body) => sign(token, `${body} `),
  'one digit off': (token, body) => sign(token, body).replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
  'one digit short': (token, body) => sign(token, body).slice(0, -1),
  'one digit more': (token, body) => `${sign(token, body)}0`,
  'with a prefix': (token, body) => `sha256=${sign(token, body)}`,
  'with a space': (token, body) => `${sign(token, body)} `,
  'not hexadecimal': (token, body) => sign(token, body).replace(/^./, 'g'),
  base64: (token, body) => Buffer.from(sign(token, body), 'hex').toString('base64'),
  empty: () => '',
  absent: () => null,
};

function compareChallenges(report, random, count) {
  const generated = Array.from({length: count}, () => ({token: makeToken(random), challenge: makeChallenge(random)}));
  const cases = challengeEdges.concat(generated);
  const results = ask([pinned, ...cases].map(({token, challenge}) => ({kind: 'hash', input: {token, challenge}})));
  const value = (result) => (result.sqlstate ? result.message : result.value);
  const name = `${backend.name} ${backend.version}`;

  report.group(`${name}, hashChallenge: a digest known beforehand`, 2, [
    {what: 'package', differences: valueDifferences(backend.api.hashChallenge(pinned.token, pinned.challenge), pinned.digest)},
    {what: 'extension', differences: valueDifferences(pinned.digest, value(results[0]))},
  ].filter(({differences}) => differences.length > 0));

  report.group(`${name}, hashChallenge: chosen and random texts`, cases.length, cases.map((input, i) => ({
    what: input,
    differences: valueDifferences(backend.api.hashChallenge(input.token, input.challenge), value(results[i + 1])),
  })).filter(({differences}) => differences.length > 0));
}

// Bodies as JSON.stringify() prints them, the only ones that the package can verify.
function compareSignatures(report, random, count) {
  const cases = Array.from({length: count}, (_, i) => {
    const token = makeToken(random);
    const body = JSON.stringify(makeBody(random));
    const [signatureIs, make] = i % 2 === 0 ? ['right', signatures.right] : random.pick(Object.entries(signatures));

    return {signatureIs, token, body, signature: make(token, body)};
  });

  for (const kind of ['verify', 'verify text']) {
    const results = ask(cases.map(({token, body, signature}) => verifyQuestion(kind, token, body, signature)));
    const type = kind === 'verify' ? 'bytea' : 'text';
    const failures = cases.map((input, i) => {
      const theirs = backend.api.verifyPayload(input.token, input.signature, JSON.parse(input.body));
      const ours = results[i].sqlstate ? results[i].message : results[i].value;
      const expected = input.signatureIs === 'right';

      return {what: input, differences: [...valueDifferences(theirs, ours), ...(ours === expected ? [] : ['not the right result'])]};
    }).filter(({differences}) => differences.length > 0);

    report.group(`${backend.name} ${backend.version}, verifyPayload: bodies as JSON.stringify prints them, as ${type}`,
      cases.length, failures);
  }
}

function compareWebhooks(report, random, count) {
  if (backend.skipped) {
    return;
  }
  compareChallenges(report, random, count);
  compareSignatures(report, random, count);
}

module.exports = {compareWebhooks};
