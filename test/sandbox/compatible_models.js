'use strict';

// GET /v3/compatible-vehicles: the models that Smartcar supports; needs no token.

const {v3Error} = require('./errors');
const {pageOf} = require('./pages');
const {commands} = require('./readings');
const {signals} = require('./signals');

const REGIONS = ['US', 'CA', 'EUROPE'];

// make, model, first and last year, powertrain
const models = [
  ['NISSAN', 'LEAF', 2018, 2025, 'BEV'],
  ['TESLA', 'Cybertruck', 2024, 2026, 'BEV'],
  ['TESLA', 'Model 3', 2016, 2026, 'BEV'],
  ['TESLA', 'Model S', 2012, 2026, 'BEV'],
  ['TESLA', 'Model X', 2015, 2026, 'BEV'],
  ['TESLA', 'Model Y', 2020, 2026, 'BEV'],
  ['VOLVO', 'XC60', 2018, 2025, 'PHEV'],
];

const permissions = new Set([...Object.values(signals), ...Object.values(commands)].map(({permission}) => permission));

const capabilities = [
  ...Object.entries(signals).map(([capability, {name}]) => ({type: 'signal', capability, code: name})),
  ...[['charge-start', 'Start'], ['charge-stop', 'Stop'], ['closure-lock', 'Lock'], ['closure-unlock', 'Unlock']]
    .map(([capability, code]) => ({type: 'command', capability, code})),
  ...[...permissions].map((name) => ({type: 'permission', capability: name, code: name})),
];

const rows = REGIONS.flatMap((region) => models.map(([make, model, start, end, powertrainType]) => ({
  id: `${make}-${model}-${start}-${end}-${powertrainType}-${region}`,
  type: 'compatible-vehicle',
  attributes: {make, model, years: {start, end}, powertrainType, region, capabilities},
})));

function compatibleModels(request) {
  const wanted = ['region', 'make', 'powertrainType'].filter((name) => request.query.has(`filter[${name}]`));
  const list = rows.filter(({attributes}) => wanted.every((name) => attributes[name] === request.query.get(`filter[${name}]`)));

  if (request.method !== 'GET') {
    return v3Error(request, 'RESOURCE_NOT_FOUND', 'PATH');
  }
  return {...pageOf(request, list, 10, (row) => row), headers: {'cache-control': 'public, max-age=86400'}};
}

module.exports = {compatibleModels};
