'use strict';

// Ends the web server in good order: whoever has asked something gets an answer,
// and nobody else is waited for.

const {log} = require('./log');

// For the rest of a request that was being sent.
const PATIENCE = 3000;

// smartcar_finish_connect waits for a connection to the database, and for four
// answers of Smartcar one after the other, each at most for the server's timeout.
const LIMIT = 3 * 60 * 1000;

// The connections on which nothing was asked, because browsers open some in
// advance, and the requests that have no answer.
function watch(server) {
  const silent = new Set();
  const asked = new Set();

  server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', (incoming, outgoing) => {
    silent.delete(incoming.socket);
    asked.add(incoming);
    outgoing.once('close', () => asked.delete(incoming));
  });
  return {silent, asked};
}

// Returns a function that ends the server.  before is called when no more
// connections are taken, after when all requests are answered.
function makeStop(server, {before, after}) {
  const {silent, asked} = watch(server);
  let stopping = false;

  // A connection is kept open after its answer.
  function sweep(isPatient) {
    server.closeIdleConnections();
    if (!isPatient) {
      [...asked].filter(({complete}) => !complete).forEach(({socket}) => socket.destroy());
    }
  }

  return async function stop() {
    if (stopping) {
      return;
    }
    stopping = true;
    setTimeout(() => {
      log(new Error('a request was not answered before the end'));
      process.exit(1);
    }, LIMIT).unref();

    const begun = Date.now();
    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    const sweeping = setInterval(() => sweep(Date.now() - begun < PATIENCE), 100);

    silent.forEach((socket) => socket.destroy());
    await before();
    await closed;
    clearInterval(sweeping);
    await after();
  };
}

module.exports = {makeStop};
