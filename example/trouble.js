'use strict';

// What an owner is told when something goes wrong: a sentence with what to do,
// never the error itself.

const database = require('./database');
const {log} = require('./log');

const WITHOUT_DATABASE = 'We cannot be reached just now. Please try again in a few minutes.';

// An answer with a status of its own, and the sentence to show.
class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function sentenceFor(error) {
  if (error instanceof Refusal) {
    return error.message;
  }
  log(error);
  try {
    return (await database.row('SELECT garage.sentence($1) AS sentence', [error.code || ''])).sentence;
  } catch (another) {
    return WITHOUT_DATABASE;
  }
}

module.exports = {Refusal, sentenceFor};
