'use strict';

// The same signatures by the SDK and by Node's own crypto.
//
// The SDK takes the parsed body and serializes it again.  The parsing, which the
// caller has to do first, is not counted.

const crypto = require('crypto');

const smartcar = require('smartcar');

const {readLines, measure} = require('./measure');

const TOKEN = '5e1f7d1c-3b0a-4c0e-9a55-6d3b7f6f2a10';

// A tenth of the rows is enough: one call costs several microseconds.
const calls = Math.max(Math.ceil(Number(process.env.ROWS) / 10), 20000);

const events = readLines('event.txt').map((line) => {
  const signature = line.slice(0, line.indexOf(' '));
  const text = line.slice(signature.length + 1);

  return {signature, raw: Buffer.from(text), parsed: JSON.parse(text)};
});

function verifyRaw({signature, raw}) {
  const digest = crypto.createHmac('sha256', TOKEN).update(raw).digest();
  const claimed = Buffer.from(signature, 'hex');

  return claimed.length === digest.length && crypto.timingSafeEqual(claimed, digest);
}

function verifyParsed({signature, parsed}) {
  return smartcar.verifyPayload(TOKEN, signature, parsed);
}

if (!events.every(verifyRaw) || !events.every(verifyParsed)) {
  throw new Error('Node refuses a signature of the extension');
}
measure('verify webhook', 'crypto', calls, events, (event) => Number(verifyRaw(event)));
measure('verify webhook', 'sdk', calls, events, (event) => Number(verifyParsed(event)));
