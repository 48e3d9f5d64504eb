'use strict';

// The pages.

const {html} = require('./html');
const {vehicleCard} = require('./vehicle');

function layout({title, owner = null, live = false}, body) {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Garage</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
${live && html`<script src="/live.js" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="/icon.svg" alt="" width="28" height="28">Garage</a>
${owner && html`<span class="owner">${owner.name}</span><form method="post" action="/sign-out"><button class="link">Sign out</button></form>`}
</header>
<main id="main">
${body}
</main>
<footer>The example application of <b>smartcar_tesla</b>. Everything about Smartcar is done in the database.
${owner && html`<span class="id">Your id in this app: <code>${owner.external_id}</code></span>`}
</footer>
</body>
</html>
`;
}

function noticeBox(notice) {
  return notice && html`<p class="notice ${notice.tone}" role="status">${notice.text}</p>`;
}

// problem: a sentence above the form
function signIn(problem = null) {
  return layout({title: 'Sign in'}, html`<div class="narrow">
${noticeBox(problem && {tone: 'wanted', text: problem})}
<h1>Your Teslas, in one place</h1>
<p class="lead">Connect a vehicle, see what is missing, and fix it.</p>
<form class="card sign-in" method="post" action="/sign-in">
<label for="name">Your name</label>
<input id="name" name="name" required maxlength="80" autocomplete="username" autofocus>
<button class="button">Sign in</button>
<p class="aside">This is a demonstration without passwords. Type any name to sign in as that owner.</p>
</form>
</div>`);
}

const emptyGarage = html`<section class="card empty">
<img src="/icon.svg" alt="" width="64" height="64">
<h2>No vehicle yet</h2>
<ol>
<li><b>Log in to Tesla.</b> We never see your password.</li>
<li><b>Tick what you share.</b> Nothing is ticked by default.</li>
<li><b>Add the virtual key</b> if your vehicle needs one.</li>
</ol>
<a class="button" href="/connect">Connect your Tesla</a>
</section>`;

function vehicleList(vehicles, keyPage) {
  if (vehicles.length === 0) {
    return emptyGarage;
  }
  return html`<div class="cards">${vehicles.map((vehicle) => vehicleCard(vehicle, keyPage))}</div>
<div class="more"><a class="button secondary" id="connect" href="/connect">Connect another vehicle</a>
<form method="post" action="/check"><button class="quiet" id="check">Check again</button></form></div>`;
}

function garage({owner, vehicles, notice, keyPage}) {
  return layout({title: 'Your vehicles', owner, live: true}, html`<h1>Your vehicles</h1>
<div id="notice">${noticeBox(notice)}</div>
<div id="vehicles">${vehicleList(vehicles, keyPage)}</div>`);
}

function error(message) {
  return layout({title: 'Sorry'}, html`<div class="narrow"><h1>Sorry</h1>
<p class="notice wanted" role="alert">${message}</p>
<a class="button secondary" href="/">Back to the garage</a></div>`);
}

module.exports = {signIn, garage, vehicleList, error};
