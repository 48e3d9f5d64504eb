'use strict';

// The log.  The message of an error has no secrets; its DETAIL can have values of a
// row, and the query has the callback or the cookie, so these are left out.

function log(error) {
  process.stderr.write(`${new Date().toISOString()} ${error.code || error.name}: ${error.message.replace(/\s+/g, ' ')}\n`);
}

module.exports = {log};
