'use strict';

// A bare client that asks for what the connection manager asks for, and does
// nothing with it: how fast the sandbox itself is.
//
// Usage: node manager.js connections AT-ONCE COUNT
//            the pages of GET /connections, of 100 connections each
//        node manager.js details AT-ONCE COUNT
//            the same, and for each connection GET /vehicles/{id}/signals
//        node manager.js tokens AT-ONCE FIRST LAST
//            refreshes of accounts of the sandbox's fleet
//
// Prints how many seconds that took.

const http = require('http');

const [kind, atOnceText, ...numbers] = process.argv.slice(2);
const atOnce = Number(atOnceText);
const origin = process.env.SMARTCAR_API_ORIGIN;
const agent = new http.Agent({keepAlive: true});

const PAGE_SIZE = 100;

function ask(path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${origin}${path}`, {agent, headers, method: body ? 'POST' : 'GET'}, (response) => {
      let text = '';

      response.setEncoding('utf8');
      response.on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) :
        reject(new Error(`wrong result: ${response.statusCode} ${text}`))));
      response.on('error', reject);
    });

    request.on('error', reject);
    request.end(body);
  });
}

const form = {'content-type': 'application/x-www-form-urlencoded'};
const basic = (id, secret) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

async function makePages([count]) {
  const {access_token: token} = await ask('/oauth2/token',
    {...form, authorization: basic('client_sandbox', 'sandbox-api-secret')}, 'grant_type=client_credentials');
  const headers = {authorization: `Bearer ${token}`};

  async function list(index) {
    const {data} = await ask(`/v3/connections?page%5Bnumber%5D=${index + 1}&page%5Bsize%5D=${PAGE_SIZE}`, headers);

    if (data.length !== Math.min(PAGE_SIZE, count - index * PAGE_SIZE)) {
      throw new Error(`wrong result: ${data.length} connections`);
    }
    return data.map(({relationships: {vehicle, user}}) => ({id: vehicle.data.id, user: user.data.id}));
  }
  return {count: Math.ceil(count / PAGE_SIZE), headers, list, run: list};
}

async function makeDetails([count]) {
  const pages = await makePages([count]);
  const vehicles = [];

  for (let page = 0; page < pages.count; page++) {
    vehicles.push(...await pages.list(page));
  }
  return {
    count: pages.count + vehicles.length,
    async run(index) {
      if (index < pages.count) {
        await pages.run(index);
        return;
      }
      const {id, user} = vehicles[index - pages.count];

      await ask(`/v3/vehicles/${id}/signals`, {...pages.headers, 'sc-user-id': user});
    },
  };
}

function makeTokens([first, last]) {
  const headers = {
    ...form, authorization: basic('8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', 'sandbox-client-secret'),
  };

  return {
    count: last - first + 1,
    async run(index) {
      const number = String(first + index).padStart(6, '0');

      await ask('/oauth/token', headers, `grant_type=refresh_token&refresh_token=refresh-${number}`);
    },
  };
}

async function main() {
  const make = {connections: makePages, details: makeDetails, tokens: makeTokens}[kind];
  const work = await make(numbers.map(Number));
  const before = process.hrtime.bigint();
  let next = 0;

  await Promise.all(Array.from({length: atOnce}, async() => {
    while (next < work.count) {
      await work.run(next++);
    }
  }));
  console.log(Number(process.hrtime.bigint() - before) / 1e9);
  agent.destroy();
}

main().catch((error) => {
  process.stderr.write(`manager.js: ${error.stack}\n`);
  process.exit(1);
});
