/* src/smartcar_tesla.sql: the source of the install script smartcar_tesla--VERSION.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION smartcar_tesla" to load this file. \quit

--
-- Configuration
--

CREATE FUNCTION smartcar_tesla_validator(options text[], catalog oid)
RETURNS void
AS 'MODULE_PATHNAME', 'smartcar_tesla_validator'
LANGUAGE C STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_tesla_validator(text[], oid) IS
'Checks the options of a SERVER or USER MAPPING of the wrapper smartcar_tesla. PostgreSQL calls it; there is no need to.
Errors: HV00D for an unknown option, 22023 for a value that is not acceptable, 42501 for an option that only superusers may set.';

CREATE FOREIGN DATA WRAPPER smartcar_tesla
	NO HANDLER
	VALIDATOR smartcar_tesla_validator;

COMMENT ON FOREIGN DATA WRAPPER smartcar_tesla IS
'Smartcar applications. A SERVER of this wrapper is one application, a USER MAPPING holds its secrets; there are no foreign tables.';

CREATE FUNCTION smartcar_info(
	server text DEFAULT NULL,
	OUT name text,
	OUT setting text,
	OUT source text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_info'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_info(text) IS
'The versions of the extension and its libraries, and the options in force, a row each.
server: the name of a SERVER; NULL means the one that the setting smartcar_tesla.server names. If that one does not exist, only the versions come back.
Result: name; setting; source, which is "library", "server", "user mapping", "default" or "setting". Times are in milliseconds, sizes in bytes. Of a secret only whether there is one is told.
Errors: 42704 if server is named and does not exist, 42501 without USAGE on it.';

CREATE FUNCTION smartcar_server_scopes(server text DEFAULT NULL, missing_ok boolean DEFAULT false)
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_server_scopes'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_server_scopes(text, boolean) IS
'The option "scope" of a server as an array, as it was written, "required:" included.
server: the name of a SERVER; NULL means the one that the setting smartcar_tesla.server names.
missing_ok: true gives NULL, and no error, for a server that does not exist or may not be used.
Result: NULL if the server has no such option.
Errors: 42704 if there is no such server, 42501 without USAGE on it, 55000 if none is named and the setting is empty.';

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

COMMENT ON FUNCTION smartcar_connect_url(text[], text, text, boolean, boolean, text, jsonb, text, text, text, text, text, text) IS
'The link that takes an owner to Smartcar Connect to authorize an application (https://smartcar.com/docs/connect/redirect-to-connect). No network is used.
scope: Smartcar permissions, each with or without "required:"; NULL means the option of the server, and where there is none, the choice of the Smartcar dashboard.
state: comes back unchanged in the callback; NULL or empty leaves it out.
make: skips the brand list; NULL or empty shows it.
force_prompt: true asks for consent even if it was given before (approval_prompt=force); NULL means false.
single_select, single_select_vin: let the owner choose one vehicle only, or only the one with this VIN, which implies single_select; NULL leaves them out.
flags: an object of text, numbers and booleans, for example {"country": "DE"}; they stand in the link in the order that jsonb keeps, and NULL leaves them out.
external_id: the application''s own id of the owner; NULL or empty leaves it out.
mode: "live", "simulated" or "test"; NULL means the option of the server, and where there is none, Smartcar''s default.
response_type: "code", or "none" for an application that needs no code in the callback; NULL means "code".
client_id, redirect_uri: NULL means the option of the server. server: NULL means the one that the setting smartcar_tesla.server names; it need not exist if client_id is given.
Result: never NULL. The parameters stand in the order of Smartcar''s Node SDK. With api_version 3, application_id and external_id stand where version 2.0 has client_id and user.
Errors: 22023 for an argument that is not acceptable, 22004 for a NULL within scope, 2202E for a scope of more than one dimension, 54000 for a link of more than 32768 bytes, 55000 if no client_id is known, 42704 and 42501 for a server that does not exist or may not be used.';

CREATE FUNCTION smartcar_reauth_url(
	scope text[] DEFAULT NULL,
	state text DEFAULT NULL,
	flow text DEFAULT 'authorize',
	client_id text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_reauth_url'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_reauth_url(text[], text, text, text, text, text) IS
'The link that asks a Tesla owner for more permissions, "Updating access with Tesla" (https://smartcar.com/docs/help/oem-integrations/tesla/developers). No network is used.
scope: the Smartcar permissions that the application needs; the owner is asked for the Tesla permissions that they map to. NULL means the option of the server; one of the two is needed.
state: comes back unchanged in the callback; NULL or empty leaves it out.
flow: "authorize" sends a new authorization code to redirect_uri. "reauthenticate" sends nothing back and leaves the tokens as they are; it takes neither state nor redirect_uri, and "required:" is dropped because everything is required. NULL means "authorize".
client_id, redirect_uri: NULL means the option of the server. server: NULL means the one that the setting smartcar_tesla.server names; it need not exist if client_id is given.
Result: never NULL.
Errors: 22023 for an argument that is not acceptable, 22004 for a NULL within scope, 2202E for a scope of more than one dimension, 54000 for a link of more than 32768 bytes, 55000 if no scope, client_id or redirect_uri is known, 42704 and 42501 for a server that does not exist or may not be used.';

CREATE FUNCTION smartcar_reauth_vehicle_url(
	vehicle_id text,
	state text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	external_id text DEFAULT NULL,
	client_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_reauth_vehicle_url'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_reauth_vehicle_url(text, text, text, text, text, text) IS
'The link that logs the owner of one vehicle in again (https://smartcar.com/docs/connect/re-auth/redirect-to-connect). The callback brings vehicle_id and state, no code. No network is used.
vehicle_id: Smartcar''s id of the vehicle; NULL gives NULL.
state: comes back unchanged in the callback; NULL or empty leaves it out.
external_id: the application''s own id of the owner; NULL or empty leaves it out.
redirect_uri, client_id: NULL means the option of the server. server: NULL means the one that the setting smartcar_tesla.server names; it need not exist if client_id is given.
Errors: 22023 for an argument that is not acceptable, 54000 for a link of more than 32768 bytes, 55000 if no client_id or redirect_uri is known, 42704 and 42501 for a server that does not exist or may not be used.';

CREATE FUNCTION smartcar_complete_reauth_url(
	resolution_url text,
	state text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_complete_reauth_url'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_complete_reauth_url(text, text, text, text) IS
'Completes the half-built link that the error CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED carries as resolution.url (https://smartcar.com/docs/errors/api-errors/connected-services-account-errors) with redirect_uri and state. No network is used.
resolution_url: the link; NULL gives NULL. What is in it stays, but a redirect_uri or state given here takes the place of one that is there.
state: comes back unchanged in the callback; NULL or empty keeps the one of the link, if any.
redirect_uri: NULL keeps the one of the link, and where there is none, takes the option of the server.
server: NULL means the one that the setting smartcar_tesla.server names; it need not exist if redirect_uri is known.
Errors: 22023 for a link that does not point at the Connect origin or an argument that is not acceptable, 54000 for a link of more than 32768 bytes, 55000 if no redirect_uri is known, 42704 and 42501 for a server that does not exist or may not be used.';

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
'What Smartcar Connect sent back to the redirect URI (https://smartcar.com/docs/connect/handle-the-response). A parameter that was absent or empty is NULL; code is also NULL where there is an error. code is good once, for 10 minutes. user_id is the Smartcar id of the owner, external_id the application''s own. vin, make, model and year come with vehicle_incompatible, if the owner agreed. status_code (an HTTP status) and error_message come with configuration_error. reason and selected_capacity come from the battery capacity page.';
COMMENT ON COLUMN smartcar_callback.code IS 'to be exchanged for tokens, once and within 10 minutes; NULL where there is an error';
COMMENT ON COLUMN smartcar_callback.state IS 'what the link carried; compare it before you use anything else';
COMMENT ON COLUMN smartcar_callback.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_callback.external_id IS 'the application''s own id of the owner';
COMMENT ON COLUMN smartcar_callback.vehicle_id IS 'the vehicle whose owner logged in again, or whose battery was asked about';
COMMENT ON COLUMN smartcar_callback.virtual_key_url IS 'where the owner adds the virtual key; only a link to Tesla comes back';
COMMENT ON COLUMN smartcar_callback.error IS 'why there is no code, for example access_denied';
COMMENT ON COLUMN smartcar_callback.error_description IS 'the same in words, which change: decide by error';
COMMENT ON COLUMN smartcar_callback.status_code IS 'the HTTP status that the owner saw, with configuration_error';
COMMENT ON COLUMN smartcar_callback.error_message IS 'the text that the owner saw, with configuration_error';
COMMENT ON COLUMN smartcar_callback.vin IS 'the vehicle, with vehicle_incompatible, if the owner agreed';
COMMENT ON COLUMN smartcar_callback.make IS 'the vehicle, with vehicle_incompatible, if the owner agreed';
COMMENT ON COLUMN smartcar_callback.model IS 'the vehicle, with vehicle_incompatible, if the owner agreed';
COMMENT ON COLUMN smartcar_callback.year IS 'the vehicle, with vehicle_incompatible, if the owner agreed';
COMMENT ON COLUMN smartcar_callback.reason IS 'what the page of battery capacities was about';
COMMENT ON COLUMN smartcar_callback.selected_capacity IS 'what the owner chose there';

CREATE FUNCTION smartcar_parse_callback(callback text)
RETURNS smartcar_callback
AS 'MODULE_PATHNAME', 'smartcar_parse_callback'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_parse_callback(text) IS
'Parses what Smartcar Connect sent back to the redirect URI.
callback: a whole URL, a path with a query, or the query with or without its "?"; a fragment is ignored. NULL gives NULL. "+" and %20 are both a space.
Result: every field as it was sent; unknown errors pass through, unknown parameters are ignored. With an error, code is NULL. virtual_key_url comes back only as an https link to the /_ak/ page of tesla.com or tesla.cn; anything else gives NULL and a WARNING.
A callback proves nothing: anyone can send one. Compare state before you use it.
Errors: 22P02 for a parameter that is there twice, a broken escape, %00, bytes that are not UTF-8, and a year or status_code that is not a number; 22P05 for a character that the encoding of the database does not have, 22021 for text that is not UTF-8 in a database with encoding SQL_ASCII.';

--
-- Permissions
--

CREATE FUNCTION smartcar_known_permissions()
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_known_permissions'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_known_permissions() IS
'The 28 permissions that Smartcar documents (https://smartcar.com/docs/api-reference/permissions), those of the Tesla page first and in its order. A link takes these and what the server option "extra_scopes" adds.';

CREATE FUNCTION smartcar_tesla_permission(scope text)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_tesla_permission'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_tesla_permission(text) IS
'The Tesla permission that a Smartcar permission needs, as Tesla''s consent screen names it, for example "Vehicle Location" (https://smartcar.com/docs/help/oem-integrations/tesla/developers).
scope: a Smartcar permission; "required:" is ignored. NULL gives NULL.
Result: NULL where no Tesla permission is documented.
Errors: 22023 for a name that cannot be one of a permission.';

CREATE FUNCTION smartcar_tesla_scope(scope text)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_tesla_scope'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_tesla_scope(text) IS
'The Tesla permission that a Smartcar permission needs, as Tesla''s API names it, for example "vehicle_location" (https://smartcar.com/docs/help/oem-integrations/tesla/developers).
scope: a Smartcar permission; "required:" is ignored. NULL gives NULL.
Result: NULL where no Tesla permission is documented.
Errors: 22023 for a name that cannot be one of a permission.';

CREATE FUNCTION smartcar_tesla_permissions(scope text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_tesla_permissions'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_tesla_permissions(text[]) IS
'The Tesla permissions that these Smartcar permissions need, each once, in the order in which they are first needed.
scope: Smartcar permissions; "required:" is ignored. NULL gives NULL, no permissions give an empty array.
Errors: 22023 for a name that cannot be one of a permission, 22004 for a NULL in the array, 2202E for an array of more than one dimension.';

CREATE FUNCTION smartcar_has_scopes(granted text[], wanted text[])
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_has_scopes'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_has_scopes(text[], text[]) IS
'Whether every permission that is wanted was granted.
granted, wanted: Smartcar permissions; "required:" is ignored in both. NULL for either gives NULL; nothing wanted gives true.
Errors: 22023 for a name that cannot be one of a permission, 22004 for a NULL in an array, 2202E for an array of more than one dimension.';

CREATE FUNCTION smartcar_missing_scopes(granted text[], wanted text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_missing_scopes'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_missing_scopes(text[], text[]) IS
'The permissions that are wanted and were not granted, in the order of wanted, each once, without "required:".
granted, wanted: Smartcar permissions; "required:" is ignored in both. NULL for either gives NULL; nothing missing gives an empty array.
Errors: 22023 for a name that cannot be one of a permission, 22004 for a NULL in an array, 2202E for an array of more than one dimension.';

CREATE FUNCTION smartcar_missing_tesla_permissions(granted_tesla_scopes text[], wanted text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_missing_tesla_permissions'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_missing_tesla_permissions(text[], text[]) IS
'The Tesla permissions that the owner must still tick, as Tesla''s consent screen names them, each once, in the order in which they are first needed.
granted_tesla_scopes: what Tesla''s API says was granted, for example {vehicle_cmds,vehicle_location}; scopes that Smartcar''s table does not use are ignored.
wanted: Smartcar permissions; "required:" is ignored. NULL for either gives NULL; nothing missing gives an empty array.
Errors: 22023 for a name that cannot be one of a permission, 22004 for a NULL in an array, 2202E for an array of more than one dimension.';

CREATE FUNCTION smartcar_add_required(scope text[])
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_add_required'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_add_required(text[]) IS
'The same permissions with "required:" in front of each that needs a Tesla permission, for a link whose owner must not leave Tesla without ticking them ("Requiring Tesla Permissions", https://smartcar.com/docs/help/oem-integrations/tesla/developers).
scope: Smartcar permissions; one that is required already stays so. NULL gives NULL.
Errors: 22023 for a name that cannot be one of a permission, 22004 for a NULL in the array, 2202E for an array of more than one dimension.';

CREATE VIEW smartcar_permission_mapping AS
	SELECT p.smartcar_permission,
		   @extschema@.smartcar_tesla_permission(p.smartcar_permission) AS tesla_permission,
		   @extschema@.smartcar_tesla_scope(p.smartcar_permission) AS tesla_scope
	FROM pg_catalog.unnest(@extschema@.smartcar_known_permissions())
		 WITH ORDINALITY AS p (smartcar_permission, place)
	WHERE @extschema@.smartcar_tesla_scope(p.smartcar_permission) IS NOT NULL
	ORDER BY p.place;

COMMENT ON VIEW smartcar_permission_mapping IS
'Which Tesla permission each Smartcar permission needs: the 23 rows of the table "Permission Mappings" (https://smartcar.com/docs/help/oem-integrations/tesla/developers), in its order.';
COMMENT ON COLUMN smartcar_permission_mapping.smartcar_permission IS 'the permission as a scope of a link, for example read_location';
COMMENT ON COLUMN smartcar_permission_mapping.tesla_permission IS 'the permission as Tesla''s consent screen names it, for example Vehicle Location';
COMMENT ON COLUMN smartcar_permission_mapping.tesla_scope IS 'the permission as Tesla''s API names it, for example vehicle_location';

GRANT SELECT ON smartcar_permission_mapping TO PUBLIC;

--
-- Virtual keys
--

CREATE FUNCTION smartcar_virtual_key_required(make text, model text, year integer)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_virtual_key_required'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_virtual_key_required(text, text, integer) IS
'Whether a vehicle needs a virtual key (https://smartcar.com/docs/help/oem-integrations/tesla/developers): true for every Model 3, Model Y and Cybertruck and for Model S and Model X from 2021, false for earlier Model S and X and for what is not a Tesla.
make, model: in any case; a trim level may follow the model ("Model S Plaid"). year: the model year.
Result: NULL where it is not known: make NULL, another model, a Model S or X without its year.';

CREATE FUNCTION smartcar_virtual_key_url(domain text DEFAULT NULL, server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_virtual_key_url'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_virtual_key_url(text, text) IS
'The link under which an owner adds the virtual key, to be opened on the phone with the Tesla app (https://smartcar.com/docs/help/oem-integrations/tesla/virtual-key-tesla).
domain: the domain of the key; NULL means the option "virtual_key_domain" of the server, and where there is none, smartcar.com.
server: NULL means the one that the setting smartcar_tesla.server names, which need not exist.
Errors: 22023 for a domain that is not a host name in lower case, 42704 and 42501 for a server that does not exist or may not be used.';

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

COMMENT ON TYPE smartcar_action IS
'What to do about an error: none (nothing helps), retry (later, after retry_after if it is there), refresh_token (get a new access token), update_access (send the owner to smartcar_reauth_url), reauthenticate (send the owner to smartcar_reauth_vehicle_url), connect (send the owner through Connect again), add_virtual_key (send the owner to smartcar_virtual_key_url), ask_owner (show the message, the owner acts at the vehicle or at Tesla), fix_setup (the application, its plan or its configuration needs a change).';

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

COMMENT ON TYPE smartcar_error IS
'An error answer of Smartcar (https://smartcar.com/docs/api-reference/api-errors). status: the HTTP status. retry_after: seconds. detail: what the answer said in "detail", all errors of a v3 answer with more than one, or the whole body if it is a JSON object in which no error could be made out. action: what to do about it, NULL if nothing is known.';
COMMENT ON COLUMN smartcar_error.status IS 'the HTTP status';
COMMENT ON COLUMN smartcar_error.type IS 'for example CONNECTED_SERVICES_ACCOUNT';
COMMENT ON COLUMN smartcar_error.code IS 'for example AUTHENTICATION_FAILED; many types have none';
COMMENT ON COLUMN smartcar_error.description IS 'in words, for developers';
COMMENT ON COLUMN smartcar_error.resolution_type IS 'Smartcar''s own advice, for example REAUTHENTICATE';
COMMENT ON COLUMN smartcar_error.resolution_url IS 'the link of that advice, which may be half-built: see smartcar_complete_reauth_url';
COMMENT ON COLUMN smartcar_error.doc_url IS 'the page of Smartcar''s documentation';
COMMENT ON COLUMN smartcar_error.suggested_user_message IS 'in words, for owners';
COMMENT ON COLUMN smartcar_error.request_id IS 'what Smartcar''s support asks for';
COMMENT ON COLUMN smartcar_error.retry_after IS 'seconds to wait';
COMMENT ON COLUMN smartcar_error.detail IS 'what else the answer said';
COMMENT ON COLUMN smartcar_error.action IS 'what to do about it, NULL if nothing is known';

CREATE FUNCTION smartcar_error_action(type text, code text DEFAULT NULL)
RETURNS smartcar_action
AS 'MODULE_PATHNAME', 'smartcar_error_action'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_error_action(text, text) IS
'What to do about an error of Smartcar''s catalogue (https://smartcar.com/docs/errors/api-errors/), of a callback of Connect, or of a token endpoint.
type, code: as Smartcar writes them, for example VEHICLE_STATE and ASLEEP; code may be NULL. A code that is not in the catalogue is treated as most of its type.
Result: NULL for a type that is not in the catalogue.';

CREATE FUNCTION smartcar_parse_error(
	body text,
	http_status integer DEFAULT NULL,
	retry_after text DEFAULT NULL,
	request_id text DEFAULT NULL)
RETURNS smartcar_error
AS 'MODULE_PATHNAME', 'smartcar_parse_error'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_parse_error(text, integer, text, text) IS
'Reads an error answer of Smartcar: of the v2.0, v3 and v1 APIs, of the token endpoints, and what is not JSON, which becomes the description.
body: the body of the answer, or one error of a VEHICLE_ERROR event; NULL or empty if there is none.
http_status: the HTTP status; NULL takes the one in the body.
retry_after: the header Retry-After, in seconds; anything but digits is ignored.
request_id: the header SC-Request-Id, for an answer whose body has none.
Result: never NULL. The description of a token endpoint''s answer may hold the code or token that it refused: do not log it.
Errors: 22P05 for an escape in the body that stands for a character which the encoding of the database does not have.';

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

COMMENT ON FUNCTION smartcar_hash_challenge(text, text, text) IS
'The answer to the challenge of a VERIFY event: lower-case hexadecimal HMAC-SHA-256 (https://smartcar.com/docs/integrations/webhooks/callback-verification).
challenge: the text of the event; NULL gives NULL.
management_token: the application management token; NULL means the one of the user mapping. Prefer that, because an argument can end up in a log. server: NULL means the one that the setting smartcar_tesla.server names; it need not exist if management_token is given.
Errors: 22023 for an empty token, 55000 if no token is known, 42704 and 42501 for a server that does not exist or may not be used, and those of reading a secret file (58P01, 42501, 42809, 22023).';

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
'Whether the header SC-Signature of a webhook event is the one of its body: hexadecimal HMAC-SHA-256 over the raw bytes, in either case, compared in constant time (https://smartcar.com/docs/integrations/webhooks/payload-verification).
body: the bytes as they came in, before anything parsed them; NULL gives false. There is no form for jsonb, because that has lost the bytes.
signature: the header; NULL gives false.
management_token: the application management token; NULL means the one of the user mapping. Prefer that, because an argument can end up in a log. server: NULL means the one that the setting smartcar_tesla.server names; it need not exist if management_token is given.
Result: never NULL.
Errors: 22023 for an empty token, 55000 if no token is known, 42704 and 42501 for a server that does not exist or may not be used, and those of reading a secret file (58P01, 42501, 42809, 22023).';

CREATE FUNCTION smartcar_verify_webhook(
	body text,
	signature text,
	management_token text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_verify_webhook_text'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_verify_webhook(text, text, text, text) IS
'The same as smartcar_verify_webhook for bytea, for a body that reached the database as text. It is taken back to UTF-8, in which Smartcar sends.';

--
-- Tokens
--
-- What goes out to Smartcar may only be called by those to whom it was granted:
-- it uses the secrets of the application, and it makes the server open
-- connections.
--

CREATE TYPE smartcar_token AS (
	access_token text,
	token_type text,
	expires_at timestamptz,
	refresh_token text,
	refresh_expires_at timestamptz
);

COMMENT ON TYPE smartcar_token IS
'The tokens of an owner, from the v2.0 API (https://smartcar.com/docs/api-reference/authorization/auth-code-exchange). expires_at: when the access token ends, counted from before the request was made. refresh_expires_at: when the refresh token ends, which Smartcar does not say; it is the time of the request and refresh_lifetime.';
COMMENT ON COLUMN smartcar_token.access_token IS 'good for requests until expires_at';
COMMENT ON COLUMN smartcar_token.token_type IS 'Bearer';
COMMENT ON COLUMN smartcar_token.expires_at IS 'when the access token ends, counted from before the request was made';
COMMENT ON COLUMN smartcar_token.refresh_token IS 'good for one smartcar_refresh_token';
COMMENT ON COLUMN smartcar_token.refresh_expires_at IS 'when the refresh token ends, as far as is known: Smartcar does not say';

CREATE FUNCTION smartcar_exchange_code(
	code text,
	redirect_uri text DEFAULT NULL,
	refresh_lifetime interval DEFAULT '60 days',
	flags jsonb DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS smartcar_token
AS 'MODULE_PATHNAME', 'smartcar_exchange_code'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_exchange_code(text, text, interval, jsonb, text) IS
'Exchanges the code of a callback for the tokens of its owner, v2.0 (https://smartcar.com/docs/api-reference/authorization/auth-code-exchange). A code is good once and for 10 minutes: the request is made once, over a connection of its own, and if the answer is lost, the owner has to connect again. Outside a transaction block the tokens cannot be lost by a rollback.
code: NULL gives NULL.
redirect_uri: the one that the link had; NULL means the server''s option, and without that it is left out.
refresh_lifetime: how long a refresh token is taken to last.
flags: as in smartcar_connect_url.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used. A code that is refused gives SC400; it is not repeated in the message.';

REVOKE EXECUTE ON FUNCTION smartcar_exchange_code(text, text, interval, jsonb, text) FROM PUBLIC;

CREATE FUNCTION smartcar_refresh_token(
	refresh_token text,
	refresh_lifetime interval DEFAULT '60 days',
	flags jsonb DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS smartcar_token
AS 'MODULE_PATHNAME', 'smartcar_refresh_token'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_refresh_token(text, interval, jsonb, text) IS
'Exchanges a refresh token for new tokens, v2.0 (https://smartcar.com/docs/api-reference/authorization/refreshing-access-token). The old one ends a minute after its first use, so store the new one before anything else can fail; within that minute a lost answer can be asked for again, which is done at once after a server error or a broken connection.
refresh_token: NULL gives NULL.
refresh_lifetime: how long a refresh token is taken to last.
flags: as in smartcar_connect_url.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used. A token that is refused gives SC400; it is not repeated in the message.';

REVOKE EXECUTE ON FUNCTION smartcar_refresh_token(text, interval, jsonb, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_application_token(
	server text DEFAULT NULL,
	OUT access_token text,
	OUT token_type text,
	OUT expires_at timestamptz)
AS 'MODULE_PATHNAME', 'smartcar_get_application_token'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_application_token(text) IS
'The access token of the application, v3 (https://smartcar.com/docs/api-reference/authorization/request-access-token), got with the options api_client_id and api_client_secret of the user mapping. The backend keeps it until a minute before it ends. Calls to the v3 API get it by themselves.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_application_token(text) FROM PUBLIC;

CREATE FUNCTION smartcar_token_expired(
	expires_at timestamptz,
	tolerance interval DEFAULT '10 seconds')
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_token_expired'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_token_expired(timestamptz, interval) IS
'Whether a token has ended, or will within the tolerance, by the time of the statement.
expires_at: NULL gives NULL.
tolerance: how much earlier than its end a token counts as ended; NULL gives NULL.';

--
-- Calls to Smartcar
--

CREATE TYPE smartcar_connection AS (
	connection_id text,
	user_id text,
	vehicle_id text,
	external_id text,
	mode text,
	permissions text[],
	make text,
	model text,
	year integer,
	powertrain_type text,
	connected_at timestamptz,
	updated_at timestamptz
);

COMMENT ON TYPE smartcar_connection IS
'A connection: a user has given the application a vehicle. The v2.0 API tells user_id, vehicle_id, mode and connected_at (https://smartcar.com/docs/api-reference/management/get-vehicle-connections); the v3 API tells everything (https://smartcar.com/docs/api-reference/list-connections), external_id where there is one.';
COMMENT ON COLUMN smartcar_connection.connection_id IS 'v3 only';
COMMENT ON COLUMN smartcar_connection.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_connection.vehicle_id IS 'Smartcar''s id of the vehicle';
COMMENT ON COLUMN smartcar_connection.external_id IS 'the application''s own id of the owner; v3 only';
COMMENT ON COLUMN smartcar_connection.mode IS 'live, simulated or test';
COMMENT ON COLUMN smartcar_connection.permissions IS 'Smartcar permissions that the application has; v3 only';
COMMENT ON COLUMN smartcar_connection.make IS 'v3 only';
COMMENT ON COLUMN smartcar_connection.model IS 'v3 only';
COMMENT ON COLUMN smartcar_connection.year IS 'model year; v3 only';
COMMENT ON COLUMN smartcar_connection.powertrain_type IS 'for example BEV; v3 only';
COMMENT ON COLUMN smartcar_connection.connected_at IS 'when the owner connected the vehicle';
COMMENT ON COLUMN smartcar_connection.updated_at IS 'when the connection last changed; v3 only';

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

COMMENT ON TYPE smartcar_response IS
'An answer of Smartcar (headers: https://smartcar.com/docs/api-reference/headers). status: the HTTP status. body: text, cast it to jsonb where it is JSON. data_age: when the vehicle reported the data; fetched_at: when Smartcar got it; unit_system: metric or imperial; retry_after: seconds. headers: all of them, their names in lower case. What a header does not tell is NULL.';
COMMENT ON COLUMN smartcar_response.status IS 'the HTTP status';
COMMENT ON COLUMN smartcar_response.body IS 'text; cast it to jsonb where it is JSON';
COMMENT ON COLUMN smartcar_response.content_type IS 'of the body';
COMMENT ON COLUMN smartcar_response.request_id IS 'what Smartcar''s support asks for';
COMMENT ON COLUMN smartcar_response.data_age IS 'when the vehicle reported the data';
COMMENT ON COLUMN smartcar_response.fetched_at IS 'when Smartcar got it from the vehicle';
COMMENT ON COLUMN smartcar_response.unit_system IS 'metric or imperial';
COMMENT ON COLUMN smartcar_response.retry_after IS 'seconds to wait';
COMMENT ON COLUMN smartcar_response.headers IS 'all of them, by their names in lower case';

CREATE FUNCTION smartcar_request(
	method text,
	path text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	query jsonb DEFAULT NULL,
	body jsonb DEFAULT NULL,
	unit_system text DEFAULT NULL,
	origin text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS smartcar_response
AS 'MODULE_PATHNAME', 'smartcar_request'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_request(text, text, text, text, jsonb, jsonb, text, text, text) IS
'Makes a request to any endpoint of Smartcar''s APIs. An answer is returned whatever its status; smartcar_parse_error reads that of an error.
method: GET, HEAD, POST, PUT, PATCH or DELETE.
path: below the version, such as /vehicles/.../odometer; NULL gives NULL.
access_token: of the owner; the v3 API takes the application''s own if it is NULL.
user_id: the owner, for the v3 API (sc-user-id).
query: parameters for the URL, an object of texts, numbers and booleans.
body: sent as JSON.
unit_system: metric or imperial.
origin: which of the server''s origins is meant, api (v2.0), vehicle (v3) or management (v2.0, with the management token); NULL means the one of the server''s api_version.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_request(text, text, text, text, jsonb, jsonb, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_request(
	method text,
	paths text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	query jsonb DEFAULT NULL,
	body jsonb DEFAULT NULL,
	unit_system text DEFAULT NULL,
	origin text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT path text,
	OUT status integer,
	OUT response_body text,
	OUT content_type text,
	OUT request_id text,
	OUT data_age timestamptz,
	OUT fetched_at timestamptz,
	OUT response_unit_system text,
	OUT retry_after bigint,
	OUT headers jsonb,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_request_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_request(text, text[], text[], text[], jsonb, jsonb, text, text, text) IS
'The same as smartcar_request for many paths at once.
method: as there.
paths: without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
query: parameters for the URL, an object of texts, numbers and booleans.
body: sent as JSON.
unit_system: metric or imperial.
origin: which of the server''s origins is meant, api (v2.0), vehicle (v3) or management (v2.0, with the management token); NULL means the one of the server''s api_version.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once. response_body and response_unit_system are body and unit_system of smartcar_response.';

REVOKE EXECUTE ON FUNCTION smartcar_request(text, text[], text[], text[], jsonb, jsonb, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_user(
	access_token text,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_get_user'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_user(text, text) IS
'The id of the Smartcar user whom an access token belongs to, v2.0 (https://smartcar.com/docs/api-reference/user). In v3 the callback tells it.
access_token: of the owner.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used. 0A000 on a server that uses the v3 API.';

REVOKE EXECUTE ON FUNCTION smartcar_get_user(text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_user(
	access_tokens text[],
	server text DEFAULT NULL,
	OUT user_id text,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_user_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_user(text[], text) IS
'The same as smartcar_get_user for many owners at once.
access_tokens: without NULLs; NULL gives no rows.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_user(text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_vehicles(
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'smartcar_get_vehicles'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_vehicles(text, text, text) IS
'The ids of an owner''s vehicles, from all pages (v2.0: GET /vehicles; v3: GET /connections).
access_token: of the owner; the v2.0 API needs one.
user_id: the owner; the v3 API needs one.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names. In v3, its option mode, live if there is none, says which vehicles are listed.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_vehicles(text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_vehicles(
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT user_id text,
	OUT vehicle_ids text[],
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_vehicles_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_vehicles(text[], text[], text) IS
'The same as smartcar_get_vehicles for many owners at once.
access_tokens, user_ids: as many of one as of the other, or NULL; if both are NULL there are no rows.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once. user_id is NULL where none was given.';

REVOKE EXECUTE ON FUNCTION smartcar_get_vehicles(text[], text[], text) FROM PUBLIC;

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
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_vehicle(text, text, text, text) IS
'What a vehicle is (GET /vehicles/{id}).
vehicle_id: the vehicle; NULL gives NULL.
access_token: of its owner; the v2.0 API needs one, the v3 API takes the application''s own if it is NULL.
user_id: the owner, for the v3 API (sc-user-id); the v2.0 API ignores it.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: mode and powertrain_type only in v3.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_vehicle(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_vehicle(
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
AS 'MODULE_PATHNAME', 'smartcar_vehicle_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_vehicle(text[], text[], text[], text) IS
'The same as smartcar_get_vehicle for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_vehicle(text[], text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_permissions(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text[]
AS 'MODULE_PATHNAME', 'smartcar_permissions_one'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_permissions(text, text, text, text) IS
'The permissions that the application has for a vehicle, from all pages (v2.0: GET /vehicles/{id}/permissions; v3: GET /connections). smartcar_missing_scopes compares them with what it wants. In v3, NULL if there is no such connection, and SC004 if several users have connected the vehicle and none was named.
vehicle_id: the vehicle; NULL gives NULL.
access_token: of its owner; the v2.0 API needs one, the v3 API takes the application''s own if it is NULL.
user_id: the owner, for the v3 API (sc-user-id); the v2.0 API ignores it.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_permissions(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_permissions(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT permissions text[],
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_permissions_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_permissions(text[], text[], text[], text) IS
'The same as smartcar_get_permissions for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_permissions(text[], text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_tesla_access(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT access_type text,
	OUT tesla_scopes text[])
AS 'MODULE_PATHNAME', 'smartcar_get_tesla_access'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_tesla_access(text, text, text, text) IS
'What the owner has granted at Tesla, and whether the account is the owner''s or a driver''s (v2.0: GET /vehicles/{id}/tesla/user/access; v3: the signals vehicleuseraccount-permissions and vehicleuseraccount-role). smartcar_missing_tesla_permissions compares tesla_scopes with what is wanted.
vehicle_id: the vehicle; NULL gives NULL.
access_token: of its owner; the v2.0 API needs one, the v3 API takes the application''s own if it is NULL.
user_id: the owner, for the v3 API (sc-user-id); the v2.0 API ignores it.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: access_type OWNER or DRIVER, in v3 what the signal says; tesla_scopes such as vehicle_location. Both are NULL where Tesla does not tell.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_tesla_access(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_tesla_access(
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
AS 'MODULE_PATHNAME', 'smartcar_tesla_access_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_tesla_access(text[], text[], text[], text) IS
'The same as smartcar_get_tesla_access for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_tesla_access(text[], text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_virtual_key(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_get_virtual_key'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_virtual_key(text, text, text, text) IS
'Whether the virtual key is paired with a vehicle (v2.0: GET /vehicles/{id}/tesla/virtual_key; v3: the signal connectivitystatus-isdigitalkeypaired, NULL where it is not available).
vehicle_id: the vehicle; NULL gives NULL.
access_token: of its owner; the v2.0 API needs one, the v3 API takes the application''s own if it is NULL.
user_id: the owner, for the v3 API (sc-user-id); the v2.0 API ignores it.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_virtual_key(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_virtual_key(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT is_paired boolean,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_tesla_virtual_key_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_virtual_key(text[], text[], text[], text) IS
'The same as smartcar_get_virtual_key for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_virtual_key(text[], text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_tesla_migration(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_get_tesla_migration'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_tesla_migration(text, text, text, text) IS
'Whether a vehicle is still on the old integration with Tesla, so that its owner has to connect again (v2.0: GET /vehicles/{id}/tesla/migration).
vehicle_id: the vehicle; NULL gives NULL.
access_token: of its owner; the v2.0 API needs one, the v3 API takes the application''s own if it is NULL.
user_id: the owner, for the v3 API (sc-user-id); the v2.0 API ignores it.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used. 0A000 on a server that uses the v3 API.';

REVOKE EXECUTE ON FUNCTION smartcar_get_tesla_migration(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_tesla_migration(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT requires_migration boolean,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_tesla_migration_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_tesla_migration(text[], text[], text[], text) IS
'The same as smartcar_get_tesla_migration for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_tesla_migration(text[], text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_connections(
	vehicle_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	external_id text DEFAULT NULL,
	mode text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_connection
AS 'MODULE_PATHNAME', 'smartcar_get_connections'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_connections(text, text, text, text, text) IS
'The connections of the application, from all pages (v2.0: GET /management/connections with the management token; v3: GET /connections).
vehicle_id, user_id, external_id: only those with it; the v2.0 API knows no external_id.
mode: live, simulated or test; NULL means the server''s option, and without that Smartcar''s default, which is live in v3.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used. 0A000 for an external_id with the v2.0 API.';

REVOKE EXECUTE ON FUNCTION smartcar_get_connections(text, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_connections(
	vehicle_ids text[],
	user_ids text[] DEFAULT NULL,
	mode text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT connections smartcar_connection[],
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_connections_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_connections(text[], text[], text, text) IS
'The same as smartcar_get_connections for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
user_ids: as many, or one for all of them, or NULL.
mode: as there.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_connections(text[], text[], text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_delete_connections(
	vehicle_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS SETOF smartcar_connection
AS 'MODULE_PATHNAME', 'smartcar_delete_connections'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_delete_connections(text, text, text) IS
'Deletes connections: all of a vehicle, all of a user, or the one of both (v2.0: DELETE /management/connections with the management token; v3: DELETE /connections/{id} for each that GET /connections lists).
vehicle_id, user_id: not both NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names. In v3, its option mode, live if there is none, says among which vehicles.
Result: what was deleted; in v3 also what somebody else deleted after it was listed.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_delete_connections(text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_delete_connections(
	vehicle_ids text[],
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT connections smartcar_connection[],
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_delete_connections_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_delete_connections(text[], text[], text) IS
'The same as smartcar_delete_connections for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_delete_connections(text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_disconnect(
	vehicle_id text,
	access_token text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'smartcar_disconnect'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_disconnect(text, text, text, text) IS
'Takes a vehicle away from the application (v2.0: DELETE /vehicles/{id}/application, or DELETE /management/connections for a user_id without an access token; v3: DELETE /connections/{id} for each of its connections). A vehicle that is not connected is no error in v3, nor in v2.0 for a user_id without an access token; nor is a connection that somebody else deletes at the same time.
vehicle_id: the vehicle; with NULL nothing happens.
access_token: of its owner, from whom alone the v2.0 API takes it then, whatever user_id says; where it is NULL, the v2.0 API is called with the management token and the v3 API with the application''s own.
user_id: the owner, if only one of them is meant; NULL means every owner of the vehicle, in v2.0 unless there is an access token.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_disconnect(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_disconnect(
	vehicle_ids text[],
	access_tokens text[] DEFAULT NULL,
	user_ids text[] DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vehicle_id text,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_disconnect_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_disconnect(text[], text[], text[], text) IS
'The same as smartcar_disconnect for many vehicles at once.
vehicle_ids: the vehicles, without NULLs.
access_tokens, user_ids: as many, or one for all of them, or NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_disconnect(text[], text[], text[], text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_compatibility(
	vin text,
	scope text[] DEFAULT NULL,
	country text DEFAULT NULL,
	mode text DEFAULT NULL,
	flags jsonb DEFAULT NULL,
	server text DEFAULT NULL,
	OUT compatible boolean,
	OUT reason text,
	OUT capabilities jsonb)
AS 'MODULE_PATHNAME', 'smartcar_get_compatibility'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_compatibility(text, text[], text, text, jsonb, text) IS
'Whether a vehicle can do what permissions ask for, before its owner connects it (v2.0: GET /compatibility, with client_id and client_secret).
vin: NULL gives NULL.
scope: permissions, known to the extension or not; "required:" is ignored; NULL means the server''s option.
country: two letters by ISO 3166-1; NULL leaves it to Smartcar, which takes US.
mode: live, simulated or test; NULL means the server''s option.
flags: as in smartcar_connect_url.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: reason is Smartcar''s word where it is not compatible; capabilities is a list with an object for each permission.
Errors: those of every call to Smartcar (SC001 to SC004 where no answer came that can be used, SC and the HTTP status where Smartcar refused), 22004 where a version of the API wants an argument, 22023 for one that is not acceptable, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_get_compatibility(text, text[], text, text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION smartcar_get_compatibility(
	vins text[],
	scope text[] DEFAULT NULL,
	country text DEFAULT NULL,
	mode text DEFAULT NULL,
	flags jsonb DEFAULT NULL,
	server text DEFAULT NULL,
	OUT vin text,
	OUT compatible boolean,
	OUT reason text,
	OUT capabilities jsonb,
	OUT sqlstate text,
	OUT error smartcar_error)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'smartcar_compatibility_many'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION smartcar_get_compatibility(text[], text[], text, text, jsonb, text) IS
'The same as smartcar_get_compatibility for many vehicles at once.
vins: without NULLs.
scope: permissions, known to the extension or not; "required:" is ignored; NULL means the server''s option.
country: two letters by ISO 3166-1; NULL leaves it to Smartcar, which takes US.
mode: live, simulated or test; NULL means the server''s option.
flags: as in smartcar_connect_url.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: a row for each element, in the order of the elements, whatever became of it: sqlstate and error tell what went wrong, and are NULL where nothing did. The option max_concurrency is how many requests run at once.';

REVOKE EXECUTE ON FUNCTION smartcar_get_compatibility(text[], text[], text, text, jsonb, text) FROM PUBLIC;

--
-- The connection manager
--
-- Its tables have a schema of the extension's own, which no GRANT ... ON ALL
-- TABLES IN SCHEMA public reaches and no tool that manages public finds.
--

CREATE SCHEMA smartcar_tesla;

COMMENT ON SCHEMA smartcar_tesla IS 'tables of the extension smartcar_tesla';

--
-- Nobody has rights on these tables; the functions below reach them as the
-- owner of the extension.  Their rows are dumped: what opens an account in them
-- is sealed.  There are neither sequences nor foreign keys, and user_id is in
-- the keys of those that grow with the fleet, so that they can be distributed.
--

CREATE TABLE smartcar_tesla.session (
	server text NOT NULL,
	state_hash bytea NOT NULL CHECK (octet_length(state_hash) = 32),
	link text NOT NULL CHECK (link IN ('connect', 'update_access', 'reauthenticate')),
	external_id text,
	vehicle_id text,
	redirect_uri text,
	scope text[],
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'exchanging', 'finished', 'failed')),
	ended_at timestamptz,
	user_id text,
	error text,
	error_description text,
	action smartcar_action,
	PRIMARY KEY (server, state_hash)
);

CREATE INDEX session_expires_at ON smartcar_tesla.session (server, expires_at);

COMMENT ON TABLE smartcar_tesla.session IS
'Links that were given out, one row each, by the SHA-256 of their state. status: open until the callback comes; exchanging while its code is exchanged, and for ever if the server went down in that moment, in which case the owner has to connect again; finished; failed, with the error of the callback or of the exchange.';

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
	PRIMARY KEY (server, user_id)
);

CREATE INDEX account_external_id ON smartcar_tesla.account (server, external_id);

-- What is due; an account is in two of them, and one whose refresh fails in the
-- last two.  A lease is in none, so that a claim changes no index.
CREATE INDEX account_access_expires_at ON smartcar_tesla.account (server, access_expires_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts = 0;
CREATE INDEX account_refresh_expires_at ON smartcar_tesla.account (server, refresh_expires_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts = 0;
CREATE INDEX account_failed_access_expires_at ON smartcar_tesla.account (server, access_expires_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts <> 0;
CREATE INDEX account_failed_next_attempt_at ON smartcar_tesla.account (server, next_attempt_at)
	WHERE status = 'active' AND refresh_token IS NOT NULL AND attempts <> 0;

COMMENT ON TABLE smartcar_tesla.account IS
'Smartcar users of an application. access_token, refresh_token: sealed, v2.0 only. status: reauthenticate once Smartcar has definitely refused the refresh token. lease, leased_until: who refreshes it at the moment. attempts, next_attempt_at: refreshes that failed since the last good one, and when the next one is due. created_at: when its owner last connected.';

CREATE TABLE smartcar_tesla.connection (
	server text NOT NULL,
	user_id text NOT NULL,
	vehicle_id text NOT NULL,
	connection_id text,
	external_id text,
	status text NOT NULL DEFAULT 'connected' CHECK (status IN ('connected', 'disconnected')),
	make text,
	model text,
	year integer,
	mode text,
	powertrain_type text,
	permissions text[],
	access_type text,
	tesla_scopes text[],
	virtual_key_paired boolean,
	error_type text,
	error_code text,
	error_description text,
	error_action smartcar_action,
	error_url text,
	error_at timestamptz,
	connected_at timestamptz,
	synced_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (server, user_id, vehicle_id)
);

CREATE INDEX connection_external_id ON smartcar_tesla.connection (server, external_id);
CREATE INDEX connection_vehicle_id ON smartcar_tesla.connection (server, vehicle_id);

COMMENT ON TABLE smartcar_tesla.connection IS
'Users and their vehicles. status: disconnected once an authorization or a list of Smartcar no longer had the vehicle. permissions, access_type, tesla_scopes, virtual_key_paired: what Smartcar said at synced_at. error_*: what is wrong with it, from a call or a webhook.';

CREATE TABLE smartcar_tesla.webhook_event (
	server text NOT NULL,
	event_id text NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (server, event_id)
);

CREATE INDEX webhook_event_received_at ON smartcar_tesla.webhook_event (server, received_at);

COMMENT ON TABLE smartcar_tesla.webhook_event IS
'Events of webhooks that were seen, kept while Smartcar may repeat them.';

COMMENT ON COLUMN smartcar_tesla.session.server IS 'the SERVER whose link it was';
COMMENT ON COLUMN smartcar_tesla.session.state_hash IS 'SHA-256 of the state, which is stored nowhere itself';
COMMENT ON COLUMN smartcar_tesla.session.link IS 'connect, update_access or reauthenticate';
COMMENT ON COLUMN smartcar_tesla.session.external_id IS 'your own id of the owner';
COMMENT ON COLUMN smartcar_tesla.session.vehicle_id IS 'the vehicle whose owner has to log in again';
COMMENT ON COLUMN smartcar_tesla.session.redirect_uri IS 'that of the link, which the exchange repeats';
COMMENT ON COLUMN smartcar_tesla.session.scope IS 'the permissions that were asked for, if an argument said so';
COMMENT ON COLUMN smartcar_tesla.session.created_at IS 'when the link was made';
COMMENT ON COLUMN smartcar_tesla.session.expires_at IS 'until when its callback is taken';
COMMENT ON COLUMN smartcar_tesla.session.status IS 'open, exchanging, finished or failed';
COMMENT ON COLUMN smartcar_tesla.session.ended_at IS 'when the callback came';
COMMENT ON COLUMN smartcar_tesla.session.user_id IS 'Smartcar''s id of the owner, once finished';
COMMENT ON COLUMN smartcar_tesla.session.error IS 'that of the callback or of the exchange';
COMMENT ON COLUMN smartcar_tesla.session.error_description IS 'the same in words';
COMMENT ON COLUMN smartcar_tesla.session.action IS 'what to do about the error';

COMMENT ON COLUMN smartcar_tesla.account.server IS 'the SERVER that the account belongs to';
COMMENT ON COLUMN smartcar_tesla.account.user_id IS 'Smartcar''s id of the owner; begins with "session-" while it is not known yet';
COMMENT ON COLUMN smartcar_tesla.account.external_id IS 'your own id of the owner';
COMMENT ON COLUMN smartcar_tesla.account.status IS 'active, or reauthenticate once the refresh token was refused';
COMMENT ON COLUMN smartcar_tesla.account.access_token IS 'sealed; v2.0 only';
COMMENT ON COLUMN smartcar_tesla.account.access_expires_at IS 'when the access token ends';
COMMENT ON COLUMN smartcar_tesla.account.refresh_token IS 'sealed; v2.0 only';
COMMENT ON COLUMN smartcar_tesla.account.refresh_expires_at IS 'when the refresh token ends, as far as is known';
COMMENT ON COLUMN smartcar_tesla.account.refreshed_at IS 'when it was last refreshed';
COMMENT ON COLUMN smartcar_tesla.account.lease IS 'who refreshes it at the moment';
COMMENT ON COLUMN smartcar_tesla.account.leased_until IS 'until when nobody else does';
COMMENT ON COLUMN smartcar_tesla.account.attempts IS 'refreshes that failed since the last good one';
COMMENT ON COLUMN smartcar_tesla.account.next_attempt_at IS 'when the next one is due';
COMMENT ON COLUMN smartcar_tesla.account.error_sqlstate IS 'of the last failure';
COMMENT ON COLUMN smartcar_tesla.account.error_description IS 'of the last failure';
COMMENT ON COLUMN smartcar_tesla.account.error_at IS 'when it came';
COMMENT ON COLUMN smartcar_tesla.account.created_at IS 'when the account was stored';
COMMENT ON COLUMN smartcar_tesla.account.updated_at IS 'when this row was last changed';

COMMENT ON COLUMN smartcar_tesla.connection.server IS 'the SERVER that the connection belongs to';
COMMENT ON COLUMN smartcar_tesla.connection.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_tesla.connection.vehicle_id IS 'Smartcar''s id of the vehicle';
COMMENT ON COLUMN smartcar_tesla.connection.connection_id IS 'that of Smartcar, v3 only';
COMMENT ON COLUMN smartcar_tesla.connection.external_id IS 'your own id of the owner';
COMMENT ON COLUMN smartcar_tesla.connection.status IS 'connected or disconnected';
COMMENT ON COLUMN smartcar_tesla.connection.make IS 'as Smartcar writes it';
COMMENT ON COLUMN smartcar_tesla.connection.model IS 'as Smartcar writes it';
COMMENT ON COLUMN smartcar_tesla.connection.year IS 'model year';
COMMENT ON COLUMN smartcar_tesla.connection.mode IS 'live, simulated or test, where Smartcar tells';
COMMENT ON COLUMN smartcar_tesla.connection.powertrain_type IS 'as Smartcar writes it, v3 only';
COMMENT ON COLUMN smartcar_tesla.connection.permissions IS 'Smartcar permissions that the application has';
COMMENT ON COLUMN smartcar_tesla.connection.access_type IS 'OWNER or DRIVER, in v3 what the signal says';
COMMENT ON COLUMN smartcar_tesla.connection.tesla_scopes IS 'what was granted at Tesla, for example vehicle_location';
COMMENT ON COLUMN smartcar_tesla.connection.virtual_key_paired IS 'whether the vehicle has the virtual key';
COMMENT ON COLUMN smartcar_tesla.connection.error_type IS 'of the last error that still stands';
COMMENT ON COLUMN smartcar_tesla.connection.error_code IS 'of the last error that still stands';
COMMENT ON COLUMN smartcar_tesla.connection.error_description IS 'of the last error that still stands';
COMMENT ON COLUMN smartcar_tesla.connection.error_action IS 'what to do about it';
COMMENT ON COLUMN smartcar_tesla.connection.error_url IS 'the link that came with it';
COMMENT ON COLUMN smartcar_tesla.connection.error_at IS 'when it came';
COMMENT ON COLUMN smartcar_tesla.connection.connected_at IS 'when the owner connected the vehicle';
COMMENT ON COLUMN smartcar_tesla.connection.synced_at IS 'when Smartcar was last asked';
COMMENT ON COLUMN smartcar_tesla.connection.created_at IS 'when this row was made';
COMMENT ON COLUMN smartcar_tesla.connection.updated_at IS 'when this row was last changed';

COMMENT ON COLUMN smartcar_tesla.webhook_event.server IS 'the SERVER that received it';
COMMENT ON COLUMN smartcar_tesla.webhook_event.event_id IS 'eventId of the event';
COMMENT ON COLUMN smartcar_tesla.webhook_event.received_at IS 'when it came';

REVOKE ALL ON smartcar_tesla.session, smartcar_tesla.account, smartcar_tesla.connection, smartcar_tesla.webhook_event FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.session', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.account', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.connection', '');
SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.webhook_event', '');

CREATE FUNCTION smartcar_begin_connect(
	external_id text DEFAULT NULL,
	scope text[] DEFAULT NULL,
	make text DEFAULT 'TESLA',
	force_prompt boolean DEFAULT false,
	redirect_uri text DEFAULT NULL,
	lifetime interval DEFAULT '1 hour',
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_begin_connect'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION smartcar_begin_connect(text, text[], text, boolean, text, interval, text) IS
'Begins a round trip through Connect: makes a state of 256 random bits, stores its SHA-256, and returns the link for the owner.
external_id: your own id of the owner, at most 512 bytes; connections can be looked up by it. In v3 it is needed, because it is what proves whose callback it is.
scope, make, force_prompt, redirect_uri: as in smartcar_connect_url.
lifetime: how long the callback is waited for, up to 30 days; not NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of smartcar_connect_url.';

REVOKE EXECUTE ON FUNCTION smartcar_begin_connect(text, text[], text, boolean, text, interval, text) FROM PUBLIC;

CREATE FUNCTION smartcar_begin_reauth(
	external_id text DEFAULT NULL,
	scope text[] DEFAULT NULL,
	vehicle_id text DEFAULT NULL,
	redirect_uri text DEFAULT NULL,
	lifetime interval DEFAULT '1 hour',
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_begin_reauth'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION smartcar_begin_reauth(text, text[], text, text, interval, text) IS
'The same as smartcar_begin_connect for an owner who is connected: returns the link that asks for what is missing at Tesla or, with a vehicle, the one that logs its owner in again.
external_id: your own id of the owner, as there.
scope: as in smartcar_reauth_url.
vehicle_id: the vehicle whose owner has to log in again; NULL means the update of access.
redirect_uri: as in smartcar_reauth_url.
lifetime: how long the callback is waited for, up to 30 days; not NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: those of smartcar_reauth_url and smartcar_reauth_vehicle_url.';

REVOKE EXECUTE ON FUNCTION smartcar_begin_reauth(text, text[], text, text, interval, text) FROM PUBLIC;

CREATE PROCEDURE smartcar_finish_connect(
	callback text,
	server text DEFAULT NULL,
	INOUT status text DEFAULT NULL,
	INOUT external_id text DEFAULT NULL,
	INOUT user_id text DEFAULT NULL,
	INOUT vehicle_ids text[] DEFAULT NULL,
	INOUT error text DEFAULT NULL,
	INOUT action smartcar_action DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_finish_connect'
LANGUAGE C;

COMMENT ON PROCEDURE smartcar_finish_connect(text, text, text, text, text, text[], text, smartcar_action) IS
'Ends a round trip: checks the state of the callback, which is good once and for a time, exchanges the code (v2.0) or takes the user (v3), stores, and asks about the vehicles. What it gets is committed at once, so it cannot run inside a transaction block.
callback: as it came, see smartcar_parse_callback; not NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
external_id: the owner who is logged in, if you know; the callback of somebody else is then refused before anything is sent. A state alone does not tell in whose browser the callback arrived.
status, external_id, user_id, vehicle_ids, error, action: the result. status is finished or failed; with failed, error is that of the callback, and action what to do about it.
Errors: 25001 inside a transaction block, 28000 for a state that was never given out, has come before or is too old, or was given to another owner, 22P02 for a malformed callback, those of smartcar_exchange_code, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used, 55000 without a key to seal tokens with. Where the exchange fails, the session keeps the error; where v3 cannot be asked about the user, it stays open.';

REVOKE EXECUTE ON PROCEDURE smartcar_finish_connect(text, text, text, text, text, text[], text, smartcar_action) FROM PUBLIC;

CREATE PROCEDURE smartcar_refresh(
	access_within interval DEFAULT '15 minutes',
	refresh_within interval DEFAULT '7 days',
	max_accounts bigint DEFAULT NULL,
	server text DEFAULT NULL,
	INOUT refreshed bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL,
	INOUT refused bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_refresh'
LANGUAGE C;

COMMENT ON PROCEDURE smartcar_refresh(interval, interval, bigint, text, bigint, bigint, bigint) IS
'Refreshes the tokens that are due, many at once (v2.0). Any number of sessions can do this side by side: an account is claimed with a lease, and what comes back is stored and committed as it comes. What fails is tried again with growing pauses, the first time within seconds, because an old refresh token is good for a minute after its use. Only a definite refusal sets the status of an account to reauthenticate.
access_within: accounts whose access token ends within this; NULL lets access tokens end.
refresh_within: accounts whose refresh token ends within this, even if nobody uses them.
max_accounts: at most so many; NULL means all.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
refreshed, failed, refused: the result, counts of accounts, failed being those that have not succeeded in the end; nothing is passed in.
Errors: 25001 inside a transaction block, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used, 55000 without a key; if Smartcar does not take the application''s credentials, the error of that, after which every account is as it was.';

REVOKE EXECUTE ON PROCEDURE smartcar_refresh(interval, interval, bigint, text, bigint, bigint, bigint) FROM PUBLIC;

CREATE PROCEDURE smartcar_sync(
	external_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	details boolean DEFAULT true,
	server text DEFAULT NULL,
	INOUT synced bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_sync'
LANGUAGE C;

COMMENT ON PROCEDURE smartcar_sync(text, text, boolean, text, bigint, bigint) IS
'Brings connections up to date: vehicles, permissions, Tesla access and virtual keys, of one owner or of the whole application. In v3 without an owner, the pages of GET /connections are walked side by side. A connection that Smartcar no longer has is marked as disconnected.
external_id, user_id: the owner; NULL means all of them.
details: whether each vehicle is asked about what the list of v3 does not tell; only for the whole application in v3.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
synced, failed: the result, counts of users; in v3 for the whole application, synced counts connections. Nothing is passed in. An owner whose access token has expired counts as failed: smartcar_refresh comes first.
Errors: 25001 inside a transaction block, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used; in v3 those of listing connections.';

REVOKE EXECUTE ON PROCEDURE smartcar_sync(text, text, boolean, text, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION smartcar_access_token(
	external_id text DEFAULT NULL,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_access_token'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION smartcar_access_token(text, text, text) IS
'A good access token of an owner, for calls of your own (v2.0). Keep it out of statements that are logged.
external_id, user_id: the owner; both NULL give NULL.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: P0002 for an owner who is not there, 21000 for one with several accounts, 55000 for a token that has expired or an owner who has to connect again, XX001 for a stored token that was changed or moved, 0A000 on a server that uses the v3 API, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_access_token(text, text, text) FROM PUBLIC;

CREATE PROCEDURE smartcar_disconnect_vehicle(
	vehicle_id text,
	user_id text DEFAULT NULL,
	server text DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_disconnect_vehicle'
LANGUAGE C;

COMMENT ON PROCEDURE smartcar_disconnect_vehicle(text, text, text) IS
'Takes a vehicle away from the application, at Smartcar first, then here.
vehicle_id: not NULL.
user_id: the owner, from whom alone it is taken then; NULL means every owner of the vehicle.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: 25001 inside a transaction block, those of smartcar_disconnect.';

REVOKE EXECUTE ON PROCEDURE smartcar_disconnect_vehicle(text, text, text) FROM PUBLIC;

CREATE PROCEDURE smartcar_reseal_tokens(server text DEFAULT NULL)
AS 'MODULE_PATHNAME', 'smartcar_reseal_tokens'
LANGUAGE C;

COMMENT ON PROCEDURE smartcar_reseal_tokens(text) IS
'Seals all stored tokens with the first key of the key file, after a new one was put there; then the old key can be taken out. Waits for accounts that are being refreshed.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Errors: 25001 inside a transaction block, 55000 for a key that is not there, XX001 for a token that was changed or moved, 55000 for an option that is missing, 42704 and 42501 for a server that does not exist or may not be used. What was sealed by then stays so.';

REVOKE EXECUTE ON PROCEDURE smartcar_reseal_tokens(text) FROM PUBLIC;

CREATE FUNCTION smartcar_receive_webhook(
	body bytea,
	signature text,
	server text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_receive_webhook'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION smartcar_receive_webhook(bytea, text, text) IS
'Takes an event of a webhook, and returns the body of the answer to send with status 200 and content type application/json. A challenge is answered. An event is applied once, whatever its repeats: VEHICLE_ERROR sets or clears the error of a connection, VEHICLE_STATE brings Tesla access and virtual key up to date; then NOTIFY smartcar_tesla tells server, user, vehicle and action as JSON.
body: the raw bytes.
signature: the header SC-Signature.
server: the SERVER to use; NULL means the one that the setting smartcar_tesla.server names.
Result: NULL for what is not signed, or no event: answer with status 401. Nothing was changed or logged then.
Errors: 55000 without a management token, 42704 and 42501 for a server that does not exist or may not be used.';

REVOKE EXECUTE ON FUNCTION smartcar_receive_webhook(bytea, text, text) FROM PUBLIC;

CREATE FUNCTION smartcar_next_action(
	server text,
	status text,
	error_action smartcar_action,
	permissions text[],
	tesla_scopes text[],
	access_type text,
	make text,
	model text,
	year integer,
	virtual_key_paired boolean)
RETURNS smartcar_action
AS 'MODULE_PATHNAME', 'smartcar_next_action'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_next_action(text, text, smartcar_action, text[], text[], text, text, text, integer, boolean) IS
'What is to be done next about a connection; the view smartcar_status calls it with the columns of smartcar_tesla.connection.
server: whose option "scope" says what is wanted.
status, error_action, permissions, tesla_scopes, access_type, make, model, year, virtual_key_paired: what is known of the connection; NULL for what is not.
Result: connect for what is disconnected; error_action if there is one; update_access while something has to be ticked at Tesla; connect while something is missing at Smartcar alone; add_virtual_key, or ask_owner for a driver''s account, while a key that is needed is not paired; otherwise none.';

CREATE FUNCTION smartcar_action_url(
	server text,
	action text,
	vehicle_id text,
	error_url text)
RETURNS text
AS 'MODULE_PATHNAME', 'smartcar_action_url'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_action_url(text, text, text, text) IS
'The link that an owner can be sent for an action. For update_access it is the one that comes back to nobody, so that tokens stay as they are; for reauthenticate that of the vehicle; for add_virtual_key that of Smartcar''s answer or of the server.
server, action, vehicle_id, error_url: as in smartcar_status.
Result: NULL where no link helps, or a session has to be begun, as for connect.';

CREATE FUNCTION smartcar_may_use(server text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'smartcar_may_use'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION smartcar_may_use(text) IS
'Whether the user may see rows about a server: with USAGE on it, or as a superuser.
server: NULL means the one that the setting smartcar_tesla.server names.
Result: false for a server that is not there, but for a superuser.';

CREATE VIEW smartcar_status WITH (security_barrier) AS
	SELECT c.server, c.external_id, c.user_id, c.vehicle_id, c.make, c.model, c.year, c.mode, c.status,
		c.permissions AS granted_scopes,
		smartcar_missing_scopes(c.permissions, smartcar_server_scopes(c.server, true)) AS missing_scopes,
		CASE WHEN c.tesla_scopes IS NULL
			THEN smartcar_tesla_permissions(smartcar_missing_scopes(c.permissions, smartcar_server_scopes(c.server, true)))
			ELSE smartcar_missing_tesla_permissions(c.tesla_scopes, smartcar_server_scopes(c.server, true))
		END AS missing_tesla_permissions,
		c.access_type,
		smartcar_virtual_key_required(c.make, c.model, c.year) AS virtual_key_required,
		c.virtual_key_paired,
		c.error_type, c.error_code, c.error_description, c.error_at,
		smartcar_next_action(c.server, c.status, c.error_action, c.permissions, c.tesla_scopes, c.access_type, c.make, c.model, c.year, c.virtual_key_paired) AS action,
		smartcar_action_url(c.server, smartcar_next_action(c.server, c.status, c.error_action, c.permissions, c.tesla_scopes, c.access_type, c.make, c.model, c.year, c.virtual_key_paired)::text, c.vehicle_id, c.error_url) AS action_url,
		c.connected_at, c.synced_at
	FROM smartcar_tesla.connection c
	WHERE smartcar_may_use(c.server);

COMMENT ON VIEW smartcar_status IS
'A row for each vehicle of each owner: what was granted, what is missing, and which link mends it. It shows the rows of those servers on which the reader has USAGE.';
COMMENT ON COLUMN smartcar_status.server IS 'the SERVER';
COMMENT ON COLUMN smartcar_status.external_id IS 'your own id of the owner';
COMMENT ON COLUMN smartcar_status.user_id IS 'Smartcar''s id of the owner';
COMMENT ON COLUMN smartcar_status.vehicle_id IS 'Smartcar''s id of the vehicle';
COMMENT ON COLUMN smartcar_status.make IS 'as Smartcar writes it';
COMMENT ON COLUMN smartcar_status.model IS 'as Smartcar writes it';
COMMENT ON COLUMN smartcar_status.year IS 'model year';
COMMENT ON COLUMN smartcar_status.mode IS 'live, simulated or test, where Smartcar tells';
COMMENT ON COLUMN smartcar_status.status IS 'connected or disconnected';
COMMENT ON COLUMN smartcar_status.granted_scopes IS 'Smartcar permissions that the application has';
COMMENT ON COLUMN smartcar_status.missing_scopes IS 'those of the option scope that it has not';
COMMENT ON COLUMN smartcar_status.missing_tesla_permissions IS 'Tesla permissions that the owner must still tick; where Smartcar does not tell what is ticked, as the list of v3 does not, those that missing_scopes need';
COMMENT ON COLUMN smartcar_status.access_type IS 'OWNER or DRIVER; a driver cannot add a key from afar';
COMMENT ON COLUMN smartcar_status.virtual_key_required IS 'whether the vehicle needs one';
COMMENT ON COLUMN smartcar_status.virtual_key_paired IS 'whether it has one';
COMMENT ON COLUMN smartcar_status.error_type IS 'of the last error that still stands';
COMMENT ON COLUMN smartcar_status.error_code IS 'of the last error that still stands';
COMMENT ON COLUMN smartcar_status.error_description IS 'of the last error that still stands';
COMMENT ON COLUMN smartcar_status.error_at IS 'when it came';
COMMENT ON COLUMN smartcar_status.action IS 'what to do next, none if all is well';
COMMENT ON COLUMN smartcar_status.action_url IS 'the link for it, where one can be sent as it is';
COMMENT ON COLUMN smartcar_status.connected_at IS 'when the owner connected the vehicle';
COMMENT ON COLUMN smartcar_status.synced_at IS 'when Smartcar was last asked';

CREATE FUNCTION smartcar_grant(role_name text, kind text, server text)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	home text;
BEGIN
	IF kind NOT IN ('application', 'operator') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid kind: "%s"', kind),
			DETAIL = 'Valid kinds are "application" and "operator".';
	END IF;

	-- PUBLIC is no role, and nobody's friend
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('role "%s" does not exist', role_name);
	END IF;

	-- it may have been renamed, and have any name
	SELECT extnamespace::regnamespace::text INTO STRICT home FROM pg_extension WHERE extname = 'smartcar_tesla';

	EXECUTE format('GRANT USAGE ON FOREIGN SERVER %I TO %I', server, role_name);
	EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', home, role_name);
	EXECUTE format('GRANT SELECT ON %s.smartcar_status TO %I', home, role_name);
	IF kind = 'application' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION %1$s.smartcar_begin_connect, %1$s.smartcar_begin_reauth, '
			'%1$s.smartcar_receive_webhook TO %2$I', home, role_name);
		EXECUTE format('GRANT EXECUTE ON PROCEDURE %s.smartcar_finish_connect TO %I', home, role_name);
	ELSE
		EXECUTE format('GRANT EXECUTE ON PROCEDURE %1$s.smartcar_refresh, %1$s.smartcar_sync, '
			'%1$s.smartcar_disconnect_vehicle, %1$s.smartcar_reseal_tokens TO %2$I', home, role_name);
	END IF;
END
$$;

COMMENT ON FUNCTION smartcar_grant(text, text, text) IS
'Grants a role what it needs to work with the connection manager. The extension makes no roles of its own.
role_name: the role.
kind: application, to begin and finish round trips, receive webhooks and read smartcar_status; operator, to refresh, sync, disconnect and reseal, and to read smartcar_status. Neither can read a token.
server: the SERVER on which it gets USAGE.
Errors: 22023 for another kind, 42704 for a role or server that does not exist, 42501 for a caller who may not grant this.';

REVOKE EXECUTE ON FUNCTION smartcar_grant(text, text, text) FROM PUBLIC;
