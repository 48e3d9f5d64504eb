'use strict';

// GET /events: notifies an open page when something about its owner has changed, as
// the database does with NOTIFY.

const database = require('./database');
const {commonHeaders} = require('./web');

// of the extension, and of garage.run_jobs
const CHANNELS = ['smartcar_tesla', 'garage'];
const HEARTBEAT = 25000;

const RETRY = 'retry: 3000\n\n';

const open = new Map(); // the responses that are open, by external id
let stopped = false;

function send(pages) {
  for (const outgoing of pages) {
    outgoing.write('data: changed\n\n');
  }
}

// Any role of the database can notify, so the payload may be anything.
function notify(payload) {
  try {
    const {external_id: owner, previous_external_id: previous} = JSON.parse(payload);

    for (const each of [owner, previous]) {
      send(open.get(each) || []);
    }
  } catch (error) {
    // not ours
  }
}

function everyPage() {
  return [...open.values()].flatMap((pages) => [...pages]);
}

function follow({owner, outgoing}) {
  // the page may have been closed meanwhile, and 'close' does not come again
  if (outgoing.destroyed) {
    return;
  }
  // nginx buffers otherwise
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
    notified: notify,
    listening: () => send(everyPage()),
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
