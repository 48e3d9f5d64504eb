'use strict';

// GET /events: an open page is told when something about its owner has changed,
// which the database says with NOTIFY.

const database = require('./database');
const {commonHeaders} = require('./web');

// of the extension, and of garage.look_after
const CHANNELS = ['smartcar_tesla', 'garage'];
const HEARTBEAT = 25000;

const RETRY = 'retry: 3000\n\n';

const open = new Map(); // the answers that are open, by external id
let stopped = false;

// Any role of the database can notify, so what comes may be anything.
function externalIdOf(payload) {
  try {
    return JSON.parse(payload).external_id;
  } catch (error) {
    return undefined;
  }
}

function tell(pages) {
  for (const outgoing of pages) {
    outgoing.write('data: changed\n\n');
  }
}

function everyPage() {
  return [...open.values()].flatMap((pages) => [...pages]);
}

function follow({owner, outgoing}) {
  // the page may have gone away meanwhile, and does not do so a second time
  if (outgoing.destroyed) {
    return;
  }
  // nginx, for one, would keep what is written until it is much
  outgoing.writeHead(200, {...commonHeaders, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no'});
  if (stopped) {
    outgoing.end(RETRY);
    return;
  }

  const mine = open.get(owner.external_id) || new Set();
  const heartbeat = setInterval(() => outgoing.write(': still here\n\n'), HEARTBEAT);

  open.set(owner.external_id, mine.add(outgoing));
  outgoing.on('close', () => {
    clearInterval(heartbeat);
    mine.delete(outgoing);
    if (mine.size === 0) {
      open.delete(owner.external_id);
    }
  });
  outgoing.write(RETRY);
}

function start() {
  const stopListening = database.listen(CHANNELS, {
    notified: (payload) => tell(open.get(externalIdOf(payload)) || []),
    listening: () => tell(everyPage()),
  });

  return async function stop() {
    stopped = true;
    for (const outgoing of everyPage()) {
      outgoing.end();
    }
    await stopListening();
  };
}

module.exports = {start, follow};
