'use strict';

// GET /sandbox/virtual_key?vehicle_id=...: the page that replaces the Tesla app, where an
// owner adds the virtual key; POST adds it.  Without vehicle_id it lists all vehicles that
// have none.

const {fill, layout} = require('./html');
const {needsVirtualKey} = require('./store');

function describe({id, year, model, vin, paired}, note = '') {
  return fill('key.html', {id, name: `${year} ${model}`, vin, note, state: paired ? 'Key added' : 'No key', disabled: paired ? 'disabled' : ''});
}

function virtualKeyPage(request, {store, settings}) {
  const id = request.query.get('vehicle_id') || request.form.get('vehicle_id');
  const vehicle = store.vehicles.get(id);
  const status = id && !vehicle ? 404 : 200;

  if (vehicle && request.method === 'POST') {
    vehicle.paired = true;
  }

  const chosen = vehicle ? [vehicle] : [...store.vehicles.values()].filter((each) => needsVirtualKey(each) && !each.paired).slice(0, 100);
  const body = status === 404 ? fill('message.html', {heading: '404', text: 'There is no such vehicle.'}) :
    fill('keys.html', {keys: chosen.map((each) => describe(each)).join('') || '<p>Every vehicle that needs a key has one.</p>'});

  return {status, headers: {'content-type': 'text/html; charset=utf-8'}, body: layout('Virtual key', settings.application_name, body)};
}

module.exports = {virtualKeyPage};
