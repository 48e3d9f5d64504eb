'use strict';

// Smartcar's errors in v2.0, v3 and OAuth.

const DOCUMENTATION = 'https://smartcar.com/docs/errors/api-errors';

// type, code, HTTP status, resolution, description.  "*" stands for every other code.
const catalogue = [
  ['AUTHENTICATION', null, 401, null, 'The access token is missing, unknown or no longer valid.'],
  ['BILLING', 'ACCOUNT_SUSPENDED', 430, 'FINANCE', 'The account of this application is suspended.'],
  ['BILLING', '*', 430, 'CONTACT_SUPPORT', 'The plan of this application does not allow this request.'],
  ['COMPATIBILITY', 'PLATFORM_NOT_CAPABLE', 501, 'REAUTHENTICATE', 'The vehicle is connected in a way that does not offer this.'],
  ['COMPATIBILITY', '*', 501, null, 'The vehicle does not offer this.'],
  ['CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 400, 'REAUTHENTICATE', 'The login of the owner at the manufacturer is no longer accepted.'],
  ['CONNECTED_SERVICES_ACCOUNT', 'PERMISSION', 400, 'REAUTHENTICATE', 'The owner has taken this permission back at the manufacturer.'],
  ['CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED', 400, 'ACTION_REQUIRED', 'The vehicle takes no commands before the virtual key has been added.'],
  ['CONNECTED_SERVICES_ACCOUNT', '*', 400, null, 'The account of the owner at the manufacturer does not allow this.'],
  ['PERMISSION', null, 403, 'REAUTHENTICATE', 'The application does not hold the permission that this request needs.'],
  ['RATE_LIMIT', '*', 429, 'RETRY_LATER', 'Too many requests were made.'],
  ['RESOURCE_NOT_FOUND', '*', 404, null, 'There is nothing at this address.'],
  ['SERVER', 'INTERNAL', 500, 'RETRY_LATER', 'Something went wrong at Smartcar.'],
  ['SERVER', '*', 500, 'CONTACT_SUPPORT', 'Something went wrong at Smartcar.'],
  ['UPSTREAM', '*', 502, 'RETRY_LATER', 'The manufacturer did not give a usable response.'],
  ['VALIDATION', '*', 400, null, 'The request has a parameter that cannot be used.'],
  ['VEHICLE_STATE', 'UNKNOWN', 409, 'RETRY_LATER', 'The vehicle could not do this, and did not say why.'],
  ['VEHICLE_STATE', 'LOW_BATTERY', 409, 'RETRY_LATER', 'The battery of the vehicle is too low.'],
  ['VEHICLE_STATE', '*', 409, null, 'The vehicle is in a state in which it cannot do this.'],
];

const messages = {
  AUTHENTICATION: 'Please try again later.',
  CONNECTED_SERVICES_ACCOUNT: 'Your vehicle account needs your attention before <app name> can reach your vehicle.',
  PERMISSION: 'Please give <app name> the permission that is missing.',
  VEHICLE_STATE: 'Your vehicle cannot do this at the moment.',
};

function known(type, code) {
  const row = catalogue.find((entry) => entry[0] === type && (entry[1] === (code || null) || entry[1] === '*'));

  return row ? {status: row[2], resolution: row[3], description: row[4]} : {status: 500, resolution: null, description: type};
}

function documentation(type, code) {
  return `${DOCUMENTATION}/${String(type).toLowerCase().replace(/_/g, '-')}-errors#${String(code).toLowerCase().replace(/_/g, '-')}`;
}

// The resolution as a caller gave it: a type, an object, or nothing.
function resolutionOf(given, usual) {
  if (given === undefined) {
    return {type: usual};
  }
  return typeof given === 'string' ? {type: given} : given;
}

// A response of v2.0.  more: status, description, resolution, detail, headers.
function v2Error(request, type, code = null, more = {}) {
  const usual = known(type, code);
  const status = more.status || usual.status;
  const body = {
    type, code, description: more.description || usual.description, docURL: documentation(type, code),
    statusCode: status, requestId: request.id, resolution: resolutionOf(more.resolution, usual.resolution),
    suggestedUserMessage: more.suggestedUserMessage || messages[type] || null,
  };

  if (more.detail) {
    body.detail = more.detail;
  }
  return {status, headers: more.headers, body};
}

// A response of v3.  more: status, title, detail, resolution, meta, headers.
function v3Error(request, type, code, more = {}) {
  const usual = known(type, code);
  const status = more.status || usual.status;

  return {
    status,
    headers: more.headers,
    body: {
      errors: [{
        id: request.id, status: String(status), type, code, title: more.title || String(code || type).toLowerCase().replace(/_/g, ' '),
        detail: more.detail || more.description || usual.description, resolution: resolutionOf(more.resolution, usual.resolution),
        suggestedUserMessage: messages[type] || null, links: {about: documentation(type, code)}, meta: {debug: {requestId: request.id}},
      }],
    },
  };
}

// A response of a token endpoint.
function oauthError(status, error, description) {
  return {
    status,
    headers: status === 401 ? {'www-authenticate': 'Basic realm="smartcar"'} : undefined,
    body: description ? {error, error_description: description} : {error},
  };
}

// An error in the format of the API that the path belongs to.
function errorFor(request, type, code, more) {
  if (request.path.startsWith('/v3/')) {
    return v3Error(request, type, code, more);
  }
  if (request.path.startsWith('/oauth')) {
    return oauthError((more && more.status) || 400, String(code || type).toLowerCase(), more && more.description);
  }
  return v2Error(request, type, code, more);
}

module.exports = {v2Error, v3Error, oauthError, errorFor};
