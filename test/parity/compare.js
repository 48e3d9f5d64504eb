'use strict';

// Compares two links, or two results.
//
// A link is parsed as a web server does.  The origin, the path and the decoded parameters
// must be equal, and for the package whose order is copied, the order, too.

const {INSTANCE_ID} = require('./packages');

function takeApart(text) {
  const url = new URL(text);
  const question = text.indexOf('?');
  const query = question < 0 ? '' : text.slice(question + 1);

  return {
    origin: url.origin,
    path: url.pathname,
    fragment: url.hash,
    credentials: url.username + url.password,
    query,
    parameters: Array.from(new URLSearchParams(query)),
  };
}

// The decoded value of a parameter; null if it is missing.
function parameter(text, name) {
  return new URLSearchParams(takeApart(text).query).get(name);
}

function sortByName(parameters) {
  return parameters.slice().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

// `@smartcar/auth` prints the state as base64 of a JSON object, even without a state.  It is
// not percent-encoded, so a "+" in it must not be read as a space.  Returns the parameters
// with the state of the application.
function unwrapState(text) {
  const {query, parameters} = takeApart(text);
  const wrapped = /(?:^|&)state=([^&]*)/.exec(query);
  const {instanceId, originalState} = JSON.parse(atob(decodeURIComponent(wrapped[1])));

  if (instanceId !== INSTANCE_ID) {
    throw new Error(`the state of ${text} is not wrapped as expected`);
  }
  return parameters
    .map(([name, value]) => (name === 'state' ? [name, originalState] : [name, value]))
    .filter(([, value]) => value !== undefined);
}

// The differences between two links, as a list of sentences.
function linkDifferences(expected, actual, {ordered = true, wrappedState = false} = {}) {
  const wanted = takeApart(expected);
  const found = takeApart(actual);
  const arrange = ordered ? (parameters) => parameters : sortByName;
  const wantedParameters = arrange(wrappedState ? unwrapState(expected) : wanted.parameters);
  const foundParameters = arrange(found.parameters);
  const differences = [];

  for (const part of ['origin', 'path', 'fragment', 'credentials']) {
    if (wanted[part] !== found[part]) {
      differences.push(`${part}: ${JSON.stringify(wanted[part])} in the package, ${JSON.stringify(found[part])} here`);
    }
  }
  for (let i = 0; i < Math.max(wantedParameters.length, foundParameters.length); i++) {
    const left = JSON.stringify(wantedParameters[i]);
    const right = JSON.stringify(foundParameters[i]);

    if (left !== right) {
      differences.push(`parameter ${i + 1}: ${left} in the package, ${right} here`);
    }
  }
  return differences;
}

// The link with the five characters encoded that encodeURIComponent() leaves alone; only in
// these may the bytes differ.
function encodeStrictly(text) {
  const question = text.indexOf('?');

  return text.slice(0, question) + text.slice(question)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function byteDifferences(expected, actual) {
  const wanted = encodeStrictly(expected);

  return wanted === actual ? [] : [`bytes: ${wanted} in the package, ${actual} here`];
}

function valueDifferences(expected, actual) {
  return expected === actual ? [] : [`${JSON.stringify(expected)} in the package, ${JSON.stringify(actual)} here`];
}

module.exports = {takeApart, parameter, linkDifferences, byteDifferences, valueDifferences};
