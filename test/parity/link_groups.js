'use strict';

// Links of the two packages against those of the extension.

const {backendLink, frontendLink} = require('./generate');
const {usual, v3, backendEdges, frontendEdges} = require('./edge_cases');
const {backend, frontend, backendUrl, frontendUrl} = require('./packages');
const {linkDifferences, byteDifferences, valueDifferences} = require('./compare');
const {ask, askByRow, linkQuestion} = require('./database');

// Holds what the package prints against what the extension answers.
function compareAll(links, expected, answers, differ) {
  return links.map((link, i) => {
    const {value, sqlstate, message} = answers[i];
    const differences = sqlstate ? [`refused here with ${sqlstate}: ${message}`] : differ(expected[i], value);

    return {what: link, differences};
  }).filter(({differences}) => differences.length > 0);
}

// A link must not depend on how its arguments reach the function: the extension
// keeps what is constant ready from one row to the next.
function compareWays(report, name, links, answers) {
  const questions = links.map((link) => linkQuestion(link));
  const literals = ask(links.map((link) => linkQuestion(link, 'links')));
  const rows = askByRow(questions);
  const failures = links.map((link, i) => {
    const others = [rows[i], ...(literals[i].value || [literals[i].message, null])];

    return {what: link, differences: others.flatMap((other) => valueDifferences(answers[i].value, other))};
  }).filter(({differences}) => differences.length > 0);

  report.group(`${name}: the same link from variables, columns and literals`, links.length, failures);
}

// What neither side builds.
function compareRefusals(report, name, build, links) {
  const answers = ask(links.map((link) => linkQuestion(link)));
  const failures = links.map((link, i) => {
    const differences = [];

    try {
      differences.push(`${build(link)} in the package`);
    } catch {
      // refused, as it should be
    }
    if (!answers[i].sqlstate) {
      differences.push(`${answers[i].value} here`);
    }
    return {what: link, differences};
  }).filter(({differences}) => differences.length > 0);

  report.group(`${name}, links that both refuse`, links.length, failures);
}

function compareBackend(report, random, count) {
  if (backend.skipped) {
    return;
  }

  const generated = Array.from({length: count}, () => backendLink(random));

  for (const [what, links] of [['links chosen by hand', backendEdges], ['random links', generated]]) {
    const expected = links.map((link) => backendUrl(link));
    const answers = ask(links.map((link) => linkQuestion(link)));
    const name = `${backend.name} ${backend.version}, ${what}`;

    report.group(`${name}: origin, path, parameters and their order`, links.length,
      compareAll(links, expected, answers, linkDifferences));
    report.group(`${name}: every byte but the encoding of !'()*`, links.length,
      compareAll(links, expected, answers, byteDifferences));
    compareWays(report, name, links, answers);
  }
  compareRefusals(report, `${backend.name} ${backend.version}`, backendUrl,
    [{...usual, mode: 'sandbox'}, {...usual, mode: 'LIVE'}, {...usual, mode: ''}, {mode: 'live'}, {...usual, client_id: ''}]);
}

function compareFrontend(report, random, count) {
  if (frontend.skipped) {
    return;
  }

  const generated = Array.from({length: count}, () => frontendLink(random));

  for (const [what, links] of [['links chosen by hand', frontendEdges], ['random links', generated]]) {
    const expected = links.map((link) => frontendUrl(link));
    const answers = ask(links.map((link) => linkQuestion(link)));
    const name = `${frontend.name} ${frontend.version}, ${what}`;

    report.group(`${name}: origin, path and parameters`, links.length,
      compareAll(links, expected, answers,
        (left, right) => linkDifferences(left, right, {ordered: false, wrappedState: true})));
    compareWays(report, name, links, answers);
  }
  compareRefusals(report, `${frontend.name} ${frontend.version}`, frontendUrl,
    [{...v3, mode: 'sandbox'}, {...v3, response_type: 'token'}, {...v3, response_type: 'CODE'}, {...v3, client_id: ''}]);
}

module.exports = {compareBackend, compareFrontend};
