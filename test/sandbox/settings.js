'use strict';

// The application that the sandbox knows, and its behaviour.  The names are those of
// POST /sandbox/settings.

const DAY = 24 * 60 * 60;

// The default scope of a link, as set in the dashboard of an application.
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
    // besides these, any http://localhost is registered
    redirect_uris: ['https://example.com/callback'],
    dashboard_scope: dashboardScope,
    // null: all that Smartcar documents, plus extra_permissions
    allowed_permissions: null,
    extra_permissions: [],
    virtual_key_url: 'https://www.tesla.com/_ak/smartcar.com',
    // seconds
    grace: 60,
    code_lifetime: 600,
    access_lifetime: 7200,
    refresh_lifetime: 60 * DAY,
    application_token_lifetime: 3600,
    // milliseconds between the processing and the response
    delay: 0,
    // how spaces are encoded in a callback: '+' or '%20'
    callback_space: '+',
    // whether a callback has user_id besides code, as it has since about 2026
    callback_user_id: true,
    v3_content_type: 'application/json',
    // what lists of connections have: 'own', 'none', or 'foreign', as with the credentials of
    // another application
    connections_listed: 'own',
    // the size of the application's bucket, and the requests that are added each minute;
    // null: no limit
    application_bucket: 120,
    application_refill: 2,
    // null: no limit.  Requests to a vehicle in a calendar month; {requests, seconds}
    vehicle_month_limit: null,
    vehicle_rate_limit: null,
    // null, or slow commands: {after, takes, error}, see README.md
    long_command: null,
    // see subscriptions.js for the members and their defaults
    webhooks: [{}],
    // seconds until a subscription is in force
    subscription_delay: 0,
    // the default number of signals on a page
    signal_page_size: 25,
    // and the maximum
    signal_page_limit: 100,
    // factor for the pauses between the deliveries of a webhook, which are 25, 50 and 100 s
    webhook_time_scale: 0.001,
    webhook_timeout: 15000,
    ...overrides,
  };
}

module.exports = {defaultSettings};
