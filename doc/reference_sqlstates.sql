-- Part of doc/reference.sql: the SQLSTATEs.  tools/reference.sh compares them with
-- what the sources can raise and with what the comments of functions name.

CREATE TEMP TABLE sqlstate (place serial, code text PRIMARY KEY, condition text, meaning text, remedy text);
INSERT INTO sqlstate (code, condition, meaning, remedy) VALUES
	('SC001', '', 'could not connect to Smartcar, the connection was lost, or TLS could not be negotiated', 'call again; if the request may have been carried out, the HINT says so'),
	('SC002', '', 'the certificate of the server is not trusted', 'check the origin and the option `ca_file`'),
	('SC003', '', 'timeout; DETAIL says in which phase and after how long', 'as SC001; HINT says which option to change'),
	('SC004', '', 'the response cannot be used: too large, not JSON, not UTF-8, about another vehicle, or not what the endpoint should say', 'call again; if it is raised again, look at the response with `smartcar_request`'),
	('SC4xx', '', 'Smartcar refused: `SC` and the HTTP status; type and code in the message, the request id in DETAIL', 'HINT says what to do, with a link if one helps'),
	('SC5xx', '', 'Smartcar or Tesla failed; message and DETAIL as for SC4xx', 'mostly, call again later'),
	('SC3xx', '', 'Smartcar sent a redirect, which is never followed', 'check the origins of the server'),
	('SCUNK', '', 'a callback whose state was never issued for the server, or that has none', 'nothing was changed; it may be forged: offer a new link'),
	('SCUSD', '', 'a callback whose state was already used by another callback', 'nothing was changed; offer a new link'),
	('SCEXP', '', 'a callback whose state has expired', 'nothing was changed; offer a new link'),
	('SCOWN', '', 'a callback of a session of another owner than `expected_external_id`', 'nothing was changed; offer the owner who is logged in a link of their own'),
	('SCBSY', '', 'a callback that another session is finishing', 'use it again in a few seconds: it returns the result'),
	('SCCUT', '', 'a callback that was used, but the server or the session ended before its result was stored', 'the owner has to connect again'),
	('01000', 'warning', 'only a WARNING: a Tesla login that is used for a second owner; a `virtual_key_url` that does not lead to Tesla and was dropped; or a libcurl in which a cancel has to wait for DNS resolution', 'use the link of `smartcar_virtual_key_url`; install libcurl 7.87 or later with a threaded resolver'),
	('0A000', 'feature_not_supported', 'this version of Smartcar''s API does not have the call', 'check the option `api_version`'),
	('21000', 'cardinality_violation', 'an owner with more than one account; a user with different values in one list', 'pass `user_id`; pass each user once'),
	('22004', 'null_value_not_allowed', 'a NULL within an array, or for an argument that is needed', 'pass a value'),
	('22021', 'character_not_in_repertoire', 'bytes that are not UTF-8, in a database with encoding SQL_ASCII', 'use a database with encoding UTF8'),
	('22023', 'invalid_parameter_value', 'an invalid value or argument; a secret file or key file that contains no secret or key', 'DETAIL says what is valid'),
	('2202E', 'array_subscript_error', 'an array of more than one dimension, or arrays of different lengths', 'pass one value for each element'),
	('22P02', 'invalid_text_representation', 'a callback that is ambiguous or is not text', 'ignore it: Smartcar sends no such callback'),
	('22P05', 'untranslatable_character', 'a character that the encoding of the database does not have', 'use a database with encoding UTF8'),
	('25001', 'active_sql_transaction', 'a procedure of the connection manager inside a transaction block', 'call it as a statement of its own, with autocommit'),
	('38000', 'external_routine_exception', 'OpenSSL could not compute a signature', 'check the installation of OpenSSL'),
	('40001', 'serialization_failure', 'an event that another session has just received, in a transaction that is repeatable read or serializable', 'respond with 503, so that Smartcar repeats it; use read committed'),
	('42501', 'insufficient_privilege', 'no USAGE on a server, no EXECUTE on a function, an option for superusers, a secret file that others may read', 'grant it, or change the mode of the file'),
	('42704', 'undefined_object', 'a server or role that does not exist', 'correct the name; for the server of the setting, HINT has the statement that creates it'),
	('42804', 'datatype_mismatch', 'the declaration of a function differs from that in the extension', 'ALTER EXTENSION smartcar_tesla UPDATE'),
	('42809', 'wrong_object_type', 'a server of another wrapper, or a secret file that is not a regular file', 'name the right one'),
	('53200', 'out_of_memory', 'out of memory', 'call again'),
	('54000', 'program_limit_exceeded', 'a link of more than 32768 bytes, an array or a token that is too large, or more connections to disconnect than `max_disconnects`', 'pass less at once; HINT says more'),
	('55000', 'object_not_in_prerequisite_state', 'an option that is needed is missing; credentials or a callback are of the other version of the API than `api_version` of the server; there is no key to seal tokens with; a token has expired, or its owner has to connect again', 'HINT has the statement'),
	('55006', 'object_in_use', 'data of an owner was stored while smartcar_forget was running', 'call it again'),
	('55P03', 'lock_not_available', 'as an ERROR: smartcar_refresh waited 20 seconds for a lock on the table of accounts; as a WARNING: a row was locked for too long and could not be stored', 'call it again'),
	('57014', 'query_canceled', 'the statement was canceled, or reached `statement_timeout`', ''),
	('58000', 'system_error', 'libcurl could not be initialized', 'check the installation of libcurl'),
	('58P01', 'undefined_file', 'a secret file or key file that does not exist', 'create it'),
	('P0002', 'no_data_found', 'an owner who does not exist', '`smartcar_begin_connect` makes the link that connects one'),
	('HV00D', 'fdw_invalid_option_name', 'an option that does not exist, or not for this object', 'HINT has the option that was probably meant'),
	('XX000', 'internal_error', 'a failure of OpenSSL or PostgreSQL that should not occur', 'report it'),
	('XX001', 'data_corrupted', 'a stored token that was changed, moved from another row, or sealed with another key of the same id', 'restore it, or let the owner connect again');

\qecho '## SQLSTATEs'
\qecho
\qecho 'No message has a secret, a code, or the text of a callback. SQLSTATEs that begin with `SC` are the extension''s own; in PL/pgSQL,'
\qecho '`WHEN SQLSTATE ''SC000''` catches the whole class. [Troubleshoot](how-to/troubleshoot.md) goes from symptoms to remedies.'
\qecho
\qecho 'Smartcar documents the statuses 401, 403, 404, 409, 429, 430, 500, 501 and 502. A signal of version 3 that could not be read has'
\qecho 'the status of its type of error in version 2.0.'
\qecho
\qecho '| SQLSTATE | condition | when | what to do |'
\qecho '| --- | --- | --- | --- |'
SELECT format('| `%s` | %s | %s | %s |', code, condition, meaning, remedy) FROM sqlstate ORDER BY place;
