'use strict';

// What the sandbox knows of the application that talks to it, and how it
// behaves.  The names are those that POST /sandbox/settings takes.

const DAY = 24 * 60 * 60;

// What the owners can be asked for when a link has no scope, as the dashboard
// of an application would say it.
const dashboardScope = 'read_vehicle_info read_vin read_odometer read_location read_battery read_charge ' +
  'control_charge read_security control_security read_user_profile';

function defaultSettings(overrides = {}) {
  return {
    client_id: '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
    client_secrets: ['sandbox-client-secret'],
    api_client_id: 'client_sandbox',
    api_client_secrets: ['sandbox-api-secret'],
    management_token: 'sandbox-management-token',
    application_name: 'Sandbox Application',
    // beside these, any http://localhost is registered
    redirect_uris: ['https://example.com/callback'],
    dashboard_scope: dashboardScope,
    // null: all that Smartcar documents; extra_permissions adds to them
    allowed_permissions: null,
    extra_permissions: [],
    virtual_key_url: 'https://www.tesla.com/_ak/smartcar.com',
    // seconds
    grace: 60,
    code_lifetime: 600,
    access_lifetime: 7200,
    refresh_lifetime: 60 * DAY,
    application_token_lifetime: 3600,
    // milliseconds between the work and the answer
    delay: 0,
    // how spaces are written into a callback: '+' or '%20'
    callback_space: '+',
    // whether a callback has user_id beside code, as it has since about 2026
    callback_user_id: true,
    v3_content_type: 'application/json',
    // what GET /connections and its like of v2.0 list: 'own', 'none', or 'foreign'
    // ones, as when the credentials are those of another application
    connections_listed: 'own',
    // how many requests the application has at first, and how many are added each
    // minute; null: no such limit
    application_bucket: 120,
    application_refill: 2,
    // null: no such limit.  Requests to a vehicle in a calendar month; {requests, seconds}
    vehicle_month_limit: null,
    vehicle_rate_limit: null,
    // null, or a command takes long: {after, takes, error}, see README.md
    long_command: null,
    // see subscriptions.js for the members and their defaults
    webhooks: [{}],
    // seconds until a subscription is in force
    subscription_delay: 0,
    // how many signals a page has when the request does not say
    signal_page_size: 25,
    // and at most, whatever the request says
    signal_page_limit: 100,
    // the pauses between the deliveries of a webhook are 25, 50 and 100 s times this
    webhook_time_scale: 0.001,
    webhook_timeout: 15000,
    ...overrides,
  };
}

module.exports = {defaultSettings};
