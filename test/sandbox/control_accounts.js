'use strict';

// The state of accounts: whether their refresh tokens work, and how often they were
// refreshed.

function summary(tokens, account) {
  const live = account.records.filter((record) => tokens.isLive(record));
  const unused = live.filter((record) => record.usedAt === null);

  return {
    user_id: account.userId, vehicle_id: account.vehicleId, exchanges: account.exchanges, refreshes: account.refreshes,
    repeated: account.repeated, refused: account.refused, live_refresh_tokens: live.length, unused_refresh_tokens: unused.length,
    live: live.length > 0,
  };
}

function showAccounts(tokens, query) {
  const offset = Number(query.get('offset') || 0);
  const limit = Number(query.get('limit') || 1000000);
  const all = [...tokens.accounts.values()];
  const accounts = all.slice(offset, offset + limit).map((account) => summary(tokens, account));

  return {count: all.length, live: all.filter((account) => account.records.some((record) => tokens.isLive(record))).length, accounts};
}

// The account of a token or an id, live or not; undefined if there is none.
function findAccount(tokens, given) {
  const record = tokens.refresh.get(given.refresh_token) || tokens.access.get(given.access_token);

  if (record) {
    return record.account;
  }
  return tokens.accounts.get(given.vehicle_id ? `${given.user_id}/${given.vehicle_id}` : given.user_id);
}

// token_live: whether the named token works now.
function describe(tokens, given) {
  const account = findAccount(tokens, given);
  const refresh = tokens.refresh.get(given.refresh_token);
  const live = given.refresh_token ? Boolean(refresh && tokens.isLive(refresh)) :
    given.access_token ? tokens.accountOf(given.access_token) !== null : undefined;

  return {
    known: account !== undefined, ...(live !== undefined && {token_live: live}),
    ...(refresh && {token_used: refresh.usedAt !== null}), ...(account && summary(tokens, account)),
  };
}

// Which of many refresh tokens do not work, and which accounts have none of them.
function checkTokens(tokens, list) {
  const dead = list.filter((token) => !tokens.refresh.has(token) || !tokens.isLive(tokens.refresh.get(token)));
  const covered = new Set(list.map((token) => tokens.refresh.get(token)).filter((record) => record && tokens.isLive(record))
    .map((record) => record.account));
  const lost = [...tokens.accounts.values()].filter((account) => !covered.has(account));

  return {given: list.length, live: list.length - dead.length, dead, lost_accounts: lost.map(({key}) => key)};
}

module.exports = {showAccounts, findAccount, describe, checkTokens};
