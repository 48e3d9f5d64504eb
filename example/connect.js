'use strict';

// The way to Smartcar Connect and back.  Which link it is and what the callback
// says is known to the database alone.

const database = require('./database');
const pages = require('./pages');
const {sentenceFor} = require('./trouble');
const {page, redirect} = require('./web');

// GET /connect, with ?vehicle= for one with which something is missing
async function begin({owner, query}) {
  const {link} = await database.row('SELECT garage.begin_link($1, $2) AS link', [owner.external_id, query.get('vehicle')]);

  return redirect(link);
}

async function finish(owner, callback) {
  const {status, vehicle_ids: vehicleIds, error, action} =
    await database.call('CALL smartcar_finish_connect($1, expected_external_id => $2)', [callback, owner.external_id]);

  return (await database.row('SELECT garage.outcome($1, $2, $3, $4, $5, $6) AS notice',
    [owner.external_id, callback, status, vehicleIds, error, action])).notice;
}

// GET /callback: the result is shown on the next page, so that a reload does not
// send a used code again.
async function callback({owner, cookie, incoming}) {
  let notice;

  if (!owner) {
    return page(pages.signIn('You are not signed in, so nothing was connected. Sign in and connect again.'), 403);
  }
  try {
    notice = await finish(owner, incoming.url);
  } catch (error) {
    notice = {tone: 'wanted', text: await sentenceFor(error)};
  }
  await database.row('SELECT garage.set_notice($1, $2)', [cookie, notice]);
  return redirect('/garage');
}

module.exports = {begin, callback};
