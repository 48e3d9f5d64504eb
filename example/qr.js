'use strict';

// A link as a QR code, drawn as one path of an SVG.

const QRCode = require('qrcode');

const {html} = require('./html');

const QUIET_ZONE = 4;

function qrCode(link, label) {
  const {size, data} = QRCode.create(link, {errorCorrectionLevel: 'M'}).modules;
  const side = size + 2 * QUIET_ZONE;
  let path = '';

  for (let i = 0; i < data.length; i++) {
    if (data[i]) {
      path += `M${i % size + QUIET_ZONE} ${Math.floor(i / size) + QUIET_ZONE}h1v1h-1z`;
    }
  }
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges">
<rect width="${side}" height="${side}" fill="#fff"/><path d="${path}" fill="#000"/></svg>`;
}

module.exports = {qrCode};
