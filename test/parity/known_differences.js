'use strict';

// The known differences between the extension and the packages.
//
// Each entry says what differs and why, and its cases assert both sides: the result
// of the package (`theirs`) and of the extension (`ours`).  So the test fails when a
// package is fixed, and when the extension changes.  A result is {value}, {throws}
// with the name of a JavaScript error, or {sqlstate}; `see` picks the part of a link
// that matters.

const {isDeepStrictEqual} = require('util');

const {backend, frontend} = require('./packages');
const {backendDifferences, frontendDifferences} = require('./link_differences');
const {webhookDifferences} = require('./webhook_differences');
const {ask} = require('./database');

const known_differences = [
  {of: backend, subject: 'links', differences: backendDifferences},
  {of: frontend, subject: 'links', differences: frontendDifferences},
  {of: backend, subject: 'webhooks', differences: webhookDifferences},
];

function resultOfPackage(run) {
  try {
    return {value: run()};
  } catch (error) {
    return {throws: error.name};
  }
}

function seen(result, see) {
  return see && result.value !== undefined && result.value !== null ? {value: see(result.value)} : result;
}

// The message of an error is not compared, but shown.
function check(side, expected, {message, ...result}) {
  return isDeepStrictEqual(result, expected) ? [] :
    [`${side}: ${JSON.stringify(expected)} expected, ${JSON.stringify({...result, message})} found`];
}

function describe(result) {
  return result.sqlstate ? `raises ${result.sqlstate}` : result.throws ? `throws ${result.throws}` : JSON.stringify(result.value);
}

// The results of both sides, as text.
function sides(cases) {
  const text = (results) => [...new Set(results.map(describe))].join(' or ');
  const theirs = text(cases.filter((one) => one.package).map((one) => one.theirs));
  const ours = text(cases.filter((one) => one.question).map((one) => one.ours));

  return `package: ${theirs}; extension: ${ours}`;
}

function checkDifference(report, name, {what, reason, cases}, random) {
  const list = typeof cases === 'function' ? cases(random) : cases;
  const asked = list.filter((one) => one.question);
  const results = ask(asked.map((one) => one.question));
  const failures = list.map((one) => ({
    what: one.question || what,
    differences: [
      ...(one.package ? check('package', one.theirs, seen(resultOfPackage(one.package), one.see)) : []),
      ...(one.question ? check('extension', one.ours, seen(results[asked.indexOf(one)], one.see)) : []),
    ],
  })).filter(({differences}) => differences.length > 0);

  report.group(`${name}, known difference: ${what}`, list.length, failures, `${sides(list)} (${reason})`);
}

function compareKnownDifferences(report, random) {
  for (const {of, subject, differences} of known_differences) {
    for (const difference of of.skipped ? [] : differences) {
      checkDifference(report, `${of.name} ${of.version}, ${subject}`, difference, random);
    }
  }
}

module.exports = {known_differences, compareKnownDifferences};
