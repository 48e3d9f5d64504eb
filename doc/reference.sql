-- Prints doc/reference.md from the catalog and from what the extension answers, so
-- that the manual cannot say anything else than \df+ does.
--
--   psql -qAtX -f doc/reference.sql > doc/reference.md     (as a superuser, with the extension created)
--
-- What cannot be asked for is written in reference_functions.sql, reference_options.sql,
-- reference_errors.sql and reference_sqlstates.sql: what arguments mean, what options
-- are for, which errors there are and what SQLSTATEs mean.  What is missing there, or
-- too many, is an error.

\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid
	FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'smartcar_tesla';

-- A text is lines: "word: ..." becomes a list, and the others are paragraphs.
CREATE FUNCTION pg_temp.markdown(text text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE
			WHEN line ~ '^(Result|Errors): ' THEN regexp_replace(line, '^([A-Za-z]+): ', E'\n**\\1.** ')
			WHEN line ~ '^[a-z_, ]+: ' THEN '- `' || replace(substring(line FROM '^([a-z_, ]+): '), ', ', '`, `') || '`: ' || substring(line FROM '^[a-z_, ]+: (.*)$')
			ELSE line || E'\n' END, E'\n' ORDER BY number)
	FROM regexp_split_to_table(text, E'\n') WITH ORDINALITY AS l (line, number)
$$;

-- The arguments that a text is about.
CREATE FUNCTION pg_temp.arguments_of(text text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_split_to_table(substring(line FROM '^([a-z_, ]+): '), ', ') FROM regexp_split_to_table(text, E'\n') AS l (line)
$$;

-- Ends the script: what is written here does not fit the extension.
CREATE FUNCTION pg_temp.stop_if(problem text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION '%', problem;
	END IF;
END
$$;

\ir reference_functions.sql
UPDATE function_text SET text = btrim(text, E'\n');

CREATE TEMP VIEW routine AS
	SELECT p.*, CASE WHEN p.pronamespace = 'smartcar_tesla'::regnamespace THEN 'smartcar_tesla.' ELSE '' END || p.proname AS name
	FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;

-- What a caller passes: arguments that are no results only.
CREATE TEMP VIEW argument AS
	SELECT DISTINCT r.name, a.name AS argument
	FROM routine r, unnest(r.proargnames, COALESCE(r.proargmodes, array_fill('i'::"char", ARRAY[COALESCE(cardinality(r.proargnames), 0)]))) AS a (name, mode)
	WHERE a.mode IN ('i', 'b');

SELECT pg_temp.stop_if('doc/reference_functions.sql lacks, or the extension has not: ' || string_agg(COALESCE(r.name, t.name), ', '))
	FROM (SELECT DISTINCT name FROM routine) r FULL JOIN function_text t ON r.name = t.name
	WHERE r.name IS NULL OR t.name IS NULL \g /dev/null
SELECT pg_temp.stop_if('doc/reference_functions.sql does not tell about, or the function has no argument: ' || string_agg(name || ' ' || argument, ', '))
	FROM (SELECT name, argument FROM argument WHERE argument NOT IN (SELECT name FROM common_argument)
		EXCEPT SELECT t.name, a FROM function_text t, pg_temp.arguments_of(t.text) AS a
		UNION ALL
		(SELECT t.name, a FROM function_text t, pg_temp.arguments_of(t.text) AS a EXCEPT SELECT name, argument FROM argument)) AS d \g /dev/null
SELECT pg_temp.stop_if('doc/reference_functions.sql has a common argument that few functions have: ' || string_agg(name, ', '))
	FROM common_argument c WHERE (SELECT count(*) FROM argument a WHERE a.argument = c.name) < 2 \g /dev/null

\qecho '# Reference'
\qecho
\qecho 'Every function, procedure, type, view, table, option, setting, channel and SQLSTATE of the extension, to look up.'
\qecho
\qecho 'Made by doc/reference.sql from the catalog and from what the extension answers; do not edit.'
\qecho
SELECT '- [' || title || '](#' || replace(lower(title), ' ', '-') || ')'
	FROM (VALUES ('Functions and procedures'), ('Common arguments'), ('Common errors'), ('Types'), ('Views'), ('Tables'), ('Options of a server'), ('Options of a user mapping'),
		('The setting'), ('The notification channel'), ('Permissions and what they need at Tesla'), ('Errors and what to do about them'), ('SQLSTATEs')) AS part (title);
\qecho
\qecho '## Functions and procedures'
\qecho
\qecho '| subject | functions and procedures |'
\qecho '| --- | --- |'
SELECT '| ' || subject || ' | ' || string_agg('[' || name || '](#' || replace(name, '.', '') || ')', ', ' ORDER BY place) || ' |'
	FROM function_text GROUP BY subject ORDER BY min(place);
\qecho
\qecho '### Common arguments'
\qecho
\qecho 'Each means the same wherever a function does not say otherwise.'
\qecho
SELECT '- `' || name || '`: ' || meaning FROM common_argument ORDER BY place;
\qecho
\qecho '### Common errors'
\qecho
\qecho '| of | errors |'
\qecho '| --- | --- |'
SELECT '| ' || applies_to || ' | ' || errors || ' |' FROM common_error ORDER BY place;
\qecho
SELECT '### ' || t.name || E'\n\n```\n' ||
	string_agg(p.name || '(' || replace(pg_get_function_arguments(p.oid), ', ', E',\n    ') || ')' || COALESCE(' → ' || pg_get_function_result(p.oid), ''), E'\n\n' ORDER BY p.oid) ||
	E'\n```\n\n' || min(obj_description(p.oid, 'pg_proc')) || E'\n\n' ||
	min(CASE WHEN p.prokind = 'p' THEN 'Procedure' ELSE CASE p.provolatile WHEN 'i' THEN 'Immutable' WHEN 's' THEN 'Stable' ELSE 'Volatile' END ||
	CASE p.proparallel WHEN 's' THEN ', parallel safe' WHEN 'r' THEN ', parallel restricted' ELSE ', parallel unsafe' END ||
	CASE WHEN p.proisstrict THEN ', strict' ELSE '' END || CASE WHEN p.procost = 10000 THEN ', sends requests' ELSE '' END END ||
	CASE WHEN EXISTS (SELECT FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0) THEN '; anyone may call it' ELSE '; granted to nobody at first' END) || E'.\n\n' ||
	COALESCE(pg_temp.markdown(t.text), '') || E'\n' ||
	COALESCE((SELECT E'\nSee [Common arguments](#common-arguments) for `' || string_agg(a.argument, '`, `' ORDER BY c.place) || E'`.\n'
		FROM argument a JOIN common_argument c ON c.name = a.argument
		WHERE a.name = t.name AND a.argument NOT IN (SELECT pg_temp.arguments_of(t.text))), '')
FROM function_text t JOIN routine p USING (name)
GROUP BY t.name, t.text
ORDER BY t.name COLLATE "C";

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
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'v' AND c.relnamespace <> 'smartcar_tesla'::regnamespace
ORDER BY c.relname COLLATE "C";

\qecho '## Tables'
\qecho
\qecho 'They live in the schema `smartcar_tesla` and belong to the owner of the extension; nobody else has rights on them. Read `smartcar_status`, `smartcar_trouble` and `smartcar_job_run` instead.'
\qecho
SELECT '### smartcar_tesla.' || c.relname || E'\n\n' || obj_description(c.oid, 'pg_class') || E'\n\n| column | type | default | meaning |\n| --- | --- | --- | --- |\n' ||
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
\qecho '`smartcar_tesla`: a JSON object for each connection whose action or error was changed by an event that `smartcar_receive_webhook` applied,'
\qecho 'or whose owner was changed by `smartcar_finish_connect`, `smartcar_sync` or `smartcar_adopt`. It has `server`, `event` (the `eventType`, or `OWNER_CHANGED`),'
\qecho '`user_id`, `vehicle_id`, `external_id`, for `OWNER_CHANGED` also `previous_external_id`, and `action` (what `smartcar_status` now says).'
\qecho

\ir reference_errors.sql
\ir reference_sqlstates.sql
