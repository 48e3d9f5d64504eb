'use strict';

// The parameters of a link to Connect, and whether they are valid.  An invalid link shows
// an error page and does not redirect, because its redirect URI cannot be trusted.

const {readScope, smartcarPermissions} = require('./permissions');

class LinkError extends Error {}

function isRegistered(settings, uri) {
  return settings.redirect_uris.includes(uri) || /^http:\/\/localhost(:\d+)?([/?]|$)/.test(uri) ||
    uri.startsWith(`sc${settings.client_id}://`);
}

function oneOf(query, name, values, usual) {
  const value = query.get(name);

  if (value === null || value === '') {
    if (usual === undefined) {
      throw new LinkError(`Missing parameter ${name}`);
    }
    return usual;
  }
  if (!values.includes(value)) {
    throw new LinkError(`Invalid parameter ${name}`);
  }
  return value;
}

// application_id is the newer name of client_id.
function readApplication(query, settings) {
  const name = query.has('application_id') ? 'application_id' : 'client_id';

  if (query.get(name) !== settings.client_id) {
    throw new LinkError(`Invalid parameter ${name}`);
  }
  return name === 'application_id' ? '3' : '2.0';
}

function readPermissions(query, settings) {
  const asked = readScope(query.get('scope') || settings.dashboard_scope);
  const known = settings.allowed_permissions || Object.keys(smartcarPermissions);
  const refused = asked.map(({name}) => name).filter((name) => !known.includes(name) && !settings.extra_permissions.includes(name));

  if (refused.length > 0) {
    throw new LinkError(`Application not authorized to request permission(s): ${refused.join(' ')}`);
  }
  return asked;
}

// needed: whether the flow ends with a redirect.  The default is the first registered
// address.
function readRedirect(query, settings, needed) {
  const given = query.get('redirect_uri');

  if (given) {
    if (!isRegistered(settings, given)) {
      throw new LinkError('Unauthorized redirect_uri');
    }
    return given;
  }
  return needed ? settings.redirect_uris[0] : null;
}

// Undefined: absent; null: delete the stored value.
function readExternalId(query) {
  const value = query.get('external_id');

  if (value === null || value === '') {
    return undefined;
  }
  return value === 'null' ? null : value;
}

function readAuthorize(query, settings, link) {
  const single = oneOf(query, 'single_select', ['true', 'false'], 'false') === 'true';
  const vin = query.get('single_select_vin') || null;

  if (vin !== null && !/^[A-HJ-NPR-Z0-9]{17}$/i.test(vin)) {
    throw new LinkError('Invalid parameter single_select_vin');
  }
  oneOf(query, 'approval_prompt', ['auto', 'force'], 'auto');
  return {
    ...link,
    flow: 'authorize',
    responseType: oneOf(query, 'response_type', ['code', 'none']),
    mode: oneOf(query, 'mode', ['live', 'simulated', 'test'], 'live'),
    permissions: readPermissions(query, settings),
    singleVin: vin && vin.toUpperCase(),
    single: single || vin !== null,
    redirectUri: readRedirect(query, settings, query.get('response_type') === 'code'),
  };
}

// Without vehicle_id the link updates access with Tesla and ends on a page of Connect;
// with it the owner of one vehicle logs in again.
function readReauthenticate(query, settings, link) {
  const vehicleId = query.get('vehicle_id');
  const responseType = oneOf(query, 'response_type', ['vehicle_id', 'none']);

  if (!vehicleId) {
    oneOf(query, 'make', ['TESLA']);
    if (!query.get('scope')) {
      throw new LinkError('Missing parameter scope');
    }
    return {...link, flow: 'update', responseType, mode: null, permissions: readPermissions(query, settings), redirectUri: null};
  }
  return {
    ...link, flow: 'login', responseType, vehicleId, permissions: [],
    redirectUri: readRedirect(query, settings, responseType === 'vehicle_id'),
  };
}

// Throws a LinkError for an invalid link.
function readLink({path, query, search}, settings) {
  const link = {
    search, path, generation: readApplication(query, settings), state: query.get('state'),
    make: query.get('make') ? query.get('make').toUpperCase() : null, externalId: readExternalId(query),
    redirectGiven: Boolean(query.get('redirect_uri')),
  };

  return path === '/oauth/authorize' ? readAuthorize(query, settings, link) : readReauthenticate(query, settings, link);
}

module.exports = {readLink, LinkError};
