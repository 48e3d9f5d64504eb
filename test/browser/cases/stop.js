'use strict';

// The web server is stopped, as for every new version.

const assert = require('assert');
const http = require('http');
const net = require('net');

const {signIn, models} = require('../steps');

// A browser opens connections in advance that it may never use; other clients stop in the
// middle of a request or of its body.
function silentConnection(url, words) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(new URL(url).port, '127.0.0.1', () => socket.write(words, () => resolve(socket)));

    socket.on('error', reject);
  });
}

// A client closes the connection before the database has responded.
async function askAndLeave(garage, page, path) {
  const [{name, value}] = await page.context().cookies(garage.url);
  const client = await garage.superuser.connect();

  try {
    await client.query('BEGIN; LOCK TABLE garage.session');

    const request = http.get(`${garage.url}${path}`, {headers: {cookie: `${name}=${value}`}}).on('error', () => {});

    await page.waitForTimeout(300);
    request.destroy();
    await page.waitForTimeout(300);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

const ends = {
  title: 'the web server stops at once, but responds to every request',
  async run({garage, page, sandbox, browser}) {
    browser.allow(/net::ERR_/);
    await signIn(page, garage, 'Ada');

    const [{external_id: externalId}] = await garage.sql("SELECT external_id FROM garage.owner WHERE name = 'Ada'");
    const {request} = page.context();
    const link = (await request.get(`${garage.url}/connect`, {maxRedirects: 0})).headers().location;
    const {user_id: userId} = await sandbox.ask('connect', {owner: 'ada', external_id: externalId, redirect_uri: `${garage.url}/callback`});
    const callback = new URLSearchParams({user_id: userId, state: new URL(link).searchParams.get('state')});
    const sockets = [await silentConnection(garage.url, ''), await silentConnection(garage.url, 'GET / HTTP/1.1\r\nHost: '),
      await silentConnection(garage.url, `POST /webhook HTTP/1.1\r\nHost: ${new URL(garage.url).host}\r\nContent-Length: 1000\r\n\r\n{`)];

    await askAndLeave(garage, page, '/events');
    await sandbox.ask('faults', {match: {path: '/v3/connections'}, delay_ms: 1500});

    const underWay = request.get(`${garage.url}/callback?${callback}`, {maxRedirects: 0});

    await page.waitForTimeout(500);
    await garage.restartServer(async () => {
      assert.deepEqual((await garage.sql('SELECT status FROM smartcar_tesla.session')).map(({status}) => status), ['finished'],
        'it did not end before the owner was connected');
    });
    assert.equal((await underWay).status(), 303);
    assert.equal((await underWay).headers().location, '/garage');
    await page.goto(`${garage.url}/garage`);
    assert.deepEqual(await models(page), ['Model 3']);
    sockets.forEach((socket) => socket.destroy());
  },
};

module.exports = [ends];
