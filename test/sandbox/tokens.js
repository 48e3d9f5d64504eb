'use strict';

// Codes, access tokens and refresh tokens of the v2.0 API, and the application
// tokens of v3.
//
// An account is what one pair of tokens gives access to: all vehicles of a user or, after
// a link with single_select, one of them.  Every refresh gives a new pair.  The refresh
// token that was used still works for a while, so that a client that lost the response can
// repeat the request; then it expires.

const crypto = require('crypto');

const MANY = 1000000;

class Tokens {
  constructor(clock, settings) {
    this.clock = clock;
    this.settings = settings;
    this.codes = new Map();
    this.access = new Map();
    this.refresh = new Map();
    this.accounts = new Map();
    this.application = new Map();
  }

  account(userId, vehicleId = null) {
    const key = vehicleId ? `${userId}/${vehicleId}` : userId;
    let account = this.accounts.get(key);

    if (!account) {
      account = {key, userId, vehicleId, exchanges: 0, refreshes: 0, repeated: 0, refused: 0, records: []};
      this.accounts.set(key, account);
    }
    return account;
  }

  issueCode(account, redirectUri, redirectGiven) {
    const code = crypto.randomUUID();

    this.codes.set(code, {
      account, redirectUri, redirectGiven, usedAt: null, expiresAt: this.clock.now() + this.settings.code_lifetime * 1000,
    });
    return code;
  }

  // The account of a code, or why there is none: "code" or "redirect_uri".
  takeCode(code, redirectUri) {
    const record = this.codes.get(code);

    if (!record || record.usedAt !== null || this.clock.now() >= record.expiresAt) {
      if (record) {
        record.account.refused += 1;
      }
      return {refused: 'code'};
    }
    if (redirectUri === null ? record.redirectGiven : redirectUri !== record.redirectUri) {
      return {refused: 'redirect_uri'};
    }
    record.usedAt = this.clock.now();
    record.account.exchanges += 1;
    return {account: record.account};
  }

  issuePair(account, accessToken = crypto.randomUUID(), refreshToken = crypto.randomUUID()) {
    const now = this.clock.now();
    const record = {token: refreshToken, account, usedAt: null, expiresAt: now + this.settings.refresh_lifetime * 1000};

    if (this.refresh.size > MANY) {
      this.forgetDead();
    }
    if (account.records.length > 0) {
      account.records = account.records.filter((earlier) => this.isLive(earlier));
    }
    account.records.push(record);
    this.refresh.set(refreshToken, record);
    this.access.set(accessToken, {account, expiresAt: now + this.settings.access_lifetime * 1000});
    return {
      access_token: accessToken, token_type: 'Bearer', expires_in: this.settings.access_lifetime, refresh_token: refreshToken,
    };
  }

  isLive(record) {
    const now = this.clock.now();

    return now < record.expiresAt && (record.usedAt === null || now < record.usedAt + this.settings.grace * 1000);
  }

  // The account of a refresh token, or null.
  takeRefreshToken(token) {
    const record = this.refresh.get(token);

    if (!record) {
      return null;
    }
    if (!this.isLive(record)) {
      record.account.refused += 1;
      return null;
    }
    if (record.usedAt === null) {
      record.usedAt = this.clock.now();
    } else {
      record.account.repeated += 1;
    }
    record.account.refreshes += 1;
    return record.account;
  }

  accountOf(accessToken) {
    const record = this.access.get(accessToken);

    return record && this.clock.now() < record.expiresAt ? record.account : null;
  }

  // A JSON web token of the same length as Smartcar's.
  issueApplicationToken(clientId) {
    const now = this.clock.now();
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = part({alg: 'HS256', typ: 'at+jwt'}) + '.' + part({
      iss: 'https://iam.smartcar.com', sub: clientId, client_id: clientId, jti: crypto.randomUUID(),
      iat: Math.floor(now / 1000), exp: Math.floor(now / 1000) + this.settings.application_token_lifetime,
    });
    const token = `${claims}.${crypto.createHmac('sha256', 'sandbox').update(claims).digest('base64url')}`;

    this.application.set(token, now + this.settings.application_token_lifetime * 1000);
    return {access_token: token, token_type: 'Bearer', expires_in: this.settings.application_token_lifetime};
  }

  isApplicationToken(token) {
    return this.application.has(token) && this.clock.now() < this.application.get(token);
  }

  // Lets all access tokens of an account, or of all accounts, expire.
  expireAccess(account = null) {
    for (const record of this.access.values()) {
      if (!account || record.account === account) {
        record.expiresAt = 0;
      }
    }
  }

  // Revokes the tokens of an account, as Smartcar does when a user is deleted.
  revoke(account) {
    this.expireAccess(account);
    account.records.forEach((record) => {
      record.expiresAt = 0;
    });
  }

  forgetDead() {
    const now = this.clock.now();

    for (const [token, record] of this.refresh) {
      if (!this.isLive(record)) {
        this.refresh.delete(token);
      }
    }
    for (const [token, record] of this.access) {
      if (now >= record.expiresAt) {
        this.access.delete(token);
      }
    }
  }
}

module.exports = {Tokens};
