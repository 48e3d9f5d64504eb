'use strict';

// Everything in which the extension is known to differ from the packages.
//
// Each entry says what differs and for what reason, and its cases assert both
// sides: what the package answers (`theirs`) and what the extension answers
// (`ours`).  So the test fails when a package is mended, and when the extension
// changes.  An answer is {value}, {throws} with the name of a JavaScript error,
// or {sqlstate}; `see` picks the part of a link that matters.

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

function answerOfPackage(run) {
  try {
    return {value: run()};
  } catch (error) {
    return {throws: error.name};
  }
}

function seen(answer, see) {
  return see && answer.value !== undefined && answer.value !== null ? {value: see(answer.value)} : answer;
}

// The message of a refusal is not part of the comparison, but worth showing.
function check(side, expected, {message, ...answer}) {
  return isDeepStrictEqual(answer, expected) ? [] :
    [`${side}: ${JSON.stringify(expected)} expected, ${JSON.stringify({...answer, message})} found`];
}

function describe(answer) {
  return answer.sqlstate ? `raises ${answer.sqlstate}` : answer.throws ? `throws ${answer.throws}` : JSON.stringify(answer.value);
}

// What both sides answer, in words.
function sides(cases) {
  const text = (answers) => [...new Set(answers.map(describe))].join(' or ');
  const theirs = text(cases.filter((one) => one.package).map((one) => one.theirs));
  const ours = text(cases.filter((one) => one.question).map((one) => one.ours));

  return `package: ${theirs}; extension: ${ours}`;
}

function checkDifference(report, name, {what, reason, cases}, random) {
  const list = typeof cases === 'function' ? cases(random) : cases;
  const asked = list.filter((one) => one.question);
  const answers = ask(asked.map((one) => one.question));
  const failures = list.map((one) => ({
    what: one.question || what,
    differences: [
      ...(one.package ? check('package', one.theirs, seen(answerOfPackage(one.package), one.see)) : []),
      ...(one.question ? check('extension', one.ours, seen(answers[asked.indexOf(one)], one.see)) : []),
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
