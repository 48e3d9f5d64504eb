'use strict';

// The token endpoints: what a code and a refresh token give access to, how often, and for
// how long.

const assert = require('assert');

const {basic, bearer, clientHeaders, CLIENT} = require('./client');

const exchange = (sandbox, code, redirectUri = 'https://example.com/callback') =>
  sandbox.token({grant_type: 'authorization_code', code, redirect_uri: redirectUri});
const refresh = (sandbox, token) => sandbox.token({grant_type: 'refresh_token', refresh_token: token});

const tests = {
  async 'a code is single-use'(sandbox) {
    const {code} = await sandbox.connect({redirect_uri: 'https://example.com/callback'});
    const first = await exchange(sandbox, code);
    const second = await exchange(sandbox, code);

    assert.deepStrictEqual(Object.keys(first.json), ['access_token', 'token_type', 'expires_in', 'refresh_token']);
    assert.strictEqual(first.json.expires_in, 7200);
    assert.strictEqual(second.status, 400);
    assert.deepStrictEqual(second.json, {error: 'invalid_request', error_description: `Invalid code: ${code}.`});
    assert.strictEqual((await sandbox.get('/v2.0/user', bearer(first.json.access_token))).status, 200);
  },

  async 'a code needs the redirect_uri of its link'(sandbox) {
    const {code} = await sandbox.connect({redirect_uri: 'http://localhost:1/x'});

    assert.strictEqual((await exchange(sandbox, code)).status, 400);
    assert.strictEqual((await exchange(sandbox, code, 'http://localhost:1/x')).status, 200);
  },

  async 'a code expires'(sandbox) {
    const {code} = await sandbox.connect();

    await sandbox.control('POST', 'advance', {seconds: 600});
    assert.strictEqual((await exchange(sandbox, code)).status, 400);
  },

  async 'a refresh gives a new pair, and the old token expires after the grace period'(sandbox) {
    const {refresh_token: old} = await sandbox.connect();
    const first = await refresh(sandbox, old);

    await sandbox.control('POST', 'advance', {seconds: 59});

    const again = await refresh(sandbox, old);

    await sandbox.control('POST', 'advance', {seconds: 1});

    const late = await refresh(sandbox, old);

    assert.notStrictEqual(first.json.refresh_token, old);
    assert.notStrictEqual(again.json.refresh_token, first.json.refresh_token);
    assert.strictEqual(late.status, 400);
    assert.strictEqual(late.json.error_description, `Invalid refresh_token: ${old}.`);
    assert.strictEqual((await refresh(sandbox, first.json.refresh_token)).status, 200);

    const account = await sandbox.control('GET', `account?refresh_token=${again.json.refresh_token}`);

    assert.strictEqual(account.refreshes, 3);
    assert.strictEqual(account.repeated, 1);
    assert.strictEqual(account.refused, 1);
    assert.strictEqual(account.token_live, true);
  },

  async 'an unused refresh token expires after 60 days'(sandbox) {
    const {refresh_token: token} = await sandbox.connect();

    await sandbox.control('POST', 'advance', {seconds: 60 * 86400 - 5});
    assert.strictEqual((await sandbox.control('GET', `account?refresh_token=${token}`)).token_live, true);
    await sandbox.control('POST', 'advance', {seconds: 5});
    assert.strictEqual((await sandbox.control('GET', `account?refresh_token=${token}`)).live, false);
    assert.strictEqual((await refresh(sandbox, token)).status, 400);
  },

  async 'an access token expires after two hours, also after a refresh'(sandbox) {
    const {access_token: token, refresh_token: other} = await sandbox.connect();

    await refresh(sandbox, other);
    assert.strictEqual((await sandbox.get('/v2.0/user', bearer(token))).status, 200);
    await sandbox.control('POST', 'advance', {seconds: 7200});
    assert.strictEqual((await sandbox.get('/v2.0/user', bearer(token))).json.type, 'AUTHENTICATION');
  },

  async 'the client must authenticate'(sandbox) {
    const body = {grant_type: 'refresh_token', refresh_token: 'x'};

    for (const headers of [{}, basic(CLIENT.id, 'wrong'), basic('wrong', CLIENT.secret)]) {
      const response = await sandbox.postForm('/oauth/token', body, headers);

      assert.strictEqual(response.status, 401);
      assert.deepStrictEqual(response.json, {error: 'invalid_client'});
    }
  },

  async 'a token request must be a form with a known grant_type'(sandbox) {
    assert.strictEqual((await sandbox.postJson('/oauth/token', {}, clientHeaders)).status, 400);
    assert.strictEqual((await sandbox.token({grant_type: 'password'})).json.error, 'unsupported_grant_type');
    assert.strictEqual((await sandbox.postForm('/oauth/token?flags=a%3Ab', {}, clientHeaders)).json.error, 'invalid_request');
  },

  async 'application tokens, with a form and with JSON'(sandbox) {
    const body = {grant_type: 'client_credentials', client_id: 'client_sandbox', client_secret: 'sandbox-api-secret'};
    const responses = [await sandbox.postForm('/oauth2/token', body), await sandbox.postJson('/oauth2/token', body)];

    for (const {status, json} of responses) {
      assert.strictEqual(status, 200);
      assert.strictEqual(json.expires_in, 3600);
      assert.strictEqual(json.refresh_token, undefined);
      assert.strictEqual((await sandbox.get('/v3/connections', bearer(json.access_token))).status, 200);
    }
    assert.strictEqual((await sandbox.postForm('/oauth2/token', {...body, client_secret: 'x'})).json.error, 'invalid_client');
    assert.strictEqual((await sandbox.postForm('/oauth2/token', {...body, client_secret: ''})).json.error, 'invalid_request');
    await sandbox.control('POST', 'advance', {seconds: 3600});
    assert.strictEqual((await sandbox.get('/v3/connections', bearer(responses[0].json.access_token))).status, 401);
  },

  async 'the control API reports lost accounts'(sandbox) {
    const ada = await sandbox.connect({owner: 'ada'});
    const ben = await sandbox.connect({owner: 'ben'});

    await refresh(sandbox, ben.refresh_token);
    await sandbox.control('POST', 'advance', {seconds: 61});

    const check = await sandbox.control('POST', 'account', {refresh_tokens: [ada.refresh_token, ben.refresh_token]});

    assert.deepStrictEqual(check, {given: 2, live: 1, dead: [ben.refresh_token], lost_accounts: [ben.user_id]});
    assert.strictEqual((await sandbox.control('GET', 'accounts')).live, 2);
  },
};

module.exports = {tests};
