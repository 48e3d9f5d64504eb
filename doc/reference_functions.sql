-- Part of doc/reference.sql: what the arguments and results of functions mean, and
-- which errors they raise.
--
-- The first sentence about a function is its COMMENT and does not stand here.  What
-- many functions share is said once, in common_argument and common_error; a text
-- here says what is special.  In it, a line "name, name: ..." is about arguments,
-- and "Result: ..." and "Errors: ..." are what they say.  doc/reference.sql stops if
-- a function or an argument is missing here, or does not exist.

CREATE TEMP TABLE common_argument (place serial, name text PRIMARY KEY, meaning text);
INSERT INTO common_argument (name, meaning) VALUES
	('server', 'the name of a SERVER; NULL means the one that the setting `smartcar_tesla.server` names'),
	('client_id', 'NULL means the option of the server'),
	('redirect_uri', 'NULL means the option of the server'),
	('scope', 'Smartcar permissions, each with or without `required:`'),
	('state', 'comes back unchanged in the callback; NULL or empty leaves it out'),
	('flags', 'an object of texts, numbers and booleans, for example `{"country": "DE"}`; they are sent in the order that jsonb keeps, and NULL leaves them out'),
	('external_id', 'the application''s own id of the owner; NULL or empty leaves it out'),
	('mode', '`live`, `simulated` or `test`; NULL means the option of the server, and without one Smartcar''s default'),
	('vehicle_id', 'Smartcar''s id of the vehicle; NULL gives NULL'),
	('access_token', 'the owner''s access token; version 2.0 needs one, version 3 uses the application''s own if it is NULL'),
	('user_id', 'Smartcar''s id of the owner, for version 3 (`sc-user-id`); version 2.0 ignores it'),
	('vehicle_ids', 'Smartcar''s ids of the vehicles, without NULLs; NULL gives no rows'),
	('access_tokens', 'as many as there are rows, or one for all of them, or NULL'),
	('user_ids', 'as many as there are rows, or one for all of them, or NULL'),
	('refresh_lifetime', 'how long a refresh token is assumed to be valid, since Smartcar does not say; not NULL'),
	('management_token', 'the application management token; NULL means the one of the user mapping, which is better, because an argument can end up in a log');

CREATE TEMP TABLE common_error (place serial, applies_to text, errors text);
INSERT INTO common_error (applies_to, errors) VALUES
	('the argument `server`', '42704 if the server does not exist, 42501 without USAGE on it, 42809 if it belongs to another wrapper, 55000 if none is named and the setting is empty. Where the other arguments say everything, the server that the setting names need not exist.'),
	('an option that is needed', '55000 if it is missing, and if the user mapping has only the credentials of the other version of the API than the server''s `api_version`. Of a secret in a file, 58P01 if the file does not exist, 42501 if others may read it, 42809 if it is no regular file, 22023 if it holds no secret.'),
	('arguments', '22023 for a value that is not acceptable, 22004 for a NULL where a value is needed, also within an array, 2202E for an array of more than one dimension.'),
	('a link', '54000 if it is longer than 32768 bytes.'),
	('a function that sends requests', 'SC001 without a connection, SC002 for a certificate that is not trusted, SC003 after a timeout, SC004 for a response that cannot be used, and SC with the HTTP status where Smartcar refused, for example SC403.'),
	('a function for many', 'An error of one element is in its row: `sqlstate` is what the function for one raises, and `error` the rest; both are NULL where all is well. 2202E for arrays of different lengths.'),
	('a procedure', '25001 inside a transaction block: it commits.');

CREATE TEMP TABLE function_text (place serial, subject text, name text PRIMARY KEY, text text);
INSERT INTO function_text (subject, name, text) VALUES
('Links', 'smartcar_connect_url', $$
No network is used; the link is the one of [Redirect to Connect](https://smartcar.com/docs/connect/redirect-to-connect), its parameters in the order of Smartcar's Node SDK. With `api_version` 2.0, `client_id` and `user` take the places of `application_id` and `external_id`.
scope: Smartcar permissions, each with or without `required:`; NULL means the option of the server, and without one what the Smartcar dashboard says.
make: skips the brand list; NULL or empty shows it.
force_prompt: true asks for consent even if it was given before (`approval_prompt=force`); NULL means false.
single_select, single_select_vin: let the owner choose one vehicle only, or only the one with this VIN, which implies single_select; NULL leaves them out.
response_type: `code`, or `none` for an application that needs no code in the callback; NULL means `code`.
Result: never NULL.
Errors: 55000 if no client_id is known.
$$),
('Links', 'smartcar_reauth_url', $$
The link is the one of ["Updating access with Tesla"](https://smartcar.com/docs/help/oem-integrations/tesla/developers). No network is used.
scope: the Smartcar permissions that the application needs; the owner is asked for the Tesla permissions that they map to. NULL means the option of the server; one of the two is needed.
external_id: for version 3, where every link should say whose session it is; version 2.0 has no parameter for it in these links.
flow: `authorize` sends a new authorization code to redirect_uri. `reauthenticate` sends nothing back and leaves the tokens as they are; it takes neither state nor redirect_uri, and drops `required:`, because everything is required. NULL means `authorize`.
Result: never NULL.
Errors: 55000 if no scope, client_id or redirect_uri is known.
$$),
('Links', 'smartcar_reauth_vehicle_url', $$
The link is the one of [Re-authentication](https://smartcar.com/docs/connect/re-auth/redirect-to-connect). Its callback brings vehicle_id and state, but no code. No network is used.
response_type: `vehicle_id`, or `none` for a link that ends on a page of Connect and sends nothing back; NULL means `vehicle_id`.
redirect_uri: NULL means the option of the server, and with response_type `none` no redirect URI.
Errors: 55000 if no client_id is known, or no redirect_uri for a callback.
$$),
('Links', 'smartcar_complete_reauth_url', $$
The error [CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED](https://smartcar.com/docs/errors/api-errors/connected-services-account-errors) carries such a link as resolution.url. No network is used.
resolution_url: the link; NULL gives NULL. What is in it stays, but a redirect_uri, state or external_id given here replaces the one in the link.
state: NULL or empty keeps the one of the link, if any.
external_id: for version 3; NULL or empty keeps the one of the link, if any.
redirect_uri: NULL keeps the one of the link, and without one uses the option of the server.
Errors: 22023 for a link that does not point to the Connect origin, 55000 if no redirect_uri is known.
$$),
('The callback', 'smartcar_parse_callback', $$
A callback proves nothing, as anybody can send one: check `state` before you use it.
callback: a URL, a path with a query, or a query with or without its `?`; a fragment is ignored. NULL gives NULL. `+` and `%20` are both a space.
Result: every field as it was sent; unknown errors are passed on, unknown parameters ignored. With an error, `code` is NULL. `virtual_key_url` is only an https link to the /_ak/ page of tesla.com or tesla.cn; anything else gives NULL and a WARNING.
Errors: 22P02 for a parameter that occurs twice, a broken escape, `%00`, bytes that are not UTF-8, and a year or status_code that is not a number; 22P05 for a character that the encoding of the database does not have, 22021 for text that is not UTF-8 in a database with encoding SQL_ASCII.
$$),
('Permissions', 'smartcar_tesla_permission', $$
It is what Smartcar's ["Permission Mappings"](https://smartcar.com/docs/help/oem-integrations/tesla/developers) say, for example "Vehicle Location".
scope: a Smartcar permission; `required:` is ignored. NULL gives NULL.
Result: NULL where no Tesla permission is documented.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_tesla_scope', $$
For example "vehicle_location".
scope: a Smartcar permission; `required:` is ignored. NULL gives NULL.
Result: NULL where no Tesla permission is documented.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_tesla_permissions', $$
scope: Smartcar permissions; `required:` is ignored. NULL gives NULL, an empty array an empty one.
Result: in the order in which they are first needed.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_has_scopes', $$
granted, wanted: Smartcar permissions; `required:` is ignored in both. NULL for either gives NULL.
Result: true if nothing is wanted.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_missing_scopes', $$
granted, wanted: Smartcar permissions; `required:` is ignored in both. NULL for either gives NULL.
Result: in the order of wanted, each once, without `required:`; empty if nothing is missing.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_missing_tesla_permissions', $$
granted_tesla_scopes: what Tesla's API says was granted, for example `{vehicle_cmds,vehicle_location}`; Tesla scopes that no Smartcar permission needs are ignored. NULL gives NULL.
wanted: Smartcar permissions; `required:` is ignored. NULL gives NULL.
Result: the names on Tesla's consent screen, each once, in the order in which they are first needed; empty if nothing is missing.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_add_required', $$
A link with them makes sure that the owner cannot leave Tesla without granting them (["Requiring Tesla Permissions"](https://smartcar.com/docs/help/oem-integrations/tesla/developers)).
scope: Smartcar permissions; one that is required already stays so. NULL gives NULL.
Errors: 22023 for what cannot be the name of a permission.
$$),
('Permissions', 'smartcar_server_scopes', $$
missing_ok: whether a server that does not exist or may not be used gives NULL instead of an error.
Result: as they were written, `required:` included; NULL if the server has no such option.
$$),
('Virtual keys', 'smartcar_virtual_key_required', $$
By [Smartcar's table](https://smartcar.com/docs/help/oem-integrations/tesla/developers), true for every Model 3, Model Y and Cybertruck, and for Model S and Model X from 2021; false for earlier Model S and X, and for other makes.
make, model: in upper or lower case, the model also without its first word ("3"); a trim level may follow ("Model S Plaid").
year: the model year.
Result: NULL if it is not known: without a make, for another model, for a Model S or X without its year.
$$),
('Virtual keys', 'smartcar_virtual_key_url', $$
It is to be opened on the phone that has the Tesla app ([Virtual keys](https://smartcar.com/docs/help/oem-integrations/tesla/virtual-key-tesla)).
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
type, code: as Smartcar writes them, for example VEHICLE_STATE and ASLEEP; code may be NULL. A code that is not in the catalogue counts as most of its type.
Result: NULL for a type that is not in the catalogue.
$$),
('Webhooks', 'smartcar_receive_webhook', $$
It answers a challenge. It applies an event once, however often it is repeated and in whichever order events come: VEHICLE_ERROR begins or ends an error of a connection, VEHICLE_STATE updates Tesla access and virtual key; what changes an action or an error notifies [the channel](#the-notification-channel). Send the result with status 200 and content type application/json.
body: the bytes as they were received, or the same as text, which is converted back to UTF-8. A parameter without a type counts as text, so cast one of bytes to bytea.
signature: the header SC-Signature, made with `management_token` or `management_token_previous` of the user mapping. Challenges are answered with the former.
Result: NULL for what is not signed, for no event, and for an event that was delivered more than a day ago: respond with status 401. Nothing was changed or logged then.
Errors: 55000 without a management token. 40001 in a transaction that is repeatable read or serializable, if another session has just received the same event. Respond with status 401 to 22021 and 22P02, a body that is no text or bytes, and with 503 to every other error, so that Smartcar sends the event again.
$$),
('Webhooks', 'smartcar_verify_webhook', $$
The signature is a hexadecimal HMAC-SHA-256 of the raw bytes, in upper or lower case, compared in constant time; it is made with the argument, or with `management_token` or `management_token_previous` of the user mapping ([Payload verification](https://smartcar.com/docs/integrations/webhooks/payload-verification)).
body: the bytes as they were received, before anything parsed them, or the same as text, which is converted back to UTF-8; NULL gives false. There is no form for jsonb, because that has lost the bytes.
signature: the header; NULL gives false.
Result: never NULL.
Errors: 22023 for an empty token, 55000 if no token is known.
$$),
('Webhooks', 'smartcar_hash_challenge', $$
The result is a hexadecimal HMAC-SHA-256 in lower case ([Callback verification](https://smartcar.com/docs/integrations/webhooks/callback-verification)). It signs anything, also an event: never call it with what comes from outside. `smartcar_receive_webhook` answers challenges by itself.
challenge: the text of the event; NULL gives NULL.
Errors: 22023 for an empty token, 55000 if no token is known.
$$),
('Tokens', 'smartcar_exchange_code', $$
A code is single-use and expires after 10 minutes ([Auth code exchange](https://smartcar.com/docs/api-reference/authorization/auth-code-exchange)). The request is sent once, over a connection of its own; if the response is lost, the owner has to connect again. Call it outside a transaction block, so that no rollback loses the tokens.
code: NULL gives NULL.
redirect_uri: the one of the link; NULL means the option of the server, and without one it is left out.
Errors: SC400 for a code that is refused; the message does not repeat it. 0A000 on a server that uses version 3.
$$),
('Tokens', 'smartcar_refresh_token', $$
The old refresh token expires a minute after its first use ([Refreshing access tokens](https://smartcar.com/docs/api-reference/authorization/refreshing-access-token)), so store the new one before anything else can fail. Within that minute a lost response can be requested again, which happens at once after a server error or a broken connection.
refresh_token: NULL gives NULL.
Errors: SC400 for a token that is refused; the message does not repeat it. 0A000 on a server that uses version 3.
$$),
('Tokens', 'smartcar_get_application_token', $$
It comes from the client credentials api_client_id and api_client_secret ([Request an access token](https://smartcar.com/docs/api-reference/authorization/request-access-token)). The backend keeps it until a minute before it expires. Calls to the v3 API get it by themselves.
$$),
('Calls to Smartcar', 'smartcar_get_user', $$
It is GET /user ([User](https://smartcar.com/docs/api-reference/user)). In version 3 the callback has the id.
access_token: the owner's access token.
Errors: 0A000 on a server that uses version 3.
$$),
('Calls to Smartcar', 'smartcar_get_vehicles', $$
Version 2.0 sends GET /vehicles, version 3 GET /connections, for as many pages as there are.
access_token: the owner's access token; version 2.0 needs one.
user_id: Smartcar's id of the owner; version 3 needs one.
server: as everywhere. In version 3, its option `mode`, or `live` without one, says which vehicles are listed.
$$),
('Calls to Smartcar', 'smartcar_get_vehicle', $$
It sends GET /vehicles/{id}.
Result: mode and powertrain_type only in version 3.
$$),
('Calls to Smartcar', 'smartcar_get_vehicle_many', $$
It is smartcar_get_vehicle for many vehicles at once; the option `max_concurrency` limits how many requests run at a time.
Result: a row for each vehicle, in their order.
$$),
('Calls to Smartcar', 'smartcar_get_permissions', $$
Version 2.0 sends GET /vehicles/{id}/permissions, version 3 GET /connections, for as many pages as there are. smartcar_missing_scopes compares the result with what is wanted.
Result: in version 3, NULL if there is no such connection.
Errors: in version 3, SC004 if several users have connected the vehicle and user_id is NULL.
$$),
('Calls to Smartcar', 'smartcar_get_permissions_many', $$
It is smartcar_get_permissions for many vehicles at once; the option `max_concurrency` limits how many requests run at a time.
Result: a row for each vehicle, in their order.
$$),
('Calls to Smartcar', 'smartcar_get_tesla_access', $$
Version 2.0 sends GET /vehicles/{id}/tesla/user/access, version 3 gets the signals vehicleuseraccount-permissions and vehicleuseraccount-role. smartcar_missing_tesla_permissions compares tesla_scopes with what is wanted.
Result: access_type is OWNER or DRIVER, in version 3 what the signal says; both are NULL where Tesla does not say.
$$),
('Calls to Smartcar', 'smartcar_get_tesla_access_many', $$
It is smartcar_get_tesla_access for many vehicles at once; the option `max_concurrency` limits how many requests run at a time.
Result: a row for each vehicle, in their order.
$$),
('Calls to Smartcar', 'smartcar_get_virtual_key', $$
Version 2.0 sends GET /vehicles/{id}/tesla/virtual_key, version 3 gets the signal connectivitystatus-isdigitalkeypaired.
Result: in version 3, NULL if the signal is not available.
$$),
('Calls to Smartcar', 'smartcar_get_virtual_key_many', $$
It is smartcar_get_virtual_key for many vehicles at once; the option `max_concurrency` limits how many requests run at a time.
Result: a row for each vehicle, in their order.
$$),
('Calls to Smartcar', 'smartcar_get_tesla_migration', $$
It sends GET /vehicles/{id}/tesla/migration. If it is true, the owner has to connect again.
Errors: 0A000 on a server that uses version 3.
$$),
('Calls to Smartcar', 'smartcar_get_signals', $$
It sends GET /vehicles/{id}/signals ([List signals](https://smartcar.com/docs/api-reference/list-signals)), for as many pages as there are: one request for almost every vehicle, however many codes are given. Smartcar documents no filter by code, so codes are compared here.
vehicle_id: NULL gives no rows.
user_id: Smartcar's id of the owner; not NULL.
codes: codes of the [signal schema](https://smartcar.com/docs/api-reference/signals/schema), without NULLs; NULL means all.
Result: a row for each signal that the vehicle has. One that could not be read has no value, the status ERROR, and sqlstate and error, which a typed function about that signal would raise. One without a value has the status UNAVAILABLE and no error. A code that is not there, or does not exist, has no row; neither has a vehicle that no webhook is subscribed to.
Errors: 22004 without a user_id, 0A000 on a server that uses version 2.0.
$$),
('Calls to Smartcar', 'smartcar_get_signals_many', $$
It is smartcar_get_signals for many vehicles at once; the option `max_concurrency` limits how many requests run at a time.
user_ids: one for each vehicle, or one for all; not NULL.
codes: as of smartcar_get_signals.
Result: the rows of each vehicle, in their order. A vehicle that could not be asked about has one row, with sqlstate, error, and no code.
$$),
('Calls to Smartcar', 'smartcar_send_command', $$
It sends POST /vehicles/{id}/commands/{command} ([Commands](https://smartcar.com/docs/api-reference/commands/overview)), once: no response makes it send the command again. Smartcar responds with 202 to a command that takes longer than 175 seconds, and sends the outcome as the body of that response, which is waited for. An error in it is raised like any other, with the SQLSTATE of its type. After SC001, SC003, SC004 or a cancel the command may have been carried out.
vehicle_id: NULL gives NULL, and nothing is sent.
user_id: Smartcar's id of the owner; not NULL.
command: what follows `/commands/` in the path, such as `charge/start`; not NULL.
body: sent as JSON; NULL sends none.
timeout: how long the command may take, up to 10 minutes; NULL means the option `timeout` of the server.
Result: true if the command was carried out; false if it was accepted with 202 and the response does not say what came of it.
Errors: 22004 without a user_id or command, 22023 for a command that cannot be part of a path, 0A000 on a server that uses version 2.0.
$$),
('Calls to Smartcar', 'smartcar_get_connections', $$
Version 2.0 sends GET /management/connections with the management token, version 3 GET /connections, for as many pages as there are.
vehicle_id, user_id, external_id: only connections with it; NULL does not restrict. Version 2.0 knows no external_id.
Errors: 0A000 for an external_id in version 2.0.
$$),
('Calls to Smartcar', 'smartcar_delete_connections', $$
Version 2.0 sends DELETE /management/connections with the management token, version 3 DELETE /connections/{id} for each connection that GET /connections lists. `smartcar_disconnect_vehicle` also updates what is stored here.
vehicle_id, user_id: whose connections; not both NULL.
server: as everywhere. In version 3, its option `mode`, or `live` without one, says among which vehicles.
Result: what was deleted; in version 3 also what somebody else deleted after it was listed.
$$),
('Calls to Smartcar', 'smartcar_get_compatibility', $$
It sends GET /compatibility of version 2.0, with client_id and client_secret, whatever the server's api_version, and ends with version 2.0. Version 3 tells nothing of a single vehicle, but lists models: smartcar_request('GET', '/compatible-vehicles', origin => 'compatibility').
vin: NULL gives NULL.
scope: permissions, known to the extension or not; `required:` is ignored. NULL means the option of the server.
country: two letters by ISO 3166-1; NULL leaves it to Smartcar, which uses US.
Result: reason is Smartcar's word if the vehicle is not compatible; capabilities is a list with an object for each permission.
$$),
('Calls to Smartcar', 'smartcar_get_webhooks', $$
It sends GET /webhooks of the v3 management API ([List webhooks](https://smartcar.com/docs/api-reference/list-webhooks)).
Errors: 0A000 on a server that uses version 2.0.
$$),
('Calls to Smartcar', 'smartcar_subscribe', $$
It sends POST /subscriptions of the v3 management API ([Create subscription](https://smartcar.com/docs/api-reference/create-subscription)). Smartcar makes the subscription a moment later. With the option `webhook_id`, smartcar_finish_connect and smartcar_sync subscribe new vehicles by themselves.
user_id: Smartcar's id of the owner; not NULL.
webhook_id: one of smartcar_get_webhooks; NULL means the option of the server.
Result: false if the vehicle is subscribed already.
Errors: 55000 if no webhook_id is known, 22004 without a user_id, 0A000 on a server that uses version 2.0, SC404 for a webhook or connection that does not exist.
$$),
('Calls to Smartcar', 'smartcar_unsubscribe', $$
It looks for the subscription with GET /subscriptions of the v3 management API, and sends DELETE /subscriptions/{id}. If the list has one that does not say to be what was asked for, nothing is deleted (SC004).
user_id, webhook_id: as of smartcar_subscribe.
Result: false if there was no subscription.
Errors: 55000 if no webhook_id is known, 22004 without a user_id, 0A000 on a server that uses version 2.0.
$$),
('Calls to Smartcar', 'smartcar_request', $$
It returns a response whatever its status; smartcar_parse_error parses that of an error. data_age and fetched_at are those of the headers of version 2.0, or in version 3 those of a single signal; they are NULL for a list of signals, whose times differ.
method: GET, HEAD, POST, PUT, PATCH or DELETE.
path: below the version, such as `/vehicles/.../odometer`; NULL gives NULL.
query: parameters of the URL, an object of texts, numbers and booleans.
body: sent as JSON.
unit_system: `metric` or `imperial`.
origin: which of the server's origins, `api` (v2.0), `vehicle` (v3), `management` (that of the server's api_version: v2.0 with the management token, v3 with the application's access token) or `compatibility` (v3, without credentials); NULL means the one of the server's api_version.
timeout: how long the request with its repeats may take, up to 10 minutes; NULL means the option `timeout` of the server.
$$),
('Calls to Smartcar', 'smartcar_request_many', $$
It is smartcar_request for many paths at once; the option `max_concurrency` limits how many requests run at a time.
method: as of smartcar_request.
paths: below the version, without NULLs; NULL gives no rows.
query, body, unit_system, origin, timeout: as of smartcar_request.
Result: a row for each path, in their order. sqlstate is NULL where there is a response. error is not NULL if there is none, if its status is 400 or more, or if it is 202 and the body has errors.
$$),
('The connection manager', 'smartcar_begin_connect', $$
The state is of 256 random bits; only its SHA-256 is stored.
external_id: the application's own id of the owner, at most 512 bytes; connections can be looked up by it. Version 3 needs it, because it proves whose callback it is.
scope: NULL means the option of the server, and without one what the Smartcar dashboard says.
make, force_prompt: as of smartcar_connect_url.
lifetime: how long the callback is accepted, up to 30 days; not NULL.
$$),
('The connection manager', 'smartcar_begin_reauth', $$
Without a vehicle_id, the link is the one of smartcar_reauth_url and asks for what is missing at Tesla; with one, it is the one of smartcar_reauth_vehicle_url.
external_id: as of smartcar_begin_connect. In version 3, a user of this owner must be known on the server, by a finished session, by smartcar_sync or by smartcar_adopt.
vehicle_id: the vehicle whose owner has to log in again.
scope: as of smartcar_reauth_url.
lifetime: how long the callback is accepted, up to 30 days; not NULL.
Errors: P0002 if no user of the owner is known (version 3); no session is begun then.
$$),
('The connection manager', 'smartcar_finish_connect', $$
It checks the state of the callback, which is single-use and expires, exchanges the code (version 2.0) or checks the user (version 3), stores the result, and requests what Smartcar knows of the vehicles. With the option `webhook_id` it subscribes them in version 3, with a request for each; a failure is a WARNING. The same callback again returns the first result, with 0 requests, and sends nothing.
In version 3 a user is accepted who belongs to the owner of the link here, after an earlier session, smartcar_sync or smartcar_adopt, or whom Smartcar lists with the external_id of the link.
callback: as it was received, see smartcar_parse_callback; not NULL.
expected_external_id: the owner who is logged in. The callback of another owner's session is then refused before anything is sent. This is the defence against CSRF: a state alone does not tell in whose browser the callback arrived. NULL does not check.
status, external_id, user_id, vehicle_ids, error, action: the result; nothing is passed in. status is `finished` or `failed`; if failed, error is the one of the callback, and action what to do about it.
previous_external_id: the owner who had vehicles of this Tesla login before, if it was another one. Each change of owner is also a WARNING, and listeners hear `OWNER_CHANGED`.
requests: how many requests were sent, those for tokens and repeated ones included.
Errors: SCUNK for a state that was never issued, SCUSD for one that another callback has used, SCEXP for one that has expired, SCOWN for one of another owner, SCBSY for a callback that another session is finishing, SCCUT for one whose result was not stored, 22P02 for a malformed callback, SC400 for a code that is refused, 55000 for a callback or credentials of the other version of the API, and in version 2.0 without a key to seal tokens with; nothing was sent then, and the session stays open. If the exchange fails, the session keeps the error; if version 3 cannot be asked about the user, it stays open.
$$),
('The connection manager', 'smartcar_refresh', $$
Any number of sessions may run it at the same time: each claims accounts with a lease, and stores and commits what comes back as it comes. What fails is retried with growing pauses, the first time within seconds, because an old refresh token is valid for a minute after its use. Only a definite refusal sets the status of an account to `reauthenticate`. Accounts whose user could not be found out when their owner connected are asked about again, and their vehicles listed. In version 3, where owners have no tokens, it does nothing, says so with a NOTICE, and returns zeros.
access_within: accounts whose access token expires within this; NULL lets access tokens expire.
refresh_within: accounts whose refresh token expires within this, even if nobody uses them.
max_accounts: at most so many; NULL means all.
refreshed, failed, refused: the result, counts of accounts; failed are those that did not succeed in the end, those whose row was locked all the time among them. Nothing is passed in.
requests: how many requests were sent, repeated ones included.
Errors: 55000 without a key. If Smartcar does not accept the application's credentials, the error of that; every account is then as it was.
$$),
('The connection manager', 'smartcar_sync', $$
It brings vehicles, permissions, Tesla access and virtual keys up to date, of one owner or of the whole application. In version 3 it sends one request for each page of 100 connections, of which GET /connections says how many there are, and one for the signals of each vehicle, except where webhooks have told all three of them since Smartcar was last asked, and within a day. Vehicles about which Smartcar was not asked for the longest time come first. A connection that was on no page is asked for by itself before it is marked as disconnected. With the option `webhook_id` it subscribes, in version 3, vehicles that were not subscribed yet, with a request for each; a failure is a WARNING.
A run for the whole application stops at the first response 429 that is about the application, with a WARNING, and at max_requests, with a NOTICE. The next run goes on where it stopped; a list of connections (v3) that was begun more than a day ago is begun again.
external_id, user_id: the owner; NULL means all of them.
details: whether to request for each vehicle what the list of version 3 does not say; only for the whole application in version 3.
max_requests: at most so many requests; NULL means no limit. A request that is repeated because it failed for the moment can exceed it. Version 2.0 asks about a user with all vehicles, or not at all: 1 request and 4 for each vehicle, so a smaller number than 5 is an error.
max_disconnects: how many connections may be marked as disconnected; NULL means 5, or a tenth of the connected ones if that is more.
synced, failed: the result, counts of users; in version 3 for the whole application, counts of connections. Nothing is passed in. What could not be asked for has failed, for example because of a timeout. What cannot be stored, and what has an id that cannot be part of a request, is warned of, counts as failed and stops nothing else. An owner whose access token has expired counts as failed: call smartcar_refresh first.
disconnected: how many connections were found to be disconnected that were connected before.
requests: how many requests were sent, those for tokens and repeated ones included.
Errors: 54000 if more connections would be disconnected than max_disconnects allows; they are left as they are. Other credentials, another option `mode`, or an empty list by mistake would otherwise ask every owner to connect again.
$$),
('The connection manager', 'smartcar_access_token', $$
It is for requests of your own. Keep it out of statements that are logged.
external_id, user_id: the owner; both NULL give NULL.
Errors: P0002 for an owner who does not exist, 21000 for one with more than one account, 55000 for a token that has expired or an owner who has to connect again, XX001 for a stored token that was changed or moved, 0A000 on a server that uses version 3.
$$),
('The connection manager', 'smartcar_adopt', $$
It gives users who connected without an id of the application's own, as in version 2.0 or elsewhere, their external_id, in their accounts and connections. Nothing is sent, and everything is part of the caller's transaction. smartcar_sync keeps the ids where Smartcar has none; a different id at Smartcar replaces them.
user_ids, external_ids: Smartcar's ids of the users, and of each the application's own id of the owner, at most 512 bytes. The arrays have the same length, and no NULLs. A pair may be there more than once, and several users may have one owner.
adopted: the result, how many users have an owner now whom they did not have before; a repeat changes nothing and returns 0. Nothing is passed in.
replaced: how many of these had another owner. Each is a WARNING, and listeners hear OWNER_CHANGED of each connection.
unknown: how many users the server has neither an account nor a connection of. They are left out with one WARNING; call smartcar_sync first.
Errors: 22004 for a NULL, 2202E for arrays of different lengths or more than one dimension, 22023 for an id that is empty, too long or not one of a user, 21000 for a user with two different external_ids; nothing is changed then.
$$),
('The connection manager', 'smartcar_import_tokens', $$
It seals and stores tokens of version 2.0 that the application has kept itself. Nothing is sent, and everything is part of the caller's transaction: a list with a mistake in it is refused as a whole. Messages name positions and no values. The how-to [Refresh and sync](how-to/refresh-and-sync.md#bring-tokens-that-you-have-kept-yourself) shows how to call it so that no token is logged.
An account gets the tokens of the list if it has no refresh token; or if Smartcar has refused its own (status `reauthenticate`), and that of the list is another; or if its own came from an earlier import and were never refreshed here, and those of the list are newer, by expires_at, and others. Every other account stays as it is: it has the same tokens, or newer ones that Smartcar has given here, or is being refreshed. So an old list can be imported again at any time. A user who was forgotten within 25 hours, by smartcar_forget, after the tokens of the list were given, gets no account, and a WARNING counts these users.
user_ids: Smartcar's ids of the users; no NULLs. A user may be there more than once, with equal values. The five arrays have the same length.
external_ids: of each the application's own id of the owner, at most 512 bytes; NULL keeps what is known. It is stored with the tokens, as by smartcar_adopt. An account that stays as it is keeps its owner; so does one that has an owner, but no tokens, or tokens that Smartcar has refused.
access_tokens: NULL where it is lost; the next smartcar_refresh then gets one.
refresh_tokens: no NULLs, because an owner without one has to connect again. It is taken to expire 60 days after it was given, which is two hours before expires_at.
expires_at: when the access token expires or has expired, also where it is NULL; not the refresh token. It tells how old the tokens are. No NULLs; not before 1970, and at most two hours from now, and five minutes for clocks that differ.
imported: the result, how many accounts have the tokens of the list now that did not have them before. Nothing is passed in.
replaced: how many of these had other tokens.
kept: how many accounts stay as they were. Nobody who was forgotten is counted.
Errors: 0A000 on a server that uses version 3, in which owners have no tokens; 22004 for a NULL; 2202E for arrays of different lengths or more than one dimension; 22023 for an id, token or time that cannot be one, or a token that is both; 54000 for a token longer than 16384 bytes; 21000 for a user with different values, or a token of two users; 55000 without a key. Nothing is changed then.
$$),
('The connection manager', 'smartcar_disconnect_vehicle', $$
Version 2.0 sends DELETE /vehicles/{id}/application, or DELETE /management/connections for one owner; version 3 sends DELETE /connections/{id} for each connection. A vehicle that is not connected is no error in version 3, nor in version 2.0 with a user_id; nor is a connection that somebody else deletes at the same time.
vehicle_id: not NULL.
user_id: the owner, if only theirs is to be disconnected; NULL means every owner of the vehicle.
requests: the result, how many requests were sent. Nothing is passed in.
$$),
('The connection manager', 'smartcar_forget', $$
It is for a request of an owner to be deleted. Sessions go first, so that no link that was given out connects the owner again; a callback that is being finished is waited for, 10 seconds at most. Then it disconnects what Smartcar has, and deletes the accounts, with their tokens, and the connections, with their errors. If it ends without an error, nothing of the owner is left, here or at Smartcar. If it raises one, what was disconnected before that is deleted, the rest stays, and the next call goes on from there.
Version 3 sends GET /connections for the external_id and the option `mode`, which also finds what is not stored here, then for each other user of the owner, and DELETE /connections/{id} for each connection. Version 2.0 sends DELETE /management/connections for each user if the server has a management token. Without one it sends GET /vehicles and DELETE /vehicles/{id}/application with the owner's access token, which must not have expired. Tokens that Smartcar refuses, and has never said whose they are, are deleted with a WARNING.
A connection of which Smartcar says that it does not know it counts as disconnected, but not one of which a gateway says so; one that is marked as disconnected here is not asked about by itself. A connection whose row, or that Smartcar, names another owner stays, with its tokens. One that nobody gives an owner is left, with an error.
A user's list that was requested before does not bring the owner back. Webhook events store no new vehicle of the user for 25 hours; smartcar_sync does, if the owner has connected again.
external_id: the application's own id of the owner. It need not be known here; then the counts are 0. Stop making links for the owner first.
disconnected: the result, how many connections were disconnected at Smartcar. Nothing is passed in.
accounts, connections, sessions: how many rows were deleted.
requests: how many requests were sent, those for tokens and repeated ones included.
Errors: 22004 if external_id is NULL or empty, SCBSY for a callback that is still being finished, 55000 for an owner of version 2.0 who has no token that can be used, on a server without a management token, 55006 if something of the owner was stored meanwhile, SC004 for a connection that cannot be identified; else that of the first request that has failed, for example SC429 if Smartcar allows no more at present. Each vehicle that could not be disconnected is a WARNING.
$$),
('The connection manager', 'smartcar_reseal_tokens', $$
Call it after a new key was put into the file; the old key can be removed then. It waits for accounts that are being refreshed. Tokens that cannot be opened, because they were changed or moved or their key is missing, are a WARNING and stay as they are. In version 3 it does nothing, and says so with a NOTICE.
Errors: 55000 in the end, if there were such tokens; all others are sealed with the new key then.
$$),
('The connection manager', 'smartcar_grant', $$
The extension makes no roles of its own. No kind can read a token.
role_name: the role.
kind: `application`, to begin and finish sessions, receive webhooks and read smartcar_status, smartcar_todo and smartcar_trouble; `operator`, to refresh, sync, adopt, import tokens, disconnect, forget and reseal, and to read these views and smartcar_job_run; `reader`, to read the four views and nothing else.
server: the SERVER on which the role gets USAGE.
Result: NULL and nothing granted if an argument is NULL.
Errors: 22023 for another kind, 42704 for a role or server that does not exist, 42501 for a caller who may not grant this.
$$),
('Internal functions', 'smartcar_tesla.known_permissions', $$
They are those of [Smartcar's page](https://smartcar.com/docs/api-reference/permissions), the ones of the Tesla page first and in its order. Links take these and what the server option `extra_scopes` adds.
$$),
('Internal functions', 'smartcar_tesla.facts_hash', $$
An index of smartcar_tesla.connection is made of it, by which smartcar_todo finds its rows.
status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired, server: as in smartcar_tesla.connection.
Result: a hash. What the option `scope` of the server says has no part in it.
$$),
('Internal functions', 'smartcar_tesla.next_action', $$
The views smartcar_status and smartcar_todo call it with the columns of smartcar_tesla.connection.
status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired: what is known of the connection; NULL for what is not.
server: whose option `scope` says what is wanted; NULL means the one that the setting names.
Result: `connect` if it is disconnected; else error_action, unless that is `retry`; else `update_access` while Tesla permissions are missing; `connect` while only scopes of Smartcar are missing; `add_virtual_key`, or `ask_owner` for a driver's account, while a key is not paired that the vehicle needs or, for an unknown model from 2021 on, is taken to need; else `retry` if that is error_action, or `none`. Without the server, what is missing is not known: then it is NULL, unless the vehicle is disconnected or has an error_action.
$$),
('Internal functions', 'smartcar_tesla.action_url', $$
For update_access and, with the vehicle, for reauthenticate it is the link without a callback, so that tokens stay as they are and no session has to be begun; for add_virtual_key that of Smartcar's response or of the server.
action, external_id, vehicle_id, error_url, server: as in smartcar_status and smartcar_tesla.connection.
Result: NULL where no link helps, or a session has to be begun, as for connect.
$$),
('Internal functions', 'smartcar_tesla.may_use', $$
Result: true with USAGE on it and for superusers; false if it does not exist, except for superusers.
$$),
('Internal functions', 'smartcar_tesla.is_being_finished', $$
The view smartcar_trouble calls it. It looks for the advisory lock that smartcar_finish_connect holds on this server; a standby has no locks of its primary.
state_hash: the column of smartcar_tesla.session.
$$),
('The installation', 'smartcar_info', $$
server: NULL means the one that the setting names; if it does not exist, only the versions are returned.
Result: source is `library`, `database`, `argument`, `server`, `user mapping`, `default` or `setting`. The row `here` names the current database as the option `only_in` does. Times are in milliseconds, sizes in bytes. Of a secret only whether it is set is shown.
$$),
('The installation', 'smartcar_tesla_validator', $$
There is no need to call it.
options, catalog: what PostgreSQL passes.
Errors: HV00D for an unknown option, 22023 for a value that is not acceptable, 42501 for an option that only superusers may set.
$$);
