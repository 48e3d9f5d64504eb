'use strict';

// The errors of a callback, and their other parameters.

const connectErrors = {
  access_denied: {description: 'User denied access to application.'},
  vehicle_incompatible: {description: 'The user\'s vehicle is not compatible.', extra: ['vin', 'make', 'model', 'year']},
  invalid_subscription: {description: 'User does not have an active connected vehicle subscription'},
  no_vehicles: {description: 'No vehicles found. Please add vehicles to your account and try again.'},
  configuration_error: {
    description: 'There has been an error in the configuration of your application.', extra: ['status_code', 'error_message'],
  },
  server_error: {description: 'Unexpected server error. Please try again.'},
  user_manually_returned_to_application: {description: 'The user exited Connect before granting your application access'},
  user_cancelled: {description: 'User cancelled or denied login at OEM\'s login screen'},
  user_exited: {description: null},
};

// The default parameters of an error, so that one click is enough.
const examples = {
  vin: '0SCAUDI012FE3B132', make: 'AUDI', model: 'A4', year: '2012', status_code: '400', error_message: 'Unauthorized redirect_uri',
};

// The parameters of an error; given overrides the defaults.
function errorParameters(error, given = {}) {
  const {description = null, extra = []} = connectErrors[error] || {};
  const parameters = {error};

  if (given.error_description !== undefined ? given.error_description : description) {
    parameters.error_description = given.error_description || description;
  }
  for (const name of extra.filter((field) => given[field])) {
    parameters[name] = given[name];
  }
  return parameters;
}

module.exports = {connectErrors, errorParameters, examples};
