-- Prints doc/reference.md from the catalog and from what the extension answers, so
-- that the manual cannot say anything else than \df+ does.
--
--   psql -qAtX -f doc/reference.sql > doc/reference.md     (as a superuser, with the extension created)
--
-- What cannot be asked for is written here: the subjects of the functions, and in
-- reference_options.sql, reference_errors.sql and reference_sqlstates.sql what
-- options are for, which errors there are and what SQLSTATEs mean.  What is missing there, or too many, is an error.

\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid
	FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'smartcar_tesla';

-- A comment is lines; the first says what the object is, the others "word: ..." become a list.
CREATE FUNCTION pg_temp.markdown(comment text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE
			WHEN line ~ '^(Result|Errors): ' THEN E'\n**' || replace(substring(line FROM '^[A-Za-z]+: '), ': ', '') || '.** ' || substring(line FROM '^[A-Za-z]+: (.*)$')
			WHEN line ~ '^[a-z_, ]+: ' THEN E'- `' || replace(substring(line FROM '^([a-z_, ]+): '), ', ', '`, `') || '`: ' || substring(line FROM '^[a-z_, ]+: (.*)$')
			ELSE line || E'\n' END, E'\n' ORDER BY number)
	FROM regexp_split_to_table(comment, E'\n') WITH ORDINALITY AS l (line, number)
$$;

-- Ends the script: what is written here does not fit the extension.
CREATE FUNCTION pg_temp.stop_if(problem text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION '%', problem;
	END IF;
END
$$;

-- The functions by subject, in the order of the index.
CREATE TEMP TABLE subject (place serial, title text, functions text[]);
INSERT INTO subject (title, functions) VALUES
	('Links', '{smartcar_connect_url,smartcar_reauth_url,smartcar_reauth_vehicle_url,smartcar_complete_reauth_url}'),
	('The callback', '{smartcar_parse_callback}'),
	('Permissions', '{smartcar_known_permissions,smartcar_tesla_permission,smartcar_tesla_scope,smartcar_tesla_permissions,smartcar_has_scopes,smartcar_missing_scopes,smartcar_missing_tesla_permissions,smartcar_add_required,smartcar_server_scopes}'),
	('Virtual keys', '{smartcar_virtual_key_required,smartcar_virtual_key_url}'),
	('Errors', '{smartcar_parse_error,smartcar_error_action}'),
	('Webhooks', '{smartcar_receive_webhook,smartcar_verify_webhook,smartcar_hash_challenge}'),
	('Tokens', '{smartcar_exchange_code,smartcar_refresh_token,smartcar_get_application_token,smartcar_token_expired}'),
	('Calls to Smartcar', '{smartcar_get_user,smartcar_get_vehicles,smartcar_get_vehicle,smartcar_get_permissions,smartcar_get_tesla_access,smartcar_get_virtual_key,smartcar_get_tesla_migration,smartcar_get_connections,smartcar_delete_connections,smartcar_disconnect,smartcar_get_compatibility,smartcar_request}'),
	('The connection manager', '{smartcar_begin_connect,smartcar_begin_reauth,smartcar_finish_connect,smartcar_refresh,smartcar_sync,smartcar_access_token,smartcar_disconnect_vehicle,smartcar_reseal_tokens,smartcar_grant}'),
	('Called by smartcar_status', '{smartcar_next_action,smartcar_action_url,smartcar_wanted_scopes,smartcar_may_use}'),
	('The installation', '{smartcar_info,smartcar_tesla_validator}');

CREATE TEMP VIEW routine AS
	SELECT p.*, count(*) OVER named > 1 AND row_number() OVER (PARTITION BY p.proname ORDER BY p.oid) > 1 AS is_second
	FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	WINDOW named AS (PARTITION BY p.proname);

SELECT pg_temp.stop_if('doc/reference.sql has no subject for, or the extension has no: ' || string_agg(COALESCE(r.proname, s.name), ', '))
	FROM (SELECT DISTINCT proname::text FROM routine) r FULL JOIN (SELECT unnest(functions) FROM subject) s (name) ON r.proname = s.name
	WHERE r.proname IS NULL OR s.name IS NULL \g /dev/null

\qecho '# Reference'
\qecho
\qecho 'Every function, procedure, type, view, table, option, setting, channel and SQLSTATE of the extension, to look up.'
\qecho
\qecho 'Made by doc/reference.sql from the catalog and from what the extension answers; do not edit.'
\qecho
SELECT '- [' || title || '](#' || replace(lower(title), ' ', '-') || ')'
	FROM (VALUES ('Functions and procedures'), ('Types'), ('Views'), ('Tables'), ('Options of a server'), ('Options of a user mapping'),
		('The setting'), ('The notification channel'), ('Permissions and what they need at Tesla'), ('Errors and what to do about them'), ('SQLSTATEs')) AS part (title);
\qecho
\qecho '## Functions and procedures'
\qecho
\qecho '| subject | functions and procedures |'
\qecho '| --- | --- |'
SELECT '| ' || title || ' | ' || (SELECT string_agg('[' || name || '](#' || name || ')', ', ' ORDER BY number) FROM unnest(functions) WITH ORDINALITY AS f (name, number)) || ' |'
	FROM subject ORDER BY place;
\qecho
SELECT '### ' || p.proname || CASE WHEN is_second THEN ', ' || COALESCE((SELECT string_agg('for ' || format_type(argument, NULL), '' ORDER BY number)
		FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (argument, number)
		WHERE number = COALESCE((SELECT min(n) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS b (t, n) WHERE format_type(t, NULL) LIKE '%[]'), 1)), '') ELSE '' END ||
	E'\n\n```\n' || p.proname || '(' ||
	replace(pg_get_function_arguments(p.oid), ', ', E',\n    ') || ')' || COALESCE(' → ' || pg_get_function_result(p.oid), '') || E'\n```\n\n' ||
	CASE WHEN p.prokind = 'p' THEN 'Procedure' ELSE CASE p.provolatile WHEN 'i' THEN 'Immutable' WHEN 's' THEN 'Stable' ELSE 'Volatile' END ||
	CASE p.proparallel WHEN 's' THEN ', parallel safe' WHEN 'r' THEN ', parallel restricted' ELSE ', parallel unsafe' END ||
	CASE WHEN p.proisstrict THEN ', strict' ELSE '' END END ||
	CASE WHEN EXISTS (SELECT FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0) THEN '; anyone may call it' ELSE '; granted to nobody at first' END || E'.\n\n' ||
	pg_temp.markdown(obj_description(p.oid, 'pg_proc')) || E'\n'
FROM routine p
ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C";

\qecho '## Types'
\qecho
SELECT '### ' || t.typname || E'\n\n' || obj_description(t.oid, 'pg_type') || E'\n\n' ||
	CASE t.typtype WHEN 'e' THEN
		(SELECT string_agg('- `' || enumlabel || '`', E'\n' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
	ELSE
		E'| field | type | meaning |\n| --- | --- | --- |\n' ||
		(SELECT string_agg('| `' || attname || '` | ' || format_type(atttypid, atttypmod) || ' | ' || col_description(attrelid, attnum) || ' |', E'\n' ORDER BY attnum)
		 FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped)
	END || E'\n'
FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
-- from 17 on, the types that come with another type or a view are members too
WHERE obj_description(t.oid, 'pg_type') IS NOT NULL
ORDER BY t.typname COLLATE "C";

\qecho '## Views'
\qecho
SELECT '### ' || c.relname || E'\n\n' || obj_description(c.oid, 'pg_class') || E'\n\n| column | type | meaning |\n| --- | --- | --- |\n' ||
	(SELECT string_agg('| `' || attname || '` | ' || format_type(atttypid, atttypmod) || ' | ' || col_description(attrelid, attnum) || ' |', E'\n' ORDER BY attnum)
	 FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) || E'\n'
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'v'
ORDER BY c.relname COLLATE "C";

\qecho '## Tables'
\qecho
\qecho 'They belong to the owner of the extension, and nobody else has rights on them. Read `smartcar_status` instead.'
\qecho
SELECT '### ' || c.relname || E'\n\n' || obj_description(c.oid, 'pg_class') || E'\n\n| column | type | default | meaning |\n| --- | --- | --- | --- |\n' ||
	(SELECT string_agg('| `' || attname || '` | ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END || ' | ' ||
			COALESCE('`' || pg_get_expr(d.adbin, d.adrelid) || '`', '') || ' | ' || col_description(attrelid, attnum) || ' |', E'\n' ORDER BY attnum)
	 FROM pg_attribute LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
	 WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) || E'\n\n' ||
	(SELECT string_agg('- ' || replace(pg_get_constraintdef(k.oid), '''', ''''), E'\n' ORDER BY k.contype DESC, k.conname COLLATE "C")
	 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'c')) || E'\n'
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'r'
ORDER BY c.relname COLLATE "C";

\ir reference_options.sql

\qecho '## The setting'
\qecho
-- the library is loaded by now
SELECT '`' || name || '`: ' || short_desc || ' ' || extra_desc || ' The default is `' || boot_val || '`; ' ||
	CASE context WHEN 'user' THEN 'any role may set it' ELSE 'context ' || context END || E'.\n'
FROM pg_settings WHERE name LIKE 'smartcar\_tesla.%' ORDER BY name;
\qecho 'A server that the setting names need not exist as long as the arguments say everything; one that exists needs USAGE.'
\qecho
\qecho '## The notification channel'
\qecho
\qecho '`smartcar_tesla`: after each event that `smartcar_receive_webhook` applies, a JSON object for each connection of the vehicle, with'
\qecho '`server`, `event` (the `eventType`), `user_id`, `vehicle_id`, `external_id` and `action` (what `smartcar_status` now says).'
\qecho

\ir reference_errors.sql
\ir reference_sqlstates.sql
