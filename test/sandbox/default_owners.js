'use strict';

// The owners of a fresh sandbox: with names, so that a demonstration reads well, and one
// for each case.

const defaultOwners = [
  {
    // needs the virtual key and has none
    owner: 'ada', name: 'Ada Lindqvist', email: 'ada@example.com',
    user_id: '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11',
    vehicles: [
      {id: '36ab27d0-fd9d-4455-823a-ce30af709ffc', vin: '5YJ3E1EA7MF000101', model: 'Model 3', year: 2021},
    ],
  },
  {
    // one car too old for the key, one that has it
    owner: 'ben', name: 'Ben Okafor', email: 'ben@example.com',
    user_id: '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622',
    vehicles: [
      {id: '9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2', vin: '5YJSA1E27KF000202', model: 'Model S', year: 2019},
      {id: 'd5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081', vin: '7SAXCBE52NF000203', model: 'Model X', year: 2022, paired: true},
    ],
  },
  {
    // a driver: cannot add a key remotely
    owner: 'carla', name: 'Carla Reyes', email: 'carla@example.com',
    user_id: 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733',
    vehicles: [
      {id: 'e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c', vin: '7SAYGDEE3PF000304', model: 'Model Y', year: 2023, accessType: 'DRIVER'},
    ],
  },
  {
    // the company that Carla drives for: the same Model Y, as its owner
    owner: 'northwind', name: 'Northwind Deliveries', email: 'fleet@northwind.example',
    user_id: '1d0e8b7c-93a4-4f25-bc61-84f5a6b7c844',
    vehicles: [
      {id: 'e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c', vin: '7SAYGDEE3PF000304', model: 'Model Y', year: 2023},
      {id: '0a9b8c7d-6e5f-4d3c-8b2a-190807060504', vin: '7G2CEHED4RA000405', model: 'Cybertruck', year: 2024, paired: true},
    ],
  },
  {
    // on Tesla's former platform: has to be connected again
    owner: 'erik', name: 'Erik Holm', email: 'erik@example.com',
    user_id: '63f2a1d8-0c4b-4e97-9a35-b6c7d8e9f955',
    vehicles: [
      {id: '5b6c7d8e-9f0a-4b1c-92d3-e4f506172839', vin: '5YJSA1E14HF000506', model: 'Model S', year: 2017, requiresMigration: true},
    ],
  },
  {
    // no car
    owner: 'nora', name: 'Nora Quist', email: 'nora@example.com',
    user_id: '8e7d6c5b-4a39-4281-8706-c5d4e3f2a066',
    vehicles: [],
  },
  {
    // Smartcar's simulator, for links with mode=simulated or mode=test
    owner: 'simon', name: 'Simon (simulated)', email: 'simon@example.com',
    user_id: 'c9b8a796-8574-4635-a241-3f2e1d0c9b77',
    vehicles: [
      {id: '7f8e9dac-bb1c-4a2d-8e3f-4a5b6c7d8e9f', vin: '5YJYGDEE1MF000607', model: 'Model Y', year: 2021, mode: 'simulated', paired: true},
      {id: '2c3d4e5f-6071-4829-a3b4-c5d6e7f80910', vin: '0SCTESLA1MF000708', model: 'Model 3', year: 2021, mode: 'test', paired: true},
    ],
  },
];

module.exports = {defaultOwners};
