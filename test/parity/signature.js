'use strict';

// The signature that Smartcar sends with an event: HMAC-SHA-256 over the bytes
// of the body, in hexadecimal
// (https://smartcar.com/docs/integrations/webhooks/payload-verification).

const crypto = require('crypto');

function sign(token, body) {
  return crypto.createHmac('sha256', token).update(body).digest('hex');
}

// The question whether a body, text or bytes, has this signature.
function verifyQuestion(kind, token, body, signature) {
  return {kind, input: {token, signature, body: body === null ? null : Buffer.from(body).toString('base64')}};
}

module.exports = {sign, verifyQuestion};
