'use strict';

// Compares the links of the two packages with those of the extension.

const {backendLink, frontendLink} = require('./generate');
const {usual, v3, backendEdges, frontendEdges} = require('./edge_cases');
const {backend, frontend, backendUrl, frontendUrl} = require('./packages');
const {linkDifferences, byteDifferences, valueDifferences} = require('./compare');
const {ask, askByRow, linkQuestion} = require('./database');

// Compares what the package prints with the results of the extension.
function compareAll(links, expected, results, differ) {
  return links.map((link, i) => {
    const {value, sqlstate, message} = results[i];
    const differences = sqlstate ? [`refused here with ${sqlstate}: ${message}`] : differ(expected[i], value);

    return {what: link, differences};
  }).filter(({differences}) => differences.length > 0);
}

// A link must not depend on how its arguments are passed: the extension keeps constant
// parts from one row to the next.
function compareWays(report, name, links, results) {
  const questions = links.map((link) => linkQuestion(link));
  const literals = ask(links.map((link) => linkQuestion(link, 'links')));
  const rows = askByRow(questions);
  const failures = links.map((link, i) => {
    const others = [rows[i], ...(literals[i].value || [literals[i].message, null])];

    return {what: link, differences: others.flatMap((other) => valueDifferences(results[i].value, other))};
  }).filter(({differences}) => differences.length > 0);

  report.group(`${name}: the same link from variables, columns and literals`, links.length, failures);
}

// Links that neither side builds.
function compareRefusals(report, name, build, links) {
  const results = ask(links.map((link) => linkQuestion(link)));
  const failures = links.map((link, i) => {
    const differences = [];

    try {
      differences.push(`${build(link)} in the package`);
    } catch {
      // an error, as expected
    }
    if (!results[i].sqlstate) {
      differences.push(`${results[i].value} here`);
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
    const results = ask(links.map((link) => linkQuestion(link)));
    const name = `${backend.name} ${backend.version}, ${what}`;

    report.group(`${name}: origin, path, parameters and their order`, links.length,
      compareAll(links, expected, results, linkDifferences));
    report.group(`${name}: every byte but the encoding of !'()*`, links.length,
      compareAll(links, expected, results, byteDifferences));
    compareWays(report, name, links, results);
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
    const results = ask(links.map((link) => linkQuestion(link)));
    const name = `${frontend.name} ${frontend.version}, ${what}`;

    report.group(`${name}: origin, path and parameters`, links.length,
      compareAll(links, expected, results,
        (left, right) => linkDifferences(left, right, {ordered: false, wrappedState: true})));
    compareWays(report, name, links, results);
  }
  compareRefusals(report, `${frontend.name} ${frontend.version}`, frontendUrl,
    [{...v3, mode: 'sandbox'}, {...v3, response_type: 'token'}, {...v3, response_type: 'CODE'}, {...v3, client_id: ''}]);
}

module.exports = {compareBackend, compareFrontend};
