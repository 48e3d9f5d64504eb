'use strict';

// How an answer goes onto the wire: at once, or in the ways in which a network
// or a server can let a client down.

const http = require('http');
const http2 = require('http2');

const PIECES = 50;

function bytesOf({body}) {
  if (body === undefined || body === null) {
    return Buffer.alloc(0);
  }
  return Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function headersOf(answer, bytes) {
  const headers = {...answer.headers};
  const names = Object.keys(headers).map((name) => name.toLowerCase());

  if (!names.includes('content-type') && bytes.length > 0) {
    headers['content-type'] = typeof answer.body === 'object' ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8';
  }
  if (!names.includes('content-length') && answer.status !== 204 && answer.status !== 304) {
    headers['content-length'] = bytes.length;
  }
  return headers;
}

// Writes bytes piece by piece over a time.
function dribble(write, bytes, milliseconds, done) {
  const count = Math.max(1, Math.min(PIECES, bytes.length));
  const size = Math.ceil(bytes.length / count);
  let offset = 0;
  const step = () => {
    if (offset >= bytes.length) {
      done();
      return;
    }
    write(bytes.subarray(offset, offset + size));
    offset += size;
    setTimeout(step, milliseconds / count);
  };

  step();
}

// Ends a connection without an answer.  With reset only the stream, where
// there are streams.
function cut(outgoing, reset) {
  const {stream, socket} = outgoing;

  if (stream) {
    if (reset) {
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    } else if (stream.session) {
      stream.session.destroy();
    }
  } else if (socket) {
    if (reset && socket.resetAndDestroy) {
      socket.resetAndDestroy();
    } else {
      socket.destroy();
    }
  }
}

// What node:http would not do by itself: headers piece by piece after the status
// line, or a body that ends too soon.
function sendRaw(outgoing, answer, headers, bytes, {slow_headers_ms: slowly = 0, truncate}) {
  const {socket} = outgoing;
  const lines = Object.entries({...headers, connection: 'close'}).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${lines.join('')}\r\n`);
  const write = (part) => socket.destroyed || socket.write(part);

  write(`HTTP/1.1 ${answer.status} ${http.STATUS_CODES[answer.status] || 'Unknown'}\r\n`);
  dribble(write, head, slowly, () => {
    write(truncate === undefined ? bytes : bytes.subarray(0, truncate));
    // only when the client has had time to read is it the end that it sees
    setTimeout(() => socket.end(), 20);
  });
}

// Bytes as they are, piece by piece with a pause in between, in the place of what
// node:http would write; the connection may end behind them.
function sendBytes(outgoing, pieces, close) {
  const {socket} = outgoing;
  const {write} = socket;
  const step = ([piece, ...rest]) => {
    socket.write(Buffer.from(piece, 'latin1'));
    if (rest.length > 0) {
      setTimeout(() => socket.destroyed || step(rest), 30);
    } else if (close) {
      socket.end();
    }
  };

  socket.write = (bytes, ...more) => {
    more.filter((argument) => typeof argument === 'function').forEach((done) => process.nextTick(done));
    return true;
  };
  outgoing.end();
  socket.write = write;
  step(pieces);
}

function sendBody(outgoing, bytes, effect) {
  if (effect.truncate !== undefined) {
    outgoing.write(bytes.subarray(0, effect.truncate));
    setTimeout(() => cut(outgoing, true), 20);
  } else if (effect.slow_body_ms) {
    dribble((part) => outgoing.write(part), bytes, effect.slow_body_ms, () => outgoing.end());
  } else if (effect.delay_body_ms) {
    if (outgoing.flushHeaders) {
      outgoing.flushHeaders();
    }
    setTimeout(() => outgoing.end(bytes), effect.delay_body_ms);
  } else {
    outgoing.end(bytes);
  }
}

function send(outgoing, answer, effect) {
  const bytes = bytesOf(answer);
  const headers = headersOf(answer, bytes);

  if (outgoing.destroyed || (outgoing.stream && outgoing.stream.destroyed)) {
    return;
  }
  if (effect === null && answer.hold !== undefined) {
    // the headers go out at once and tell no length; the rest follows on this connection
    delete headers['content-length'];
    outgoing.writeHead(answer.status, headers);
    outgoing.flushHeaders();
    setTimeout(() => outgoing.end(bytes), answer.hold);
    return;
  }
  if (effect === null) {
    outgoing.writeHead(answer.status, headers);
    outgoing.end(bytes);
    return;
  }
  if (effect.drop || effect.reset) {
    cut(outgoing, effect.reset);
    return;
  }
  if (!outgoing.stream && effect.raw !== undefined) {
    sendBytes(outgoing, [effect.raw].flat(), effect.close);
    return;
  }
  if (!outgoing.stream && (effect.slow_headers_ms || effect.truncate !== undefined)) {
    sendRaw(outgoing, answer, headers, bytes, effect);
    return;
  }
  if (outgoing.stream) {
    // HTTP/2 has no such header
    delete headers.connection;
  } else if (effect.close) {
    headers.connection = 'close';
  }
  if (effect.goaway && outgoing.stream) {
    outgoing.stream.session.goaway();
  }
  outgoing.writeHead(answer.status, headers);
  sendBody(outgoing, bytes, effect);
}

module.exports = {send, cut};
