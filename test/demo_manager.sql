--
-- demo_manager.sql: the same owner with the connection manager, which stores sessions
-- and vehicles in its own tables; and in v2.0, where it also stores the tokens of owners.
--
-- test/demo.sh runs this in a database of its own, with the variable "sandbox" set to
-- the address of the local Smartcar in test/sandbox, and "key_file" to a file with a key
-- to seal tokens with.
--

\set QUIET on
\pset pager off
\pset footer off
\pset border 1
\pset null ''

\set response `curl -sS -X POST :'sandbox'/sandbox/reset`
CREATE EXTENSION smartcar_tesla;
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_user_profile read_odometer read_location control_charge',
	connect_origin :'sandbox', iam_origin :'sandbox', vehicle_origin :'sandbox');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret',
	management_token 'sandbox-management-token');

\echo
\echo '== 9. With the connection manager: a link, the owner, and one procedure for the callback'
\echo
SELECT smartcar_begin_connect('owner-7') AS link \gset
\set callback `curl -sS -o /dev/null -w '%{redirect_url}' -d owner=ada -d tesla_permission=vehicle_device_data -d tesla_permission=user_data :'link'`
\echo 'CALL smartcar_finish_connect(callback);'
\pset expanded on
CALL smartcar_finish_connect(:'callback');
\pset expanded off

\echo '== 10. A view shows what the owner still has to do, with the link'
\echo
SELECT external_id, model, array_to_string(missing_scopes, E'\n') AS missing_scopes,
	   array_to_string(missing_tesla_permissions, E'\n') AS missing_at_tesla, action
FROM smartcar_status;
\pset tuples_only on
\pset format unaligned
SELECT replace(action_url, '&', E'\n  &') FROM smartcar_status;
\pset format aligned
\pset tuples_only off

\echo
\echo '== 11. The owner ticks the rest and adds the key, and nothing is to be done'
\echo
SELECT smartcar_begin_reauth('owner-7') AS link \gset
\set callback `curl -sS -o /dev/null -w '%{redirect_url}' -d owner=ada -d tesla_permission=all -d pair=36ab27d0-fd9d-4455-823a-ce30af709ffc :'link'`
\pset tuples_only on
CALL smartcar_finish_connect(:'callback') \g /dev/null
\pset tuples_only off
SELECT external_id, model, missing_scopes, missing_tesla_permissions AS missing_at_tesla,
	   virtual_key_paired AS has_key, action
FROM smartcar_status;

\echo '== 12. A webhook: the owner has changed their password at Tesla'
\echo
\set event '{"eventId": "e-1", "eventType": "VEHICLE_ERROR", "data": {"user": {"id": "725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11"}, "vehicle": {"id": "36ab27d0-fd9d-4455-823a-ce30af709ffc"}, "errors": [{"type": "CONNECTED_SERVICES_ACCOUNT", "code": "AUTHENTICATION_FAILED", "state": "ERROR"}]}}'
SELECT smartcar_receive_webhook(convert_to(:'event', 'UTF8'),
	smartcar_hash_challenge(:'event')) IS NOT NULL AS "it is signed, so it counts";
SELECT external_id, error_code, action FROM smartcar_status;

\echo '== 13. Version 2.0 of the API: owners have tokens, which are sealed and refreshed'
\echo
\set response `curl -sS -X POST :'sandbox'/sandbox/reset`
CREATE SERVER smartcar_v2 FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	api_version '2.0',
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_user_profile read_odometer read_location control_charge',
	connect_origin :'sandbox', auth_origin :'sandbox', api_origin :'sandbox',
	token_key_file :'key_file');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar_v2 OPTIONS (client_secret 'sandbox-client-secret');
SELECT smartcar_begin_connect('owner-8', server => 'smartcar_v2') AS link \gset
\set callback `curl -sS -o /dev/null -w '%{redirect_url}' -d owner=ben -d tesla_permission=all :'link'`
\pset expanded on
CALL smartcar_finish_connect(:'callback', server => 'smartcar_v2');
\pset expanded off
CALL smartcar_refresh(access_within => '1 day', server => 'smartcar_v2');
SELECT external_id, model, missing_scopes, virtual_key_required AS needs_key, virtual_key_paired AS has_key, action
FROM smartcar_status WHERE server = 'smartcar_v2';
