--
-- In a database whose encoding is not UTF-8, links, callbacks and signatures are
-- either right or refused
--

\set ON_ERROR_STOP on
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_smartcar_latin1;
DROP DATABASE IF EXISTS regress_smartcar_ascii;
RESET client_min_messages;
CREATE DATABASE regress_smartcar_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE regress_smartcar_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\set ON_ERROR_STOP off
\set previous :DBNAME

\c regress_smartcar_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION smartcar_tesla;
\pset format unaligned
\pset tuples_only on
SELECT octet_length('é');
SELECT smartcar_connect_url('{read_vin}', 'é ÿ', client_id => 'app', external_id => 'Zoë');
SELECT smartcar_connect_url('{read_vin}', 'é' || i, client_id => 'app', flags => '{"ü": "ö"}') FROM generate_series(1, 2) AS i;
SELECT smartcar_reauth_vehicle_url('v', 'é', redirect_uri => 'https://example.com/', client_id => 'app');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/x?a=b', 'é', redirect_uri => 'https://example.com/');
SELECT (smartcar_parse_callback('state=%C3%A9&external_id=' || 'Zoë')).*;
SELECT octet_length((smartcar_parse_callback('state=%C3%A9')).state);
-- € is not in LATIN1
\set VERBOSITY sqlstate
SELECT (smartcar_parse_callback('state=%E2%82%AC')).state;
SELECT (smartcar_parse_callback('state=%E9')).state;
SELECT (smartcar_parse_error('{"type": "X", "description": "\u20ac"}')).description;
\set VERBOSITY default
SELECT (smartcar_parse_error('{"type": "X", "description": "\u00e9 é"}')).description;
-- HMAC-SHA-256 with key amt over the UTF-8 of é, computed elsewhere
SELECT smartcar_hash_challenge('é', 'amt') = '4f0ccf3e119c96ef3d2e77565243a0fc9b56ad4af1a4b3a1430cfb95b4e4c8fb';
SELECT smartcar_verify_webhook('é', smartcar_hash_challenge('é', 'amt'), 'amt'), smartcar_verify_webhook('\xc3a9'::bytea, smartcar_hash_challenge('é', 'amt'), 'amt'),
	smartcar_verify_webhook('\xe9'::bytea, smartcar_hash_challenge('é', 'amt'), 'amt');
SELECT smartcar_missing_scopes('{}', '{réad}');
SELECT smartcar_tesla_scope(repeat('é', 65));

\c regress_smartcar_ascii
CREATE EXTENSION smartcar_tesla;
SET client_encoding = 'SQL_ASCII';
SELECT octet_length('é');
SELECT smartcar_connect_url('{read_vin}', 'é', client_id => 'app');
SELECT smartcar_connect_url('{read_vin}', E'\xe9', client_id => 'app');
SELECT (smartcar_parse_callback('state=%C3%A9')).state = 'é';
SELECT (smartcar_parse_callback('state=%E2%82%AC')).state = '€';
\set VERBOSITY terse
SELECT (smartcar_parse_callback('state=%E9')).state;
SELECT (smartcar_parse_callback(E'state=\xe9')).state;
SELECT (smartcar_parse_callback(E'state=\xc3%A9')).state = 'é';
SELECT (smartcar_parse_error('{"type": "X", "description": "\u00e9"}')).description;
SELECT (smartcar_parse_error('{"type": "X", "description": "\u0041"}')).description;
SELECT smartcar_hash_challenge(E'\xe9', 'amt');
\set VERBOSITY default
SELECT smartcar_verify_webhook('\xe9'::bytea, smartcar_hash_challenge('x', 'amt'), 'amt');
SELECT smartcar_hash_challenge('é', 'amt') = '4f0ccf3e119c96ef3d2e77565243a0fc9b56ad4af1a4b3a1430cfb95b4e4c8fb';

\c :previous
DROP DATABASE regress_smartcar_latin1;
DROP DATABASE regress_smartcar_ascii;
