'use strict';

// Stops the web server gracefully: every complete request gets its response, and
// nothing else is waited for.

const {log} = require('./log');

// How long to wait for the rest of a request.
const PATIENCE = 3000;

// smartcar_finish_connect waits for a connection to the database, and for four
// responses of Smartcar one after the other, each at most for the server's timeout.
const LIMIT = 3 * 60 * 1000;

// The connections without a request, because browsers open some in advance, and the
// requests without a response.
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

// Returns a function that stops the server.  before is called when no more
// connections are accepted, after when all requests have their response.
function makeStop(server, {before, after}) {
  const {silent, asked} = watch(server);
  let stopping = false;

  // HTTP keeps a connection open after a response.
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
      log(new Error('a request had no response before the end'));
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
