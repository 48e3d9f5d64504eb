'use strict';

// The ports: plain HTTP, TLS with valid and invalid certificates, and some that never
// respond.  All are on the loopback interface.

const http = require('http');
const http2 = require('http2');
const https = require('https');
const net = require('net');
const {spawn} = require('child_process');

const ADDRESS = '127.0.0.1';

// Longer than a test, so that the sandbox never closes an idle connection just when a
// client uses it.
const KEEP_ALIVE = 120000;

function listen(server) {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, ADDRESS, 1024, () => resolve(server.address().port));
  });
}

// Clients that disconnect are expected here.
function forgive(server) {
  for (const event of ['clientError', 'tlsClientError', 'sessionError']) {
    server.on(event, (error, socket) => {
      if (socket && socket.destroy && !socket.destroyed) {
        socket.destroy();
      }
    });
  }
  return server;
}

function count(server, event, statistics, name) {
  statistics[name] = statistics[name] || {opened: 0, open: 0};
  server.on(event, (socket) => {
    statistics[name].opened += 1;
    statistics[name].open += 1;
    socket.on('close', () => {
      statistics[name].open -= 1;
    });
    socket.on('error', () => {});
  });
  return server;
}

function patient(server) {
  server.keepAliveTimeout = KEEP_ALIVE;
  server.requestTimeout = 0;
  server.headersTimeout = KEEP_ALIVE + 1000;
  return server;
}

function plainServer(handler, statistics) {
  return count(patient(forgive(http.createServer(handler))), 'connection', statistics, 'http');
}

function secureServer(name, handler, certificate, statistics, withHttp2 = true) {
  const server = withHttp2 ? http2.createSecureServer({...certificate, allowHTTP1: true}, handler) :
    https.createServer(certificate, handler);

  return count(count(patient(forgive(server)), 'connection', statistics, name), 'secureConnection', statistics, `${name}_handshakes`);
}

function silentServer(name, statistics) {
  return count(net.createServer((socket) => socket.resume()), 'connection', statistics, name);
}

// Hangs up when a client begins the TLS handshake.
function rudeServer(name, statistics) {
  return count(net.createServer((socket) => socket.once('data', () => socket.destroy())), 'connection', statistics, name);
}

// A port where nothing listens, and nothing will: a socket that does not listen is bound
// to it.  Node lets others bind to its ports, so Perl holds it, until its standard input
// ends.  The port of an open connection would not do: the system may give it to a client,
// which then connects to itself.
const HOLDER = `
  socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!\\n";
  bind($socket, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!\\n";
  $| = 1;
  print +(unpack_sockaddr_in(getsockname($socket)))[0];
  <STDIN>`;

function closedPort() {
  return new Promise((resolve, reject) => {
    const holder = spawn('perl', ['-MSocket', '-e', HOLDER], {stdio: ['pipe', 'pipe', 'inherit']});

    holder.on('error', reject);
    holder.stdout.once('data', (port) => resolve(Number(port)));
    holder.once('exit', () => reject(new Error('the closed port is not held')));
    for (const handle of [holder, holder.stdin, holder.stdout]) {
      handle.unref();
    }
  });
}

// makeHandler(secure) gives the function for requests.  Returns the addresses.
async function openListeners(makeHandler, certificates, statistics) {
  const plain = await listen(plainServer(makeHandler(false), statistics));
  const silent = await listen(silentServer('tcp_silent', statistics));
  const addresses = {
    http: `http://${ADDRESS}:${plain}`,
    tcp_silent: `http://${ADDRESS}:${silent}`,
    closed_port: await closedPort(),
  };

  if (certificates) {
    const handler = makeHandler(true);
    const secure = async (name, certificate, withHttp2) => {
      addresses[name] = `https://localhost:${await listen(secureServer(name, handler, certificate, statistics, withHttp2))}`;
    };

    await secure('https', certificates.right);
    await secure('https_wrong_host', certificates.wrongHost);
    await secure('https_expired', certificates.expired);
    await secure('https_untrusted', certificates.untrusted);
    await secure('https_http1', certificates.right, false);
    addresses.tls_silent = `https://localhost:${await listen(silentServer('tls_silent', statistics))}`;
    addresses.tls_hangup = `https://localhost:${await listen(rudeServer('tls_hangup', statistics))}`;
    addresses.ca_file = certificates.caFile;
  }
  return addresses;
}

module.exports = {openListeners};
