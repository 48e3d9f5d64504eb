'use strict';

// The requests that the sandbox has received.
//
// The log is a ring, so that a long benchmark does not fill the memory; the counts
// continue when it is switched off.

class Log {
  constructor(limit = 20000) {
    this.limit = limit;
    this.enabled = true;
    this.clear();
  }

  // The sequence continues, so that a number never means two requests.
  clear() {
    this.entries = [];
    this.next = 0;
    this.sequence = this.sequence || 0;
    this.inFlight = this.inFlight || 0;
    this.maxInFlight = this.inFlight;
    this.requests = 0;
    this.statuses = {};
  }

  configure({enabled, limit}) {
    if (enabled !== undefined) {
      this.enabled = enabled;
    }
    if (limit !== undefined) {
      this.limit = limit;
      this.entries = [];
      this.next = 0;
    }
  }

  // A request has arrived; fields is what the log keeps of it.
  arrived(fields) {
    this.sequence += 1;
    this.requests += 1;
    this.inFlight += 1;
    if (this.inFlight > this.maxInFlight) {
      this.maxInFlight = this.inFlight;
    }

    const entry = fields;

    entry.sequence = this.sequence;
    entry.in_flight = this.inFlight;
    entry.status = null;
    if (this.enabled) {
      if (this.entries.length < this.limit) {
        this.entries.push(entry);
      } else {
        this.entries[this.next] = entry;
        this.next = (this.next + 1) % this.limit;
      }
    }
    return entry;
  }

  // status: of the response; 0 if the sandbox closed the connection instead; -1 if the
  // client did.
  finished(entry, status) {
    this.inFlight -= 1;
    entry.status = status;
    entry.milliseconds = Date.now() - entry.time;
    this.statuses[status] = (this.statuses[status] || 0) + 1;
  }

  // Oldest first.
  list({since = 0, path, method, limit = this.limit} = {}) {
    const pattern = path ? new RegExp(path) : null;
    const ordered = this.entries.slice(this.next).concat(this.entries.slice(0, this.next));

    return ordered.filter((entry) => entry.sequence > since && (!pattern || pattern.test(entry.path)) &&
      (!method || entry.method === method)).slice(-limit);
  }
}

module.exports = {Log};
