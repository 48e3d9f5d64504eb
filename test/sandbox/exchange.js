'use strict';

// One request from its arrival to its response: the body, the log, the faults, the delay,
// and the handler of the path.

const http2 = require('http2');

const {Request} = require('./request');
const {v2Error, v3Error} = require('./errors');
const {tokenEndpoint} = require('./oauth');
const {applicationTokenEndpoint} = require('./iam');
const {apiV2} = require('./api_v2');
const {apiV3} = require('./api_v3');
const {compatibleModels} = require('./compatible_models');
const {managementV2} = require('./management');
const {connect} = require('./connect');
const {control} = require('./control');
const {faultyResponse} = require('./fault_responses');
const {send, cut} = require('./send');

// Connections on which no further request gets a response.
const silent = new WeakSet();

const BODY_LIMIT = 64 * 1024 * 1024;

function work(request, sandbox) {
  const {path} = request;

  try {
    if (path.startsWith('/v2.0/management/')) {
      return managementV2(request, sandbox);
    }
    if (path.startsWith('/v2.0/')) {
      return apiV2(request, sandbox);
    }
    if (path === '/v3/compatible-vehicles') {
      return compatibleModels(request);
    }
    if (path.startsWith('/v3/')) {
      return apiV3(request, sandbox);
    }
    if (path === '/oauth/token') {
      return tokenEndpoint(request, sandbox);
    }
    if (path === '/oauth2/token') {
      return applicationTokenEndpoint(request, sandbox);
    }
    if (path === '/oauth/authorize' || path === '/oauth/reauthenticate') {
      return connect(request, sandbox);
    }
    return v2Error(request, 'RESOURCE_NOT_FOUND', /^\/v\d/.test(path) ? 'VERSION' : 'PATH');
  } catch (error) {
    // a path with a broken escape is the client's error, all else is ours
    if (error instanceof URIError) {
      return v2Error(request, 'RESOURCE_NOT_FOUND', 'PATH');
    }
    process.stderr.write(`sandbox: ${error.stack}\n`);
    return path.startsWith('/v3/') ? v3Error(request, 'SERVER', 'INTERNAL') : v2Error(request, 'SERVER', 'INTERNAL');
  }
}

function logged(request, incoming, {log}) {
  const {stream, socket} = incoming;

  return log.arrived({
    time: Date.now(), method: request.method, path: request.written, query: request.search, headers: request.headers,
    body: request.body, port: socket ? socket.remotePort : null, protocol: incoming.httpVersion === '2.0' ? '2' : incoming.httpVersion,
    secure: request.secure, stream: stream ? stream.id : null,
  });
}

// A fault can have what Node refuses to send, such as a header with a line break.
function trySend(outgoing, result, effect) {
  try {
    send(outgoing, result, effect);
  } catch (error) {
    process.stderr.write(`sandbox: the response could not be sent: ${error.message}\n`);
    cut(outgoing, false);
  }
}

function handleRequest(request, incoming, outgoing, sandbox) {
  const {faults, log, settings} = sandbox;
  const entry = logged(request, incoming, sandbox);
  const connection = incoming.stream ? incoming.stream.session : incoming.socket;
  const wasSilent = silent.has(connection);
  const effect = wasSilent || faults.list.length === 0 ? null : faults.take(request);
  let over = false;
  const finished = (status) => {
    if (!over) {
      over = true;
      log.finished(entry, status);
    }
  };

  outgoing.on('finish', () => finished(outgoing.statusCode));
  outgoing.on('close', () => finished(effect && (effect.drop || effect.reset || effect.refuse) ? 0 :
    effect && (effect.slow_headers_ms || effect.truncate !== undefined) ? outgoing.statusCode : -1));

  if (wasSilent) {
    return;
  }
  if (effect && effect.silent) {
    silent.add(connection);
  }
  if (effect && effect.refuse && outgoing.stream) {
    outgoing.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  if (effect && effect.drop === 'before') {
    setTimeout(() => cut(outgoing, effect.reset), effect.delay_ms || 0);
    return;
  }

  // The request is processed first and the response held back, because this is the harder
  // case for a client that disconnects in between.
  const result = effect ? faultyResponse(request, effect, () => work(request, sandbox)) : work(request, sandbox);
  const delay = settings.delay + (result.delay || 0) + (effect && effect.delay_ms ? effect.delay_ms : 0);

  if (delay > 0) {
    setTimeout(trySend, delay, outgoing, result, effect);
  } else {
    trySend(outgoing, result, effect);
  }
}

// Control requests are neither logged nor delayed, and never affected by faults.
async function handleControl(request, incoming, outgoing, sandbox) {
  let result;

  try {
    result = await control(request, sandbox);
  } catch (error) {
    result = {status: 400, body: {error: error.message}};
  }
  trySend(outgoing, result, null);
}

function hasNoBody({method, headers}) {
  return (method === 'GET' || method === 'HEAD') && headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined;
}

function makeHandler(sandbox, secure) {
  return (incoming, outgoing) => {
    const request = new Request(incoming, secure);
    const handle = request.path.startsWith('/sandbox/') ? handleControl : handleRequest;
    const chunks = [];
    let size = 0;

    sandbox.lastRequest = Date.now();
    if (hasNoBody(incoming)) {
      handle(request, incoming, outgoing, sandbox);
      return;
    }
    incoming.on('data', (chunk) => {
      size += chunk.length;
      if (size > BODY_LIMIT) {
        incoming.destroy();
        return;
      }
      chunks.push(chunk);
    });
    incoming.on('end', () => {
      request.body = Buffer.concat(chunks).toString();
      handle(request, incoming, outgoing, sandbox);
    });
    incoming.on('error', () => {});
  };
}

module.exports = {makeHandler};
