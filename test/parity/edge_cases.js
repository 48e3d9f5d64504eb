'use strict';

// Links chosen by hand: each is for a mistake that an implementation could make and that
// random links find too rarely.

const permissions = require('./permissions');

const application = {client_id: '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', mode: 'live'};
const usual = {...application, redirect_uri: 'https://example.com/callback', scope: ['read_odometer', 'read_vehicle_info']};
const v3 = {server: 'parity_v3', mode: 'live', redirect_uri: 'https://example.com/callback'};

const states = [
  'a b&c=d/é!\'()*~-_.',
  '&', '=', '+', '%', '#', ' ', '"', '\'', '\n', '\r\n', '\t', '\\', '/', '?',
  '%20', '%2B', '%25', '%00', '%zz', '%c3%28',
  'a=b&c=d', '&state=other', '?state=other#fragment', 'https://example.com/?a=b',
  '  leading and trailing  ', '{"tenant": 7, "next": "/garage"}', 'PHNjcmlwdD4+Pz8/', '<script>alert(1)</script>',
  '\u0001\u001f\u007f\u0080', 'ÄÖÜäöüß', '\u00ff\u00fe',
];

const statesBeyondLatin1 = ['🚗', '👩‍🔧🔋', 'e\u0301', '漢字', 'אבג \u202e', '\u2028\u2029', '\ufeffstate', '\ufffe\uffff', '\u{10ffff}'];

const common = [
  {},
  {scope: undefined},
  {redirect_uri: undefined},
  {scope: permissions},
  {scope: permissions.map((name) => `required:${name}`)},
  {scope: ['read_vin']},
  {scope: ['read_vin', 'required:read_vin', 'read_vin']},
  {scope: ['required:read_vin', 'read_charge', 'required:control_charge']},
  {make: 'TESLA'},
  {make: 'MERCEDES_BENZ'},
  {force_prompt: true},
  {force_prompt: false},
  {single_select: true},
  {single_select: false},
  {single_select_vin: '5YJSA1E14FF101307'},
  {single_select: true, single_select_vin: '5YJSA1E14FF101307'},
  {flags: {country: 'DE'}},
  {flags: {color: '00819D', country: 'DE'}},
  {flags: {flag_1: 'Yay', flag_2: true, flag_3: 123}},
  {flags: {a: 0, b: -1.5, c: false}},
  {external_id: '3ee54ada-54d8-40a3-a315-150beb578a3f'},
  {external_id: 'owner+7@example.com'},
  {external_id: 'Zoë & Söhne / 100%'},
  {mode: 'live'},
  {mode: 'simulated'},
  {mode: 'test'},
  {redirect_uri: 'https://example.com/callback?a=b&c=d+e%20f'},
  {redirect_uri: 'https://example.com/callback?'},
  {redirect_uri: 'http://localhost:8000'},
  {redirect_uri: 'sc8229df9f-91a0-4ff0-a1ae-a1f38ee24d07://exchange'},
  {redirect_uri: 'https://javascript-sdk.smartcar.com/v2/redirect?app_origin=https://example.com'},
  {state: 'x'.repeat(20000)},
  ...states.map((state) => ({state})),
];

const everything = {
  scope: ['required:read_location', 'read_odometer'],
  state: 'a b&c=d',
  make: 'TESLA',
  force_prompt: true,
  single_select_vin: '5YJSA1E14FF101307',
  flags: {color: '00819D', country: 'DE'},
  external_id: 'owner 7',
};

const backendEdges = [
  ...common.map((link) => ({...usual, ...link})),
  ...statesBeyondLatin1.map((state) => ({...usual, state})),
  {...usual, state: ''},
  {...usual, make: ''},
  {...usual, external_id: ''},
  {...usual, ...everything},
  application,
  {server: 'parity_defaults'},
  {server: 'parity_defaults', ...everything},
  {server: 'parity_defaults', scope: ['read_vin'], mode: 'live', client_id: 'another', redirect_uri: 'http://localhost'},
  {server: 'parity_extra', mode: 'live', scope: ['read_cabin', 'required:control_wipers', 'read_vin']},
];

const frontendEdges = [
  ...common.map((link) => ({...v3, ...link})),
  ...['code', 'none'].map((response_type) => ({...v3, response_type})),
  {...v3, ...everything},
  {...v3, response_type: 'none', ...everything},
  {server: 'parity_v3_defaults'},
  {server: 'parity_v3_defaults', ...everything},
  {server: 'parity_v3', mode: 'live'},
];

module.exports = {usual, v3, backendEdges, frontendEdges};
