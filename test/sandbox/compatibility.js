'use strict';

// GET /compatibility: whether Smartcar supports a vehicle that nobody has connected yet.

const {v2Error} = require('./errors');
const {readScope, smartcarPermissions} = require('./permissions');

// The prefixes of the VINs of Tesla's factories.
const TESLA_VIN = /^(5YJ|7SA|7G2|LRW|XP7|SFZ)/;
const NOT_CAPABLE = ['read_fuel', 'read_engine_oil'];

function compatibility(request, {store}) {
  const vin = request.query.get('vin') || '';
  const scope = readScope(request.query.get('scope'));
  const missing = !/^[A-HJ-NPR-Z0-9]{17}$/.test(vin) ? 'vin' : scope.length === 0 ? 'scope' : null;

  if (request.method !== 'GET') {
    return v2Error(request, 'RESOURCE_NOT_FOUND', 'PATH');
  }
  if (missing) {
    return v2Error(request, 'VALIDATION', null, {detail: [{field: missing, message: `"${missing}" is required`}]});
  }

  const vehicle = [...store.vehicles.values()].find((candidate) => candidate.vin === vin);

  if (vehicle ? vehicle.make !== 'TESLA' : !TESLA_VIN.test(vin)) {
    return {status: 200, body: {compatible: false, reason: 'MAKE_NOT_COMPATIBLE', capabilities: []}};
  }
  return {
    status: 200,
    body: {
      compatible: true,
      reason: null,
      capabilities: scope.map(({name}) => {
        const capable = Object.hasOwn(smartcarPermissions, name) && !NOT_CAPABLE.includes(name);
        const endpoint = `/${name.replace(/^(read|control)_/, '')}`;

        return {permission: name, endpoint, capable, reason: capable ? null : 'VEHICLE_NOT_CAPABLE'};
      }),
    },
  };
}

module.exports = {compatibility};
