-- Part of doc/reference.sql: the SQLSTATEs.  tools/reference.sh compares them with
-- what the sources can raise and with what the comments of functions name.

CREATE TEMP TABLE sqlstate (place serial, code text PRIMARY KEY, condition text, meaning text, remedy text);
INSERT INTO sqlstate (code, condition, meaning, remedy) VALUES
	('SC001', '', 'there was no connection to Smartcar, it broke, or TLS could not be negotiated', 'call again; a request that is not a question may have been carried out, and the HINT says so'),
	('SC002', '', 'the certificate of the server that answered is not to be trusted', 'look at who answers, and at the option `ca_file`'),
	('SC003', '', 'the time was up; DETAIL says in which phase and after how long', 'as SC001; HINT says which option changes it'),
	('SC004', '', 'the response cannot be used: too large, not JSON, not UTF-8, about another vehicle, or not what the endpoint should say', 'call again once; if it stays, look at the response with `smartcar_request`'),
	('SC4xx', '', 'Smartcar refused: `SC` and the HTTP status, type and code in the message, the request id in DETAIL', 'HINT says what to do, with the link where one helps'),
	('SC5xx', '', 'Smartcar or Tesla could not, in the same form', 'the same; mostly, call again later'),
	('SC3xx', '', 'Smartcar redirected, which is never followed', 'look at the origins of the server'),
	('SCUNK', '', 'a callback whose state was never issued for the server, or that has none', 'nothing was changed; it may be forged: offer a new link'),
	('SCUSD', '', 'a callback whose state was already used by another callback', 'nothing was changed; offer a new link'),
	('SCEXP', '', 'a callback whose state has expired', 'nothing was changed; offer a new link'),
	('SCOWN', '', 'a callback of a session of another owner than `expected_external_id`', 'nothing was changed; offer the owner who is logged in a link of their own'),
	('SCBSY', '', 'a callback that another session is finishing', 'use it again in a few seconds: it returns the result'),
	('SCCUT', '', 'a callback that was used, but the server or the session ended before its result was stored', 'the owner has to connect again'),
	('01000', 'warning', 'only a WARNING: a login at Tesla that serves a second owner; a `virtual_key_url` that does not lead to Tesla was dropped; or a libcurl that lacks asynchronous DNS resolution, or is older than 7.87 and waits for that thread, so that a cancel has to wait for that', 'take the key''s link from `smartcar_virtual_key_url`; install libcurl 7.87 or later with a threaded resolver'),
	('0A000', 'feature_not_supported', 'this version of Smartcar''s API has no such call', 'look at the option `api_version`'),
	('21000', 'cardinality_violation', 'an owner has more than one account', 'pass `user_id`'),
	('22004', 'null_value_not_allowed', 'a NULL within an array, or for an argument that is needed', 'pass a value'),
	('22021', 'character_not_in_repertoire', 'bytes that are not UTF-8, in a database with encoding SQL_ASCII', 'use a database with encoding UTF8'),
	('22023', 'invalid_parameter_value', 'a value or argument that is not acceptable; a secret file or key file that holds no secret or key', 'DETAIL says what would be'),
	('2202E', 'array_subscript_error', 'an array of more than one dimension, or arrays of different lengths', 'pass one value for each element'),
	('22P02', 'invalid_text_representation', 'a callback that could be read in two ways or is not text', 'drop it: Smartcar sends no such callback'),
	('22P05', 'untranslatable_character', 'a character that the encoding of the database does not have', 'use a database with encoding UTF8'),
	('25001', 'active_sql_transaction', 'a procedure of the connection manager inside a transaction block', 'call it as a statement of its own, with autocommit'),
	('38000', 'external_routine_exception', 'OpenSSL could not compute a signature', 'look at the installation of OpenSSL'),
	('40001', 'serialization_failure', 'an event that another session has just received, in a transaction that is repeatable read or serializable', 'answer 503, so that Smartcar repeats it; use read committed'),
	('42501', 'insufficient_privilege', 'no USAGE on a server, no EXECUTE on a function, an option for superusers, a secret file that others may read', 'grant it, or mend the mode of the file'),
	('42704', 'undefined_object', 'a server or role that does not exist', 'HINT has the statement that makes a server'),
	('42804', 'datatype_mismatch', 'a function that was declared otherwise than by the extension', 'ALTER EXTENSION smartcar_tesla UPDATE'),
	('42809', 'wrong_object_type', 'a server of another wrapper, or a secret file that is no regular file', 'name the right one'),
	('53200', 'out_of_memory', 'there was no memory', 'call again'),
	('54000', 'program_limit_exceeded', 'a link of more than 32768 bytes, or an array too large', 'ask for less at once'),
	('55000', 'object_not_in_prerequisite_state', 'an option that the call needs is missing; credentials or a callback are of the other version of the API than the server''s `api_version`; there is no key to seal tokens with; a token has expired, or its owner has to connect again', 'HINT has the statement'),
	('55006', 'object_in_use', 'something of an owner was stored while smartcar_forget asked Smartcar', 'call it again'),
	('55P03', 'lock_not_available', 'an ERROR: the table of accounts was locked for 20 seconds while smartcar_refresh wanted to read it; a WARNING: a row was locked for so long that it could not be stored', 'call it again'),
	('57014', 'query_canceled', 'the statement was canceled, or `statement_timeout` was up', ''),
	('58000', 'system_error', 'libcurl could not be set up', 'look at the installation of libcurl'),
	('58P01', 'undefined_file', 'a secret file or key file that is not there', 'make it'),
	('P0002', 'no_data_found', 'an owner who is not there', '`smartcar_begin_connect` makes the link that connects one'),
	('HV00D', 'fdw_invalid_option_name', 'an option that does not exist, or not there', 'HINT has the one that was perhaps meant'),
	('XX000', 'internal_error', 'OpenSSL or PostgreSQL could not do what they always can', 'report it'),
	('XX001', 'data_corrupted', 'a stored token that was changed, moved from another row, or sealed with another key of the same id', 'restore it, or let the owner connect again');

\qecho '## SQLSTATEs'
\qecho
\qecho 'No message holds a secret, a code, or the text of a callback. Those that begin with `SC` are the extension''s own; as no error has the code'
\qecho '`SC000`, PL/pgSQL takes `WHEN SQLSTATE ''SC000''` for the whole class. [Troubleshoot](how-to/troubleshoot.md) goes from what you see to what to do.'
\qecho
\qecho 'Of the refusals, Smartcar documents 401, 403, 404, 409, 429, 430, 500, 501 and 502. A signal of version 3 that could not be read counts as'
\qecho 'the status that its type of error has in version 2.0.'
\qecho
\qecho '| SQLSTATE | condition | when | what to do |'
\qecho '| --- | --- | --- | --- |'
SELECT format('| `%s` | %s | %s | %s |', code, condition, meaning, remedy) FROM sqlstate ORDER BY place;
