'use strict';

// The way to Smartcar Connect and back.  The database makes the link and parses the
// callback.

const database = require('./database');
const {messageFor} = require('./message');
const pages = require('./pages');
const {page, redirect} = require('./web');

// GET /connect, with ?vehicle= to fix what is wrong with one
async function begin({owner, query}) {
  const {link} = await database.row('SELECT garage.begin_link($1, $2) AS link', [owner.external_id, query.get('vehicle')]);

  return redirect(link);
}

async function finish(owner, callback) {
  const {status, vehicle_ids: vehicleIds, error, previous_external_id: previous, requests} =
    await database.call('CALL smartcar_finish_connect($1, expected_external_id => $2)', [callback, owner.external_id]);

  return (await database.row('SELECT garage.outcome($1, $2, $3, $4, $5, $6) AS notice',
    [owner.external_id, status, vehicleIds, error, previous, requests])).notice;
}

// GET /callback: the result is shown on the next page, so that a reload does not
// send the callback again.
async function callback({owner, cookie, incoming}) {
  let notice;

  if (!owner) {
    return page(pages.signIn('You are not signed in, so nothing was connected. Sign in and connect again.'), 403);
  }
  try {
    notice = await finish(owner, incoming.url);
  } catch (error) {
    notice = {tone: 'wanted', text: await messageFor(error)};
  }
  await database.row('SELECT garage.set_notice($1, $2)', [cookie, notice]);
  return redirect('/garage');
}

module.exports = {begin, callback};
