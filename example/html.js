'use strict';

// Text for a page: html`...` escapes every value but what html`...` itself has
// made.  null, undefined and false are nothing; the items of a list come one
// after the other.

const entities = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};

class Html {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

function escape(value) {
  if (value instanceof Html) {
    return value.text;
  }
  if (Array.isArray(value)) {
    return value.map(escape).join('');
  }
  if (value === null || value === undefined || value === false) {
    return '';
  }
  return String(value).replace(/[&<>"']/g, (character) => entities[character]);
}

function html(strings, ...values) {
  return new Html(strings.reduce((text, string, i) => text + escape(values[i - 1]) + string));
}

module.exports = {html};
