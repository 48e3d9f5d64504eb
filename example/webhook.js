'use strict';

// POST /webhook: the bytes as they came go to the database, which verifies,
// applies and answers.

const database = require('./database');
const {readBody} = require('./web');

const LIMIT = 1024 * 1024;

async function receive({incoming}) {
  const body = await readBody(incoming, LIMIT);
  const {answer} = await database.row('SELECT smartcar_receive_webhook($1::bytea, $2) AS answer', [body, incoming.headers['sc-signature']]);

  return answer === null ? {status: 401, headers: {}, body: ''} :
    {status: 200, headers: {'content-type': 'application/json'}, body: answer};
}

module.exports = {receive};
