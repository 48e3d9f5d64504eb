'use strict';

// The known differences between calls of `smartcar` and of the extension, and why.
//
// The cases are as in call_cases.js; see() selects what matters of a side's result: {value},
// {error}, {throws} or {sqlstate}, and its requests.

const {vehicle, client, one, connectAda, responding, full} = require('./call_cases');

const user = {
  prepare: one,
  theirs: async (api) => (await api.getUser('access-000001')).id,
  ours: () => `SELECT to_jsonb(smartcar_get_user('access-000001', 'calls'))`,
};
const attributes = {
  prepare: one,
  theirs: async (api) => (await vehicle(api).attributes()).model,
  ours: () => `SELECT to_jsonb(model) FROM smartcar_get_vehicle('vehicle-000001', 'access-000001', server => 'calls')`,
};
const compatibility = {
  theirs: async (api, given, app) => (await api.getCompatibility('5YJ3E1EA7MF000101', ['read_vin'], app)).compatible,
  ours: () => `SELECT to_jsonb(compatible) FROM smartcar_get_compatibility('5YJ3E1EA7MF000101', '{read_vin}', server => 'calls')`,
};
const ofRequest = (member) => ({requests}) => requests[0][member];
const rateLimit = {type: 'RATE_LIMIT', code: 'VEHICLE', description: 'x', requestId: 'r'};

const callDifferences = [
  {
    what: 'a slash at the end of a path', ...user, see: ofRequest('path'),
    expected: {theirs: '/v2.0/user/', ours: '/v2.0/user'}, reason: 'the documentation has none',
  },
  {
    what: 'a content type without content', ...user, see: ofRequest('type'),
    expected: {theirs: 'application/json', ours: null}, reason: 'a header about a body belongs to a body',
  },
  {
    what: 'what is accepted', ...user, see: ofRequest('accept'),
    expected: {theirs: '*/*', ours: 'application/json'}, reason: 'nothing else can be read',
  },
  {
    what: 'the unit system', ...attributes, see: ofRequest('unit_system'),
    expected: {theirs: 'metric', ours: null}, reason: 'it is sent where it is asked for; metric is Smartcar\'s default',
  },
  {
    what: 'a country that nobody named', ...compatibility, see: ({requests}) => requests[0].query.includes('country=US'),
    expected: {theirs: true, ours: false}, reason: 'the default is left to Smartcar, which takes US',
  },
  {
    what: 'a redirect URI that is not known', prepare: connectAda,
    theirs: (api, {code}, {clientId, clientSecret}) => client(api, {clientId, clientSecret}).exchangeCode(code),
    ours: ({code}) => `SELECT to_jsonb(token_type) FROM smartcar_exchange_code('${code}', server => 'calls_no_redirect')`,
    see: ({requests, error, value}) => [requests[0].body.filter((field) => field.startsWith('redirect_uri')), error ? error.type : value],
    expected: {theirs: [['redirect_uri=undefined'], 'invalid_request'], ours: [[], 'Bearer']}, reason: 'a defect of the package',
  },
  {
    what: 'a deletion by user and vehicle', prepare: one,
    theirs: (api, given, {managementToken}) => api.deleteConnections(managementToken, {userId: 'user-000001', vehicleId: 'vehicle-000001'}),
    ours: () => `SELECT to_jsonb(vehicle_id) FROM smartcar_delete_connections('vehicle-000001', 'user-000001', 'calls')`,
    see: ({throws, value, requests}) => [throws || value, requests.length],
    expected: {theirs: ['Error', 0], ours: ['vehicle-000001', 1]}, reason: 'Smartcar deletes the connection of both',
  },
  {
    what: 'a code that is refused', prepare: connectAda,
    theirs: (api, given, app) => client(api, app).exchangeCode('a-secret-code'),
    ours: () => `SELECT to_jsonb(t) FROM smartcar_exchange_code('a-secret-code', server => 'calls') t`,
    see: ({error, sqlstate, message}) => (error ? [error.status, error.type, error.description] : [sqlstate, message]),
    expected: {
      theirs: [400, 'invalid_request', 'Invalid code: a-secret-code.'],
      ours: ['SC400', 'Smartcar refused the request: invalid_request'],
    },
    reason: 'a code must not stand in messages and logs',
  },
  {
    what: 'wrong credentials of the client', prepare: connectAda,
    theirs: (api, {refresh}, app) => client(api, {...app, clientSecret: 'wrong'}).exchangeRefreshToken(refresh),
    ours: ({refresh}) => `SELECT to_jsonb(t) FROM smartcar_refresh_token('${refresh}', server => 'calls_wrong_secret') t`,
    see: ({error, sqlstate, message}) => (error ? [error.status, error.type, error.description] : [sqlstate, message]),
    expected: {theirs: [401, 'invalid_client', 'Unknown error'], ours: ['SC401', 'Smartcar refused the request: invalid_client']},
    reason: 'an SQL function raises an SQL error; the package makes up a description',
  },
  {
    ...responding('when to try again', 429, rateLimit, {'Retry-After': '5000'}), see: ({error}) => error.retry_after,
    expected: {theirs: '5000', ours: 5000}, reason: 'it is a number of seconds',
  },
  {
    ...responding('an error without a description', 409, {type: 'VEHICLE_STATE'}), see: ({error}) => error.description,
    expected: {theirs: 'Unknown error', ours: null}, reason: 'what Smartcar did not say is NULL',
  },
  {
    ...responding('an error that is no JSON', 404, '<html>', {'Content-Type': 'text/html'}),
    see: ({error}) => [error.status, error.type, error.description],
    expected: {theirs: [404, null, null], ours: [404, null, '<html>']}, reason: 'the text is all that there is to go by',
  },
  {
    ...responding('an error of no known shape', 404, {reason: 'x'}),
    see: ({error}) => [error.type, error.description, error.detail],
    expected: {theirs: ['SDK_ERROR', 'Unknown error', null], ours: [null, null, {reason: 'x'}]}, reason: 'a type is Smartcar\'s word',
  },
  {
    ...responding('the errors of v3', 404, {errors: [{type: 'VALIDATION', code: 'X', detail: 'y'}]}),
    see: ({error}) => [error.type, error.code, error.description],
    expected: {theirs: ['SDK_ERROR', null, 'Unknown error'], ours: ['VALIDATION', 'X', 'y']}, reason: 'the package does not read them',
  },
  {
    ...responding('a server error that passes', 503, full, undefined, {times: 1}), prepare: one,
    see: ({requests, error, value}) => [requests.length, error ? error.status : value.sqlstate],
    expected: {theirs: [1, 503], ours: [2, null]}, reason: 'a question is asked again',
  },
];

module.exports = {callDifferences};
