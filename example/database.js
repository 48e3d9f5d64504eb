'use strict';

// The database.  Its address is in the usual variables PGHOST, PGPORT,
// PGDATABASE, PGUSER and PGPASSWORD.
//
// smartcar_finish_connect holds a connection while Smartcar answers.  It has
// connections of its own, so that the pages come up however slow that is.

const {Client, Pool} = require('pg');

const {log} = require('./log');

const pages = new Pool({max: 8, connectionTimeoutMillis: 5000, statement_timeout: 5000, application_name: 'garage'});
const calls = new Pool({max: 4, connectionTimeoutMillis: 20000, application_name: 'garage calls'});

// One that breaks while nobody uses it is replaced by the pool.
pages.on('error', log);
calls.on('error', log);

// The first row of a statement.
async function row(sql, values = []) {
  return (await pages.query(sql, values)).rows[0];
}

async function rows(sql, values = []) {
  return (await pages.query(sql, values)).rows;
}

// The same for what asks Smartcar.  Each is a statement of its own, because
// these procedures commit.
async function call(sql, values = []) {
  return (await calls.query(sql, values)).rows[0];
}

// Calls back for every notification, and comes back after a lost connection.
function listen(channels, notified) {
  let client = null;
  let stopped = false;

  function again(error) {
    const broken = client;

    if (broken === null || stopped) {
      return;
    }
    client = null;
    log(error);
    broken.end().catch(() => {});
    setTimeout(start, 2000);
  }

  async function start() {
    if (stopped) {
      return;
    }
    client = new Client({application_name: 'garage listener', keepAlive: true});
    client.on('error', again);
    client.on('end', () => again(new Error('the connection that listens has ended')));
    client.on('notification', ({payload}) => notified(payload));
    try {
      await client.connect();
      for (const channel of channels) {
        await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
      }
    } catch (error) {
      again(error);
    }
  }

  start();
  return async function stop() {
    stopped = true;
    if (client !== null) {
      await client.end();
    }
  };
}

async function close() {
  await Promise.all([pages.end(), calls.end()]);
}

module.exports = {row, rows, call, listen, close};
