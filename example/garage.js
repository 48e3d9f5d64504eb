'use strict';

// The page with an owner's vehicles.

const database = require('./database');
const pages = require('./pages');
const {page, redirect} = require('./web');

function vehiclesOf(owner) {
  return database.rows('SELECT * FROM garage.vehicle WHERE external_id = $1 ORDER BY model, vehicle_id', [owner.external_id]);
}

async function show({owner, cookie, keyPage}) {
  const vehicles = await vehiclesOf(owner);
  const {notice} = await database.row('SELECT garage.take_notice($1) AS notice', [cookie]);

  return page(pages.garage({owner, vehicles, notice, keyPage}));
}

// GET /garage/vehicles: what of it can change while it is open
async function showVehicles({owner, keyPage}) {
  return page(pages.vehicleList(await vehiclesOf(owner), keyPage));
}

// POST /check: the operator is asked to look again; the open page is told when
// that is done.
async function check({owner, cookie}) {
  await database.row('SELECT garage.ask_again($1)', [owner.external_id]);
  await database.row('SELECT garage.set_notice($1, $2)',
    [cookie, {tone: 'waiting', text: 'We are asking Smartcar. What it answers appears here by itself.'}]);
  return redirect('/garage');
}

module.exports = {show, showVehicles, check};
