'use strict';

// Chromium, and visitors with a browser of their own.  Whatever a page of the
// garage says on its console is a complaint that fails a case: an error of a
// script, something that the Content Security Policy refused, a file that is
// missing.

const {chromium, devices} = require('playwright-core');

const WORDS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

const viewports = {
  desktop: {viewport: {width: 1280, height: 800}},
  phone: {viewport: {width: 390, height: 844}, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true, userAgent: devices['Pixel 7'].userAgent},
};

// Throws if the page is wider than the window.
async function fits(page) {
  const {inner, outer} = await page.evaluate(() => ({inner: document.documentElement.scrollWidth, outer: document.documentElement.clientWidth}));

  if (inner > outer) {
    throw new Error(`the page is ${inner} pixels wide, the window ${outer}`);
  }
}

class Browser {
  static async start(executablePath) {
    return new Browser(await chromium.launch({executablePath, args: WORDS}));
  }

  constructor(chrome) {
    Object.assign(this, {chrome, contexts: [], complaints: [], allowed: []});
  }

  // allow: complaints that are meant to come.
  allow(pattern) {
    this.allowed.push(pattern);
  }

  watch(page, origin) {
    const note = (text) => this.complaints.push(text);

    page.setDefaultTimeout(30000);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && message.location().url.startsWith(origin)) {
        note(`${message.type()}: ${message.text()}`);
      }
    });
    page.on('pageerror', (error) => note(`script: ${error.message}`));
    page.on('dialog', (dialog) => {
      note(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
  }

  // Somebody with cookies of his own.
  async visitor(garage, {viewport = 'desktop', colorScheme = 'light'} = {}) {
    const context = await this.chrome.newContext({...viewports[viewport], colorScheme});
    const page = await context.newPage();

    this.contexts.push(context);
    this.watch(page, garage.url);
    return {context, page};
  }

  async complain() {
    const left = this.complaints.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));

    if (left.length > 0) {
      throw new Error(`the browser complains: ${left.join('; ')}`);
    }
  }

  async closeVisitors() {
    await Promise.all(this.contexts.map((context) => context.close()));
    Object.assign(this, {contexts: [], complaints: [], allowed: []});
  }

  async stop() {
    await this.chrome.close();
  }
}

module.exports = {Browser, fits};
