'use strict';

// Who is signed in.  The cookie is 256 random bits that no script can read, and the
// database stores only its SHA-256.  SameSite=Lax: browsers send it when Smartcar
// redirects to the callback, and not with a form of another site.

const crypto = require('crypto');

const database = require('./database');
const pages = require('./pages');
const {Refusal} = require('./message');
const {page, readForm, redirect} = require('./web');

const HOURS = 12;

function cookieName(origin) {
  return origin.startsWith('https:') ? '__Host-session' : 'session';
}

function setCookie(origin, value, seconds) {
  const secure = origin.startsWith('https:') ? '; Secure' : '';

  return {'set-cookie': `${cookieName(origin)}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`};
}

function readCookie({headers}, origin) {
  const found = new RegExp(`(?:^|; )${cookieName(origin)}=([0-9a-f]{64})(?:;|$)`).exec(headers.cookie || '');

  return found && found[1];
}

// The owner {name, external_id} of a request, or null.
async function ownerOf(cookie) {
  const owner = cookie && await database.row('SELECT name, external_id FROM garage.signed_in($1)', [cookie]);

  return owner && owner.name !== null ? owner : null;
}

async function showSignIn({owner}) {
  return owner ? redirect('/garage') : page(pages.signIn());
}

async function signIn({incoming, origin}) {
  const name = ((await readForm(incoming)).get('name') || '').trim();
  const cookie = crypto.randomBytes(32).toString('hex');

  if (name === '' || [...name].length > 80 || name.includes('\0')) {
    throw new Refusal(400, 'Please go back and type a name of at most 80 characters.');
  }
  await database.row('SELECT garage.sign_in($1, $2)', [name, cookie]);
  return redirect('/garage', setCookie(origin, cookie, HOURS * 3600));
}

async function signOut({cookie, origin}) {
  if (cookie) {
    await database.row('SELECT garage.sign_out($1)', [cookie]);
  }
  return redirect('/', setCookie(origin, '', 0));
}

module.exports = {readCookie, ownerOf, showSignIn, signIn, signOut};
