'use strict';

// The responses of faults.

const zlib = require('zlib');

const {errorFor} = require('./errors');

const KILOBYTE = 'x'.repeat(1000);

// JSON of exactly that many bytes, if that is possible.
function jsonOfSize(bytes) {
  const frame = '{"padding":""}';

  return `${frame.slice(0, -2)}${'x'.repeat(Math.max(0, bytes - frame.length))}"}`;
}

// All secrets of the request, as a careless server would repeat them.
function echoOf(request) {
  const {basic, headers, body} = request;
  const decoded = basic ? ` (${basic.user}:${basic.password})` : '';

  return `Authorization was ${headers.authorization || 'absent'}${decoded}; the body was ${body}`;
}

function echoResponse(request, status = 400) {
  const response = errorFor(request, 'VALIDATION', null, {status, description: echoOf(request)});

  if (request.path.startsWith('/oauth')) {
    response.body.error = 'invalid_request';
  } else if (!request.path.startsWith('/v3/')) {
    response.body.suggestedUserMessage = echoOf(request);
    response.body.detail = [{field: 'authorization', message: echoOf(request)}];
  }
  return response;
}

function errorResponse(request, {status, error}) {
  if (error.error !== undefined) {
    return {status: status || 400, body: error};
  }

  const {type = 'SERVER', code = null, ...more} = error;

  return errorFor(request, type, code, {...more, ...(status && {status})});
}

// The usual body of a status.
function statusResponse(request, status) {
  const types = {400: 'VALIDATION', 401: 'AUTHENTICATION', 403: 'PERMISSION', 404: 'RESOURCE_NOT_FOUND', 409: 'VEHICLE_STATE',
    429: 'RATE_LIMIT', 430: 'BILLING', 501: 'COMPATIBILITY', 502: 'UPSTREAM'};
  const codes = {404: 'PATH', 409: 'UNKNOWN', 429: 'SMARTCAR_API', 430: 'INVALID_PLAN', 500: 'INTERNAL', 501: 'VEHICLE_NOT_CAPABLE', 502: 'NO_RESPONSE'};

  if (status < 400) {
    return {status, body: status === 204 || status === 304 ? undefined : {}};
  }
  return errorFor(request, types[status] || 'SERVER', codes[status] || (types[status] ? null : 'INTERNAL'), {status});
}

// The response of a gateway that rejects a request.
const gatewayPages = {
  html: {content_type: 'text/html', body: '<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<center><h1>403 Forbidden</h1></center>\n</body>\n</html>\n'},
  json: {content_type: 'application/json', body: '{"message":"Forbidden"}'},
  empty: {content_type: 'text/plain', body: ''},
};

function gatewayResponse({gateway, status = 403}) {
  const {content_type: type, body} = gatewayPages[gateway];

  return {status, headers: {'content-type': type}, body};
}

// The response that replaces the normal one, or null if the fault keeps it.
function replacement(request, effect) {
  const {status} = effect;
  const json = {'content-type': 'application/json'};

  if (effect.echo) {
    return echoResponse(request, status);
  }
  if (effect.gateway !== undefined) {
    return gatewayResponse(effect);
  }
  if (effect.redirect) {
    return {status: status || 302, headers: {location: effect.redirect}, body: ''};
  }
  if (effect.retry_after !== undefined && !effect.body && !effect.body_base64) {
    const response = errorResponse(request, {status: status || 429, error: effect.error || {type: 'RATE_LIMIT', code: 'VEHICLE'}});

    return {...response, headers: {...response.headers, 'retry-after': String(effect.retry_after)}};
  }
  if (effect.error) {
    return errorResponse(request, effect);
  }
  if (effect.body !== undefined) {
    return {status: status || 200, headers: json, body: typeof effect.body === 'string' ? effect.body : JSON.stringify(effect.body)};
  }
  if (effect.body_base64 !== undefined) {
    return {status: status || 200, headers: json, body: Buffer.from(effect.body_base64, 'base64')};
  }
  if (effect.oversize !== undefined) {
    return {status: status || 200, headers: json, body: jsonOfSize(effect.oversize)};
  }
  if (effect.bomb !== undefined) {
    return {
      status: status || 200, headers: {...json, 'content-encoding': 'gzip'},
      body: zlib.gzipSync(Buffer.from(jsonOfSize(effect.bomb)), {level: 9}),
    };
  }
  if (effect.invalid_utf8) {
    return {status: status || 200, headers: json, body: Buffer.from('{"id":"caf\xe9 \xff\xfe"}', 'latin1')};
  }
  if (effect.nul) {
    return {status: status || 200, headers: json, body: '{"id":"a\0b"}'};
  }
  if (effect.nul_escape) {
    return {status: status || 200, headers: json, body: '{"id":"a\\u0000b"}'};
  }
  if (effect.depth !== undefined) {
    return {status: status || 200, headers: json, body: `{"id":${'['.repeat(effect.depth)}${']'.repeat(effect.depth)}}`};
  }
  // keep_body: the normal body with another status
  return status && !effect.keep_body ? statusResponse(request, status) : null;
}

// The headers that a fault adds, with any body.
function extraHeaders(effect) {
  const headers = {};

  if (effect.content_type !== undefined) {
    headers['content-type'] = effect.content_type;
  }
  if (effect.retry_after !== undefined) {
    headers['retry-after'] = String(effect.retry_after);
  }
  for (let i = 0; i * KILOBYTE.length < (effect.big_headers || 0); i++) {
    headers[`x-padding-${i}`] = KILOBYTE;
  }
  return {...headers, ...effect.headers};
}

// The response to send.  work: makes the normal response; it is called if the fault asks
// for it, or keeps the response.
function faultyResponse(request, effect, work) {
  const instead = replacement(request, effect);
  const done = instead === null || effect.do_work ? work() : null;
  const response = instead || done;
  const headers = {};

  // names are compared without case, so that a fault replaces a header
  for (const [name, value] of Object.entries({...response.headers})) {
    headers[name.toLowerCase()] = value;
  }
  for (const [name, value] of Object.entries(extraHeaders(effect))) {
    headers[name.toLowerCase()] = value;
  }
  return {...response, status: effect.status || response.status, headers};
}

module.exports = {faultyResponse};
