'use strict';

// Pages are made from the templates in pages/: {{name}} is replaced by escaped text,
// {{{name}}} by markup.

const fs = require('fs');
const path = require('path');

const templates = new Map();

function escape(text) {
  return String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function template(name) {
  if (!templates.has(name)) {
    templates.set(name, fs.readFileSync(path.join(__dirname, 'pages', name), 'utf8'));
  }
  return templates.get(name);
}

function fill(name, values) {
  return template(name).replace(/\{\{\{(\w+)\}\}\}|\{\{(\w+)\}\}/g, (whole, markup, text) => {
    const value = values[markup || text];

    return value === undefined || value === null ? '' : markup ? value : escape(value);
  });
}

// A whole page with some markup.
function layout(title, application, body) {
  return fill('layout.html', {title, application, style: template('style.css'), body});
}

module.exports = {escape, fill, layout};
