'use strict';

// A request as the handlers see it, whichever listener it came in on.

const crypto = require('crypto');

class Request {
  constructor(incoming, secure) {
    const {url} = incoming;
    const mark = url.indexOf('?');

    this.method = incoming.method;
    // as written, for the log; a slash at the end, which Smartcar's SDKs send,
    // makes no difference to the handlers
    this.written = mark < 0 ? url : url.slice(0, mark);
    this.path = this.written.length > 1 && this.written.endsWith('/') ? this.written.slice(0, -1) : this.written;
    this.search = mark < 0 ? '' : url.slice(mark + 1);
    this.headers = incoming.headers;
    this.secure = secure;
    this.body = '';
    this.parameters = null;
    this.identifier = null;
  }

  get id() {
    this.identifier = this.identifier || crypto.randomUUID();
    return this.identifier;
  }

  get query() {
    this.parameters = this.parameters || new URLSearchParams(this.search);
    return this.parameters;
  }

  // The origin under which the client reached the sandbox: all links in answers
  // must lead there.
  get origin() {
    return `${this.secure ? 'https' : 'http'}://${this.headers[':authority'] || this.headers.host || 'localhost'}`;
  }

  get bearer() {
    const match = /^Bearer (.+)$/i.exec(this.headers.authorization || '');

    return match ? match[1] : null;
  }

  // {user, password} of Basic authorization, or null.
  get basic() {
    const match = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(this.headers.authorization || '');

    if (!match) {
      return null;
    }

    const text = Buffer.from(match[1], 'base64').toString();
    const colon = text.indexOf(':');

    return colon < 0 ? null : {user: text.slice(0, colon), password: text.slice(colon + 1)};
  }

  get isForm() {
    return /^application\/x-www-form-urlencoded\b/i.test(this.headers['content-type'] || '');
  }

  get isJson() {
    return /^application\/(vnd\.api\+)?json\b/i.test(this.headers['content-type'] || '');
  }

  get form() {
    return new URLSearchParams(this.body);
  }

  // The body as JSON, or undefined when it is none.
  get json() {
    try {
      return JSON.parse(this.body);
    } catch (error) {
      return undefined;
    }
  }

  // A number from the query, or null when it is there and not a whole number
  // from least to most.
  integer(name, usual, least, most) {
    const text = this.query.get(name);

    if (text === null) {
      return usual;
    }

    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;

    return value >= least && value <= most ? value : null;
  }
}

module.exports = {Request};
