'use strict';

// The token endpoint of v2.0, POST /oauth/token: codes and refresh tokens are exchanged
// for pairs of tokens.  Its errors repeat the refused code or token, as Smartcar's do.

const {oauthError} = require('./errors');

function isClient(request, settings) {
  const {basic} = request;

  return basic !== null && basic.user === settings.client_id && settings.client_secrets.includes(basic.password);
}

function exchangeCode(form, tokens) {
  const code = form.get('code');

  if (!code) {
    return oauthError(400, 'invalid_request', 'Missing required parameter: code.');
  }

  const {account, refused} = tokens.takeCode(code, form.get('redirect_uri'));

  if (refused === 'redirect_uri') {
    return oauthError(400, 'invalid_request', `Invalid redirect_uri: ${form.get('redirect_uri') || ''}.`);
  }
  if (refused) {
    return oauthError(400, 'invalid_request', `Invalid code: ${code}.`);
  }
  return {status: 200, body: tokens.issuePair(account)};
}

function refresh(form, tokens) {
  const token = form.get('refresh_token');

  if (!token) {
    return oauthError(400, 'invalid_request', 'Missing required parameter: refresh_token.');
  }

  const account = tokens.takeRefreshToken(token);

  if (!account) {
    return oauthError(400, 'invalid_request', `Invalid refresh_token: ${token}.`);
  }
  return {status: 200, body: tokens.issuePair(account)};
}

function tokenEndpoint(request, {settings, tokens}) {
  if (request.method !== 'POST') {
    return {...oauthError(405, 'invalid_request', 'Use POST.'), headers: {allow: 'POST'}};
  }
  if (!isClient(request, settings)) {
    return oauthError(401, 'invalid_client');
  }
  if (!request.isForm) {
    return oauthError(400, 'invalid_request', 'The body must be form-encoded.');
  }

  const {form} = request;

  switch (form.get('grant_type')) {
    case 'authorization_code':
      return exchangeCode(form, tokens);
    case 'refresh_token':
      return refresh(form, tokens);
    case null:
      return oauthError(400, 'invalid_request', 'Missing required parameter: grant_type.');
    default:
      return oauthError(400, 'unsupported_grant_type', `Invalid grant_type: ${form.get('grant_type')}.`);
  }
}

module.exports = {tokenEndpoint, isClient};
