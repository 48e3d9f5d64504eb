'use strict';

// Chromium, and visitors with separate browser contexts.  A case fails if a page of the
// garage writes to the console: an error of a script, a violation of the Content Security
// Policy, a missing file.

const {chromium, devices} = require('playwright-core');

const {within} = require('./limit');

const WORDS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

const viewports = {
  desktop: {viewport: {width: 1280, height: 800}},
  phone: {viewport: {width: 390, height: 844}, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true, userAgent: devices['Pixel 7'].userAgent},
};

const ALIVE_LIMIT = 20;

// Throws if the page is wider than the window.
async function fits(page) {
  const {inner, outer} = await page.evaluate(() => ({inner: document.documentElement.scrollWidth, outer: document.documentElement.clientWidth}));

  if (inner > outer) {
    throw new Error(`the page is ${inner} pixels wide, the window ${outer}`);
  }
}

class Browser {
  static async start(executablePath) {
    const browser = new Browser(executablePath);

    await browser.startAgain();
    return browser;
  }

  constructor(executablePath) {
    Object.assign(this, {executablePath, chrome: null});
  }

  // The previous browser is left alone until the test ends.
  async startAgain() {
    this.chrome = await chromium.launch({executablePath: this.executablePath, args: WORDS});
    Object.assign(this, {contexts: [], complaints: [], allowed: []});
  }

  // Whether the browser still responds: most of its operations have no timeout.
  async isAlive() {
    const sign = async () => {
      const context = await this.chrome.newContext();

      await (await context.newPage()).evaluate('1');
      await context.close();
    };

    return within(ALIVE_LIMIT, 'a sign of life', sign()).then(() => true, () => false);
  }

  // allow: messages that are expected.
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

  // A visitor with separate cookies.
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

  // A browser that does not close is killed when this process ends.
  async stop() {
    await within(ALIVE_LIMIT, 'closing the browser', this.chrome.close()).catch(() => {});
  }
}

module.exports = {Browser, fits};
