'use strict';

// One vehicle on the page: what it is, what is missing, and what to do.  Every
// word about Smartcar and Tesla is a column of the view garage.vehicle.

const {html} = require('./html');
const {qrCode} = require('./qr');

const marks = {
  done: html`<span class="mark done" aria-hidden="true">✓</span>`,
  wanted: html`<span class="mark wanted" aria-hidden="true">!</span>`,
  open: html`<span class="mark open" aria-hidden="true">–</span>`,
};

function fact(state, title, ...text) {
  return html`<li>${marks[state]}<div><b>${title}</b><span>${text}</span></div></li>`;
}

// "read_location" as an owner reads it
function inWords(names) {
  return names.map((name) => name.replace(/_/g, ' ')).join(', ');
}

function connectionFact({status}) {
  return status === 'connected' ? fact('done', 'Connected', 'through your Tesla account') : fact('wanted', 'Not connected', 'access has ended');
}

function permissionFact({missing_scopes: scopes, missing_tesla_permissions: permissions}) {
  if (permissions !== null && permissions.length > 0) {
    return fact('wanted', 'Missing at Tesla', html`<span class="missing">${permissions.map((name) => html`<em>${name}</em>`)}</span>`);
  }
  if (scopes !== null && scopes.length > 0) {
    return fact('wanted', 'Missing', inWords(scopes));
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
  return required && paired === false ? fact('wanted', 'Virtual key', 'needed, and not added yet') : fact('open', 'Virtual key', 'not known yet');
}

// May be broken after a slash.
function breakable(address) {
  return address.split('/').map((part, i) => html`${i > 0 && html`/<wbr>`}${part}`);
}

// On a phone the link is a button; elsewhere it is for the phone's camera.  The
// style sheet shows one of them.
function keyPanel({action_url: link}, keyPage) {
  return html`<div class="key">
<a class="button on-phone" href="${link}" rel="noreferrer">Add the virtual key</a>
<div class="on-desktop">${qrCode(link, `QR code of ${link}`)}</div>
<div class="beside">
<p class="on-desktop">Point your phone's camera at this code. It opens <a href="${link}" rel="noreferrer">${breakable(link.replace(/^https:\/\/(www\.)?/, ''))}</a>.</p>
<form method="post" action="/check"><button class="quiet">I have added it</button></form>
</div>
</div>
${keyPage && html`<p class="aside">With the local Smartcar, <a href="${keyPage}">this page</a> stands for the Tesla app.</p>`}`;
}

function panel(vehicle, keyPage) {
  const {vehicle_id: id, action, action_url: link, tone, advice, button, error_description: description} = vehicle;

  if (action === 'none') {
    return '';
  }
  return html`<div class="panel ${tone}">
<p>${advice}</p>
${description && html`<p class="aside">Smartcar says: ${description}</p>`}
${button && html`<a class="button" id="mend-${id}" href="/connect?vehicle=${encodeURIComponent(id)}">${button}</a>`}
${!button && link && keyPanel(vehicle, keyPage)}
</div>`;
}

function vehicleCard(vehicle, keyPage) {
  const {make, model, year, tone, label, access_type: accessType, granted_scopes: granted} = vehicle;

  return html`<article class="card">
<header>
<div><h2>${model || 'A vehicle'}</h2><p>${[make, year, accessType === 'DRIVER' && 'you are a driver'].filter(Boolean).join(' · ')}</p></div>
<span class="badge ${tone}">${label}</span>
</header>
<ul class="facts">${connectionFact(vehicle)}${permissionFact(vehicle)}${keyFact(vehicle)}</ul>
${panel(vehicle, keyPage)}
${granted && granted.length > 0 && html`<details><summary>What is shared</summary><p>${inWords(granted)}</p></details>`}
</article>`;
}

module.exports = {vehicleCard};
