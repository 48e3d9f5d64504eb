'use strict';

// Calls by Node: by the SDK, or by a client that only makes the requests.
//
// Usage: node calls.js sdk|bare http|https AT-ONCE CALLS
//
// Prints a row of bench_call_sample.  Each of a number of workers makes one call after
// the other, so there are as many calls at once.

const fs = require('fs');
const http = require('http');
const http2 = require('http2');

const [kind, protocol, atOnceText, callsText] = process.argv.slice(2);
const atOnce = Number(atOnceText);
const calls = Number(callsText);
const origin = process.env.SMARTCAR_API_ORIGIN;
const owners = Number(process.env.OWNERS);

// Compiles the code and opens the connections.
const WARM_UP = 640;
const WARM_UP_AT_ONCE = 32;

// With its default connections and their lifetimes.
function sdkClient() {
  const smartcar = require('smartcar');

  return {
    ask: async(id, token) => (await new smartcar.Vehicle(id, token).attributes()).make,
    close: () => {},
  };
}

function plainClient() {
  const agent = new http.Agent({keepAlive: true});
  const ask = (id, token) => new Promise((resolve, reject) => {
    const headers = {authorization: `Bearer ${token}`};

    http.get(`${origin}/v2.0/vehicles/${id}`, {agent, headers}, (response) => {
      let body = '';

      response.setEncoding('utf8');
      response.on('data', (piece) => {
        body += piece;
      });
      response.on('end', () => resolve(JSON.parse(body).make));
      response.on('error', reject);
    }).on('error', reject);
  });

  return {ask, close: () => agent.destroy()};
}

function http2Client() {
  const session = http2.connect(origin);
  const ask = (id, token) => new Promise((resolve, reject) => {
    const stream = session.request({':path': `/v2.0/vehicles/${id}`, authorization: `Bearer ${token}`});
    let body = '';

    stream.setEncoding('utf8');
    stream.on('data', (piece) => {
      body += piece;
    });
    stream.on('end', () => resolve(JSON.parse(body).make));
    stream.on('error', reject);
    stream.end();
  });

  return {ask, close: () => session.close()};
}

function makeClient() {
  if (kind === 'sdk') {
    return sdkClient();
  }
  return protocol === 'https' ? http2Client() : plainClient();
}

async function run(client, count, workers) {
  let next = 0;

  await Promise.all(Array.from({length: workers}, async() => {
    while (next < count) {
      const number = String(1 + next++ % owners).padStart(6, '0');
      const make = await client.ask(`vehicle-${number}`, `access-${number}`);

      if (make !== 'TESLA') {
        throw new Error(`wrong result: ${make}`);
      }
    }
  }));
}

// For how many seconds this process wanted a processor and had none.
function waitingTime() {
  return Number(fs.readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e9;
}

async function main() {
  const client = makeClient();

  await run(client, WARM_UP, WARM_UP_AT_ONCE);

  const waitingBefore = waitingTime();
  const processorBefore = process.cpuUsage();
  const before = process.hrtime.bigint();

  await run(client, calls, atOnce);

  const seconds = Number(process.hrtime.bigint() - before) / 1e9;
  const {user, system} = process.cpuUsage(processorBefore);

  console.log([kind, protocol, atOnce, calls, seconds, (user + system) / 1e6, waitingTime() - waitingBefore].join('\t'));
  client.close();
}

main().catch((error) => {
  process.stderr.write(`calls.js: ${error.stack}\n`);
  process.exit(1);
});
