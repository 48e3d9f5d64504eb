'use strict';

// The servers whose requests go to the sandbox, and the matching options of the package.

const application = {
  clientId: '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
  clientSecret: 'sandbox-client-secret',
  redirectUri: 'https://example.com/callback',
  managementToken: 'sandbox-management-token',
};

const origins = ['auth_origin', 'iam_origin', 'api_origin', 'vehicle_origin', 'management_origin'];

// redirect: whether the server has a redirect URI; secret: the client's.
function server(origin, serverName, {version = '2.0', redirect = true, secret = application.clientSecret} = {}) {
  const options = [
    `client_id '${application.clientId}'`, `api_version '${version}'`, ...(redirect ? [`redirect_uri '${application.redirectUri}'`] : []),
    ...origins.map((option) => `${option} '${origin}'`),
  ];

  return `CREATE SERVER ${serverName} FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (${options.join(', ')});
    CREATE USER MAPPING FOR PUBLIC SERVER ${serverName} OPTIONS (client_secret '${secret}',
      management_token '${application.managementToken}', api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret');\n`;
}

function prepareServers(origin) {
  return server(origin, 'calls') + server(origin, 'calls_v3', {version: '3'}) + server(origin, 'calls_no_redirect', {redirect: false}) +
    server(origin, 'calls_wrong_secret', {secret: 'wrong'});
}

module.exports = {application, prepareServers};
