'use strict';

// The page with an owner's vehicles.

const database = require('./database');
const pages = require('./pages');
const {page, redirect} = require('./web');

function vehiclesOf(owner) {
  return database.rows('SELECT * FROM garage.vehicle WHERE external_id = $1 ORDER BY model, vehicle_id, user_id', [owner.external_id]);
}

async function show({owner, cookie, keyPage}) {
  const vehicles = await vehiclesOf(owner);
  const {notice} = await database.row('SELECT garage.take_notice($1) AS notice', [cookie]);

  return page(pages.garage({owner, vehicles, notice, keyPage}));
}

// GET /garage/vehicles: the part that can change while the page is open
async function showVehicles({owner, keyPage}) {
  const {checking} = await database.row('SELECT garage.is_checking($1) AS checking', [owner.external_id]);

  return page(pages.vehicleList(await vehiclesOf(owner), keyPage), 200, {'x-checking': checking});
}

// POST /check: the operator checks the vehicles, and the open page is notified.
async function check({owner, cookie}) {
  await database.row('SELECT garage.request_check($1)', [owner.external_id]);
  await database.row('SELECT garage.set_notice($1, $2)',
    [cookie, {tone: 'waiting', text: 'We are checking. The result appears here by itself.'}]);
  return redirect('/garage');
}

module.exports = {show, showVehicles, check};
