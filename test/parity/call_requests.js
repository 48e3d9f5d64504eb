'use strict';

// Which parts of a request are compared, and how.

const {isDeepStrictEqual} = require('util');

function sortedPairs(text) {
  return Array.from(new URLSearchParams(text)).map(([name, value]) => `${name}=${value}`).sort();
}

// A body as data: the fields of a form, as a set, or a JSON value.
function meaningOf(body, type) {
  if (body === '') {
    return null;
  }
  return /^application\/x-www-form-urlencoded/.test(type) ? sortedPairs(body) : JSON.parse(body);
}

// Codes and tokens are new in each turn, so they are replaced by their names.
function withNames(text, given) {
  return Object.entries(given).reduce((result, [name, value]) =>
    (typeof value === 'string' ? result.split(value).join(`<${name}>`) : result), text);
}

function describeRequest({method, path, query, headers, body}, given = {}) {
  const named = (text) => withNames(text, given);
  const type = headers['content-type'] || '';

  return {
    method,
    path: named(path),
    query: sortedPairs(named(query)),
    authorization: headers.authorization ? named(headers.authorization) : null,
    accept: headers.accept || null,
    unit_system: headers['sc-unit-system'] || null,
    type: type || null,
    body: meaningOf(named(body), type),
  };
}

// Differences that a server ignores: a slash at the end, the type of a missing body, the
// Accept header, and the unit system that is Smartcar's default.  Each of these is a known
// difference, see call_differences.js.
function essence({accept, type, path, unit_system: unitSystem, ...request}) {
  return {
    ...request, path: path.replace(/\/$/, ''), type: request.body === null ? null : type,
    unit_system: unitSystem === 'metric' ? null : unitSystem,
  };
}

function requestDifferences(expected, found) {
  const differences = [];

  for (let i = 0; i < Math.max(expected.length, found.length); i++) {
    const left = expected[i] && essence(expected[i]);
    const right = found[i] && essence(found[i]);

    if (!isDeepStrictEqual(left, right)) {
      differences.push(`request ${i + 1}: ${JSON.stringify(left)} of the package, ${JSON.stringify(right)} here`);
    }
  }
  return differences;
}

// The comparison must be able to fail: it must notice requests that were changed.
const entry = {
  method: 'POST', path: '/v2.0/vehicles/v', query: 'limit=1&offset=0', body: 'code=c&grant_type=authorization_code',
  headers: {authorization: 'Bearer t', 'content-type': 'application/x-www-form-urlencoded'},
};

const spoilt = {
  'another method': {method: 'PUT'},
  'another path': {path: '/v2.0/vehicles/w'},
  'another version': {path: '/v3/vehicles/v'},
  'a parameter more': {query: 'limit=1&offset=0&mode=live'},
  'a parameter less': {query: 'limit=1'},
  'another value': {query: 'limit=2&offset=0'},
  'other credentials': {headers: {...entry.headers, authorization: 'Bearer u'}},
  'no credentials': {headers: {'content-type': entry.headers['content-type']}},
  'another unit system': {headers: {...entry.headers, 'sc-unit-system': 'imperial'}},
  'another type of body': {headers: {...entry.headers, 'content-type': 'application/json'}, body: '{}'},
  'another field': {body: 'code=d&grant_type=authorization_code'},
  'no body': {body: ''},
};

const same = {
  'another order': {query: 'offset=0&limit=1', body: 'grant_type=authorization_code&code=c'},
  'a slash at the end': {path: '/v2.0/vehicles/v/'},
};

function checkRequestComparison(report) {
  const request = describeRequest(entry);
  const compare = (changes) => requestDifferences([request], [describeRequest({...entry, ...changes})]);
  const missed = (what) => ({what, differences: ['was not noticed']});
  const failures = [
    ...Object.keys(spoilt).filter((what) => compare(spoilt[what]).length === 0).map(missed),
    ...Object.keys(same).filter((what) => compare(same[what]).length > 0).map((what) => ({what, differences: compare(same[what])})),
    ...(requestDifferences([request, request], [request]).length === 0 ? [missed('a request less')] : []),
  ];

  report.group('the comparison of requests notices what it should', Object.keys(spoilt).length + Object.keys(same).length + 1, failures);
}

module.exports = {describeRequest, requestDifferences, checkRequestComparison};
