'use strict';

// Shows the vehicles anew when the server says that something has changed.

async function showAnew() {
  const answer = await fetch('/garage');

  if (!answer.ok || answer.redirected) {
    return;
  }

  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const focused = document.activeElement && document.activeElement.id;

  document.getElementById('vehicles').replaceWith(document.adoptNode(fresh.getElementById('vehicles')));
  document.getElementById('notice').innerHTML = '<p class="notice good" role="status">Something has changed. This is how your vehicles stand now.</p>';
  if (focused && document.getElementById(focused)) {
    document.getElementById(focused).focus();
  }
}

new EventSource('/events').addEventListener('message', () => {
  showAnew().catch(() => {});
});
