'use strict';

// The garage: a web server over a database with smartcar_tesla.
//
// Usage: node server.js
//
// Environment, beside that of the database:
//   PORT      where to listen; default 8080, 0 for any
//   HOST      the interface to listen on; default 127.0.0.1
//   ORIGIN    how browsers reach it, if not as http://localhost:PORT: through a proxy
//             that terminates TLS and preserves the Host header
//   KEY_PAGE  only with the local Smartcar: the page to use instead of the Tesla app
//
// It prints its address when it is ready.

const http = require('http');

const changes = require('./changes');
const database = require('./database');
const {log} = require('./log');
const {makeHandler} = require('./routes');
const {makeStop} = require('./stop');

const {PORT = '8080', HOST = '127.0.0.1', ORIGIN, KEY_PAGE: keyPage = null} = process.env;

const server = http.createServer({requestTimeout: 30000});
const stop = makeStop(server, {before: changes.start(), after: database.close});

server.on('error', (error) => {
  log(error);
  process.exit(1);
});
server.listen(Number(PORT), HOST, () => {
  const {origin} = new URL(ORIGIN || `http://localhost:${server.address().port}`);
  const handle = makeHandler({origin, keyPage});

  server.on('request', (incoming, outgoing) => handle(incoming, outgoing).catch((error) => {
    log(error);
    outgoing.destroy();
  }));
  process.stdout.write(`${origin}\n`);
});
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
