'use strict';

// Calls that both sides make.
//
//   prepare(sandbox)            puts the sandbox into its state, and gives names to
//                               what is new each time, such as a code
//   faults                      what goes wrong
//   theirs(api, given, app)     the call of the package
//   ours(given)                 a query for the same, of one value of type jsonb
//   seeTheirs, seeOurs          what of the value is compared
//
// A query for an error gives an object with the member "error".

const fleet = (given) => async (sandbox) => {
  await sandbox.ask('fleet', given);
  return {};
};

const one = fleet({owners: 1, vehicles: 1});
const vehicle = (api, id = 'vehicle-000001', token = 'access-000001', options) => new api.Vehicle(id, token, options);
const client = (api, {clientId, clientSecret, redirectUri}) => new api.AuthClient({clientId, clientSecret, redirectUri});
const text = (value) => (value === undefined ? 'NULL' : `'${value.replace(/'/g, "''")}'`);

async function connectAda(sandbox) {
  const {code, access_token: access, refresh_token: refresh} = await sandbox.ask('connect', {owner: 'ada'});

  return {code, access, refresh};
}

// Tokens are random, so the cases compare whether they work, and for how long.
const seeTokens = (names) => async (tokens, sandbox) => {
  const seconds = (time) => Math.round((new Date(time) - Date.now()) / 10000) * 10;

  return {
    access: await sandbox.isLive('access_token', tokens[names[0]]), refresh: await sandbox.isLive('refresh_token', tokens[names[1]]),
    expires_in: seconds(tokens[names[2]]), refresh_expires_in: seconds(tokens[names[3]]),
  };
};

const tokenCase = (what, theirs, ours) => ({
  what, prepare: connectAda, theirs, ours: (given) => `SELECT to_jsonb(t) FROM ${ours(given)} t`,
  seeTheirs: seeTokens(['accessToken', 'refreshToken', 'expiration', 'refreshExpiration']),
  seeOurs: seeTokens(['access_token', 'refresh_token', 'expires_at', 'refresh_expires_at']),
});

// Reads all pages, which the package leaves to its caller.
async function pages(next) {
  const all = [];

  for (let part = await next(all.length); part.length > 0; part = await next(all.length)) {
    all.push(...part);
    if (part.last) {
      break;
    }
  }
  return all;
}

const allVehicles = (api) => pages(async (offset) => {
  const {vehicles, paging} = await api.getVehicles('access-000001', {limit: 50, offset});

  return Object.assign(vehicles, {last: offset + vehicles.length >= paging.count});
});

async function allConnections(api, token, filter) {
  const all = [];
  let cursor;

  do {
    const {connections, paging} = await api.getConnections(token, filter, {limit: 100, cursor});

    all.push(...connections);
    cursor = paging.cursor;
  } while (cursor);
  return all;
}

const isRecent = (time) => (time ? Math.abs(new Date(time) - Date.now()) < 60000 : null);
const seeConnections = (connections) => connections.map(({userId, vehicleId, connectedAt, mode}) =>
  [userId, vehicleId, mode || null, isRecent(connectedAt)]);
const seeOurConnections = (connections) => connections.map((connection) =>
  [connection.user_id, connection.vehicle_id, connection.mode, isRecent(connection.connected_at)]);
const connectionCase = (what, filter, ours) => ({
  what, prepare: fleet({owners: 5, vehicles: 250}),
  theirs: (api, given, {managementToken}) => allConnections(api, managementToken, filter),
  ours: () => `SELECT coalesce(jsonb_agg(c), '[]') FROM smartcar_get_connections(${ours}server => 'calls') c`,
  seeTheirs: seeConnections, seeOurs: seeOurConnections,
});
const deletionCase = (what, filter, ours) => ({
  ...connectionCase(what, filter, ours),
  theirs: async (api, given, {managementToken}) => (await api.deleteConnections(managementToken, filter)).connections,
  ours: () => `SELECT coalesce(jsonb_agg(c), '[]') FROM smartcar_delete_connections(${ours}server => 'calls') c`,
});

const compatibilityCase = (what, {vin, scope, country, ...options}) => ({
  what,
  theirs: async (api, given, {clientId, clientSecret}) => {
    const {compatible, reason, capabilities} = await api.getCompatibility(vin, scope, country, {clientId, clientSecret, ...options});

    return {compatible, reason, capabilities};
  },
  ours: () => `SELECT to_jsonb(c) FROM smartcar_get_compatibility(${text(vin)}, '{${scope.join(',')}}', ${text(country)},
    ${text(options.flags && JSON.stringify(options.flags))}, ${text(options.mode)}, 'calls') c`,
});

const everyPermission = 'read_vehicle_info read_vin read_odometer read_location read_battery read_charge control_charge read_security ' +
  'control_security read_user_profile read_alerts read_climate control_climate read_charge_locations read_charge_records read_compass ' +
  'read_extended_vehicle_info read_fuel read_speedometer read_thermometer read_tires control_navigation control_pin control_trunk ' +
  'read_charge_events read_engine_oil read_diagnostics read_service_history';

const callCases = [
  tokenCase('exchangeCode', (api, {code}, app) => client(api, app).exchangeCode(code),
    ({code}) => `smartcar_exchange_code('${code}', server => 'calls')`),
  // in the order of jsonb, which the package does not know
  tokenCase('exchangeCode with flags', (api, {code}, app) => client(api, app).exchangeCode(code, {flags: {test: true, country: 'DE'}}),
    ({code}) => `smartcar_exchange_code('${code}', flags => '{"test": true, "country": "DE"}', server => 'calls')`),
  tokenCase('exchangeRefreshToken', (api, {refresh}, app) => client(api, app).exchangeRefreshToken(refresh),
    ({refresh}) => `smartcar_refresh_token('${refresh}', server => 'calls')`),
  {
    what: 'getUser', prepare: one,
    theirs: async (api) => (await api.getUser('access-000001')).id,
    ours: () => `SELECT to_jsonb(smartcar_get_user('access-000001', 'calls'))`,
  },
  {
    what: 'getVehicles, page by page', prepare: fleet({owners: 1, vehicles: 120}), theirs: allVehicles,
    ours: () => `SELECT jsonb_agg(v) FROM smartcar_get_vehicles('access-000001', server => 'calls') v`,
  },
  {
    what: 'Vehicle.attributes', prepare: one,
    theirs: async (api) => {
      const {id, make, model, year} = await vehicle(api).attributes();

      return [id, make, model, year];
    },
    ours: () => `SELECT jsonb_build_array(id, make, model, year) FROM smartcar_get_vehicle('vehicle-000001', 'access-000001', server => 'calls')`,
  },
  {
    what: 'getVehicle, v3',
    prepare: async (sandbox) => {
      await one(sandbox);
      const body = new URLSearchParams({grant_type: 'client_credentials', client_id: 'client_sandbox', client_secret: 'sandbox-api-secret'});
      const response = await fetch(`${sandbox.origin}/oauth2/token`, {method: 'POST', body});

      return {application: (await response.json()).access_token};
    },
    theirs: async (api, given) => {
      const {body} = await api.getVehicle(given.application, 'vehicle-000001');

      return {id: body.data.id, ...body.data.attributes};
    },
    ours: (given) => `SELECT to_jsonb(v) FROM smartcar_get_vehicle('vehicle-000001', '${given.application}', server => 'calls_v3') v`,
    seeOurs: ({powertrain_type: powertrainType, ...rest}) => ({...rest, powertrainType}),
  },
  {
    what: 'Vehicle.permissions, page by page', prepare: fleet({owners: 1, vehicles: 1, scope: everyPermission}),
    theirs: (api) => pages(async (offset) => {
      const {permissions, paging} = await vehicle(api).permissions(offset > 0 ? {offset} : {});

      return Object.assign(permissions, {last: offset + permissions.length >= paging.count});
    }),
    ours: () => `SELECT to_jsonb(smartcar_get_permissions('vehicle-000001', 'access-000001', server => 'calls'))`,
  },
  {
    what: 'Vehicle.disconnect', prepare: one,
    theirs: async (api) => {
      await vehicle(api).disconnect();
      return (await api.getVehicles('access-000001', {limit: 50, offset: 0})).vehicles;
    },
    // done makes the second call wait for the first
    ours: () => `SELECT jsonb_agg(v) FROM smartcar_request('DELETE', '/vehicles/vehicle-000001/application', 'access-000001', server => 'calls') AS done,
      smartcar_get_vehicles('access-000001' || left(done.body, 0), server => 'calls') AS v`,
    seeTheirs: (vehicles) => (vehicles.length > 0 ? vehicles : null),
  },
  compatibilityCase('getCompatibility', {vin: '5YJ3E1EA7MF000101', scope: ['read_odometer', 'read_fuel'], country: 'DE'}),
  compatibilityCase('getCompatibility with flags and a mode',
    {vin: '5YJ3E1EA7MF000101', scope: ['read_vin'], country: 'US', flags: {a: 'b'}, mode: 'simulated'}),
  compatibilityCase('getCompatibility of another make', {vin: 'WBA00000000000000', scope: ['read_vin'], country: 'US'}),
  connectionCase('getConnections, page by page', {}, ''),
  connectionCase('getConnections of a user', {userId: 'user-000002'}, `user_id => 'user-000002', `),
  connectionCase('getConnections of a vehicle', {vehicleId: 'vehicle-000003'}, `vehicle_id => 'vehicle-000003', `),
  connectionCase('getConnections of nobody', {userId: 'x', vehicleId: 'y'}, `user_id => 'x', vehicle_id => 'y', `),
  deletionCase('deleteConnections of a vehicle', {vehicleId: 'vehicle-000003'}, `vehicle_id => 'vehicle-000003', `),
  deletionCase('deleteConnections of a user', {userId: 'user-000002'}, `user_id => 'user-000002', `),
  {
    what: 'Vehicle.request with a reading', prepare: one,
    theirs: async (api) => {
      const {body, meta} = await vehicle(api, undefined, undefined, {unitSystem: 'imperial'}).request('get', 'odometer');

      return {body, unit_system: meta.unitSystem, has_id: typeof meta.requestId, age: meta.fetchedAt - meta.dataAge};
    },
    ours: () => `SELECT jsonb_build_object('body', body::jsonb, 'unit_system', unit_system,
        'has_id', CASE WHEN request_id <> '' THEN 'string' END, 'age', (extract(epoch FROM fetched_at - data_age) * 1000)::int)
      FROM smartcar_request('GET', '/vehicles/vehicle-000001/odometer', 'access-000001', unit_system => 'imperial', server => 'calls')`,
  },
  {
    what: 'Vehicle.request with a body', prepare: one,
    theirs: async (api) => (await vehicle(api).request('post', 'charge/limit', {limit: 0.8})).body,
    ours: () => `SELECT body::jsonb FROM smartcar_request('POST', '/vehicles/vehicle-000001/charge/limit', 'access-000001',
      body => '{"limit": 0.8}', server => 'calls')`,
  },
  {
    what: 'Vehicle.batch', prepare: one,
    theirs: async (api) => {
      const {odometer, battery} = await vehicle(api).batch(['/odometer', '/battery']);

      return [odometer().distance, battery().percentRemaining];
    },
    ours: () => `SELECT jsonb_build_array(b #> '{responses,0,body,distance}', b #> '{responses,1,body,percentRemaining}')
      FROM smartcar_request('POST', '/vehicles/vehicle-000001/batch', 'access-000001', server => 'calls',
        body => '{"requests": [{"path": "/odometer"}, {"path": "/battery"}]}'), LATERAL (SELECT body::jsonb AS b) AS parsed`,
  },
];

// An error in each of its forms.
const responding = (what, status, body, headers, more) => ({
  what, faults: [{status, body, ...(headers && {headers}), ...more}],
  theirs: (api) => vehicle(api).attributes(),
  ours: () => `SELECT to_jsonb(v) FROM smartcar_get_vehicle_many(ARRAY['vehicle-000001'], ARRAY['access-000001'], server => 'calls') v`,
});

const full = {
  type: 'VEHICLE_STATE', code: 'ASLEEP', description: 'The vehicle sleeps.', docURL: 'https://smartcar.com/docs/x', statusCode: 409,
  requestId: 'request-1', resolution: {type: 'RETRY_LATER', url: 'https://smartcar.com/y'}, suggestedUserMessage: 'Wake it.',
  detail: [{field: 'x', message: 'y'}],
};

const errorCases = [
  responding('everything', 409, full),
  responding('little', 409, {type: 'VEHICLE_STATE', description: 'x'}),
  responding('a resolution that is text', 400, {...full, resolution: 'REAUTHENTICATE'}),
  responding('no resolution', 400, {...full, resolution: null}),
  responding('a resolution without a type', 400, {...full, resolution: {}}),
  responding('a code that is null', 403, {...full, code: null}),
  responding('a message that is null', 403, {...full, suggestedUserMessage: null}),
  responding('the request id of a header', 403, {type: 'PERMISSION', code: 'X', description: 'x'}, {'SC-Request-Id': 'of-the-header'}),
  responding('the v1 API', 403, {error: 'permission_error', message: 'Not yours.', code: 'X'}),
  {
    what: 'a token that is not known', prepare: one,
    faults: [{status: 401, body: {type: 'AUTHENTICATION', description: 'No.', requestId: 'r'}}],
    theirs: (api) => api.getUser('no-such-token'),
    ours: () => `SELECT jsonb_build_object('error', smartcar_parse_error(body, status, NULL, request_id))
      FROM smartcar_request('GET', '/user', 'no-such-token', server => 'calls')`,
  },
  {
    what: 'the management API',
    faults: [{status: 401, body: {type: 'AUTHENTICATION', description: 'No.', requestId: 'r'}}],
    theirs: (api, given, {managementToken}) => api.deleteConnections(managementToken, {vehicleId: 'v'}),
    ours: () => `SELECT jsonb_build_object('error', smartcar_parse_error(body, status, NULL, request_id))
      FROM smartcar_request('DELETE', '/management/connections', query => '{"vehicle_id": "v"}', origin => 'management', server => 'calls')`,
  },
  {
    what: 'a real refusal', prepare: one,
    theirs: async (api) => {
      try {
        return await vehicle(api, 'no-such-vehicle').attributes();
      } catch ({type, code, statusCode, description, requestId}) {
        return [type, code || null, statusCode, description, requestId.length];
      }
    },
    ours: () => `SELECT jsonb_build_array((error).type, (error).code, (error).status, (error).description, length((error).request_id))
      FROM smartcar_get_vehicle_many(ARRAY['no-such-vehicle'], ARRAY['access-000001'], server => 'calls')`,
  },
];

module.exports = {callCases, errorCases, vehicle, client, one, connectAda, responding, full};
