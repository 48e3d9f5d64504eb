'use strict';

// What an owner reads when something goes wrong: a sentence with what to do, never
// the error itself.

const database = require('./database');
const {log} = require('./log');

const WITHOUT_DATABASE = 'We cannot be reached at the moment. Please try again in a few minutes.';

// A response with a status of its own, and the sentence to show.
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function messageFor(error) {
  if (error instanceof Refusal) {
    return error.message;
  }
  log(error);
  try {
    return (await database.row('SELECT garage.message_for($1) AS message', [error.code || ''])).message;
  } catch (another) {
    return WITHOUT_DATABASE;
  }
}

module.exports = {Refusal, messageFor};
