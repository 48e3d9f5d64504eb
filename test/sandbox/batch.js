'use strict';

// POST /vehicles/{id}/batch: several readings in one request.  Each has its own status,
// headers and error.

const {v2Error} = require('./errors');

// ask(part, path): the response to a request for what follows the id of the vehicle.
function batch(request, ask) {
  const body = request.isJson ? request.json : undefined;

  if (!body || !Array.isArray(body.requests) || body.requests.length === 0 ||
      !body.requests.every((item) => item && typeof item.path === 'string')) {
    return v2Error(request, 'VALIDATION', null, {detail: [{field: 'requests', message: '"requests" must be a list of paths'}]});
  }
  return {
    status: 200,
    body: {
      responses: body.requests.map(({path}) => {
        const part = Object.create(request, {method: {value: 'GET'}});
        const response = ask(part, path.replace(/^\//, ''));
        const headers = Object.fromEntries(Object.entries(response.headers || {}).map(([name, value]) => [name.toLowerCase(), value]));

        return {path, body: response.body, code: response.status, headers};
      }),
    },
  };
}

module.exports = {batch};
