'use strict';

// The card of a vehicle: what it is, what it reports, what is missing, and what to
// do.  The words about Smartcar and Tesla are columns of the view garage.vehicle.

const {html} = require('./html');
const {qrCode} = require('./qr');

const marks = {
  done: html`<span class="mark done" aria-hidden="true">✓</span>`,
  wanted: html`<span class="mark wanted" aria-hidden="true">!</span>`,
  open: html`<span class="mark open" aria-hidden="true">–</span>`,
};

const units = {percent: '%', miles: 'mi'};

function fact(mark, title, ...text) {
  return html`<li>${marks[mark]}<div><b>${title}</b><span>${text}</span></div></li>`;
}

function connectionFact({status}) {
  return status === 'connected' ? fact('done', 'Connected', 'through your Tesla account') : fact('wanted', 'Not connected', 'access has ended');
}

// A permission that is none of Tesla's is asked for by Smartcar alone.
function permissionFact({missing_scopes: scopes, missing_tesla_permissions: permissions}) {
  if (permissions !== null && permissions.length > 0) {
    return fact('wanted', 'Missing at Tesla', html`<span class="missing">${permissions.map((name) => html`<em>${name}</em>`)}</span>`);
  }
  if (scopes !== null && scopes.length > 0) {
    return fact('wanted', 'Missing', scopes.map((name) => name.replace(/_/g, ' ')).join(', '));
  }
  return scopes === null ? fact('open', 'Permissions', 'not known yet') : fact('done', 'Permissions', 'all granted');
}

function keyFact({virtual_key_required: required, virtual_key_paired: paired}) {
  if (paired) {
    return fact('done', 'Virtual key', 'added');
  }
  if (required === false) {
    return fact('done', 'Virtual key', 'not needed for this vehicle');
  }
  if (required) {
    return paired === false ? fact('wanted', 'Virtual key', 'needed, and not added yet') :
      fact('wanted', 'Virtual key', 'needed; we cannot see whether it was added');
  }
  return fact('open', 'Virtual key', 'not known yet');
}

function inWords(value, unit) {
  if (typeof value === 'boolean') {
    return value ? 'yes' : 'no';
  }
  return [typeof value === 'number' ? value.toLocaleString('en') : String(value), units[unit] || unit].filter(Boolean).join(' ');
}

// The script of the page turns each time into an age.
function reading({label, value, unit, reported_at: reportedAt}) {
  const time = new Date(reportedAt).toISOString();

  return html`<div><dt>${label}</dt><dd>${inWords(value, unit)}</dd>
<dd class="age"><time datetime="${time}">${time.slice(0, 16).replace('T', ' ')} UTC</time></dd></div>`;
}

function readingList({readings}) {
  return readings && (readings.length === 0 ? html`<p class="readings aside">No readings from this vehicle yet.</p>` :
    html`<dl class="readings">${readings.map(reading)}</dl>`);
}

// The ids of what can have the focus begin with a word for it and end with this.  With
// them, the script of the page keeps the focus, and what is open, when a card changes.
// An owner can have one vehicle through two users.
function cardId({user_id: userId, vehicle_id: vehicleId}) {
  return `${userId || 'moved'}-${vehicleId}`;
}

// May be broken after a slash.
function breakable(address) {
  return address.split('/').map((part, i) => html`${i > 0 && html`/<wbr>`}${part}`);
}

// On a phone the link is a button; elsewhere it is for the phone's camera.  The
// style sheet shows one of them.
function keyPanel(vehicle, keyPage) {
  const {key_url: link} = vehicle;
  const id = cardId(vehicle);

  return html`<div class="key">
<a class="button on-phone" id="key-${id}" href="${link}" rel="noreferrer">Add the virtual key</a>
<div class="on-desktop">${qrCode(link, `QR code of ${link}`)}</div>
<div class="beside">
<p class="on-desktop">Point your phone's camera at this code. It opens <a id="address-${id}" href="${link}" rel="noreferrer">${breakable(link.replace(/^https:\/\/(www\.)?/, ''))}</a>.</p>
<form method="post" action="/check"><button class="quiet" id="check-${id}">I have added it</button></form>
</div>
</div>
${keyPage && html`<p class="aside">On the local Smartcar, use <a id="local-${id}" href="${keyPage}">this page</a> instead of the Tesla app.</p>`}`;
}

function panel(vehicle, keyPage) {
  const {vehicle_id: id, situation, key_url: keyUrl, tone, hint, button, vehicle_error: error} = vehicle;

  return situation !== 'none' && html`<div class="panel ${tone}">
<p>${hint}</p>
${error && html`<p class="aside">Smartcar says: ${error}</p>`}
${button && html`<a class="button" id="fix-${cardId(vehicle)}" href="/connect?vehicle=${encodeURIComponent(id)}">${button}</a>`}
${keyUrl && keyPanel(vehicle, keyPage)}
</div>`;
}

function vehicleCard(vehicle, keyPage) {
  const {make, model, year, status, tone, label, is_driver: isDriver, granted_tesla_permissions: granted} = vehicle;
  const id = cardId(vehicle);

  return html`<article class="card">
<header>
<div><h2>${model || 'A vehicle'}</h2><p>${[make, year, isDriver && 'you are a driver'].filter(Boolean).join(' · ')}</p></div>
<span class="badge ${tone}">${label}</span>
</header>
${readingList(vehicle)}
${status && html`<ul class="facts">${connectionFact(vehicle)}${permissionFact(vehicle)}${keyFact(vehicle)}</ul>`}
${panel(vehicle, keyPage)}
${granted && granted.length > 0 && html`<details id="details-${id}"><summary id="shared-${id}">What is shared</summary><p>${granted.join(', ')}</p></details>`}
</article>`;
}

module.exports = {vehicleCard};
