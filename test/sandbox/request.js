'use strict';

// A request for the handlers, from any listener.

const crypto = require('crypto');

class Request {
  constructor(incoming, secure) {
    const {url} = incoming;
    const mark = url.indexOf('?');

    this.method = incoming.method;
    // as written, for the log; for the handlers a slash at the end, which Smartcar's SDKs
    // send, makes no difference
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

  // The origin that the client has used: all links in responses have it.
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

  // The body as JSON, or undefined if it is not JSON.
  get json() {
    try {
      return JSON.parse(this.body);
    } catch (error) {
      return undefined;
    }
  }

  // A number of the query, or null if it is there and no integer from least to most.
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
