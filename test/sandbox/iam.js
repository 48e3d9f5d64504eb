'use strict';

// The token endpoint of v3, POST /oauth2/token: one token for the whole application, for
// its API credentials.

const {oauthError} = require('./errors');

function readBody(request) {
  if (request.isForm) {
    return Object.fromEntries(request.form);
  }
  return request.isJson && request.json && typeof request.json === 'object' ? request.json : null;
}

function applicationTokenEndpoint(request, {settings, tokens}) {
  if (request.method !== 'POST') {
    return {...oauthError(405, 'invalid_request', 'Use POST.'), headers: {allow: 'POST'}};
  }

  const body = readBody(request);

  if (!body) {
    return oauthError(400, 'invalid_request', 'The body must be form-encoded or JSON.');
  }
  if (body.grant_type !== 'client_credentials') {
    return oauthError(400, body.grant_type ? 'unsupported_grant_type' : 'invalid_request',
      'The grant_type must be client_credentials.');
  }

  const {basic} = request;
  const id = basic ? basic.user : body.client_id;
  const secret = basic ? basic.password : body.client_secret;

  if (!id || !secret) {
    return oauthError(400, 'invalid_request', 'Missing required parameter: client_id or client_secret.');
  }
  if (id !== settings.api_client_id || !settings.api_client_secrets.includes(secret)) {
    return oauthError(401, 'invalid_client', 'Client authentication failed.');
  }
  return {status: 200, headers: {'cache-control': 'no-store'}, body: tokens.issueApplicationToken(id)};
}

module.exports = {applicationTokenEndpoint};
