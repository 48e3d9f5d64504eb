'use strict';

// Sends a response: at once, or with the faults of a network or a server.

const http = require('http');
const http2 = require('http2');

const PIECES = 50;

function bytesOf({body}) {
  if (body === undefined || body === null) {
    return Buffer.alloc(0);
  }
  return Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function headersOf(response, bytes) {
  const headers = {...response.headers};
  const names = Object.keys(headers).map((name) => name.toLowerCase());

  if (!names.includes('content-type') && bytes.length > 0) {
    headers['content-type'] = typeof response.body === 'object' ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8';
  }
  if (!names.includes('content-length') && response.status !== 204 && response.status !== 304) {
    headers['content-length'] = bytes.length;
  }
  return headers;
}

// Sends bytes in pieces over some time.
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

// Closes a connection without a response.  With reset only the stream, if there are
// streams.
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

// What node:http does not do: headers in pieces after the status line, or a truncated
// body.
function sendRaw(outgoing, response, headers, bytes, {slow_headers_ms: slowly = 0, truncate}) {
  const {socket} = outgoing;
  const lines = Object.entries({...headers, connection: 'close'}).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${lines.join('')}\r\n`);
  const write = (part) => socket.destroyed || socket.write(part);

  write(`HTTP/1.1 ${response.status} ${http.STATUS_CODES[response.status] || 'Unknown'}\r\n`);
  dribble(write, head, slowly, () => {
    write(truncate === undefined ? bytes : bytes.subarray(0, truncate));
    // the client must have time to read before it sees the end
    setTimeout(() => socket.end(), 20);
  });
}

// Bytes unchanged, in pieces with a pause in between, in place of what node:http would
// write; the connection may be closed after them.
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

function send(outgoing, response, effect) {
  const bytes = bytesOf(response);
  const headers = headersOf(response, bytes);

  if (outgoing.destroyed || (outgoing.stream && outgoing.stream.destroyed)) {
    return;
  }
  if (effect === null && response.hold !== undefined) {
    // the headers are sent at once without a length; the rest follows on this connection
    delete headers['content-length'];
    outgoing.writeHead(response.status, headers);
    outgoing.flushHeaders();
    setTimeout(() => outgoing.end(bytes), response.hold);
    return;
  }
  if (effect === null) {
    outgoing.writeHead(response.status, headers);
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
    sendRaw(outgoing, response, headers, bytes, effect);
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
  outgoing.writeHead(response.status, headers);
  sendBody(outgoing, bytes, effect);
}

module.exports = {send, cut};
