'use strict';

// Keeps the vehicles on an open page as they are in the database.  The server
// notifies of changes; the page also asks by itself when it may have missed one:
// after every connection, and when its owner comes back to it.

const vehicles = document.getElementById('vehicles');
const notice = document.getElementById('notice');
const PAUSE = 5000;
const LIMIT = 10000;
const AGES = [['day', 86400], ['hour', 3600], ['minute', 60]];
const age = new Intl.RelativeTimeFormat('en');
let shown = vehicles.innerHTML;
let updates = Promise.resolve();

function showNotice(text) {
  const paragraph = document.createElement('p');

  paragraph.className = 'notice good';
  paragraph.setAttribute('role', 'status');
  paragraph.textContent = text;
  notice.replaceChildren(paragraph);
}

function showAges() {
  for (const time of vehicles.querySelectorAll('time')) {
    const seconds = (Date.now() - new Date(time.dateTime)) / 1000;
    const [unit, length] = AGES.find(([, least]) => seconds >= least) || [];

    time.textContent = unit ? age.format(-Math.floor(seconds / length), unit) : 'just now';
  }
}

// What the owner has opened stays open, and the focus stays where it is.
function show(fresh) {
  const focused = document.activeElement?.id;
  const open = [...vehicles.querySelectorAll('details[open]')].map(({id}) => id);

  vehicles.replaceChildren(...fresh.childNodes);
  showAges();
  for (const details of vehicles.querySelectorAll('details')) {
    details.open = open.includes(details.id);
  }
  if (focused && document.activeElement.id !== focused) {
    document.getElementById(focused)?.focus({preventScroll: true});
  }
}

// The vehicles without what they report, which changes all the time.
function withoutReadings(markup) {
  const copy = document.createElement('div');

  copy.innerHTML = markup;
  copy.querySelectorAll('.readings').forEach((element) => element.remove());
  return copy.innerHTML;
}

// Returns false if nobody is signed in any more.
async function update() {
  const response = await fetch('/garage/vehicles', {signal: AbortSignal.timeout(LIMIT)});

  if (!response.ok || response.redirected) {
    return !response.redirected;
  }

  const fresh = document.createElement('div');

  fresh.innerHTML = await response.text();

  const before = shown;
  const isChecked = notice.querySelector('.waiting') && response.headers.get('x-checking') === 'false';

  shown = fresh.innerHTML;
  if (shown !== before) {
    show(fresh);
  }
  if (withoutReadings(shown) !== withoutReadings(before)) {
    showNotice('Something has changed. Here is the current status of your vehicles.');
  } else if (isChecked) {
    showNotice('We have checked again. Here is the current status of your vehicles.');
  }
  return true;
}

// One after the other, so that no older response replaces a newer one.
function updateQuietly() {
  updates = updates.then(update).catch(() => true);
  return updates;
}

// A browser connects again by itself when the connection is lost, but not after an
// error, as a proxy responds with while the server restarts.
function listen() {
  const events = new EventSource('/events');

  events.addEventListener('message', updateQuietly);
  events.addEventListener('open', updateQuietly);
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(async () => {
        if (await updateQuietly()) {
          listen();
        }
      }, PAUSE);
    }
  });
}

showAges();
setInterval(showAges, 30000);
listen();
window.addEventListener('online', updateQuietly);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') {
    updateQuietly();
  }
});
