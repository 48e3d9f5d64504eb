'use strict';

// Starts a sandbox for a test, and sends requests to it.

const http = require('http');
const http2 = require('http2');
const https = require('https');
const fs = require('fs');
const path = require('path');
const {spawn} = require('child_process');

const CLIENT = {id: '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', secret: 'sandbox-client-secret'};

const basic = (user, password) => ({authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`});
const bearer = (token) => ({authorization: `Bearer ${token}`});
const clientHeaders = basic(CLIENT.id, CLIENT.secret);
const managerHeaders = basic('default', 'sandbox-management-token');

// Starts main.js and waits for its line.
function spawnSandbox(args) {
  const child = spawn(process.execPath, [path.join(__dirname, '..', 'main.js'), ...args], {stdio: ['pipe', 'pipe', 'inherit']});

  return new Promise((resolve, reject) => {
    let text = '';

    child.on('exit', (code) => reject(new Error(`the sandbox has ended with ${code}`)));
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stdout.on('end', () => {
      try {
        resolve({child, addresses: JSON.parse(text), line: text});
      } catch (error) {
        reject(error);
      }
    });
  });
}

// The sandbox listens on the IPv4 address of localhost only, and before Node 20 only the
// first address is tried.
const LOOPBACK = {family: 4};

// {status, headers, body, json}; rejects if the response is not complete.
function ask(url, {method = 'GET', headers = {}, body, agent, ca} = {}) {
  return new Promise((resolve, reject) => {
    const {request} = url.startsWith('https:') ? https : http;
    const outgoing = request(url, {method, headers, agent, ca, ...LOOPBACK}, (incoming) => {
      const chunks = [];

      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('aborted', () => reject(new Error('aborted')));
      incoming.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const response = {status: incoming.statusCode, headers: incoming.headers, bytes, body: bytes.toString()};

        try {
          response.json = JSON.parse(response.body);
        } catch (error) {
          response.json = undefined;
        }
        resolve(response);
      });
    });

    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

// Several requests at once over one HTTP/2 connection.
function askHttp2(url, paths, {ca, headers = {}} = {}) {
  const session = http2.connect(url, {ca, ...LOOPBACK});
  const one = (requestPath) => new Promise((resolve, reject) => {
    const stream = session.request({':path': requestPath, ...headers});
    const chunks = [];
    let head;

    stream.on('response', (received) => {
      head = received;
    });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => head && resolve({status: head[':status'], headers: head, body: Buffer.concat(chunks).toString()}));
    stream.on('close', () => reject(new Error('closed')));
  });

  session.on('error', () => {});
  return Promise.allSettled(paths.map(one)).finally(() => session.destroy());
}

async function startSandbox(args) {
  const {child, addresses, line} = await spawnSandbox(args);
  const url = addresses.http;
  const json = {'content-type': 'application/json'};
  const form = {'content-type': 'application/x-www-form-urlencoded'};
  const sandbox = {
    child, addresses, line, url,
    ca: addresses.ca_file && fs.readFileSync(addresses.ca_file),
    get: (target, headers, options) => ask(url + target, {headers, ...options}),
    delete: (target, headers) => ask(url + target, {method: 'DELETE', headers}),
    postJson: (target, body, headers) => ask(url + target, {method: 'POST', headers: {...json, ...headers}, body: JSON.stringify(body)}),
    postForm: (target, body, headers) =>
      ask(url + target, {method: 'POST', headers: {...form, ...headers}, body: String(new URLSearchParams(body))}),
    // a control request; throws if it is refused
    async control(method, target, body) {
      const response = await ask(`${url}/sandbox/${target}`, {method, headers: json, body: body && JSON.stringify(body)});

      if (response.status !== 200) {
        throw new Error(`${method} ${target}: ${response.status} ${response.body}`);
      }
      return response.json;
    },
    connect: (given = {}) => sandbox.control('POST', 'connect', given),
    fault: (given) => sandbox.control('POST', 'faults', given),
    token: (body) => sandbox.postForm('/oauth/token', body, clientHeaders),
    async applicationToken() {
      const response = await sandbox.postForm('/oauth2/token', {
        grant_type: 'client_credentials', client_id: 'client_sandbox', client_secret: 'sandbox-api-secret',
      });

      return response.json.access_token;
    },
    stop: () => new Promise((resolve) => {
      child.removeAllListeners('exit');
      child.on('exit', resolve);
      child.kill('SIGTERM');
    }),
  };

  return sandbox;
}

const wait = (milliseconds) => new Promise((resolve) => {
  setTimeout(resolve, milliseconds);
});

module.exports = {CLIENT, LOOPBACK, basic, bearer, clientHeaders, managerHeaders, spawnSandbox, startSandbox, ask, askHttp2, wait};
