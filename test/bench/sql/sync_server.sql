-- The server whose connections are brought up to date.
--
-- Variables: origin, at_once.

CREATE SERVER sync FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	api_version '3', scope 'read_odometer read_location', max_concurrency :'at_once',
	iam_origin :'origin', vehicle_origin :'origin', management_origin :'origin');
CREATE USER MAPPING FOR PUBLIC SERVER sync OPTIONS (
	api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret');
