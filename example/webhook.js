'use strict';

// POST /webhook: the database verifies the bytes of the body and applies the event.

const database = require('./database');
const {readBody} = require('./web');

const LIMIT = 1024 * 1024;

async function receive({incoming}) {
  const body = await readBody(incoming, LIMIT);
  const {response} = await database.row('SELECT smartcar_receive_webhook($1::bytea, $2) AS response', [body, incoming.headers['sc-signature']]);

  return response === null ? {status: 401, headers: {}, body: ''} :
    {status: 200, headers: {'content-type': 'application/json'}, body: response};
}

module.exports = {receive};
