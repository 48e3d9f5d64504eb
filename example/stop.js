'use strict';

// Ends the web server in good order: whoever has asked something gets an answer,
// and nobody else is waited for.

const {log} = require('./log');

// Longer than any answer takes.
const LIMIT = 30000;

// Browsers open connections in advance, on which they may never ask anything.
// The server would wait for them.
function silentConnections(server) {
  const silent = new Set();

  server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({socket}) => silent.delete(socket));
  return silent;
}

// Returns a function that ends the server.  before is called when no more
// requests are taken, after when all are answered.
function makeStop(server, {before, after}) {
  const silent = silentConnections(server);
  let stopping = false;

  return async function stop() {
    if (stopping) {
      return;
    }
    stopping = true;
    setTimeout(() => {
      log(new Error('a request was not answered before the end'));
      process.exit(1);
    }, LIMIT).unref();

    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    // a connection is kept open after its answer
    const sweeping = setInterval(() => server.closeIdleConnections(), 100);

    silent.forEach((socket) => socket.destroy());
    await before();
    await closed;
    clearInterval(sweeping);
    await after();
  };
}

module.exports = {makeStop};
