'use strict';

// The addresses.

const fs = require('fs');
const path = require('path');

const changes = require('./changes');
const connect = require('./connect');
const garage = require('./garage');
const {Refusal, messageFor} = require('./message');
const pages = require('./pages');
const session = require('./session');
const webhook = require('./webhook');
const {page, redirect, requireSameOrigin, send} = require('./web');

const signedIn = {
  'GET /garage': garage.show,
  'GET /garage/vehicles': garage.showVehicles,
  'GET /connect': connect.begin,
  'GET /events': changes.follow,
  'POST /check': garage.check,
};

const forEveryone = {
  'GET /': session.showSignIn,
  'POST /sign-in': session.signIn,
  'POST /sign-out': session.signOut,
  'GET /callback': connect.callback,
  'POST /webhook': webhook.receive,
};

function file(name, type) {
  const body = fs.readFileSync(path.join(__dirname, 'public', name));

  return () => ({status: 200, headers: {'content-type': type, 'cache-control': 'max-age=300'}, body});
}

const files = {
  'GET /style.css': file('style.css', 'text/css; charset=utf-8'),
  'GET /live.js': file('live.js', 'text/javascript; charset=utf-8'),
  'GET /icon.svg': file('icon.svg', 'image/svg+xml'),
};

async function route(request) {
  const {incoming, origin} = request;
  const name = `${incoming.method} ${request.path}`;

  // against DNS rebinding: the page of another site whose name resolves to here
  if (incoming.headers.host !== new URL(origin).host) {
    throw new Refusal(421, 'Nothing is served under this name.');
  }
  if (files[name]) {
    return files[name]();
  }
  if (!signedIn[name] && !forEveryone[name]) {
    throw new Refusal(404, 'There is no such page.');
  }
  if (name === 'POST /webhook') {
    return webhook.receive(request);
  }
  if (incoming.method === 'POST') {
    requireSameOrigin(incoming, origin);
  }
  request.cookie = session.readCookie(incoming, origin);
  request.owner = await session.ownerOf(request.cookie);
  if (signedIn[name]) {
    return request.owner ? signedIn[name](request) : redirect('/');
  }
  return forEveryone[name](request);
}

// settings: {origin, keyPage}
function makeHandler(settings) {
  return async function handle(incoming, outgoing) {
    const [address, search = ''] = incoming.url.split(/\?(.*)/s);
    let response;

    try {
      response = await route({...settings, incoming, outgoing, path: address, query: new URLSearchParams(search)});
    } catch (error) {
      response = page(pages.error(await messageFor(error)), error instanceof Refusal ? error.status : 500);
      if (error.status === 413) {
        // without waiting for the rest of the body
        response.headers.connection = 'close';
      }
    }
    if (response) {
      send(outgoing, response);
    }
  };
}

module.exports = {makeHandler};
