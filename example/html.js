'use strict';

// Text for a page: html`...` escapes every value except what html`...` has made.
// null, undefined and false are left out; the items of an array are joined.

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
