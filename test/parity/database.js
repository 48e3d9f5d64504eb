'use strict';

// Questions to the extension, through psql.
//
// One run of psql evaluates all questions of a call: they go in as rows of a COPY, and the
// results come out as a line of JSON each.  PGHOST and its like name the server and the
// database.

const fs = require('fs');
const path = require('path');
const {spawnSync} = require('child_process');

const {createServers} = require('./servers');

function run(script) {
  const options = ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set', 'ON_ERROR_STOP=1'];
  const result = spawnSync('psql', options, {
    input: script,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    env: {...process.env, PGCLIENTENCODING: 'UTF8'},
  });

  if (result.error) {
    throw result.error;
  }
  if (result.status !== 0) {
    throw new Error(`psql failed: ${result.stderr.trim()}`);
  }
  return result.stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}

// Creates the extension, the functions and the servers in an empty database.
function prepare() {
  run(fs.readFileSync(path.join(__dirname, 'parity.sql'), 'utf8') + createServers());
}

function copyOf(questions) {
  const rows = questions.map(({kind, input}, position) =>
    `${position}\t${kind}\t${JSON.stringify(input).replace(/\\/g, '\\\\')}\n`);

  return `TRUNCATE question;\nCOPY question FROM STDIN;\n${rows.join('')}\\.\nANALYZE question;\n`;
}

// A result is {value} or, if the extension raises an error, {sqlstate, message}.
function ask(questions) {
  return run(`${copyOf(questions)}SELECT evaluate(kind, input) FROM question ORDER BY position;\n`);
}

// The links of one query over a table, with every argument from a column.  No question may
// raise an error.
function askByRow(questions) {
  return run(`${copyOf(questions)}
    SELECT to_jsonb(smartcar_connect_url(
           a.scope, a.state, a.make, a.force_prompt, a.single_select, a.single_select_vin,
           a.flags::jsonb, a.external_id, a.mode, a.response_type, a.client_id, a.redirect_uri, a.server))
      FROM question, jsonb_populate_record(NULL::link_arguments, input) AS a
     ORDER BY position;\n`);
}

// The question for a link; flags is the text of the JSON object.
function linkQuestion(link, kind = 'link') {
  const input = {...link};

  if (typeof input.flags === 'object' && input.flags !== null) {
    input.flags = JSON.stringify(input.flags);
  }
  return {kind, input};
}

module.exports = {prepare, execute: run, ask, askByRow, linkQuestion};
