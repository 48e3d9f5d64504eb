'use strict';

// What all requests and answers have in common.

const {Refusal} = require('./trouble');

// Nothing but our own files, no script or style within a page, and no frame
// around it.
const contentSecurityPolicy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
  "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
].join('; ');

// same-origin: the code in the address of a callback is told to nobody else.
const commonHeaders = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

// The bytes of a body, as they came.
async function readBody(incoming, limit) {
  const chunks = [];
  let length = 0;

  for await (const chunk of incoming) {
    length += chunk.length;
    if (length > limit) {
      throw new Refusal(413, 'That is more than we take.');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readForm(incoming) {
  return new URLSearchParams((await readBody(incoming, 4096)).toString('utf8'));
}

// Only a page of ours may send a form: a browser tells where it came from.
function requireSameOrigin(incoming, origin) {
  if (incoming.headers.origin !== origin) {
    throw new Refusal(403, 'This form was sent from another site. Please go back to the garage and send it from there.');
  }
}

function page(body, status = 200, headers = {}) {
  return {status, headers: {'content-type': 'text/html; charset=utf-8', ...headers}, body: String(body)};
}

function redirect(location, headers = {}) {
  return {status: 303, headers: {location, ...headers}, body: ''};
}

function send(outgoing, {status, headers, body}) {
  outgoing.writeHead(status, {...commonHeaders, 'content-length': Buffer.byteLength(body), ...headers});
  outgoing.end(body);
}

module.exports = {commonHeaders, readBody, readForm, requireSameOrigin, page, redirect, send};
