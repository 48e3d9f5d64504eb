'use strict';

// What all requests and responses have in common.

const {Refusal} = require('./message');

// Only our own files, no inline script or style, and no frame around a page.
const contentSecurityPolicy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
  "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
].join('; ');

// same-origin: the address of a callback, with its code, is sent to no other site.
const commonHeaders = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

// The bytes of a body, unchanged.
async function readBody(incoming, limit) {
  const chunks = [];
  let length = 0;

  for await (const chunk of incoming) {
    length += chunk.length;
    if (length > limit) {
      throw new Refusal(413, 'That is too large.');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readForm(incoming) {
  return new URLSearchParams((await readBody(incoming, 4096)).toString('utf8'));
}

// Against CSRF: only our own pages may send a form, and browsers send their origin.
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
