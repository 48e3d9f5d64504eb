'use strict';

// The foreign servers of the links.
//
// A package gets everything in its constructor; the extension takes missing arguments from
// the options of a server.  complete() gives the packages these options.

const servers = {
  // the default server, which has only the version
  smartcar: {
    api_version: '2.0',
  },
  parity_bare: {
    api_version: '2.0',
    client_id: '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
  },
  parity_defaults: {
    api_version: '2.0',
    client_id: '4cf82729-4275-46d9-9255-8437ba777151',
    redirect_uri: 'https://example.com/callback?tenant=7&next=%2Fgarage',
    scope: 'required:read_location read_odometer control_charge',
    mode: 'simulated',
  },
  parity_extra: {
    api_version: '2.0',
    client_id: '3ee54ada-54d8-40a3-a315-150beb578a3f',
    redirect_uri: 'http://localhost:8000/callback',
    extra_scopes: 'read_cabin control_wipers',
  },
  parity_v3: {
    api_version: '3',
    client_id: '61a3e3d2-5198-47ba-aabd-4623ce4a4042',
  },
  parity_v3_defaults: {
    api_version: '3',
    client_id: '2dad4eaf-9094-4bff-bb0f-ffbbdde8b562',
    redirect_uri: 'https://example.com/v3/callback',
    scope: 'read_vin required:read_charge',
    mode: 'test',
  },
};

// The arguments of a link with the options of its server filled in.
function complete(link) {
  const {scope, ...options} = servers[link.server] || {};
  const result = {...options, ...(scope && {scope: scope.split(' ')})};

  for (const [name, value] of Object.entries(link)) {
    if (value !== undefined && value !== null) {
      result[name] = value;
    }
  }
  return result;
}

function quote(text) {
  return `'${text.replace(/'/g, "''")}'`;
}

// The statements that create the servers.
function createServers() {
  return Object.entries(servers).map(([name, options]) => {
    const list = Object.entries(options).map(([option, value]) => `${option} ${quote(value)}`);

    return `CREATE SERVER ${name} FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (${list.join(', ')});\n`;
  }).join('');
}

module.exports = {servers, complete, createServers};
