'use strict';

// Sends events to a receiver as Smartcar does: signed with the management token, and
// again after 25, 50 and 100 seconds (times webhook_time_scale) until the response is a
// success.  The responses of the receiver are kept for the test.

const crypto = require('crypto');
const http = require('http');
const https = require('https');

const {makeEvent, deliveryText, webhookOf} = require('./webhook_events');

const PAUSES = [25, 50, 100];
const KEPT = 1000;

function post(url, headers, body, timeout) {
  return new Promise((resolve) => {
    const {request} = url.startsWith('https:') ? https : http;
    const outgoing = request(url, {method: 'POST', headers: {...headers, 'content-length': Buffer.byteLength(body)}, timeout}, (incoming) => {
      const chunks = [];

      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('error', (error) => resolve({status: null, error: error.message}));
      incoming.on('end', () => resolve({
        status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks).toString(), error: null,
      }));
    });

    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', (error) => resolve({status: null, error: error.message}));
    outgoing.end(body);
  });
}

class Webhooks {
  constructor(sandbox) {
    this.sandbox = sandbox;
    this.stopped = false;
    this.events = [];
    this.sequence = 0;
  }

  stop() {
    this.stopped = true;
  }

  // A delivery of an event, ready to be sent.
  prepare(event, body) {
    const deliveryId = crypto.randomUUID();
    const text = deliveryText(this.sandbox, event, body, deliveryId);
    const token = event.management_token || this.sandbox.settings.management_token;
    const headers = {'content-type': 'application/json', 'user-agent': 'smartcar-webhooks'};

    // Smartcar does not sign a challenge
    if (event.signature !== undefined) {
      headers['sc-signature'] = event.signature;
    } else if (body.eventType !== 'VERIFY') {
      headers['sc-signature'] = crypto.createHmac('sha256', token).update(text).digest('hex');
    }
    return {deliveryId, headers, text};
  }

  // The expected response to a challenge.
  challengeResponse(challenge) {
    return crypto.createHmac('sha256', this.sandbox.settings.management_token).update(challenge).digest('hex');
  }

  // Without a url of the event or of its webhook, the delivery is only made and returned, and
  // the test delivers it.
  async send(given) {
    const body = makeEvent(this.sandbox, given);
    const {callbackUri, errorCallbackUri} = webhookOf(this.sandbox, given);
    const usual = (body.eventType === 'VEHICLE_ERROR' && errorCallbackUri) || callbackUri || null;
    const event = {...given, url: given.url === undefined ? usual : given.url};
    const record = {
      eventId: body.eventId, eventType: body.eventType, url: event.url, done: !event.url, accepted: false, deliveries: [],
      ...(body.eventType === 'VERIFY' && {expected: this.challengeResponse(body.data.challenge)}),
    };

    this.events.push(record);
    this.events = this.events.slice(-KEPT);
    if (!event.url) {
      const {deliveryId, headers, text} = this.prepare(event, body);

      record.deliveries.push({deliveryId, signature: headers['sc-signature'] || null, headers, body: text});
      return record;
    }

    const delivered = this.deliver(event, body, record);

    if (event.wait) {
      await delivered;
    }
    return record;
  }

  // Events that are made in one order and delivered in another, as often as the list of
  // deliveries names them.  Each delivery is one attempt.
  async sendSeries({url, time_scale: scale, concurrent = false}, events, deliveries) {
    const list = deliveries.map((given) => (typeof given === 'number' ? {event: given} : given));
    const unknown = list.find(({event}) => !events[event]);

    if (unknown) {
      throw new Error(`there is no event ${unknown.event}`);
    }

    const attempt = async ({event: index, late = 0}) => {
      const {event, body} = events[index];

      await this.pause(url ? late : 0, scale);

      const {deliveryId, headers, text} = this.prepare(event, body);
      const response = url ? await post(url, headers, text, this.sandbox.settings.webhook_timeout) : null;

      return {event: index, eventId: body.eventId, deliveryId, signature: headers['sc-signature'] || null, headers, body: text, response};
    };
    const done = [];

    if (concurrent) {
      done.push(...await Promise.all(list.map(attempt)));
    } else {
      for (const delivery of list) {
        done.push(await attempt(delivery));
      }
    }
    return {deliveries: done};
  }

  pause(seconds, scale = this.sandbox.settings.webhook_time_scale) {
    return new Promise((resolve) => {
      setTimeout(resolve, seconds * 1000 * scale).unref();
    });
  }

  async deliver(event, body, record) {
    const {settings} = this.sandbox;

    for (const pause of [0, ...PAUSES]) {
      await this.pause(pause, event.time_scale);
      if (this.stopped) {
        break;
      }

      const {deliveryId, headers, text} = this.prepare(event, body);
      const at = new Date().toISOString();
      const response = await post(event.url, headers, text, settings.webhook_timeout);

      record.deliveries.push({deliveryId, at, signature: headers['sc-signature'] || null, body: text, response});
      if (response.status >= 200 && response.status < 300) {
        record.accepted = record.expected === undefined || this.isExpected(response.body, record.expected);
        break;
      }
    }
    record.done = true;
  }

  isExpected(body, expected) {
    try {
      return JSON.parse(body).challenge === expected;
    } catch (error) {
      return false;
    }
  }
}

module.exports = {Webhooks};
