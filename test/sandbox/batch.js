'use strict';

// POST /vehicles/{id}/batch: several readings in one request.  Each has its own
// status, headers and, when it fails, its own error.

const {v2Error} = require('./errors');

// ask(part, path): answers a request for what follows the id of the vehicle.
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
        const answer = ask(part, path.replace(/^\//, ''));
        const headers = Object.fromEntries(Object.entries(answer.headers || {}).map(([name, value]) => [name.toLowerCase(), value]));

        return {path, body: answer.body, code: answer.status, headers};
      }),
    },
  };
}

module.exports = {batch};
