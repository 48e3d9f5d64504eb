'use strict';

// Calls of `smartcar` and of the extension to the same sandbox.
//
// Before each side's turn the sandbox is put into the same state.  The results must be
// equal, and so must the requests in the sandbox's log: their methods, paths, parameters as
// sets, credentials, and bodies as data.  The cases are those of call_cases.js; the known
// differences are in call_differences.js.

const {isDeepStrictEqual} = require('util');

const {backend} = require('./packages');
const {ask, execute} = require('./database');
const {Sandbox} = require('./sandbox');
const {callCases, errorCases} = require('./call_cases');
const {callDifferences} = require('./call_differences');
const {prepareServers, application} = require('./call_servers');
const {describeRequest, requestDifferences, checkRequestComparison} = require('./call_requests');

const name = `${backend.name} ${backend.version}`;

function pointPackageAt(origin) {
  for (const variable of ['SMARTCAR_AUTH_ORIGIN', 'SMARTCAR_API_ORIGIN', 'SMARTCAR_API_V3_ORIGIN', 'SMARTCAR_MANAGEMENT_API_ORIGIN']) {
    if (origin) {
      process.env[variable] = origin;
    } else {
      delete process.env[variable];
    }
  }
}

// An error of the package, with the names of smartcar_error.
function errorOfPackage(error) {
  const {statusCode, type, code, description, docURL, suggestedUserMessage, requestId, retryAfter, detail, resolution = {}} = error;
  const given = (value) => (value === undefined || value === '' ? null : value);

  return {
    status: given(statusCode), type: given(type), code: given(code), description: given(description),
    resolution_type: given(resolution.type), resolution_url: given(resolution.url), doc_url: given(docURL),
    suggested_user_message: given(suggestedUserMessage), request_id: given(requestId), retry_after: given(retryAfter),
    detail: given(detail),
  };
}

async function resultOfPackage(run, given) {
  try {
    return {value: await run(backend.api, given, application)};
  } catch (error) {
    if (error.name === 'SmartcarError') {
      return {error: errorOfPackage(error)};
    }
    return {throws: error.name, message: error.message};
  }
}

// A question is a query with one result of type jsonb.  An error in a row counts as an error.
function resultOfExtension(query, given) {
  const [{value, sqlstate, message}] = ask([{kind: 'query', input: {query: query(given)}}]);

  if (sqlstate) {
    return {sqlstate, message};
  }
  if (value && value.error) {
    const {action, ...error} = value.error;

    return {error};
  }
  return {value};
}

// One side's turn: the state, its result, and its requests.
async function turn(sandbox, {prepare, faults}, call, see) {
  await sandbox.reset();
  const given = prepare ? await prepare(sandbox) : {};
  if (faults) {
    await sandbox.ask('faults', faults);
  }
  await sandbox.clearLog();
  const found = await call(given);
  const requests = (await sandbox.requests()).map((entry) => describeRequest(entry, given));

  if (see && found.value !== undefined && found.value !== null) {
    found.value = await see(found.value, sandbox);
  }
  return {found, requests};
}

async function bothTurns(sandbox, one) {
  const {theirs, seeTheirs, ours, seeOurs} = one;

  return [
    await turn(sandbox, one, (given) => resultOfPackage(theirs, given), seeTheirs),
    await turn(sandbox, one, (given) => resultOfExtension(ours, given), seeOurs),
  ];
}

function resultDifferences(expected, found, sides) {
  return isDeepStrictEqual(expected, found) ? [] : [`${sides[0]}: ${JSON.stringify(expected)}`, `${sides[1]}: ${JSON.stringify(found)}`];
}

async function compareGroup(report, sandbox, what, cases) {
  const failures = [];

  for (const one of cases) {
    const [theirs, ours] = await bothTurns(sandbox, one);
    const differences = [
      ...resultDifferences(theirs.found, ours.found, ['package', 'extension']),
      ...(theirs.found.throws || ours.found.sqlstate ? ['an error in place of a result'] : []),
      ...requestDifferences(theirs.requests, ours.requests),
    ];

    if (differences.length > 0) {
      failures.push({what: one.what, differences});
    }
  }
  report.group(`${name}, calls: ${what}`, cases.length, failures);
}

// Each known difference is asserted for both sides.
async function checkDifferences(report, sandbox) {
  for (const one of callDifferences) {
    const sides = await bothTurns(sandbox, one);
    const [theirs, ours] = sides.map((side) => one.see({...side.found, requests: side.requests}));
    const differences = [
      ...resultDifferences(one.expected.theirs, theirs, ['package, expected', 'package, found']),
      ...resultDifferences(one.expected.ours, ours, ['extension, expected', 'extension, found']),
    ];

    report.group(`${name}, calls, known difference: ${one.what}`, 1, differences.length > 0 ? [{what: one.what, differences}] : [],
      `package: ${JSON.stringify(theirs)}; extension: ${JSON.stringify(ours)} (${one.reason})`);
  }
}

async function compareCalls(report) {
  if (backend.skipped) {
    return;
  }
  if (!process.env.PARITY_SANDBOX) {
    report.skip('PARITY_SANDBOX does not say where the sandbox is');
    return;
  }
  const [{is_superuser: mayNameOrigins}] = execute(
    'SELECT jsonb_build_object(\'is_superuser\', rolsuper) FROM pg_roles WHERE rolname = current_user;\n');
  if (!mayNameOrigins) {
    report.skip('only a superuser may set the origins of a server');
    return;
  }

  checkRequestComparison(report);
  const sandbox = await Sandbox.start();
  try {
    pointPackageAt(sandbox.origin);
    execute(prepareServers(sandbox.origin));
    await compareGroup(report, sandbox, 'results and requests', callCases);
    await compareGroup(report, sandbox, 'errors', errorCases);
    await checkDifferences(report, sandbox);
  } finally {
    pointPackageAt(null);
    sandbox.stop();
  }
}

module.exports = {compareCalls};
