'use strict';

// The rate limits of the application and of a vehicle.  Requests are always counted; the
// limits are settings, because they depend on the plan of an account.

const {refusal} = require('./access');

const MINUTE = 60000;

class Limits {
  constructor(clock, settings) {
    this.clock = clock;
    this.settings = settings;
    this.clear();
  }

  // Fills the bucket and resets the counts.
  clear() {
    this.application = {requests: 0, refused: 0};
    this.vehicles = new Map();
    this.capacity = null;
    this.level = null;
  }

  // The number of requests left in the application's bucket, or null without one.
  available() {
    const {application_bucket: capacity, application_refill: refill} = this.settings;
    const now = this.clock.now();

    if (capacity === null || capacity !== this.capacity) {
      this.capacity = capacity;
      this.level = capacity;
    } else {
      this.level = Math.min(capacity, this.level + (now - this.filledAt) / MINUTE * refill);
    }
    this.filledAt = now;
    return this.level;
  }

  // Counts a request, and one to a vehicle.  Returns why it is refused, or null.  A request
  // that the application's limit refuses does not count for the vehicle.
  take(vehicleId = null) {
    const available = this.available();

    this.application.requests += 1;
    if (available !== null && available < 1) {
      this.application.refused += 1;
      return refusal('RATE_LIMIT', 'SMARTCAR_API');
    }
    if (available !== null) {
      this.level -= 1;
    }
    return vehicleId === null ? null : this.takeOfVehicle(vehicleId);
  }

  takeOfVehicle(id) {
    const {vehicle_month_limit: most, vehicle_rate_limit: rate} = this.settings;
    const now = this.clock.now();
    const month = this.clock.iso(now).slice(0, 7);
    const counts = this.vehicles.get(id) || {requests: 0, refused: 0, month, in_month: 0, since: now, in_window: 0};

    this.vehicles.set(id, counts);
    counts.requests += 1;
    if (counts.month !== month) {
      Object.assign(counts, {month, in_month: 0});
    }
    if (rate && now >= counts.since + rate.seconds * 1000) {
      Object.assign(counts, {since: now, in_window: 0});
    }
    if (most !== null && counts.in_month >= most) {
      counts.refused += 1;
      return refusal('BILLING', 'VEHICLE_REQUEST_LIMIT');
    }
    if (rate && counts.in_window >= rate.requests) {
      const seconds = Math.ceil((counts.since - now) / 1000 + rate.seconds);

      counts.refused += 1;
      return refusal('RATE_LIMIT', 'VEHICLE', {headers: {'retry-after': String(seconds)}});
    }
    counts.in_month += 1;
    counts.in_window += 1;
    return null;
  }

  show(query) {
    const only = query.get('vehicle_id');
    const offset = Number(query.get('offset') || 0);
    const limit = Number(query.get('limit') || 1000);
    const all = only ? [...this.vehicles].filter(([id]) => id === only) : [...this.vehicles];
    const available = this.available();

    return {
      application: {...this.application, available: available === null ? null : Math.floor(available)},
      count: all.length,
      vehicles: all.slice(offset, offset + limit).map(([id, {requests, refused, in_month: inMonth}]) =>
        ({vehicle_id: id, requests, refused, in_month: inMonth})),
    };
  }
}

module.exports = {Limits};
