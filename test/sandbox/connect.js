'use strict';

// Connect: the pages on which an owner logs in and consents, /oauth/authorize and
// /oauth/reauthenticate.  GET shows a page, POST submits its form.

const {readLink, LinkError} = require('./connect_link');
const {consent, ownersFor} = require('./connect_consent');
const {loginPage, consentPage, messagePage} = require('./connect_pages');

function page(status, body) {
  return {status, headers: {'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store'}, body};
}

// All values of a field, repeated or separated by commas.
function listOf(form, name) {
  return form.getAll(name).flatMap((value) => value.split(',')).map((value) => value.trim()).filter((value) => value !== '');
}

// A page sends form=page: an absent field then means that nothing is ticked.  A program
// leaves out what should have its default.
function readFields(form) {
  const fromPage = form.get('form') === 'page';
  const all = (name) => (form.has(name) || fromPage ? listOf(form, name) : null);

  return {
    decision: form.get('decision') || 'allow', error: form.get('error') || 'access_denied', owner: form.get('owner'),
    vehicles: all('vehicle'), permissions: all('permission'), teslaPermissions: listOf(form, 'tesla_permission'),
    pair: listOf(form, 'pair'), more: Object.fromEntries(form),
  };
}

function redirectTo(link, parameters, {callback_space: space}) {
  const all = new URLSearchParams(link.state === null ? parameters : {...parameters, state: link.state});
  const text = space === '+' ? String(all) : String(all).replace(/\+/g, '%20');

  return {status: 302, headers: {location: `${link.redirectUri}${link.redirectUri.includes('?') ? '&' : '?'}${text}`}, body: ''};
}

function takeForm(request, sandbox, link) {
  const fields = readFields(request.form);
  const outcome = consent(sandbox, link, fields);

  if (outcome.problem) {
    return page(422, consentPage(sandbox, link, fields.owner, {problem: outcome.problem, fields}));
  }
  if (outcome.redirect && link.redirectUri !== null) {
    return redirectTo(link, outcome.redirect, sandbox.settings);
  }
  return page(200, messagePage(sandbox, 'Done', outcome.done));
}

// The owner first, because the vehicles depend on them.
function showPage(request, sandbox, link) {
  const owners = ownersFor(sandbox, link);
  const owner = owners.find((candidate) => candidate.owner === request.query.get('sandbox_owner'));

  return page(200, owner ? consentPage(sandbox, link, owner.owner) : loginPage(sandbox, link, owners));
}

function connect(request, sandbox) {
  let link;

  try {
    link = readLink(request, sandbox.settings);
  } catch (error) {
    if (error instanceof LinkError) {
      return page(400, messagePage(sandbox, '400', `400: ${error.message}`));
    }
    throw error;
  }
  if (request.method === 'POST') {
    return takeForm(request, sandbox, link);
  }
  return request.method === 'GET' ? showPage(request, sandbox, link) : page(405, messagePage(sandbox, '405', '405: Use GET or POST'));
}

module.exports = {connect};
