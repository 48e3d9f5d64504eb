'use strict';

// Exits with 0 if the web server of PORT and ORIGIN shows its first page.

const http = require('http');

const {PORT = '8080', ORIGIN = `http://localhost:${PORT}`} = process.env;
const request = http.get({port: PORT, headers: {host: new URL(ORIGIN).host}, timeout: 4000}, ({statusCode}) => {
  process.exit(statusCode === 200 ? 0 : 1);
});

request.on('timeout', () => process.exit(1));
request.on('error', () => process.exit(1));
