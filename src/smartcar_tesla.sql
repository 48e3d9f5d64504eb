/* src/smartcar_tesla.sql: the source of the install script smartcar_tesla--VERSION.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION smartcar_tesla" to load this file. \quit

--
-- Functions, types and views are created in the schema that CREATE EXTENSION
-- names.  Tables, and functions that only a view needs, are in a schema of their
-- own, so that GRANT ... ON ALL TABLES IN SCHEMA public and tools that manage
-- public do not touch them.
--
-- Arguments, results and errors are described in doc/reference_functions.sql.
--

CREATE SCHEMA smartcar_tesla;

COMMENT ON SCHEMA smartcar_tesla IS 'Tables and internal functions of the extension smartcar_tesla.';

--
-- Configuration
--

CREATE FUNCTION smartcar_tesla_validator(options text[], catalog oid)
RETURNS void
AS 'MODULE_PATHNAME', 'smartcar_tesla_validator'
LANGUAGE C STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla_validator IS 'Checks the options of a SERVER or USER MAPPING; PostgreSQL calls it.';

CREATE FOREIGN DATA WRAPPER smartcar_tesla
	NO HANDLER
	VALIDATOR smartcar_tesla_validator;

COMMENT ON FOREIGN DATA WRAPPER smartcar_tesla IS
'A SERVER of this wrapper is a Smartcar application, and a USER MAPPING holds its secrets.';

CREATE FUNCTION smartcar_info(
	server text DEFAULT NULL,
	OUT name text,
	OUT setting text,
	OUT source text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_info'
LANGUAGE C STABLE PARALLEL SAFE ROWS 40;
COMMENT ON FUNCTION smartcar_info IS
'Returns the versions of the extension and its libraries, and the options in force.';

CREATE FUNCTION smartcar_server_scopes(server text DEFAULT NULL, missing_ok boolean DEFAULT false)
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_server_scopes'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_server_scopes IS 'Returns the option "scope" of a server as an array.';

--
-- Links
--

CREATE FUNCTION smartcar_connect_url(
	scope text[] DEFAULT NULL,
	state text DEFAULT NULL,
	make text DEFAULT 'TESLA',
	force_prompt boolean DEFAULT false,
	single_select boolean DEFAULT NULL,
	single_select_vin text DEFAULT NULL,
	flags jsonb DEFAULT NULL,
	external_id text DEFAULT NULL,
	mode text DEFAULT NULL,
	response_type text DEFAULT 'code',
	client_id text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_connect_url'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_connect_url IS
'Returns the link that takes an owner to Smartcar Connect to authorize the application.';

CREATE FUNCTION smartcar_reauth_url(
	scope text[] DEFAULT NULL,
	state text DEFAULT NULL,
	flow text DEFAULT 'authorize',
	external_id text DEFAULT NULL,
	client_id text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_reauth_url'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_reauth_url IS 'Returns the link that asks a Tesla owner for more permissions.';

CREATE FUNCTION smartcar_reauth_vehicle_url(
	vehicle_id text,
	state text DEFAULT NULL,
	external_id text DEFAULT NULL,
	response_type text DEFAULT 'vehicle_id',
	client_id text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_reauth_vehicle_url'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_reauth_vehicle_url IS 'Returns the link for the owner of a vehicle to log in again.';

CREATE FUNCTION smartcar_complete_reauth_url(
	resolution_url text,
	state text DEFAULT NULL,
	external_id text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_complete_reauth_url'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_complete_reauth_url IS
'Adds redirect_uri, state and external_id to the incomplete link that comes with an error of Smartcar.';

--
-- The callback
--

CREATE TYPE smartcar_callback AS (
	code text,
	state text,
	user_id text,
	external_id text,
	vehicle_id text,
	virtual_key_url text,
	error text,
	error_description text,
	status_code integer,
	error_message text,
	vin text,
	make text,
	model text,
	year integer,
	reason text,
	selected_capacity text
);

COMMENT ON TYPE smartcar_callback IS
'What Smartcar Connect sent to the redirect URI; a parameter that was absent or empty is NULL.';
COMMENT ON COLUMN smartcar_callback.code IS
'authorization code, single-use and valid for 10 minutes; NULL if there is an error';
COMMENT ON COLUMN smartcar_callback.state IS 'state of the link; check it before you use anything else';
COMMENT ON COLUMN smartcar_callback.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_callback.external_id IS 'the application''s own id of the owner';
COMMENT ON COLUMN smartcar_callback.vehicle_id IS
'vehicle whose owner logged in again, or whose battery capacity was asked for';
COMMENT ON COLUMN smartcar_callback.virtual_key_url IS
'link for the owner to add the virtual key; NULL unless it leads to Tesla';
COMMENT ON COLUMN smartcar_callback.error IS 'why there is no code, for example access_denied';
COMMENT ON COLUMN smartcar_callback.error_description IS 'the error in words, which may change: decide by error';
COMMENT ON COLUMN smartcar_callback.status_code IS 'HTTP status that the owner saw, with configuration_error';
COMMENT ON COLUMN smartcar_callback.error_message IS 'text that the owner saw, with configuration_error';
COMMENT ON COLUMN smartcar_callback.vin IS 'VIN, with vehicle_incompatible if the owner agreed';
COMMENT ON COLUMN smartcar_callback.make IS 'make, with vehicle_incompatible if the owner agreed';
COMMENT ON COLUMN smartcar_callback.model IS 'model, with vehicle_incompatible if the owner agreed';
COMMENT ON COLUMN smartcar_callback.year IS 'model year, with vehicle_incompatible if the owner agreed';
COMMENT ON COLUMN smartcar_callback.reason IS 'why the battery capacity was asked for';
COMMENT ON COLUMN smartcar_callback.selected_capacity IS 'battery capacity that the owner chose';

CREATE FUNCTION smartcar_parse_callback(callback text)
RETURNS smartcar_callback
AS 'MODULE_PATHNAME', 'smartcar_parse_callback'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_parse_callback IS 'Parses what Smartcar Connect sent to the redirect URI.';

--
-- Permissions
--

CREATE FUNCTION smartcar_tesla.known_permissions()
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_known_permissions'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla.known_permissions IS 'Returns the 28 permissions that Smartcar documents.';

CREATE FUNCTION smartcar_tesla_permission(scope text)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_tesla_permission'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla_permission IS
'Returns the Tesla permission that a scope needs, as Tesla''s consent screen names it.';

CREATE FUNCTION smartcar_tesla_scope(scope text)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_tesla_scope'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla_scope IS 'Returns the Tesla scope that a scope needs, as Tesla''s API names it.';

CREATE FUNCTION smartcar_tesla_permissions(scope text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_tesla_permissions'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla_permissions IS 'Returns the Tesla permissions that these scopes need, each once.';

CREATE FUNCTION smartcar_has_scopes(granted text[], wanted text[])
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_has_scopes'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_has_scopes IS 'Tells whether every wanted scope was granted.';

CREATE FUNCTION smartcar_missing_scopes(granted text[], wanted text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_missing_scopes'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_missing_scopes IS 'Returns the wanted scopes that were not granted.';

CREATE FUNCTION smartcar_missing_tesla_permissions(granted_tesla_scopes text[], wanted text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_missing_tesla_permissions'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_missing_tesla_permissions IS
'Returns the Tesla permissions that the owner must still grant at Tesla.';

CREATE FUNCTION smartcar_add_required(scope text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_add_required'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_add_required IS 'Puts "required:" in front of each scope that needs a Tesla permission.';

CREATE VIEW smartcar_permission_mapping AS
	SELECT p.smartcar_permission,
		   @extschema@.smartcar_tesla_permission(p.smartcar_permission) AS tesla_permission,
		   @extschema@.smartcar_tesla_scope(p.smartcar_permission) AS tesla_scope
	FROM pg_catalog.unnest(smartcar_tesla.known_permissions())
		 WITH ORDINALITY AS p (smartcar_permission, place)
	WHERE @extschema@.smartcar_tesla_scope(p.smartcar_permission) IS NOT NULL
	ORDER BY p.place;

COMMENT ON VIEW smartcar_permission_mapping IS
'The Tesla permission that each Smartcar permission needs, in the order of Smartcar''s table.';
COMMENT ON COLUMN smartcar_permission_mapping.smartcar_permission IS
'Smartcar permission as a scope, for example read_location';
COMMENT ON COLUMN smartcar_permission_mapping.tesla_permission IS
'name on Tesla''s consent screen, for example Vehicle Location';
COMMENT ON COLUMN smartcar_permission_mapping.tesla_scope IS 'name in Tesla''s API, for example vehicle_location';

--
-- Virtual keys
--

CREATE FUNCTION smartcar_virtual_key_required(make text, model text, year integer)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_virtual_key_required'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_virtual_key_required IS 'Tells whether a vehicle needs a virtual key.';

CREATE FUNCTION smartcar_virtual_key_url(domain text DEFAULT NULL, server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_virtual_key_url'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_virtual_key_url IS 'Returns the link for an owner to add the virtual key.';

--
-- Errors
--

CREATE TYPE smartcar_action AS ENUM (
	'none',
	'retry',
	'refresh_token',
	'update_access',
	'reauthenticate',
	'connect',
	'add_virtual_key',
	'ask_owner',
	'fix_setup'
);

COMMENT ON TYPE smartcar_action IS 'What to do about an error or a connection.';

CREATE TYPE smartcar_error AS (
	status integer,
	type text,
	code text,
	description text,
	resolution_type text,
	resolution_url text,
	doc_url text,
	suggested_user_message text,
	request_id text,
	retry_after bigint,
	detail jsonb,
	action smartcar_action
);

COMMENT ON TYPE smartcar_error IS 'An error response of Smartcar.';
COMMENT ON COLUMN smartcar_error.status IS 'HTTP status';
COMMENT ON COLUMN smartcar_error.type IS 'type, for example CONNECTED_SERVICES_ACCOUNT';
COMMENT ON COLUMN smartcar_error.code IS 'code, for example AUTHENTICATION_FAILED; many types have none';
COMMENT ON COLUMN smartcar_error.description IS 'description for developers';
COMMENT ON COLUMN smartcar_error.resolution_type IS 'what Smartcar recommends, for example REAUTHENTICATE';
COMMENT ON COLUMN smartcar_error.resolution_url IS
'link of that recommendation, possibly incomplete: see smartcar_complete_reauth_url';
COMMENT ON COLUMN smartcar_error.doc_url IS 'page of Smartcar''s documentation';
COMMENT ON COLUMN smartcar_error.suggested_user_message IS 'message for owners';
COMMENT ON COLUMN smartcar_error.request_id IS 'id that Smartcar''s support asks for';
COMMENT ON COLUMN smartcar_error.retry_after IS 'seconds to wait';
COMMENT ON COLUMN smartcar_error.detail IS
'member "detail" of the response; all errors of a v3 response with several; or a body that is no error';
COMMENT ON COLUMN smartcar_error.action IS 'what to do; NULL if the error is not known';

CREATE FUNCTION smartcar_error_action(type text, code text DEFAULT NULL)
RETURNS smartcar_action
AS 'MODULE_PATHNAME', 'smartcar_error_action'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_error_action IS
'Returns what to do about an error of Smartcar, of a callback or of a token endpoint.';

CREATE FUNCTION smartcar_parse_error(
	body text,
	http_status integer DEFAULT NULL,
	retry_after text DEFAULT NULL,
	request_id text DEFAULT NULL)
RETURNS smartcar_error
AS 'MODULE_PATHNAME', 'smartcar_parse_error'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_parse_error IS 'Parses an error response of any of Smartcar''s APIs.';

--
-- Webhooks
--

CREATE FUNCTION smartcar_hash_challenge(
	challenge text,
	management_token text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_hash_challenge'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_hash_challenge IS 'Signs the challenge of a VERIFY event.';

REVOKE EXECUTE ON FUNCTION smartcar_hash_challenge(text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_verify_webhook(
	body bytea,
	signature text,
	management_token text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_verify_webhook_bytea'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_verify_webhook(bytea, text, text, text) IS
'Tells whether the header SC-Signature of a webhook is the signature of its body.';

CREATE FUNCTION smartcar_verify_webhook(
	body text,
	signature text,
	management_token text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_verify_webhook_text'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_verify_webhook(text, text, text, text) IS
'Tells whether the header SC-Signature of a webhook is the signature of its body, given as text.';

--
-- Tokens
--
-- A function that sends a request has a COST above that of any other condition, so
-- that it is evaluated last, and below jit_above_cost.  EXECUTE on it is granted to
-- nobody: it uses the secrets of the application, and it makes the server open
-- connections.
--

CREATE TYPE smartcar_token AS (
	access_token text,
	token_type text,
	expires_at timestamptz,
	refresh_token text,
	refresh_expires_at timestamptz
);

COMMENT ON TYPE smartcar_token IS 'The tokens of an owner (v2.0).';
COMMENT ON COLUMN smartcar_token.access_token IS 'access token';
COMMENT ON COLUMN smartcar_token.token_type IS 'Bearer';
COMMENT ON COLUMN smartcar_token.expires_at IS
'when the access token expires, counted from the start of the request';
COMMENT ON COLUMN smartcar_token.refresh_token IS 'refresh token, single-use';
COMMENT ON COLUMN smartcar_token.refresh_expires_at IS
'when the refresh token expires: the time of the request plus refresh_lifetime';

CREATE FUNCTION smartcar_exchange_code(
	code text,
	refresh_lifetime interval DEFAULT '60 days',
	flags jsonb DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS smartcar_token
AS 'MODULE_PATHNAME', 'smartcar_exchange_code'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_exchange_code IS 'Exchanges the code of a callback for the tokens of its owner (v2.0).';

CREATE FUNCTION smartcar_refresh_token(
	refresh_token text,
	refresh_lifetime interval DEFAULT '60 days',
	flags jsonb DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS smartcar_token
AS 'MODULE_PATHNAME', 'smartcar_refresh_token'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_refresh_token IS 'Exchanges a refresh token for new tokens (v2.0).';

CREATE FUNCTION smartcar_get_application_token(
	server text DEFAULT NULL,
	OUT access_token text,
	OUT token_type text,
	OUT expires_at timestamptz)
AS 'MODULE_PATHNAME', 'smartcar_get_application_token'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_application_token IS 'Returns the access token of the application (v3).';

--
-- Calls to Smartcar
--

CREATE TYPE smartcar_connection AS (
	connection_id text,
	user_id text,
	vehicle_id text,
	external_id text,
	mode text,
	granted_scopes text[],
	make text,
	model text,
	year integer,
	powertrain_type text,
	connected_at timestamptz,
	updated_at timestamptz
);

COMMENT ON TYPE smartcar_connection IS 'A connection as Smartcar lists it: one user and one vehicle.';
COMMENT ON COLUMN smartcar_connection.connection_id IS 'Smartcar''s id of the connection (v3)';
COMMENT ON COLUMN smartcar_connection.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_connection.vehicle_id IS 'Smartcar''s id of the vehicle';
COMMENT ON COLUMN smartcar_connection.external_id IS 'the application''s own id of the owner (v3)';
COMMENT ON COLUMN smartcar_connection.mode IS 'live, simulated or test';
COMMENT ON COLUMN smartcar_connection.granted_scopes IS 'scopes that were granted (v3)';
COMMENT ON COLUMN smartcar_connection.make IS 'make (v3)';
COMMENT ON COLUMN smartcar_connection.model IS 'model (v3)';
COMMENT ON COLUMN smartcar_connection.year IS 'model year (v3)';
COMMENT ON COLUMN smartcar_connection.powertrain_type IS 'powertrain, for example BEV (v3)';
COMMENT ON COLUMN smartcar_connection.connected_at IS 'when the owner connected the vehicle';
COMMENT ON COLUMN smartcar_connection.updated_at IS 'when the connection last changed (v3)';

CREATE TYPE smartcar_response AS (
	status integer,
	body text,
	content_type text,
	request_id text,
	data_age timestamptz,
	fetched_at timestamptz,
	unit_system text,
	retry_after bigint,
	headers jsonb
);

COMMENT ON TYPE smartcar_response IS 'A response of Smartcar; a header that is absent is NULL.';
COMMENT ON COLUMN smartcar_response.status IS 'HTTP status';
COMMENT ON COLUMN smartcar_response.body IS 'body as text; cast it to jsonb if it is JSON';
COMMENT ON COLUMN smartcar_response.content_type IS 'media type of the body';
COMMENT ON COLUMN smartcar_response.request_id IS 'id that Smartcar''s support asks for';
COMMENT ON COLUMN smartcar_response.data_age IS 'when the vehicle reported the data';
COMMENT ON COLUMN smartcar_response.fetched_at IS 'when Smartcar got the data from the vehicle';
COMMENT ON COLUMN smartcar_response.unit_system IS 'metric or imperial';
COMMENT ON COLUMN smartcar_response.retry_after IS 'seconds to wait';
COMMENT ON COLUMN smartcar_response.headers IS 'all headers, by their names in lower case';

CREATE FUNCTION smartcar_request(
	method text,
	path text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	query jsonb DEFAULT NULL,
	body jsonb DEFAULT NULL,
	unit_system text DEFAULT NULL,
	origin text DEFAULT NULL,
	timeout interval DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS smartcar_response
AS 'MODULE_PATHNAME', 'smartcar_request'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_request IS 'Sends a request to any endpoint of Smartcar''s APIs.';

-- A type, because an argument and a result of a function cannot both be "body".
CREATE TYPE smartcar_request_result AS (
	path text,
	status integer,
	body text,
	content_type text,
	request_id text,
	data_age timestamptz,
	fetched_at timestamptz,
	unit_system text,
	retry_after bigint,
	headers jsonb,
	sqlstate text,
	error smartcar_error
);

COMMENT ON TYPE smartcar_request_result IS 'A response of Smartcar to one of many requests.';
COMMENT ON COLUMN smartcar_request_result.path IS 'path of the request';
COMMENT ON COLUMN smartcar_request_result.status IS 'HTTP status';
COMMENT ON COLUMN smartcar_request_result.body IS 'body as text; cast it to jsonb if it is JSON';
COMMENT ON COLUMN smartcar_request_result.content_type IS 'media type of the body';
COMMENT ON COLUMN smartcar_request_result.request_id IS 'id that Smartcar''s support asks for';
COMMENT ON COLUMN smartcar_request_result.data_age IS 'when the vehicle reported the data';
COMMENT ON COLUMN smartcar_request_result.fetched_at IS 'when Smartcar got the data from the vehicle';
COMMENT ON COLUMN smartcar_request_result.unit_system IS 'metric or imperial';
COMMENT ON COLUMN smartcar_request_result.retry_after IS 'seconds to wait';
COMMENT ON COLUMN smartcar_request_result.headers IS 'all headers, by their names in lower case';
COMMENT ON COLUMN smartcar_request_result.sqlstate IS
'SQLSTATE that smartcar_request would raise; NULL if there is a response';
COMMENT ON COLUMN smartcar_request_result.error IS
'the error, or the error in the response; NULL if there is none';

CREATE FUNCTION smartcar_request_many(
	method text,
	paths text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	query jsonb DEFAULT NULL,
	body jsonb DEFAULT NULL,
	unit_system text DEFAULT NULL,
	origin text DEFAULT NULL,
	timeout interval DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_request_result
AS 'MODULE_PATHNAME', 'smartcar_request_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_request_many IS 'Sends a request to each of many paths at once.';

CREATE FUNCTION smartcar_get_user(access_token text, server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_get_user'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_user IS 'Returns the id of the user to whom an access token belongs (v2.0).';

CREATE FUNCTION smartcar_get_vehicles(
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'smartcar_get_vehicles'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 3;
COMMENT ON FUNCTION smartcar_get_vehicles IS 'Returns the ids of an owner''s vehicles.';

CREATE FUNCTION smartcar_get_vehicle(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT id text,
	OUT make text,
	OUT model text,
	OUT year integer,
	OUT mode text,
	OUT powertrain_type text)
AS 'MODULE_PATHNAME', 'smartcar_get_vehicle'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_vehicle IS 'Returns the attributes of a vehicle.';

CREATE FUNCTION smartcar_get_vehicle_many(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT id text,
	OUT make text,
	OUT model text,
	OUT year integer,
	OUT mode text,
	OUT powertrain_type text,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_get_vehicle_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_get_vehicle_many IS 'Returns the attributes of many vehicles.';

CREATE FUNCTION smartcar_get_permissions(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_get_permissions'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_permissions IS 'Returns the scopes that the application has for a vehicle.';

CREATE FUNCTION smartcar_get_permissions_many(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT granted_scopes text[],
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_get_permissions_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_get_permissions_many IS 'Returns the scopes that the application has for many vehicles.';

CREATE FUNCTION smartcar_get_tesla_access(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT access_type text,
	OUT tesla_scopes text[])
AS 'MODULE_PATHNAME', 'smartcar_get_tesla_access'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_tesla_access IS
'Returns what was granted at Tesla, and whether the account is the owner''s or a driver''s.';

CREATE FUNCTION smartcar_get_tesla_access_many(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT access_type text,
	OUT tesla_scopes text[],
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_get_tesla_access_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_get_tesla_access_many IS 'Returns what was granted at Tesla for many vehicles.';

CREATE FUNCTION smartcar_get_virtual_key(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_get_virtual_key'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_virtual_key IS 'Tells whether the virtual key is paired with a vehicle.';

CREATE FUNCTION smartcar_get_virtual_key_many(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT is_paired boolean,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_get_virtual_key_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_get_virtual_key_many IS
'Tells whether the virtual key is paired with each of many vehicles.';

CREATE FUNCTION smartcar_get_tesla_migration(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_get_tesla_migration'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_tesla_migration IS
'Tells whether a vehicle still uses the old integration with Tesla (v2.0).';

-- A type, because an argument and a result of a function cannot both be "vehicle_id".
CREATE TYPE smartcar_signal AS (
	vehicle_id text,
	code text,
	value jsonb,
	unit text,
	body jsonb,
	status text,
	retrieved_at timestamptz,
	oem_updated_at timestamptz,
	sqlstate text,
	error smartcar_error
);

COMMENT ON TYPE smartcar_signal IS 'A signal of a vehicle.';
COMMENT ON COLUMN smartcar_signal.vehicle_id IS 'id of the vehicle';
COMMENT ON COLUMN smartcar_signal.code IS 'code of the signal; NULL if the vehicle could not be asked about';
COMMENT ON COLUMN smartcar_signal.value IS
'"value" or "values" of the body, or all of a body that has neither; NULL if there is no value';
COMMENT ON COLUMN smartcar_signal.unit IS 'unit of the value';
COMMENT ON COLUMN smartcar_signal.body IS 'body of the signal, as Smartcar sends it';
COMMENT ON COLUMN smartcar_signal.status IS 'SUCCESS, ERROR or UNAVAILABLE';
COMMENT ON COLUMN smartcar_signal.retrieved_at IS 'when Smartcar got the signal from the vehicle';
COMMENT ON COLUMN smartcar_signal.oem_updated_at IS 'when the vehicle reported the signal';
COMMENT ON COLUMN smartcar_signal.sqlstate IS 'SQLSTATE of the error; NULL if there is none';
COMMENT ON COLUMN smartcar_signal.error IS 'error of the signal, or of the vehicle where code is NULL';

CREATE FUNCTION smartcar_get_signals(
	vehicle_id text,
	user_id text,
	codes text[] DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_signal
AS 'MODULE_PATHNAME', 'smartcar_get_signals'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 30;
COMMENT ON FUNCTION smartcar_get_signals IS 'Returns the signals of a vehicle (v3).';

CREATE FUNCTION smartcar_get_signals_many(
	vehicle_ids text[],
	user_ids text[],
	codes text[] DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_signal
AS 'MODULE_PATHNAME', 'smartcar_get_signals_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_get_signals_many IS 'Returns the signals of many vehicles (v3).';

CREATE FUNCTION smartcar_send_command(
	vehicle_id text,
	user_id text,
	command text,
	body jsonb DEFAULT NULL,
	timeout interval DEFAULT '310 s',
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_send_command'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_send_command IS
'Sends a command to a vehicle, and tells whether it was carried out (v3).';

CREATE FUNCTION smartcar_get_connections(
	vehicle_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	external_id text DEFAULT NULL,
	mode text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_connection
AS 'MODULE_PATHNAME', 'smartcar_get_connections'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION smartcar_get_connections IS 'Returns the connections of the application.';

CREATE FUNCTION smartcar_delete_connections(
	vehicle_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_connection
AS 'MODULE_PATHNAME', 'smartcar_delete_connections'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 3;
COMMENT ON FUNCTION smartcar_delete_connections IS 'Deletes the connections of a vehicle, of a user, or of both.';

CREATE FUNCTION smartcar_get_compatibility(
	vin text,
	scope text[] DEFAULT NULL,
	country text DEFAULT NULL,
	flags jsonb DEFAULT NULL,
	mode text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT compatible boolean,
	OUT reason text,
	OUT capabilities jsonb)
AS 'MODULE_PATHNAME', 'smartcar_get_compatibility'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_get_compatibility IS
'Tells whether a vehicle supports what scopes ask for, before its owner connects it.';

CREATE TYPE smartcar_webhook AS (
	webhook_id text,
	name text,
	callback_uri text,
	is_enabled boolean,
	auto_subscribe boolean,
	signals text[],
	triggers text[]
);

COMMENT ON TYPE smartcar_webhook IS 'A webhook of the application, as Smartcar lists it (v3).';
COMMENT ON COLUMN smartcar_webhook.webhook_id IS 'id of the webhook, for the option webhook_id';
COMMENT ON COLUMN smartcar_webhook.name IS 'name in the dashboard';
COMMENT ON COLUMN smartcar_webhook.callback_uri IS 'where events are sent';
COMMENT ON COLUMN smartcar_webhook.is_enabled IS 'whether events are sent';
COMMENT ON COLUMN smartcar_webhook.auto_subscribe IS 'whether Smartcar subscribes every new vehicle';
COMMENT ON COLUMN smartcar_webhook.signals IS 'codes of the signals that an event carries';
COMMENT ON COLUMN smartcar_webhook.triggers IS 'codes of the signals that cause an event';

CREATE FUNCTION smartcar_get_webhooks(server text DEFAULT NULL)
RETURNS SETOF smartcar_webhook
AS 'MODULE_PATHNAME', 'smartcar_get_webhooks'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 3;
COMMENT ON FUNCTION smartcar_get_webhooks IS 'Returns the webhooks of the application (v3).';

CREATE FUNCTION smartcar_subscribe(
	vehicle_id text,
	user_id text,
	webhook_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_subscribe'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_subscribe IS 'Subscribes a vehicle to a webhook (v3).';

CREATE FUNCTION smartcar_unsubscribe(
	vehicle_id text,
	user_id text,
	webhook_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_unsubscribe'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION smartcar_unsubscribe IS 'Ends the subscription of a vehicle to a webhook (v3).';

--
-- Tables of the connection manager
--
-- Nobody has rights on them; the functions below use them as the owner of the
-- extension.  Their rows are dumped, because the tokens in them are sealed.  So that
-- Citus can distribute the tables, there are neither sequences nor foreign keys, and
-- user_id is in the keys of the tables that grow with the fleet.
--

CREATE TABLE smartcar_tesla.session (
	server text NOT NULL,
	state_hash bytea NOT NULL CHECK (octet_length(state_hash) = 32),
	link text NOT NULL CHECK (link IN ('connect', 'update_access', 'reauthenticate')),
	external_id text,
	vehicle_id text,
	redirect_uri text,
	scope text[],
	callback_hash bytea,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'exchanging', 'finished', 'failed')),
	ended_at timestamptz,
	user_id text,
	vehicle_ids text[],
	previous_external_id text,
	error text,
	error_description text,
	action smartcar_action,
	PRIMARY KEY (server, state_hash)
);

CREATE INDEX session_expires_at ON smartcar_tesla.session (server, expires_at);
CREATE INDEX session_external_id ON smartcar_tesla.session (external_id, user_id, server);

-- Few change their owner.
CREATE INDEX session_previous_external_id ON smartcar_tesla.session (previous_external_id, server)
	WHERE previous_external_id IS NOT NULL;

COMMENT ON TABLE smartcar_tesla.session IS 'Connect sessions that were begun here.';
COMMENT ON COLUMN smartcar_tesla.session.server IS 'SERVER of the link';
COMMENT ON COLUMN smartcar_tesla.session.state_hash IS 'SHA-256 of the state, which itself is not stored';
COMMENT ON COLUMN smartcar_tesla.session.link IS 'connect, update_access or reauthenticate';
COMMENT ON COLUMN smartcar_tesla.session.external_id IS 'the application''s own id of the owner';
COMMENT ON COLUMN smartcar_tesla.session.vehicle_id IS 'vehicle whose owner is to log in again';
COMMENT ON COLUMN smartcar_tesla.session.redirect_uri IS 'redirect URI of the link, which the exchange repeats';
COMMENT ON COLUMN smartcar_tesla.session.scope IS 'scopes of the link, if passed as an argument';
COMMENT ON COLUMN smartcar_tesla.session.callback_hash IS 'SHA-256 of the callback that used the state';
COMMENT ON COLUMN smartcar_tesla.session.created_at IS 'when the session was begun';
COMMENT ON COLUMN smartcar_tesla.session.expires_at IS 'until when its callback is accepted';
COMMENT ON COLUMN smartcar_tesla.session.status IS
'open, exchanging (also after a crash during the exchange), finished or failed';
COMMENT ON COLUMN smartcar_tesla.session.ended_at IS 'when the session finished or failed';
COMMENT ON COLUMN smartcar_tesla.session.user_id IS 'Smartcar''s id of the owner, once finished';
COMMENT ON COLUMN smartcar_tesla.session.vehicle_ids IS 'vehicles of the result';
COMMENT ON COLUMN smartcar_tesla.session.previous_external_id IS 'external_id of the previous owner of the vehicles';
COMMENT ON COLUMN smartcar_tesla.session.error IS 'error of the callback or of the exchange';
COMMENT ON COLUMN smartcar_tesla.session.error_description IS 'the error in words';
COMMENT ON COLUMN smartcar_tesla.session.action IS 'what to do about the error';

-- Room on each page, so that a claim changes no index; test/bench/week.sh measures it.
CREATE TABLE smartcar_tesla.account (
	server text NOT NULL,
	user_id text NOT NULL,
	external_id text,
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'reauthenticate')),
	access_token bytea,
	access_expires_at timestamptz,
	refresh_token bytea,
	refresh_expires_at timestamptz,
	refreshed_at timestamptz,
	lease uuid,
	leased_until timestamptz,
	attempts integer NOT NULL DEFAULT 0,
	next_attempt_at timestamptz,
	error_sqlstate text,
	error_description text,
	error_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, server)
) WITH (fillfactor = 90);

-- The id comes first, as in the table of connections, so that a plan that was made
-- while the table was empty does not look up an owner by the server alone.
CREATE INDEX account_external_id ON smartcar_tesla.account (external_id, server);

-- Provisional accounts, of which there are few.
CREATE INDEX account_provisional ON smartcar_tesla.account (server, user_id)
	WHERE pg_catalog.starts_with(user_id, 'session-');

-- Accounts whose owner has to connect again.
CREATE INDEX account_refused ON smartcar_tesla.account (server) WHERE status = 'reauthenticate';

-- Accounts that are due.  An account is in the first two, and in the third instead
-- while its refreshes fail.  None has the lease, so that a claim changes no index.
CREATE INDEX account_access_expires_at ON smartcar_tesla.account (server, access_expires_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts = 0;
CREATE INDEX account_refresh_expires_at ON smartcar_tesla.account (server, refresh_expires_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts = 0;
CREATE INDEX account_failed_next_attempt_at ON smartcar_tesla.account (server, next_attempt_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts <> 0;

COMMENT ON TABLE smartcar_tesla.account IS 'Smartcar users of an application, with their sealed tokens.';
COMMENT ON COLUMN smartcar_tesla.account.server IS 'SERVER that the account belongs to';
COMMENT ON COLUMN smartcar_tesla.account.user_id IS
'Smartcar''s id of the owner; begins with "session-" until it is known';
COMMENT ON COLUMN smartcar_tesla.account.external_id IS 'the application''s own id of the owner';
COMMENT ON COLUMN smartcar_tesla.account.status IS
'active, or reauthenticate once Smartcar has definitely refused the refresh token';
COMMENT ON COLUMN smartcar_tesla.account.access_token IS 'sealed access token (v2.0)';
COMMENT ON COLUMN smartcar_tesla.account.access_expires_at IS 'when the access token expires';
COMMENT ON COLUMN smartcar_tesla.account.refresh_token IS 'sealed refresh token (v2.0)';
COMMENT ON COLUMN smartcar_tesla.account.refresh_expires_at IS 'when the refresh token expires, as far as is known';
COMMENT ON COLUMN smartcar_tesla.account.refreshed_at IS 'when Smartcar last gave the tokens here; NULL for imported ones';
COMMENT ON COLUMN smartcar_tesla.account.lease IS 'claim of the session that refreshes the account';
COMMENT ON COLUMN smartcar_tesla.account.leased_until IS 'until when the claim holds';
COMMENT ON COLUMN smartcar_tesla.account.attempts IS 'failed refreshes since the last successful one';
COMMENT ON COLUMN smartcar_tesla.account.next_attempt_at IS 'when the next refresh is due';
COMMENT ON COLUMN smartcar_tesla.account.error_sqlstate IS 'SQLSTATE of the last failure';
COMMENT ON COLUMN smartcar_tesla.account.error_description IS 'description of the last failure';
COMMENT ON COLUMN smartcar_tesla.account.error_at IS 'when the last failure was';
COMMENT ON COLUMN smartcar_tesla.account.created_at IS
'when the owner last connected; for imported tokens, when Smartcar gave them';
COMMENT ON COLUMN smartcar_tesla.account.updated_at IS 'when this row was last changed';

-- Many connections have the same facts, those columns that the action depends on.  An
-- index on a hash of the facts finds the few connections that need an action.
CREATE FUNCTION smartcar_tesla.facts_hash(
	status text,
	error_action smartcar_action,
	granted_scopes text[],
	tesla_scopes text[],
	access_type text,
	make text,
	model text,
	year integer,
	virtual_key_paired boolean,
	server text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'smartcar_facts_hash'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla.facts_hash IS 'Returns a hash of the facts that the action of a connection depends on.';

-- Room on each page, so that an event or a synchronization changes no index;
-- test/bench/week.sh measures it.
CREATE TABLE smartcar_tesla.connection (
	server text NOT NULL,
	user_id text NOT NULL,
	vehicle_id text NOT NULL,
	connection_id text,
	external_id text,
	previous_external_id text,
	owner_changed_at timestamptz,
	status text NOT NULL DEFAULT 'connected' CHECK (status IN ('connected', 'disconnected')),
	make text,
	model text,
	year integer,
	mode text,
	powertrain_type text,
	granted_scopes text[],
	access_type text,
	access_type_known_at timestamptz,
	tesla_scopes text[],
	tesla_scopes_known_at timestamptz,
	virtual_key_paired boolean,
	virtual_key_known_at timestamptz,
	details_at timestamptz,
	errors jsonb,
	errors_known_at timestamptz,
	error_type text,
	error_code text,
	error_description text,
	error_action smartcar_action,
	error_url text,
	error_at timestamptz,
	connected_at timestamptz,
	synced_at timestamptz,
	webhook_id text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, vehicle_id, server)
) WITH (fillfactor = 80);

-- The id comes first: it is selective, and a query may leave out the server.
CREATE INDEX connection_external_id ON smartcar_tesla.connection (external_id, server);
CREATE INDEX connection_vehicle_id ON smartcar_tesla.connection (vehicle_id, server);
CREATE INDEX connection_facts_hash ON smartcar_tesla.connection (smartcar_tesla.facts_hash(status, error_action,
	granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired, server));

-- Vehicles whose owner has changed, of which there are few.
CREATE INDEX connection_owner_changed_at ON smartcar_tesla.connection (server, owner_changed_at)
	WHERE owner_changed_at IS NOT NULL;

-- Errors that are not transient.
CREATE INDEX connection_error ON smartcar_tesla.connection (server)
	WHERE status = 'connected' AND error_type IS NOT NULL
		AND (error_action IS NULL OR error_action NOT IN ('none', 'retry'));

COMMENT ON TABLE smartcar_tesla.connection IS 'Connections as Smartcar last reported them: one user and one vehicle each.';
COMMENT ON COLUMN smartcar_tesla.connection.server IS 'SERVER that the connection belongs to';
COMMENT ON COLUMN smartcar_tesla.connection.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_tesla.connection.vehicle_id IS 'Smartcar''s id of the vehicle';
COMMENT ON COLUMN smartcar_tesla.connection.connection_id IS 'Smartcar''s id of the connection (v3)';
COMMENT ON COLUMN smartcar_tesla.connection.external_id IS 'the application''s own id of the owner';
COMMENT ON COLUMN smartcar_tesla.connection.previous_external_id IS 'external_id of the previous owner, if there was one';
COMMENT ON COLUMN smartcar_tesla.connection.owner_changed_at IS 'when external_id was changed to that of another owner';
COMMENT ON COLUMN smartcar_tesla.connection.status IS
'connected, or disconnected once a list of Smartcar no longer had the vehicle';
COMMENT ON COLUMN smartcar_tesla.connection.make IS 'make, as Smartcar writes it';
COMMENT ON COLUMN smartcar_tesla.connection.model IS 'model, as Smartcar writes it';
COMMENT ON COLUMN smartcar_tesla.connection.year IS 'model year';
COMMENT ON COLUMN smartcar_tesla.connection.mode IS 'live, simulated or test, where Smartcar says';
COMMENT ON COLUMN smartcar_tesla.connection.powertrain_type IS 'powertrain, as Smartcar writes it (v3)';
COMMENT ON COLUMN smartcar_tesla.connection.granted_scopes IS 'scopes that were granted';
COMMENT ON COLUMN smartcar_tesla.connection.access_type IS 'OWNER or DRIVER, in v3 what the signal says';
COMMENT ON COLUMN smartcar_tesla.connection.access_type_known_at IS 'when access_type was reported';
COMMENT ON COLUMN smartcar_tesla.connection.tesla_scopes IS 'Tesla scopes that were granted, such as vehicle_location';
COMMENT ON COLUMN smartcar_tesla.connection.tesla_scopes_known_at IS 'when tesla_scopes was reported';
COMMENT ON COLUMN smartcar_tesla.connection.virtual_key_paired IS 'whether the vehicle has the virtual key';
COMMENT ON COLUMN smartcar_tesla.connection.virtual_key_known_at IS 'when virtual_key_paired was reported';
COMMENT ON COLUMN smartcar_tesla.connection.details_at IS
'when access_type, tesla_scopes and virtual_key_paired were last requested (v3)';
COMMENT ON COLUMN smartcar_tesla.connection.errors IS
'errors by type and code, each reported at its known_at; ended ones are kept for a day';
COMMENT ON COLUMN smartcar_tesla.connection.errors_known_at IS 'when Smartcar last reported all errors';
COMMENT ON COLUMN smartcar_tesla.connection.error_type IS 'type of the error that has to be fixed first';
COMMENT ON COLUMN smartcar_tesla.connection.error_code IS 'its code';
COMMENT ON COLUMN smartcar_tesla.connection.error_description IS 'its description';
COMMENT ON COLUMN smartcar_tesla.connection.error_action IS 'what to do about it';
COMMENT ON COLUMN smartcar_tesla.connection.error_url IS 'link that came with it';
COMMENT ON COLUMN smartcar_tesla.connection.error_at IS 'when that error was reported';
COMMENT ON COLUMN smartcar_tesla.connection.connected_at IS 'when the owner connected the vehicle';
COMMENT ON COLUMN smartcar_tesla.connection.synced_at IS 'when Smartcar was last asked';
COMMENT ON COLUMN smartcar_tesla.connection.webhook_id IS 'webhook that the vehicle was subscribed to here (v3)';
COMMENT ON COLUMN smartcar_tesla.connection.created_at IS 'when this row was inserted';
COMMENT ON COLUMN smartcar_tesla.connection.updated_at IS 'when this row was last changed';

CREATE TABLE smartcar_tesla.webhook_event (
	server text NOT NULL,
	event_id text NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (server, event_id)
);

CREATE INDEX webhook_event_received_at ON smartcar_tesla.webhook_event (server, received_at);

COMMENT ON TABLE smartcar_tesla.webhook_event IS 'Webhook events received, kept while Smartcar may repeat them.';
COMMENT ON COLUMN smartcar_tesla.webhook_event.server IS 'SERVER that received the event';
COMMENT ON COLUMN smartcar_tesla.webhook_event.event_id IS 'eventId of the event';
COMMENT ON COLUMN smartcar_tesla.webhook_event.received_at IS 'when the event was received';

CREATE TABLE smartcar_tesla.forgotten_user (
	server text NOT NULL,
	user_hash bytea NOT NULL CHECK (octet_length(user_hash) = 32),
	forgotten_at timestamptz NOT NULL,
	PRIMARY KEY (server, user_hash)
);

COMMENT ON TABLE smartcar_tesla.forgotten_user IS
'Users forgotten in the last 25 hours, so that requests under way do not store them again.';
COMMENT ON COLUMN smartcar_tesla.forgotten_user.server IS 'SERVER that the user belonged to';
COMMENT ON COLUMN smartcar_tesla.forgotten_user.user_hash IS 'SHA-256 of Smartcar''s id of the owner, which itself is not stored';
COMMENT ON COLUMN smartcar_tesla.forgotten_user.forgotten_at IS 'when the user was forgotten';

CREATE TABLE smartcar_tesla.sync_round (
	server text NOT NULL,
	details_began_at timestamptz,
	list_began_at timestamptz,
	next_page integer,
	last_user_id text,
	PRIMARY KEY (server)
);

COMMENT ON TABLE smartcar_tesla.sync_round IS
'Where smartcar_sync stopped because of a limit, and the next run continues.';
COMMENT ON COLUMN smartcar_tesla.sync_round.server IS 'SERVER that is synchronized';
COMMENT ON COLUMN smartcar_tesla.sync_round.details_began_at IS
'details that are older than this are still to be requested (v3)';
COMMENT ON COLUMN smartcar_tesla.sync_round.list_began_at IS 'when the list of connections or users was begun';
COMMENT ON COLUMN smartcar_tesla.sync_round.next_page IS 'next page of the list; -1 after the last one, NULL if the list is complete (v3)';
COMMENT ON COLUMN smartcar_tesla.sync_round.last_user_id IS 'user after whom the next run continues (v2.0)';

CREATE TABLE smartcar_tesla.job_run (
	server text NOT NULL,
	procedure text NOT NULL,
	began_at timestamptz NOT NULL,
	run_id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
	ended_at timestamptz,
	runs bigint NOT NULL DEFAULT 1,
	done bigint,
	failed bigint,
	refused bigint,
	disconnected bigint,
	requests bigint,
	error_sqlstate text,
	error_description text,
	PRIMARY KEY (server, procedure, began_at, run_id)
);

COMMENT ON TABLE smartcar_tesla.job_run IS 'Runs of the procedures that jobs call.';
COMMENT ON COLUMN smartcar_tesla.job_run.server IS 'SERVER of the run';
COMMENT ON COLUMN smartcar_tesla.job_run.procedure IS 'smartcar_refresh, smartcar_sync or smartcar_reseal_tokens';
COMMENT ON COLUMN smartcar_tesla.job_run.began_at IS 'when the run began, or the first of several';
COMMENT ON COLUMN smartcar_tesla.job_run.run_id IS 'id of the run';
COMMENT ON COLUMN smartcar_tesla.job_run.ended_at IS 'when the run ended, or the last of several; NULL while it runs and if it was cut off';
COMMENT ON COLUMN smartcar_tesla.job_run.runs IS
'number of runs in this row: those that did nothing share one for up to an hour';
COMMENT ON COLUMN smartcar_tesla.job_run.done IS 'result "refreshed" or "synced"; accounts that were resealed';
COMMENT ON COLUMN smartcar_tesla.job_run.failed IS 'result "failed"';
COMMENT ON COLUMN smartcar_tesla.job_run.refused IS 'result "refused" of smartcar_refresh';
COMMENT ON COLUMN smartcar_tesla.job_run.disconnected IS 'result "disconnected" of smartcar_sync';
COMMENT ON COLUMN smartcar_tesla.job_run.requests IS 'requests that were sent';
COMMENT ON COLUMN smartcar_tesla.job_run.error_sqlstate IS 'SQLSTATE of the error, or of the limit, that ended the run';
COMMENT ON COLUMN smartcar_tesla.job_run.error_description IS 'the error in words';

SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.session', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.account', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.connection', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.webhook_event', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.forgotten_user', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.sync_round', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.job_run', '');

--
-- The connection manager
--

CREATE FUNCTION smartcar_begin_connect(
	external_id text DEFAULT NULL,
	scope text[] DEFAULT NULL,
	make text DEFAULT 'TESLA',
	force_prompt boolean DEFAULT false,
	lifetime interval DEFAULT '1 hour',
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_begin_connect'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION smartcar_begin_connect IS 'Begins a session and returns its link to Smartcar Connect.';

CREATE FUNCTION smartcar_begin_reauth(
	external_id text DEFAULT NULL,
	vehicle_id text DEFAULT NULL,
	scope text[] DEFAULT NULL,
	lifetime interval DEFAULT '1 hour',
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_begin_reauth'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION smartcar_begin_reauth IS
'Begins a session for a connected owner and returns the link that fixes access or login.';

CREATE PROCEDURE smartcar_finish_connect(
	callback text,
	expected_external_id text DEFAULT NULL,
	server text DEFAULT NULL,
	INOUT status text DEFAULT NULL,
	INOUT external_id text DEFAULT NULL,
	INOUT user_id text DEFAULT NULL,
	INOUT vehicle_ids text[] DEFAULT NULL,
	INOUT error text DEFAULT NULL,
	INOUT action smartcar_action DEFAULT NULL,
	INOUT previous_external_id text DEFAULT NULL,
	INOUT requests bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_finish_connect'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_finish_connect IS
'Finishes a session with its callback: stores the tokens and the vehicles of the owner.';

CREATE PROCEDURE smartcar_refresh(
	access_within interval DEFAULT '15 minutes',
	refresh_within interval DEFAULT '7 days',
	max_accounts bigint DEFAULT NULL,
	server text DEFAULT NULL,
	INOUT refreshed bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL,
	INOUT refused bigint DEFAULT NULL,
	INOUT requests bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_refresh'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_refresh IS 'Refreshes the tokens that are due (v2.0).';

CREATE PROCEDURE smartcar_sync(
	external_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	details boolean DEFAULT true,
	max_requests bigint DEFAULT NULL,
	max_disconnects bigint DEFAULT NULL,
	server text DEFAULT NULL,
	INOUT synced bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL,
	INOUT disconnected bigint DEFAULT NULL,
	INOUT requests bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_sync'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_sync IS 'Brings the stored connections up to date with Smartcar.';

CREATE PROCEDURE smartcar_adopt(
	user_ids text[],
	external_ids text[],
	server text DEFAULT NULL,
	INOUT adopted bigint DEFAULT NULL,
	INOUT replaced bigint DEFAULT NULL,
	INOUT unknown bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_adopt'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_adopt IS 'Assigns the application''s own owner ids to known Smartcar users.';

CREATE PROCEDURE smartcar_import_tokens(
	user_ids text[],
	external_ids text[],
	access_tokens text[],
	refresh_tokens text[],
	expires_at timestamptz[],
	server text DEFAULT NULL,
	INOUT imported bigint DEFAULT NULL,
	INOUT replaced bigint DEFAULT NULL,
	INOUT kept bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_import_tokens'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_import_tokens IS 'Imports tokens that the application has stored itself (v2.0).';

CREATE FUNCTION smartcar_access_token(
	external_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_access_token'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION smartcar_access_token IS 'Returns a valid access token of an owner (v2.0).';

CREATE PROCEDURE smartcar_disconnect_vehicle(
	vehicle_id text,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL,
	INOUT requests bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_disconnect_vehicle'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_disconnect_vehicle IS 'Disconnects a vehicle, at Smartcar and here.';

CREATE PROCEDURE smartcar_forget(
	external_id text,
	server text DEFAULT NULL,
	INOUT disconnected bigint DEFAULT NULL,
	INOUT accounts bigint DEFAULT NULL,
	INOUT connections bigint DEFAULT NULL,
	INOUT sessions bigint DEFAULT NULL,
	INOUT requests bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_forget'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_forget IS
'Disconnects all vehicles of an owner at Smartcar and deletes what is stored about the owner.';

CREATE PROCEDURE smartcar_reseal_tokens(server text DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_reseal_tokens'
LANGUAGE C;
COMMENT ON PROCEDURE smartcar_reseal_tokens IS 'Seals all stored tokens with the first key of the key file (v2.0).';

CREATE FUNCTION smartcar_receive_webhook(body bytea, signature text, server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_receive_webhook_bytea'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION smartcar_receive_webhook(bytea, text, text) IS
'Applies a webhook event and returns the body of the response to send.';

CREATE FUNCTION smartcar_receive_webhook(body text, signature text, server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_receive_webhook_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION smartcar_receive_webhook(text, text, text) IS
'Applies a webhook event, given as text, and returns the body of the response to send.';

--
-- The status, and what only its view needs
--

CREATE FUNCTION smartcar_tesla.next_action(
	status text,
	error_action smartcar_action,
	granted_scopes text[],
	tesla_scopes text[],
	access_type text,
	make text,
	model text,
	year integer,
	virtual_key_paired boolean,
	server text)
RETURNS smartcar_action
AS 'MODULE_PATHNAME', 'smartcar_next_action'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla.next_action IS 'Returns what to do next about a connection.';

CREATE FUNCTION smartcar_tesla.action_url(
	action text,
	external_id text,
	vehicle_id text,
	error_url text,
	server text)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_action_url'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla.action_url IS 'Returns the link that an owner can be sent for an action.';

CREATE FUNCTION smartcar_tesla.may_use(server text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_may_use'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla.may_use IS 'Tells whether the current role may see rows about a server.';

-- The inner query computes what is used more than once.  LATERAL would be shorter, but
-- Citus cannot send a subquery without FROM to its workers.
CREATE VIEW smartcar_tesla.connection_status AS
	SELECT c.server, c.external_id, c.user_id, c.vehicle_id, c.make, c.model, c.year, c.mode, c.status,
		c.granted_scopes,
		smartcar_missing_scopes(c.granted_scopes, c.wanted_scopes) AS missing_scopes,
		CASE WHEN c.tesla_scopes IS NULL
			THEN smartcar_tesla_permissions(smartcar_missing_scopes(c.granted_scopes, c.wanted_scopes))
			ELSE smartcar_missing_tesla_permissions(c.tesla_scopes, c.wanted_scopes)
		END AS missing_tesla_permissions,
		c.access_type,
		smartcar_virtual_key_required(c.make, c.model, c.year) AS virtual_key_required,
		c.virtual_key_paired,
		c.error_type, c.error_code, c.error_description, c.error_at,
		c.action,
		smartcar_tesla.action_url(c.action::text, c.external_id, c.vehicle_id, c.error_url, c.server)
			AS action_url,
		c.connected_at, c.synced_at, c.facts_hash
	FROM (
		SELECT server, external_id, user_id, vehicle_id, make, model, year, mode, status, granted_scopes,
			tesla_scopes, access_type, virtual_key_paired, error_type, error_code, error_description,
			error_url, error_at, connected_at, synced_at,
			smartcar_server_scopes(server, missing_ok => true) AS wanted_scopes,
			smartcar_tesla.next_action(status, error_action, granted_scopes, tesla_scopes, access_type,
				make, model, year, virtual_key_paired, server) AS action,
			smartcar_tesla.facts_hash(status, error_action, granted_scopes, tesla_scopes, access_type,
				make, model, year, virtual_key_paired, server) AS facts_hash
		FROM smartcar_tesla.connection
	) c;

CREATE VIEW smartcar_status WITH (security_barrier) AS
	SELECT server, external_id, user_id, vehicle_id, make, model, year, mode, status, granted_scopes, missing_scopes,
		missing_tesla_permissions, access_type, virtual_key_required, virtual_key_paired,
		error_type, error_code, error_description, error_at, action, action_url, connected_at, synced_at
	FROM smartcar_tesla.connection_status
	WHERE smartcar_tesla.may_use(server);

-- Walks through the index from hash to hash, and computes the action of one row for each:
-- it cannot be stored, because the option "scope" of the server can change at any time.
-- The planner expects = to find a large part of the table.  ORDER BY, OFFSET 0, and
-- BETWEEN instead of = keep it from reading all of the table.
CREATE VIEW smartcar_todo WITH (security_barrier) AS
	WITH RECURSIVE kind (facts_hash) AS (
		SELECT min(facts_hash) FROM smartcar_tesla.connection_status
		UNION ALL
		SELECT (SELECT min(c.facts_hash) FROM smartcar_tesla.connection_status c WHERE c.facts_hash > kind.facts_hash)
			FROM kind WHERE kind.facts_hash IS NOT NULL
	)
	SELECT s.server, s.external_id, s.user_id, s.vehicle_id, s.make, s.model, s.year, s.mode, s.status, s.granted_scopes, s.missing_scopes,
		s.missing_tesla_permissions, s.access_type, s.virtual_key_required, s.virtual_key_paired,
		s.error_type, s.error_code, s.error_description, s.error_at, s.action, s.action_url, s.connected_at, s.synced_at
	FROM kind,
		LATERAL (
			SELECT action FROM smartcar_tesla.connection_status c
			WHERE c.facts_hash >= kind.facts_hash ORDER BY c.facts_hash LIMIT 1
		) first,
		LATERAL (
			SELECT * FROM smartcar_tesla.connection_status c
			WHERE c.facts_hash BETWEEN kind.facts_hash AND kind.facts_hash AND smartcar_tesla.may_use(c.server) OFFSET 0
		) s
	WHERE first.action <> 'none';

COMMENT ON VIEW smartcar_status IS
'Each vehicle of each owner: what was granted, what is missing, what to do, and the link for it.';
COMMENT ON COLUMN smartcar_status.server IS 'SERVER that the connection belongs to';
COMMENT ON COLUMN smartcar_status.external_id IS 'the application''s own id of the owner';
COMMENT ON COLUMN smartcar_status.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_status.vehicle_id IS 'Smartcar''s id of the vehicle';
COMMENT ON COLUMN smartcar_status.make IS 'make, as Smartcar writes it';
COMMENT ON COLUMN smartcar_status.model IS 'model, as Smartcar writes it';
COMMENT ON COLUMN smartcar_status.year IS 'model year';
COMMENT ON COLUMN smartcar_status.mode IS 'live, simulated or test, where Smartcar says';
COMMENT ON COLUMN smartcar_status.status IS 'connected or disconnected';
COMMENT ON COLUMN smartcar_status.granted_scopes IS 'scopes that were granted';
COMMENT ON COLUMN smartcar_status.missing_scopes IS 'scopes of the option "scope" that were not granted';
COMMENT ON COLUMN smartcar_status.missing_tesla_permissions IS
'Tesla permissions that the owner must still grant; if Smartcar does not say, those of missing_scopes';
COMMENT ON COLUMN smartcar_status.access_type IS 'OWNER or DRIVER; a driver cannot add a key remotely';
COMMENT ON COLUMN smartcar_status.virtual_key_required IS 'whether the vehicle needs a virtual key';
COMMENT ON COLUMN smartcar_status.virtual_key_paired IS 'whether the vehicle has the virtual key';
COMMENT ON COLUMN smartcar_status.error_type IS 'type of the error that has to be fixed first';
COMMENT ON COLUMN smartcar_status.error_code IS 'its code';
COMMENT ON COLUMN smartcar_status.error_description IS 'its description';
COMMENT ON COLUMN smartcar_status.error_at IS 'when that error was reported';
COMMENT ON COLUMN smartcar_status.action IS
'what to do next; none if all is well, NULL if not known because the server does not exist';
COMMENT ON COLUMN smartcar_status.action_url IS 'link for the action, where one can be sent as it is';
COMMENT ON COLUMN smartcar_status.connected_at IS 'when the owner connected the vehicle';
COMMENT ON COLUMN smartcar_status.synced_at IS 'when Smartcar was last asked';

CREATE FUNCTION smartcar_tesla.is_being_finished(state_hash bytea)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_is_being_finished'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION smartcar_tesla.is_being_finished IS
'Tells whether smartcar_finish_connect is running for a session.';

-- may_use() is called outside of the UNION ALL: into the parts of a view that is itself a
-- UNION ALL, the planner moves a condition of the query, in front of the condition of the
-- part, in spite of the security barrier.
CREATE VIEW smartcar_trouble WITH (security_barrier) AS
	SELECT * FROM (
		SELECT s.server, s.external_id, s.user_id, s.vehicle_id,
			CASE s.status WHEN 'failed' THEN 'session_failed' WHEN 'exchanging' THEN 'session_cut_off' ELSE 'session_expired'
				END AS kind,
			CASE s.status WHEN 'failed' THEN s.ended_at WHEN 'exchanging' THEN s.created_at ELSE s.expires_at END AS since,
			CASE s.status WHEN 'failed' THEN s.action ELSE s.link::smartcar_action END AS action,
			s.error, s.error_description AS message,
			NULL::integer AS attempts, NULL::timestamptz AS next_attempt_at, s.expires_at
		FROM smartcar_tesla.session s
		WHERE s.expires_at > now() - interval '30 days'
			AND (s.status = 'failed'
				OR s.status = 'open' AND s.expires_at <= now()
				OR s.status = 'exchanging' AND NOT smartcar_tesla.is_being_finished(s.state_hash))
			AND NOT EXISTS (
				SELECT FROM smartcar_tesla.session later
				WHERE later.server = s.server AND later.external_id = s.external_id AND later.created_at > s.created_at
					AND (later.vehicle_id IS NULL OR later.vehicle_id = s.vehicle_id)
					AND (later.status = 'finished' OR s.status = 'open'))
		UNION ALL
		SELECT a.server, a.external_id, a.user_id, NULL, 'account_refused', a.error_at, 'connect'::smartcar_action,
			a.error_sqlstate, a.error_description, a.attempts, NULL, a.refresh_expires_at
		FROM smartcar_tesla.account a
		WHERE a.status = 'reauthenticate'
		UNION ALL
		SELECT a.server, a.external_id, a.user_id, NULL, 'account_failing', COALESCE(a.refreshed_at, a.created_at),
			CASE WHEN a.error_sqlstate LIKE 'SC%' THEN 'retry' ELSE 'fix_setup' END::smartcar_action, a.error_sqlstate, a.error_description,
			a.attempts, a.next_attempt_at, a.refresh_expires_at
		FROM smartcar_tesla.account a
		WHERE a.status = 'active' AND a.refresh_token IS NOT NULL AND a.attempts <> 0
		UNION ALL
		SELECT c.server, c.external_id, c.user_id, c.vehicle_id, 'connection_error', c.error_at, c.error_action,
			concat_ws(':', c.error_type, c.error_code), c.error_description, NULL, NULL, NULL
		FROM smartcar_tesla.connection c
		WHERE c.status = 'connected' AND c.error_type IS NOT NULL
			AND (c.error_action IS NULL OR c.error_action NOT IN ('none', 'retry'))
		UNION ALL
		SELECT c.server, c.previous_external_id, c.user_id, c.vehicle_id, 'owner_changed', c.owner_changed_at, NULL,
			'OWNER_CHANGED', format('the vehicle belongs to owner "%s" now', c.external_id), NULL, NULL, NULL
		FROM smartcar_tesla.connection c
		WHERE c.owner_changed_at > now() - interval '30 days'
			AND NOT EXISTS (
				SELECT FROM smartcar_tesla.connection own
				WHERE own.server = c.server AND own.vehicle_id = c.vehicle_id AND own.external_id = c.previous_external_id
					AND own.status = 'connected')
	) t
	WHERE smartcar_tesla.may_use(t.server);

COMMENT ON VIEW smartcar_trouble IS 'Problems of sessions, accounts and connections that support has to look at.';
COMMENT ON COLUMN smartcar_trouble.server IS 'SERVER of the problem';
COMMENT ON COLUMN smartcar_trouble.external_id IS 'the application''s own id of the owner; for owner_changed, of the previous one';
COMMENT ON COLUMN smartcar_trouble.user_id IS 'Smartcar''s id of the owner, if known';
COMMENT ON COLUMN smartcar_trouble.vehicle_id IS 'Smartcar''s id of the vehicle, if the problem concerns one';
COMMENT ON COLUMN smartcar_trouble.kind IS
'session_failed, _cut_off or _expired; account_refused or _failing; connection_error; owner_changed';
COMMENT ON COLUMN smartcar_trouble.since IS 'when it happened; for account_failing, when the account last got tokens';
COMMENT ON COLUMN smartcar_trouble.action IS 'what to do: fix_setup is for the team, retry passes by itself; NULL if not known';
COMMENT ON COLUMN smartcar_trouble.error IS 'error of the callback, SQLSTATE of the refresh, or type and code of the error';
COMMENT ON COLUMN smartcar_trouble.message IS 'the error in words';
COMMENT ON COLUMN smartcar_trouble.attempts IS 'refreshes that have failed since the last successful one';
COMMENT ON COLUMN smartcar_trouble.next_attempt_at IS 'when the next refresh is due';
COMMENT ON COLUMN smartcar_trouble.expires_at IS 'when the link or the refresh token expires, as far as is known';

CREATE VIEW smartcar_job_run WITH (security_barrier) AS
	SELECT r.server, r.procedure, r.run_id, r.runs, r.began_at, r.ended_at, r.done, r.failed, r.refused, r.disconnected,
		r.requests, r.error_sqlstate, r.error_description
	FROM smartcar_tesla.job_run r
	WHERE smartcar_tesla.may_use(r.server);

COMMENT ON VIEW smartcar_job_run IS 'Runs of the procedures that jobs call, for 30 days.';
COMMENT ON COLUMN smartcar_job_run.server IS 'SERVER of the run';
COMMENT ON COLUMN smartcar_job_run.procedure IS 'smartcar_refresh, smartcar_sync or smartcar_reseal_tokens';
COMMENT ON COLUMN smartcar_job_run.began_at IS 'when the run began, or the first of several';
COMMENT ON COLUMN smartcar_job_run.run_id IS 'id of the run';
COMMENT ON COLUMN smartcar_job_run.ended_at IS 'when the run ended, or the last of several; NULL while it runs and if it was cut off';
COMMENT ON COLUMN smartcar_job_run.runs IS
'number of runs in this row: those that did nothing share one for up to an hour';
COMMENT ON COLUMN smartcar_job_run.done IS 'result "refreshed" or "synced"; accounts that were resealed';
COMMENT ON COLUMN smartcar_job_run.failed IS 'result "failed"';
COMMENT ON COLUMN smartcar_job_run.refused IS 'result "refused" of smartcar_refresh';
COMMENT ON COLUMN smartcar_job_run.disconnected IS 'result "disconnected" of smartcar_sync';
COMMENT ON COLUMN smartcar_job_run.requests IS 'requests that were sent';
COMMENT ON COLUMN smartcar_job_run.error_sqlstate IS 'SQLSTATE of the error, or of the limit, that ended the run';
COMMENT ON COLUMN smartcar_job_run.error_description IS 'the error in words';
COMMENT ON VIEW smartcar_todo IS 'The rows of smartcar_status with an action, found by an index.';
COMMENT ON VIEW smartcar_tesla.connection_status IS 'The rows of smartcar_status and smartcar_todo, for all servers.';
COMMENT ON COLUMN smartcar_tesla.connection_status.facts_hash IS 'hash of the facts that the action depends on';

DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', v, attname, pg_catalog.col_description(attrelid, attnum))
		FROM pg_catalog.pg_attribute, (VALUES ('smartcar_todo'), ('smartcar_tesla.connection_status')) AS views (v)
		WHERE attrelid = 'smartcar_status'::pg_catalog.regclass
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;

--
-- Rights
--

CREATE FUNCTION smartcar_grant(role_name text, kind text, server text)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	home text;
BEGIN
	IF kind NOT IN ('application', 'operator', 'reader') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid kind: "%s"', kind),
			DETAIL = 'Valid kinds are "application", "operator" and "reader".';
	END IF;

	-- this refuses PUBLIC, too, because it is not a role
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('role "%s" does not exist', role_name);
	END IF;

	-- the schema may have been renamed
	SELECT extnamespace::regnamespace::text INTO STRICT home FROM pg_extension WHERE extname = 'smartcar_tesla';

	EXECUTE format('GRANT USAGE ON FOREIGN SERVER %I TO %I', server, role_name);
	EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', home, role_name);
	EXECUTE format('GRANT SELECT ON %1$s.smartcar_status, %1$s.smartcar_todo, %1$s.smartcar_trouble TO %2$I', home, role_name);
	IF kind = 'application' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION %1$s.smartcar_begin_connect, %1$s.smartcar_begin_reauth, '
			'%1$s.smartcar_receive_webhook(bytea, text, text), %1$s.smartcar_receive_webhook(text, text, text) '
			'TO %2$I', home, role_name);
		EXECUTE format('GRANT EXECUTE ON PROCEDURE %s.smartcar_finish_connect TO %I', home, role_name);
	ELSE
		EXECUTE format('GRANT SELECT ON %s.smartcar_job_run TO %I', home, role_name);
	END IF;
	IF kind = 'operator' THEN
		EXECUTE format('GRANT EXECUTE ON PROCEDURE %1$s.smartcar_refresh, %1$s.smartcar_sync, '
			'%1$s.smartcar_adopt, %1$s.smartcar_import_tokens, %1$s.smartcar_disconnect_vehicle, '
			'%1$s.smartcar_forget, %1$s.smartcar_reseal_tokens TO %2$I', home, role_name);
	END IF;
END
$$;

COMMENT ON FUNCTION smartcar_grant IS 'Grants a role what an application, an operator or a reader needs.';

-- PUBLIC may use what neither sends a request nor reads a secret or a table.
-- smartcar_verify_webhook reads a secret, but tells nothing about it.
REVOKE EXECUTE ON ROUTINE smartcar_hash_challenge, smartcar_exchange_code, smartcar_refresh_token,
	smartcar_get_application_token, smartcar_request, smartcar_request_many, smartcar_get_user, smartcar_get_vehicles,
	smartcar_get_vehicle, smartcar_get_vehicle_many, smartcar_get_permissions, smartcar_get_permissions_many,
	smartcar_get_tesla_access, smartcar_get_tesla_access_many, smartcar_get_virtual_key,
	smartcar_get_virtual_key_many, smartcar_get_tesla_migration, smartcar_get_signals, smartcar_get_signals_many,
	smartcar_send_command, smartcar_get_connections,
	smartcar_delete_connections, smartcar_get_compatibility, smartcar_get_webhooks, smartcar_subscribe,
	smartcar_unsubscribe, smartcar_begin_connect, smartcar_begin_reauth,
	smartcar_finish_connect, smartcar_refresh, smartcar_sync, smartcar_adopt, smartcar_import_tokens, smartcar_access_token,
	smartcar_disconnect_vehicle, smartcar_forget, smartcar_reseal_tokens, smartcar_receive_webhook(bytea, text, text),
	smartcar_receive_webhook(text, text, text),
	smartcar_grant FROM PUBLIC;

-- Default privileges may have granted rights on what this script has created.  Revoke
-- them, but leave PUBLIC its rights on types and on the other functions.
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT pg_catalog.format('REVOKE ALL ON %s FROM %s', o.name,
			CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::pg_catalog.regrole::text END)
		FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND d.refobjid = e.oid AND d.deptype = 'e',
		LATERAL (
			SELECT 'ROUTINE ' || p.oid::pg_catalog.regprocedure, proacl, proowner, false
				FROM pg_catalog.pg_proc p WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
			UNION ALL
			SELECT 'TYPE ' || t.oid::pg_catalog.regtype, typacl, typowner, false
				FROM pg_catalog.pg_type t WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
			UNION ALL
			SELECT 'TABLE ' || c.oid::pg_catalog.regclass, relacl, relowner, true
				FROM pg_catalog.pg_class c WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
			UNION ALL
			SELECT 'SCHEMA ' || n.oid::pg_catalog.regnamespace, nspacl, nspowner, true
				FROM pg_catalog.pg_namespace n
				WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.oid = d.objid
		) o (name, acl, owner, is_closed_to_public),
		LATERAL pg_catalog.aclexplode(o.acl)
		WHERE e.extname = 'smartcar_tesla' AND grantee <> o.owner AND (grantee <> 0 OR o.is_closed_to_public)
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;

GRANT SELECT ON smartcar_permission_mapping TO PUBLIC;
