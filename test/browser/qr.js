'use strict';

// Reads a QR code as a phone does: from a screenshot.

const jsQR = require('jsqr');

// In a page of its own, because the garage's policy does not allow the image.
async function pixelsOf(context, picture) {
  const page = await context.newPage();
  const {width, height, data} = await page.evaluate(async (base64) => {
    const image = new Image();

    image.src = `data:image/png;base64,${base64}`;
    await image.decode();

    const canvas = new OffscreenCanvas(image.width, image.height);
    const drawing = canvas.getContext('2d');

    drawing.drawImage(image, 0, 0);
    return {width: image.width, height: image.height, data: [...drawing.getImageData(0, 0, image.width, image.height).data]};
  }, picture.toString('base64'));

  await page.close();
  return {width, height, data: Uint8ClampedArray.from(data)};
}

async function readQrCode(page, locator) {
  const {width, height, data} = await pixelsOf(page.context(), await locator.screenshot());
  const code = jsQR(data, width, height);

  return code && code.data;
}

module.exports = {readQrCode};
