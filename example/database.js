'use strict';

// The database.  Its address is in the usual variables PGHOST, PGPORT,
// PGDATABASE, PGUSER and PGPASSWORD.
//
// smartcar_finish_connect occupies a connection until Smartcar has responded.  It has
// a pool of its own, so that the pages load however slow that is.

const {Client, Pool} = require('pg');

const {log} = require('./log');

const pages = new Pool({max: 8, connectionTimeoutMillis: 5000, statement_timeout: 5000, application_name: 'garage'});
const calls = new Pool({max: 4, connectionTimeoutMillis: 20000, application_name: 'garage calls'});

// The pool replaces an idle connection that breaks.
pages.on('error', log);
calls.on('error', log);

// The first row of a statement.
async function row(sql, values = []) {
  return (await pages.query(sql, values)).rows[0];
}

async function rows(sql, values = []) {
  return (await pages.query(sql, values)).rows;
}

// The first row of a CALL that sends requests.  It is a statement of its own, because
// these procedures commit.
async function call(sql, values = []) {
  return (await calls.query(sql, values)).rows[0];
}

// Calls notified with the payload of every notification, and connects again after a
// connection is lost.  What was notified in between is lost, so it calls listening
// whenever it begins to listen.
function listen(channels, {notified, listening}) {
  let client = null;
  let stopped = false;

  function startAgain(broken, error) {
    if (broken !== client || stopped) {
      return;
    }
    client = null;
    log(error);
    broken.end().catch(() => {});
    setTimeout(start, 2000);
  }

  async function start() {
    const mine = new Client({application_name: 'garage listener', keepAlive: true});

    if (stopped) {
      return;
    }
    client = mine;
    mine.on('error', (error) => startAgain(mine, error));
    mine.on('end', () => startAgain(mine, new Error('the connection that listens has ended')));
    mine.on('notification', ({payload}) => notified(payload));
    try {
      await mine.connect();
      for (const channel of channels) {
        await mine.query(`LISTEN ${mine.escapeIdentifier(channel)}`);
      }
      listening();
    } catch (error) {
      startAgain(mine, error);
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
