'use strict';

// The pages of Connect.

const {escape, fill, layout} = require('./html');
const {connectErrors, examples} = require('./connect_errors');
const {vehiclesFor, neededAtTesla} = require('./connect_consent');
const {teslaPermissions, teslaScopeOf} = require('./permissions');
const {needsVirtualKey} = require('./store');

const explanations = {
  vehicle_device_data: 'Odometer, battery, climate and other live data',
  vehicle_location: 'Where the vehicle is',
  vehicle_cmds: 'Lock and unlock, climate, trunk and more',
  vehicle_charging_cmds: 'Start, stop and schedule charging, charging history',
  user_data: 'Contact details of the account',
};

// "read_vehicle_info" as text for an owner.
function title(permission) {
  const [verb, ...rest] = permission.split('_');
  const subject = rest.join(' ').replace(/\bvin\b/, 'VIN');

  return `${verb === 'control' ? 'Control' : 'Read'} ${subject}`;
}

function choice({kind = 'checkbox', name, value, label, note = '', checked = false, locked = false, badge = ''}) {
  // a browser does not send a disabled box, but it sends a hidden field
  const hidden = locked && checked ? `<input type="hidden" name="${escape(name)}" value="${escape(value)}">` : '';

  return `<label class="choice">${hidden}<input type="${kind}" name="${escape(name)}" value="${escape(value)}"` +
    `${checked ? ' checked' : ''}${locked ? ' disabled' : ''}><span class="text"><b>${escape(label)}</b>` +
    `${note ? `<small>${escape(note)}</small>` : ''}</span>${badge ? `<em>${escape(badge)}</em>` : ''}</label>`;
}

function section(heading, text, choices) {
  return `<fieldset><legend>${escape(heading)}</legend>${text ? `<p>${escape(text)}</p>` : ''}${choices.join('')}</fieldset>`;
}

function messagePage({settings}, heading, text) {
  return layout(heading, settings.application_name, fill('message.html', {heading, text}));
}

// Each owner is a link to the next page.
function loginPage({settings, store}, link, owners) {
  const rows = owners.map((owner) => {
    const search = new URLSearchParams(link.search);
    const cars = owner.vehicles.map(({id}) => store.vehicles.get(id)).map(({year, model}) => `${year} ${model}`).join(', ');

    search.set('sandbox_owner', owner.owner);
    return fill('owner.html', {
      address: `${link.path}?${search}`, initial: owner.name[0], name: owner.name, note: `${owner.email} · ${cars || 'no vehicles'}`,
    });
  });

  return layout('Log in', settings.application_name, fill('login.html', {
    owners: rows.join(''), nobody: rows.length === 0 ? 'No account fits this link: nothing is connected yet.' : '',
    errors: errorForm(), application: settings.application_name,
  }));
}

function errorForm() {
  const options = Object.keys(connectErrors).map((error) => `<option>${escape(error)}</option>`);
  const fields = Object.entries(examples).map(([name, value]) =>
    `<label>${escape(name)}<input type="text" name="${escape(name)}" value="${escape(value)}"></label>`);

  return fill('errors.html', {options: options.join(''), fields: fields.join('')});
}

function vehicleSection(sandbox, link, owner, vehicles, fields) {
  const chosen = fields && fields.vehicles ? fields.vehicles : link.single ? vehicles.slice(0, 1).map(({id}) => id) : vehicles.map(({id}) => id);

  return section(link.single ? 'Vehicle' : 'Vehicles', '', vehicles.map((vehicle) => choice({
    kind: link.single ? 'radio' : 'checkbox', name: 'vehicle', value: vehicle.id, label: `${vehicle.year} ${vehicle.make} ${vehicle.model}`,
    note: vehicle.vin, checked: chosen.includes(vehicle.id),
    badge: sandbox.store.accessType(owner, vehicle.id) === 'DRIVER' ? 'driver' : '',
  })));
}

function permissionSection(link, fields) {
  return section('What may be shared', 'Smartcar passes this on.', link.permissions.map(({name, required}) => choice({
    name: 'permission', value: name, label: title(name), note: name, locked: required, badge: required ? 'required' : '',
    checked: required || !fields || fields.permissions === null || fields.permissions.includes(name),
  })));
}

// At Tesla nothing is ticked by default; earlier grants are kept.
function teslaSection(link, owner, fields) {
  const needed = neededAtTesla(link);
  const useful = new Set(link.permissions.map(({name}) => teslaScopeOf(name)));

  return section('Tesla asks you', 'Tick what your Tesla account may hand over.', Object.entries(teslaPermissions).map(([scope, label]) => {
    const before = owner.tesla_permissions.has(scope);

    return choice({
      name: 'tesla_permission', value: label, label, note: explanations[scope], locked: before,
      checked: before || Boolean(fields && fields.teslaPermissions.some((given) => [scope, label, 'all'].includes(given))),
      badge: before ? 'granted' : needed.includes(scope) ? 'needed' : useful.has(scope) ? 'asked for' : '',
    });
  }));
}

function keySection(vehicles) {
  const without = vehicles.filter((vehicle) => needsVirtualKey(vehicle) && !vehicle.paired);

  return without.length === 0 ? '' : section('Virtual key', 'These vehicles take no commands without it. You can add it now or later.',
    without.map((vehicle) => choice({name: 'pair', value: vehicle.id, label: `Add the key to the ${vehicle.model}`, note: vehicle.vin})));
}

const buttons = {authorize: 'Allow access', update: 'Update access', login: 'Log in'};

// problem: why the form was not accepted.
function consentPage(sandbox, link, ownerName, {problem = '', fields = null} = {}) {
  const {settings, store} = sandbox;
  const owner = store.owners.get(ownerName) || store.owners.values().next().value;
  const vehicles = link.flow === 'login' ? [] : vehiclesFor(sandbox, link, owner);
  const parts = [];

  if (link.flow === 'authorize' && vehicles.length > 0) {
    parts.push(vehicleSection(sandbox, link, owner, vehicles, fields), permissionSection(link, fields));
  }
  if (link.flow === 'authorize' && vehicles.length === 0) {
    parts.push('<p class="problem">This account has no vehicle that fits.</p>');
  }
  if (link.flow !== 'login' && vehicles.some(({make}) => make === 'TESLA')) {
    parts.push(teslaSection(link, owner, fields));
  }
  if (link.flow === 'authorize') {
    parts.push(keySection(vehicles));
  }

  const search = new URLSearchParams(link.search);

  search.delete('sandbox_owner');
  return layout('Connect', settings.application_name, fill('consent.html', {
    address: `${link.path}?${search}`, owner: owner.owner, name: owner.name, email: owner.email, application: settings.application_name,
    problem: problem ? `<p class="problem" role="alert">${escape(problem)}</p>` : '', sections: parts.join(''),
    button: buttons[link.flow], errors: errorForm(),
  }));
}

module.exports = {loginPage, consentPage, messagePage};
