'use strict';

// Keeps the vehicles on an open page as they are in the database.  The server
// tells when something has changed; the page asks by itself when it may have
// missed that: after every connection, and when its owner comes back to it.

const vehicles = document.getElementById('vehicles');
const notice = document.getElementById('notice');
const PAUSE = 5000;
let shown = vehicles.innerHTML;

function say(tone, text) {
  const paragraph = document.createElement('p');

  paragraph.className = `notice ${tone}`;
  paragraph.setAttribute('role', 'status');
  paragraph.textContent = text;
  notice.replaceChildren(paragraph);
}

function show(fresh) {
  const focused = document.activeElement && document.activeElement.id;

  vehicles.replaceChildren(...fresh.childNodes);
  if (focused && document.getElementById(focused)) {
    document.getElementById(focused).focus();
  }
}

// Returns whether somebody is signed in, as far as one can tell.
async function look(isTold) {
  const answer = await fetch('/garage/vehicles');

  if (!answer.ok || answer.redirected) {
    return !answer.redirected;
  }

  const fresh = document.createElement('div');

  fresh.innerHTML = await answer.text();
  if (fresh.innerHTML !== shown) {
    shown = fresh.innerHTML;
    show(fresh);
    say('good', 'Something has changed. This is how your vehicles stand now.');
  } else if (isTold) {
    say('good', 'We have looked again. This is how your vehicles stand.');
  }
  return true;
}

function lookQuietly(isTold) {
  return look(isTold).catch(() => true);
}

// A browser comes back by itself when the connection is lost, but not after an
// answer that is an error, as a proxy gives it while the server starts again.
function listen() {
  const events = new EventSource('/events');

  events.addEventListener('message', () => lookQuietly(true));
  events.addEventListener('open', () => lookQuietly(false));
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(async () => {
        if (await lookQuietly(false)) {
          listen();
        }
      }, PAUSE);
    }
  });
}

listen();
window.addEventListener('online', () => lookQuietly(false));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') {
    lookQuietly(false);
  }
});
