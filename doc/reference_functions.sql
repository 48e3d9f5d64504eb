-- Part of doc/reference.sql: what the arguments and results of functions mean, and
-- which errors they raise.
--
-- The first sentence about a function is its COMMENT, which is not repeated here.
-- What many functions share is said once, in common_argument and common_error; a
-- text here says what is special, and is NULL if nothing is.  In it, a line "name,
-- name: ..." is about arguments, and "Result: ..." and "Errors: ..." are about these.
-- doc/reference.sql stops if a function or an argument is missing here, or does not
-- exist.

CREATE TEMP TABLE common_argument (place serial, name text PRIMARY KEY, meaning text);
INSERT INTO common_argument (name, meaning) VALUES
	('server', 'the name of a SERVER; NULL means the setting `smartcar_tesla.server`'),
	('client_id', 'NULL means the option of the server'),
	('redirect_uri', 'NULL means the option of the server'),
	('scope', 'Smartcar permissions, each with or without `required:`'),
	('granted', 'scopes that were granted; `required:` is ignored, and NULL gives NULL'),
	('wanted', 'scopes that are needed; `required:` is ignored, and NULL gives NULL'),
	('state', 'the CSRF token that the callback returns unchanged; NULL or empty leaves it out'),
	('flags', 'an object of texts, numbers and booleans, for example `{"country": "DE"}`, sent in jsonb''s order; NULL leaves them out'),
	('external_id', 'the application''s own id of the owner; NULL or empty leaves it out'),
	('mode', '`live`, `simulated` or `test`; NULL means the option of the server, and without one Smartcar''s default'),
	('vehicle_id', 'Smartcar''s id of the vehicle; NULL gives NULL'),
	('access_token', 'the owner''s access token; version 2.0 needs one, version 3 uses the application''s own if it is NULL'),
	('user_id', 'Smartcar''s id of the owner (`sc-user-id`), which version 3 needs for signals and commands; version 2.0 ignores it'),
	('vehicle_ids', 'Smartcar''s ids of the vehicles; NULL gives no rows'),
	('access_tokens', 'one for each vehicle or path, or one for all, or NULL'),
	('user_ids', 'one for each vehicle or path, or one for all, or NULL'),
	('refresh_lifetime', 'the assumed lifetime of a refresh token, which Smartcar does not say; not NULL'),
	('management_token', 'the application management token; NULL means the one of the user mapping, which is better, because an argument can end up in a log'),
	('lifetime', 'how long the callback is accepted, up to 30 days; not NULL'),
	('timeout', 'how long a request with its retries may take, up to 10 minutes; NULL means the option of the server'),
	('requests', 'the result, how many requests were sent, those for tokens and retries included');

CREATE TEMP TABLE common_error (place serial, applies_to text, errors text);
INSERT INTO common_error (applies_to, errors) VALUES
	('the argument `server`', '42704 if the server does not exist, 42501 without USAGE on it, 42809 if it belongs to another wrapper, 55000 if it is NULL and the setting is empty. The server of the setting need not exist if the other arguments say everything.'),
	('an option that is needed', '55000 if neither an argument nor the option is given, or if the user mapping has only the credentials of the other version of the API than `api_version` of the server. For a secret in a file, 58P01 if the file does not exist, 42501 if others may read it, 42809 if it is not a regular file, 22023 if it contains no secret.'),
	('arguments', '22023 for an invalid value, such as a scope that cannot be the name of a permission; 22004 for a NULL where a value is needed, also within an array; 2202E for an array of more than one dimension.'),
	('a function that is marked (v2.0) or (v3)', '0A000 if `api_version` of the server is the other one, unless the text of the function says otherwise.'),
	('a link', '54000 if it is longer than 32768 bytes.'),
	('a function that sends requests', 'SC001 without a connection, SC002 for a certificate that is not trusted, SC003 after a timeout, SC004 for a response that cannot be used, and SC with the HTTP status if Smartcar refused, for example SC403.'),
	('a function `..._many`', 'An error of one element is in its row: `sqlstate` is what the function for one raises, and `error` the rest; both are NULL if there is no error. An id or path that no request can contain is an error of the whole call, 22023. 2202E for arrays of different lengths.'),
	('a procedure, except smartcar_adopt and smartcar_import_tokens', '25001 inside a transaction block, because it commits.');

CREATE TEMP TABLE function_text (place serial, subject text, name text PRIMARY KEY, text text);
INSERT INTO function_text (subject, name, text) VALUES
('Links', 'smartcar_connect_url', $$
The link is the one of [Redirect to Connect](https://smartcar.com/docs/connect/redirect-to-connect), its parameters in the order of Smartcar's Node SDK. With `api_version` 2.0, it has `client_id` and `user` instead of `application_id` and `external_id`.
scope: NULL means the option of the server, and without one what the Smartcar dashboard says.
make: skips the brand list; NULL or empty shows it.
force_prompt: true asks for consent even if it was given before (`approval_prompt=force`); NULL means false.
single_select, single_select_vin: let the owner choose one vehicle only, or only the one with this VIN, which implies single_select; NULL leaves them out.
response_type: `code`, or `none` for an application that needs no code in the callback; NULL means `code`.
Result: never NULL.
$$),
('Links', 'smartcar_reauth_url', $$
The link is the one of ["Updating access with Tesla"](https://smartcar.com/docs/help/oem-integrations/tesla/developers).
scope: the Smartcar permissions that the application needs; the owner is asked for the Tesla permissions that they map to. NULL means the option of the server; one of the two is needed.
external_id: for version 3, where every link should say whose session it is; version 2.0 has no parameter for it in these links.
flow: `authorize` sends a new authorization code to redirect_uri. `reauthenticate` sends nothing back and leaves the tokens as they are; it takes neither state nor redirect_uri, and drops `required:`, because everything is required. NULL means `authorize`.
Result: never NULL.
$$),
('Links', 'smartcar_reauth_vehicle_url', $$
The link is the one of [Re-authentication](https://smartcar.com/docs/connect/re-auth/redirect-to-connect). Its callback has vehicle_id and state, but no code.
response_type: `vehicle_id`, or `none` for a link that ends on a page of Connect and sends nothing back; NULL means `vehicle_id`.
redirect_uri: NULL means the option of the server, and with response_type `none` no redirect URI.
$$),
('Links', 'smartcar_complete_reauth_url', $$
The error [CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED](https://smartcar.com/docs/errors/api-errors/connected-services-account-errors) has such a link in resolution.url.
resolution_url: the link; NULL gives NULL. Its other parameters stay as they are.
state: NULL or empty keeps that of the link, if any.
external_id: for version 3; NULL or empty keeps that of the link, if any.
redirect_uri: NULL keeps that of the link; without one, it means the option of the server.
Errors: 22023 for a link that does not point to the Connect origin.
$$),
('The callback', 'smartcar_parse_callback', $$
Anybody can send a callback: check `state` before you use it.
callback: a URL, a path with a query, or a query with or without its `?`; a fragment is ignored. NULL gives NULL. `+` and `%20` are both a space.
Result: every field as it was sent; unknown errors are passed on, unknown parameters ignored. With an error, `code` is NULL. `virtual_key_url` is only an https link to the /_ak/ page of tesla.com or tesla.cn; anything else gives NULL and a WARNING.
Errors: 22P02 for a parameter that occurs twice, a broken escape, `%00`, bytes that are not UTF-8, or a year or status_code that is not a number; 22P05 for a character that the encoding of the database does not have; 22021 for text that is not UTF-8 in a database with encoding SQL_ASCII.
$$),
('Permissions', 'smartcar_tesla_permission', $$
The source is Smartcar's table ["Permission Mappings"](https://smartcar.com/docs/help/oem-integrations/tesla/developers). An example is "Vehicle Location".
scope: one scope; `required:` is ignored. NULL gives NULL.
Result: NULL if no Tesla permission is documented.
$$),
('Permissions', 'smartcar_tesla_scope', $$
An example is "vehicle_location".
scope: one scope; `required:` is ignored. NULL gives NULL.
Result: NULL if no Tesla permission is documented.
$$),
('Permissions', 'smartcar_tesla_permissions', $$
scope: scopes; `required:` is ignored. NULL gives NULL, an empty array an empty one.
Result: in the order in which they are first needed.
$$),
('Permissions', 'smartcar_has_scopes', $$
Result: true if `wanted` is empty.
$$),
('Permissions', 'smartcar_missing_scopes', $$
Result: in the order of `wanted`, each once, without `required:`; empty if nothing is missing.
$$),
('Permissions', 'smartcar_missing_tesla_permissions', $$
granted_tesla_scopes: the Tesla scopes that were granted, for example `{vehicle_cmds,vehicle_location}`; those that no Smartcar permission needs are ignored. NULL gives NULL.
Result: the names on Tesla's consent screen, each once, in the order in which they are first needed; empty if nothing is missing.
$$),
('Permissions', 'smartcar_add_required', $$
With a link of such scopes, the owner cannot leave Tesla without granting them (["Requiring Tesla Permissions"](https://smartcar.com/docs/help/oem-integrations/tesla/developers)).
scope: scopes, with or without `required:`. NULL gives NULL.
$$),
('Permissions', 'smartcar_server_scopes', $$
missing_ok: true gives NULL instead of an error if the server does not exist or may not be used.
Result: as written in the option, `required:` included; NULL if the server has no such option.
$$),
('Virtual keys', 'smartcar_virtual_key_required', $$
By [Smartcar's table](https://smartcar.com/docs/help/oem-integrations/tesla/developers), it is true for every Model 3, Model Y and Cybertruck, and for Model S and X from 2021; false for earlier Model S and X, and for other makes.
make, model: in upper or lower case, the model also without its first word ("3"); a trim level may follow ("Model S Plaid").
year: the model year.
Result: NULL if not known: without a make, for another model, or for a Model S or X without a year.
$$),
('Virtual keys', 'smartcar_virtual_key_url', $$
The owner opens it on the phone that has the Tesla app ([Virtual keys](https://smartcar.com/docs/help/oem-integrations/tesla/virtual-key-tesla)).
domain: the domain of the key; NULL means the option `virtual_key_domain` of the server, whose default is smartcar.com.
Errors: 22023 for a domain that is not a host name in lower case.
$$),
('Errors', 'smartcar_parse_error', $$
It parses responses of the APIs v2.0, v3 and v1 and of the token endpoints; what is not JSON becomes the description.
body: the body of the response, or one error of a VEHICLE_ERROR event; NULL or empty if there is none.
http_status: the HTTP status; NULL uses the one in the body.
retry_after: the header Retry-After, in seconds; anything but digits is ignored.
request_id: the header SC-Request-Id, for a response whose body has none.
Result: never NULL. The description of a token endpoint's response may contain the code or token that it refused: do not log it.
Errors: 22P05 for an escape in the body for which the encoding of the database has no character.
$$),
('Errors', 'smartcar_error_action', $$
The errors are those of [Smartcar's catalogue](https://smartcar.com/docs/errors/api-errors/).
type, code: as Smartcar writes them, for example VEHICLE_STATE and ASLEEP; code may be NULL. For a code that is not in the catalogue, the result is that of most codes of its type.
Result: NULL for a type that is not in the catalogue.
$$),
('Webhooks', 'smartcar_receive_webhook', $$
Send the result with status 200 and content type application/json. An event is applied once, however often it is repeated, and events may arrive in any order. VEHICLE_ERROR begins or ends an error of a connection, VEHICLE_STATE updates Tesla access and virtual key. A change of an action or an error notifies [the channel](#the-notification-channel). The result for a challenge is the response to it.
body: the bytes as they were received, or the body as text, which is converted back to UTF-8. A parameter without a type counts as text, so cast bytes to bytea.
signature: the header SC-Signature, made with `management_token` or `management_token_previous` of the user mapping. Responses to challenges are signed with the former.
Result: NULL if the signature is wrong, if the body is not an event, or if the event was delivered more than a day ago. Respond with status 401 then; nothing was changed or logged.
Errors: 40001 in a transaction that is repeatable read or serializable, if another session has just received the same event. Respond with status 401 to 22021 and 22P02 (the body is not text or bytes), and with 503 to every other error, so that Smartcar sends the event again.
$$),
('Webhooks', 'smartcar_verify_webhook', $$
The signature is a hexadecimal HMAC-SHA-256 of the raw bytes, in upper or lower case, compared in constant time; it is made with the argument, or with `management_token` or `management_token_previous` of the user mapping ([Payload verification](https://smartcar.com/docs/integrations/webhooks/payload-verification)).
body: the bytes as they were received, or the body as text, which is converted back to UTF-8; NULL gives false. There is no variant for jsonb, because jsonb does not preserve the signed bytes.
signature: the header; NULL gives false.
Result: never NULL.
$$),
('Webhooks', 'smartcar_hash_challenge', $$
The result is a hexadecimal HMAC-SHA-256 in lower case ([Callback verification](https://smartcar.com/docs/integrations/webhooks/callback-verification)). It signs any text, also that of an event: never call it with text from outside. `smartcar_receive_webhook` responds to challenges by itself.
challenge: the text of the event; NULL gives NULL.
$$),
('Tokens', 'smartcar_exchange_code', $$
A code is single-use and expires after 10 minutes ([Auth code exchange](https://smartcar.com/docs/api-reference/authorization/auth-code-exchange)). The request is sent once, over a connection of its own; if the response is lost, the owner has to connect again. Call it outside a transaction block, so that no rollback loses the tokens.
code: NULL gives NULL.
redirect_uri: that of the link; NULL means the option of the server, and without one it is left out.
Errors: SC400 for a code that is refused; the message does not repeat it.
$$),
('Tokens', 'smartcar_refresh_token', $$
The old refresh token expires a minute after its first use ([Refreshing access tokens](https://smartcar.com/docs/api-reference/authorization/refreshing-access-token)), so store the new one before anything else can fail. Within that minute, the request is repeated after a server error or a broken connection.
refresh_token: NULL gives NULL.
Errors: SC400 for a token that is refused; the message does not repeat it.
$$),
('Tokens', 'smartcar_get_application_token', $$
It is requested with the client credentials api_client_id and api_client_secret ([Request an access token](https://smartcar.com/docs/api-reference/authorization/request-access-token)). The backend keeps it until a minute before it expires. Calls to the v3 API request it by themselves. It needs only the credentials, whatever the server's api_version.
$$),
('Calls to Smartcar', 'smartcar_get_user', $$
It sends GET /user ([User](https://smartcar.com/docs/api-reference/user)). In version 3 the callback has the id.
access_token: the owner's access token.
$$),
('Calls to Smartcar', 'smartcar_get_vehicles', $$
Version 3 sends GET /connections, version 2.0 GET /vehicles, for as many pages as there are.
user_id: Smartcar's id of the owner; version 3 needs one.
access_token: the owner's access token; version 2.0 needs one.
Result: in version 3, vehicles of the option `mode`, or `live` ones without it.
$$),
('Calls to Smartcar', 'smartcar_get_vehicle', $$
It sends GET /vehicles/{id}.
Result: mode and powertrain_type are NULL in version 2.0.
$$),
('Calls to Smartcar', 'smartcar_get_vehicle_many', NULL),
('Calls to Smartcar', 'smartcar_get_permissions', $$
Version 3 sends GET /connections, for as many pages as there are, version 2.0 GET /vehicles/{id}/permissions. smartcar_missing_scopes compares the result with what is wanted.
Result: in version 3, NULL if there is no such connection.
Errors: SC004 in version 3 if user_id is NULL and several users have connected the vehicle.
$$),
('Calls to Smartcar', 'smartcar_get_permissions_many', NULL),
('Calls to Smartcar', 'smartcar_get_tesla_access', $$
Version 3 gets the signals vehicleuseraccount-permissions and vehicleuseraccount-role, version 2.0 sends GET /vehicles/{id}/tesla/user/access. smartcar_missing_tesla_permissions compares tesla_scopes with what is wanted.
Result: access_type is OWNER or DRIVER, in version 3 what the signal says; either field is NULL if Tesla does not say.
$$),
('Calls to Smartcar', 'smartcar_get_tesla_access_many', NULL),
('Calls to Smartcar', 'smartcar_get_virtual_key', $$
Version 3 gets the signal connectivitystatus-isdigitalkeypaired, version 2.0 sends GET /vehicles/{id}/tesla/virtual_key.
Result: in version 3, NULL if the signal is not available.
$$),
('Calls to Smartcar', 'smartcar_get_virtual_key_many', NULL),
('Calls to Smartcar', 'smartcar_get_tesla_migration', $$
It sends GET /vehicles/{id}/tesla/migration. If the result is true, the owner has to connect again.
$$),
('Calls to Smartcar', 'smartcar_get_signals', $$
It sends GET /vehicles/{id}/signals ([List signals](https://smartcar.com/docs/api-reference/list-signals)), for as many pages as there are. Almost every vehicle needs one request, however many codes are given: Smartcar documents no filter by code, so codes are compared here.
vehicle_id: Smartcar's id of the vehicle; NULL gives no rows.
user_id: Smartcar's id of the owner; not NULL.
codes: codes of the [signal schema](https://smartcar.com/docs/api-reference/signals/schema); NULL means all.
Result: a row for each signal that the vehicle has. A signal that could not be read has no value, the status ERROR, and in sqlstate and error what a function for that signal would raise. A signal without a value has the status UNAVAILABLE and no error. A code that the vehicle does not have has no row; a vehicle that is subscribed to no webhook has no rows.
$$),
('Calls to Smartcar', 'smartcar_get_signals_many', $$
user_ids: one for each vehicle, or one for all; not NULL.
codes: as for smartcar_get_signals.
Result: the rows of each vehicle. If its request failed, a vehicle has one row, with sqlstate, error, and no code.
$$),
('Calls to Smartcar', 'smartcar_send_command', $$
It sends POST /vehicles/{id}/commands/{command} ([Commands](https://smartcar.com/docs/api-reference/commands/overview)), and never sends it again. Smartcar responds with 202 to a command that takes longer than 175 seconds, and sends the outcome as the body of that response. The function waits for it, and raises an error in it with the SQLSTATE of its type. After SC001, SC003, SC004 or a cancel, the command may have been carried out.
user_id: Smartcar's id of the owner; not NULL.
command: what follows `/commands/` in the path, such as `charge/start`; not NULL.
body: sent as JSON; NULL sends none.
Result: true if the command was carried out; false if it was accepted with 202 and the response does not have the outcome.
$$),
('Calls to Smartcar', 'smartcar_get_connections', $$
Version 3 sends GET /connections, version 2.0 GET /management/connections with the management token, for as many pages as there are.
vehicle_id, user_id, external_id: only connections with it; NULL does not restrict.
Errors: 0A000 for an external_id in version 2.0, 22023 for an empty one.
$$),
('Calls to Smartcar', 'smartcar_delete_connections', $$
Version 3 sends DELETE /connections/{id} for each connection that GET /connections lists, version 2.0 DELETE /management/connections with the management token. `smartcar_disconnect_vehicle` also updates what is stored here.
vehicle_id, user_id: whose connections; not both NULL. In version 3, only those of the option `mode`, or `live` ones without it.
Result: what was deleted; in version 3 also what somebody else deleted after it was listed.
$$),
('Calls to Smartcar', 'smartcar_get_compatibility', $$
It sends GET /compatibility of version 2.0, with client_id and client_secret, whatever the server's api_version, and will disappear with version 2.0. Version 3 has no call for a single vehicle, but lists models: smartcar_request('GET', '/compatible-vehicles', origin => 'compatibility').
vin: NULL gives NULL.
scope: scopes, also ones that the extension does not know; `required:` is ignored. NULL means the option of the server.
country: two letters by ISO 3166-1; NULL leaves it to Smartcar, which uses US.
Errors: 0A000 for a user mapping with credentials of version 3 only.
Result: reason is Smartcar's word if the vehicle is not compatible; capabilities is a list with an object for each permission.
$$),
('Calls to Smartcar', 'smartcar_get_webhooks', $$
It sends GET /webhooks of the v3 management API ([List webhooks](https://smartcar.com/docs/api-reference/list-webhooks)).
$$),
('Calls to Smartcar', 'smartcar_subscribe', $$
It sends POST /subscriptions of the v3 management API ([Create subscription](https://smartcar.com/docs/api-reference/create-subscription)). Smartcar makes the subscription a moment later. With the option `webhook_id`, smartcar_finish_connect and smartcar_sync subscribe new vehicles by themselves.
user_id: Smartcar's id of the owner; not NULL.
webhook_id: one of smartcar_get_webhooks; NULL means the option of the server.
Result: false if the vehicle is subscribed already.
Errors: SC404 for a webhook or connection that does not exist.
$$),
('Calls to Smartcar', 'smartcar_unsubscribe', $$
It looks for the subscription with GET /subscriptions of the v3 management API, and sends DELETE /subscriptions/{id}. If the list has another subscription than was asked for, nothing is deleted (SC004).
user_id, webhook_id: as for smartcar_subscribe.
Result: false if there was no subscription.
$$),
('Calls to Smartcar', 'smartcar_request', $$
It returns the response whatever its status; smartcar_parse_error parses an error response. data_age and fetched_at come from the headers in version 2.0, and from a single signal in version 3; they are NULL for a list of signals, whose times differ.
method: GET, HEAD, POST, PUT, PATCH or DELETE.
path: below the version, such as `/vehicles/.../odometer`; NULL gives NULL.
query: parameters of the URL, an object of texts, numbers and booleans; null leaves one out.
body: sent as JSON.
unit_system: `metric` or `imperial`.
origin: which of the server's origins, `api` (v2.0), `vehicle` (v3), `management` (that of the server's api_version: v2.0 with the management token, v3 with the application's access token) or `compatibility` (v3, without credentials); NULL means the one of the server's api_version.
$$),
('Calls to Smartcar', 'smartcar_request_many', $$
paths: below the version; NULL gives no rows.
method, query, body, unit_system, origin: as for smartcar_request.
Result: sqlstate is NULL if there is a response. error is not NULL if there is none, if its status is 400 or more, or if it is 202 and the body has errors.
$$),
('The connection manager', 'smartcar_begin_connect', $$
The state is of 256 random bits; only its SHA-256 is stored.
external_id: the application's own id of the owner, at most 512 bytes. Version 3 needs it to verify the user of the callback.
scope: NULL means the option of the server, and without one what the Smartcar dashboard says.
make, force_prompt: as for smartcar_connect_url.
$$),
('The connection manager', 'smartcar_begin_reauth', $$
Without a vehicle_id, the link is that of smartcar_reauth_url and asks for what is missing at Tesla; with one, it is that of smartcar_reauth_vehicle_url.
external_id: as for smartcar_begin_connect. In version 3, a user of this owner must be known on the server, from a finished session, smartcar_sync or smartcar_adopt.
vehicle_id: the vehicle whose owner has to log in again.
scope: as for smartcar_reauth_url.
Errors: P0002 if no user of the owner is known (version 3).
$$),
('The connection manager', 'smartcar_finish_connect', $$
It checks the state of the callback, verifies the user (version 3) or exchanges the code (version 2.0), stores the result, and requests what Smartcar knows about the vehicles. With the option `webhook_id` it subscribes them in version 3, with a request for each; a failure is a WARNING. If the callback is passed again, the procedure returns the first result and sends nothing.
In version 3 a user is accepted if they belong to the owner of the link here, from an earlier session, smartcar_sync or smartcar_adopt, or if Smartcar lists them with the external_id of the link.
callback: as it was received, see smartcar_parse_callback; not NULL.
expected_external_id: the owner who is logged in. The callback of another owner's session is refused before anything is sent. This is the defence against CSRF: the state alone does not tell in whose browser the callback arrived. NULL does not check. external_id is a result and not this argument: 22023 if only that is passed.
status, external_id, user_id, vehicle_ids, error, action: the result. status is `finished` or `failed`; if failed, error is that of the callback, and action what to do about it.
previous_external_id: the owner who had vehicles of this Tesla login before, if it was another one. Each change of owner is also a WARNING and an `OWNER_CHANGED` on [the channel](#the-notification-channel).
Errors: SCUNK for a state that was never issued, SCUSD for one that another callback has used, SCEXP for one that has expired, SCOWN for one of another owner, SCBSY for a callback that another session is finishing, SCCUT for one whose result was not stored, 22P02 for a malformed callback, SC400 for a code that is refused, 55000 for a callback or credentials of the other version of the API, or in version 2.0 without a key to seal tokens with (then nothing was sent, and the session stays open). After a failed exchange (version 2.0), the session has the error. After a failed request for the user (version 3), the session stays open.
$$),
('The connection manager', 'smartcar_refresh', $$
Any number of sessions may run it at the same time: each claims accounts with a lease, and stores and commits each result at once. A failed refresh is retried with exponential backoff, the first time within seconds, because an old refresh token is valid for a minute after its use. Only a definite refusal sets the status of an account to `reauthenticate`. For a provisional account, the user is requested again, and their vehicles are listed. In version 3, where owners have no tokens, it does nothing, says so with a NOTICE, and returns zeros.
access_within: an account is refreshed if its access token expires within this time; NULL lets access tokens expire.
refresh_within: an account is refreshed if its refresh token expires within this time, even if nobody uses it.
max_accounts: the largest number of accounts to refresh; NULL means all.
refreshed, failed, refused: the result, counts of accounts. An account whose row was locked all the time counts as failed.
Errors: 55000 without a key. If Smartcar refuses the application's credentials, that error; the accounts are not changed then.
$$),
('The connection manager', 'smartcar_sync', $$
It updates vehicles, permissions, Tesla access and virtual keys, of one owner or of the whole application. In version 3 it sends one request for each page of 100 connections, and one for the details of each vehicle (access type, Tesla scopes, virtual key), unless webhooks have reported them since the last request and within a day. The vehicles whose details are oldest come first. A connection that was on no page is requested by itself before it is marked as disconnected. With the option `webhook_id` it subscribes, in version 3, vehicles that are not subscribed yet, with a request for each; a failure is a WARNING.
A run for the whole application stops with a WARNING at the first response 429 that concerns the application, and with a NOTICE at max_requests. The next run continues where it stopped; a list of connections (v3) that was begun more than a day ago is begun again.
external_id, user_id: the owner; NULL means all of them.
details: whether to request the details of each vehicle; used only in version 3, for the whole application.
max_requests: the largest number of requests; NULL means no limit. Retries can exceed it. Version 2.0 synchronizes a user with all vehicles or not at all, with 1 request and 4 for each vehicle, so a number below 5 is an error.
max_disconnects: how many connections may be marked as disconnected; NULL means 5, or a tenth of the connected ones if that is more.
synced, failed: the result, counts of users; in version 3 for the whole application, counts of connections. Failed are those whose requests failed, for example because of a timeout, and owners whose access token has expired: call smartcar_refresh first. A row that cannot be stored, or an id that is not valid in a request, is a WARNING, counts as failed, and does not stop the others.
disconnected: how many connections were connected before and are now disconnected.
Errors: 54000 if more connections would be disconnected than max_disconnects allows; they are left as they are. Otherwise wrong credentials, another option `mode`, or an empty list by mistake would ask every owner to connect again.
$$),
('The connection manager', 'smartcar_access_token', $$
The token is for requests of your own. Keep it out of statements that are logged.
external_id, user_id: the owner; both NULL give NULL.
Errors: 0A000 in version 3, which has no tokens of owners, P0002 for an owner who does not exist, 21000 for one with more than one account, 55000 for a token that has expired or an owner who has to connect again, XX001 for a stored token that was changed or moved.
$$),
('The connection manager', 'smartcar_adopt', $$
It is for users who connected without an external_id, as in version 2.0 or outside of this extension, and sets it in their accounts and connections. Nothing is sent, and everything is part of the caller's transaction. smartcar_sync keeps the ids if Smartcar has none; a different id at Smartcar replaces them.
user_ids, external_ids: Smartcar's ids of the users, and for each the application's own id of the owner, at most 512 bytes. The arrays have the same length, and no NULLs. A pair may occur more than once, and several users may have one owner.
adopted: the result, how many users have a new external_id; a repeated call changes nothing and returns 0.
replaced: how many of these had another one before. Each is a WARNING, and each of their connections an `OWNER_CHANGED` on [the channel](#the-notification-channel).
unknown: how many users have neither an account nor a connection on the server. They are skipped with one WARNING; call smartcar_sync first.
Errors: 2202E for arrays of different lengths, 21000 for a user with two different external_ids; nothing is changed then.
$$),
('The connection manager', 'smartcar_import_tokens', $$
Nothing is sent, and everything is part of the caller's transaction: a list with an error is refused as a whole. Messages name positions, not values. The how-to [Sync and refresh](how-to/refresh-and-sync.md#bring-tokens-that-you-have-kept-yourself) shows how to call it so that no token is logged.
An account gets the tokens of the list in three cases: it has no refresh token; Smartcar has refused its refresh token (status `reauthenticate`), and the one of the list differs; or its tokens are from an earlier import, were never refreshed here, and those of the list differ and are newer by expires_at. Every other account stays as it is: it has the same tokens, or newer ones from Smartcar, or is being refreshed. So an old list can be imported again at any time. A user whom smartcar_forget has forgotten within 25 hours, after the tokens of the list were issued, gets no account; a WARNING counts these users.
user_ids: Smartcar's ids of the users; no NULLs. A user may occur more than once, with equal values. The five arrays have the same length.
external_ids: for each user the application's own id of the owner, at most 512 bytes; NULL keeps what is known. It is stored with the tokens, as by smartcar_adopt. An account that stays as it is keeps its owner; so does one that has an owner but no tokens, or tokens that Smartcar has refused.
access_tokens: NULL for a token that is lost; the next smartcar_refresh gets a new one.
refresh_tokens: no NULLs, because an owner without one has to connect again. It is assumed to expire 60 days after the tokens were issued, which is two hours before expires_at.
expires_at: when the access token expires or has expired, even if it is NULL. Not the expiry of the refresh token. No NULLs; not before 1970, and at most two hours and five minutes from now.
imported: the result, how many accounts got tokens of the list.
replaced: how many of these had other tokens before.
kept: how many accounts stayed as they were. Forgotten users are not counted.
Errors: 2202E for arrays of different lengths, 22023 also for a token that is in both lists, 54000 for a token longer than 16384 bytes, 21000 for a user with different values or a token of two users, 55000 without a key. Nothing is changed then.
$$),
('The connection manager', 'smartcar_disconnect_vehicle', $$
Version 3 sends DELETE /connections/{id} for each connection; version 2.0 sends DELETE /vehicles/{id}/application, or DELETE /management/connections for one owner. It is not an error if the vehicle is already disconnected (in version 2.0 only with a user_id), or if somebody else deletes the connection at the same time.
vehicle_id: Smartcar's id of the vehicle; not NULL.
user_id: NULL disconnects every owner of the vehicle.
$$),
('The connection manager', 'smartcar_forget', $$
Use it when an owner asks to be deleted. It deletes the sessions first, so that no link that was handed out connects the owner again; it waits at most 10 seconds for a callback that is being finished. Then it disconnects the vehicles at Smartcar, and deletes the accounts, with their tokens, and the connections, with their errors. If it succeeds, nothing of the owner is left, here or, in the mode of the server, at Smartcar. If it raises an error, what was disconnected until then is deleted, the rest stays, and the next call continues from there.
Version 3 sends GET /connections for the external_id and the option `mode`, which also finds connections that are not stored here, then for each other user of the owner, and DELETE /connections/{id} for each connection. Version 2.0 sends DELETE /management/connections for each user if the server has a management token. Without one it sends GET /vehicles and DELETE /vehicles/{id}/application with the owner's access token, which must not have expired. A provisional account whose tokens Smartcar refuses is deleted with a WARNING.
If Smartcar itself (not a gateway) does not know a connection, it counts as disconnected. A connection that is marked as disconnected here is not requested by itself. A connection that belongs to another owner, by its row or by Smartcar, stays, with its tokens. A connection whose owner is not known by either stays, with an error.
A list of the user's vehicles that was requested earlier does not store the owner again. Webhook events store no new vehicle of the user for 25 hours; smartcar_sync does, if the owner has connected again.
external_id: the application's own id of the owner. If it is not known here, the counts are 0. Stop making links for the owner first.
disconnected: the result, how many connections were disconnected at Smartcar.
accounts, connections, sessions: how many rows were deleted.
Errors: 22004 if external_id is NULL or empty; SCBSY for a callback that is still being finished; 55000 for an owner of version 2.0 without a usable token, on a server without a management token; 55006 if data of the owner was stored in the meantime; SC004 for a connection that cannot be identified; otherwise that of the first request that failed, for example SC429 at Smartcar's rate limit. Each vehicle that could not be disconnected is a WARNING.
$$),
('The connection manager', 'smartcar_reseal_tokens', $$
Call it after you have added a new key to the file; afterwards, the old key can be removed. It waits for accounts that are being refreshed. Tokens that cannot be opened, because they were changed or moved or their key is missing, are a WARNING and stay as they are. In version 3 it does nothing, and says so with a NOTICE.
Errors: 55000 at the end if there were such tokens; all others are sealed with the new key.
$$),
('The connection manager', 'smartcar_grant', $$
If an argument is NULL, nothing is granted. No kind can read a token.
role_name: an existing role; the extension creates none.
kind: `application`, to begin and finish sessions, receive webhooks and read smartcar_status, smartcar_todo and smartcar_trouble; `operator`, to refresh, sync, adopt, import tokens, disconnect, forget and reseal, and to read these views and smartcar_job_run; `reader`, to read the four views and nothing else.
server: the SERVER on which the role gets USAGE.
Errors: 42704 for a role or server that does not exist, 42501 for a caller who may not grant this.
$$),
('Internal functions', 'smartcar_tesla.known_permissions', $$
The source is [Smartcar's page](https://smartcar.com/docs/api-reference/permissions), in the order of the Tesla page as far as it has them. Links take these and what the server option `extra_scopes` adds.
$$),
('Internal functions', 'smartcar_tesla.facts_hash', $$
smartcar_todo finds its rows by an index on it.
status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired, server: as in smartcar_tesla.connection.
Result: a hash, in which the option `scope` of the server is not included.
$$),
('Internal functions', 'smartcar_tesla.next_action', $$
The views smartcar_status and smartcar_todo call it with the columns of smartcar_tesla.connection.
status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired: what is known about the connection; NULL for what is not.
server: the server whose option `scope` says what is needed; NULL means the setting.
Result: the first that applies: `connect` if the vehicle is disconnected; error_action, unless that is `retry`; `update_access` if Tesla permissions are missing; `connect` if only Smartcar permissions are missing; `add_virtual_key`, or `ask_owner` for a driver's account, if a key is not paired that the vehicle needs or, for an unknown model from 2021 on, is assumed to need; `retry` if that is error_action; `none`. If the server does not exist, the result is `connect` for a disconnected vehicle, else error_action, which may be NULL.
$$),
('Internal functions', 'smartcar_tesla.action_url', $$
For update_access and, with the vehicle, for reauthenticate, it is a link without a callback, so existing tokens stay valid and no session is needed. For add_virtual_key it is that of Smartcar's response or of the server.
action, external_id, vehicle_id, error_url, server: as in smartcar_status and smartcar_tesla.connection.
Result: NULL if no link helps, or if a session has to be begun, as for connect.
$$),
('Internal functions', 'smartcar_tesla.may_use', $$
Result: true for superusers, and with USAGE on the server; false if the server does not exist.
$$),
('Internal functions', 'smartcar_tesla.is_being_finished', $$
The view smartcar_trouble calls it. It looks for the advisory lock that smartcar_finish_connect holds on this database server; a standby does not have the locks of its primary.
state_hash: the column of smartcar_tesla.session.
$$),
('The installation', 'smartcar_info', $$
server: NULL means the setting; if the server does not exist, only the versions are returned.
Result: source is `library`, `database`, `argument`, `server`, `user mapping`, `default` or `setting`. The row `here` has the value of the option `only_in` for the current database. Times are in milliseconds, sizes in bytes. For a secret, the result only says whether it is set.
$$),
('The installation', 'smartcar_tesla_validator', $$
options, catalog: what PostgreSQL passes.
Errors: HV00D for an unknown option, 42501 for an option that only superusers may set.
$$);
