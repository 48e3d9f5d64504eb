'use strict';

// The faults that a test has set: which requests they match, and how often.
//
// fault_responses.js has their effects.

class Faults {
  constructor() {
    this.clear();
    this.identifier = 0;
  }

  clear() {
    this.list = [];
  }

  // Throws if the fault is invalid: a test would otherwise wait for it without end.
  add(fault) {
    const {match = {}, times = 1, after = 0, ...effect} = fault;
    const pattern = (text) => (text === undefined ? null : new RegExp(text));

    if (Object.keys(effect).length === 0) {
      throw new Error('the fault has no effect');
    }
    for (const name of Object.keys(match)) {
      if (!['method', 'path', 'query', 'body', 'header', 'nth'].includes(name)) {
        throw new Error(`unknown member of match: ${name}`);
      }
    }
    for (const name of Object.keys(effect)) {
      if (!effects.includes(name)) {
        throw new Error(`unknown effect: ${name}`);
      }
    }
    if (![undefined, 'html', 'json', 'empty'].includes(effect.gateway)) {
      throw new Error(`unknown gateway: ${effect.gateway}`);
    }
    this.identifier += 1;
    this.list.push({
      id: this.identifier, fault, effect, times, after, seen: 0, hits: 0, method: match.method, nth: match.nth,
      path: pattern(match.path), query: pattern(match.query), body: pattern(match.body), header: pattern(match.header),
    });
    return this.identifier;
  }

  remove(id) {
    this.list = this.list.filter((entry) => entry.id !== id);
  }

  // The effect of the first fault that matches a request, or null.
  take(request) {
    for (const entry of this.list) {
      if (this.concerns(entry, request)) {
        entry.seen += 1;
        if (entry.seen > entry.after && (entry.nth === undefined || entry.seen === entry.nth + entry.after) &&
            (entry.times === 0 || entry.hits < entry.times)) {
          entry.hits += 1;
          return entry.effect;
        }
      }
    }
    return null;
  }

  concerns({method, path, query, body, header}, request) {
    return (!method || method === request.method) && (!path || path.test(request.path)) &&
      (!query || query.test(request.search)) && (!body || body.test(request.body)) &&
      (!header || Object.entries(request.headers).some(([name, value]) => header.test(`${name}: ${value}`)));
  }

  show() {
    return this.list.map(({id, seen, hits, fault}) => ({id, seen, hits, fault}));
  }
}

const effects = [
  'status', 'error', 'body', 'body_base64', 'content_type', 'headers', 'delay_ms', 'delay_body_ms', 'slow_headers_ms',
  'slow_body_ms', 'drop', 'reset', 'refuse', 'silent', 'goaway', 'close', 'raw', 'truncate', 'oversize', 'bomb', 'invalid_utf8', 'nul', 'nul_escape',
  'depth', 'retry_after', 'gateway', 'redirect', 'echo', 'big_headers', 'do_work', 'keep_body',
];

module.exports = {Faults};
