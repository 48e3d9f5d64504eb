-- Prints doc/reference.md from the catalog, so that the manual cannot say
-- anything else than \df+ does.
--
--   psql -qAtX -f doc/reference.sql > doc/reference.md     (with the extension created)

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

\qecho '# Reference'
\qecho
\qecho 'Made by doc/reference.sql from the comments in the catalog; do not edit. The options of servers and user mappings are'
\qecho 'in [configuration.md](configuration.md).'
\qecho
\qecho '## Functions and procedures'
\qecho
SELECT '### ' || p.proname || E'\n\n```\n' || p.proname || '(' ||
	replace(pg_get_function_arguments(p.oid), ', ', E',\n    ') || ')' || COALESCE(' → ' || pg_get_function_result(p.oid), '') || E'\n```\n\n' ||
	CASE WHEN p.prokind = 'p' THEN 'Procedure' ELSE CASE p.provolatile WHEN 'i' THEN 'Immutable' WHEN 's' THEN 'Stable' ELSE 'Volatile' END ||
	CASE p.proparallel WHEN 's' THEN ', parallel safe' WHEN 'r' THEN ', parallel restricted' ELSE ', parallel unsafe' END ||
	CASE WHEN p.proisstrict THEN ', strict' ELSE '' END END || E'.\n\n' ||
	pg_temp.markdown(obj_description(p.oid, 'pg_proc')) || E'\n'
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.proname <> 'smartcar_tesla_validator'
ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C";

\qecho '## Types'
\qecho
SELECT '### ' || t.typname || E'\n\n' || obj_description(t.oid, 'pg_type') || E'\n\n' ||
	CASE t.typtype WHEN 'e' THEN
		(SELECT string_agg('- `' || enumlabel || '`', E'\n' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
	ELSE
		E'| field | type |\n| --- | --- |\n' ||
		(SELECT string_agg('| `' || attname || '` | ' || format_type(atttypid, atttypmod) || ' |', E'\n' ORDER BY attnum)
		 FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0)
	END || E'\n'
FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
-- from 17 on, the types that come with another type or a view are members too
WHERE obj_description(t.oid, 'pg_type') IS NOT NULL
ORDER BY t.typname COLLATE "C";

\qecho '## Views'
\qecho
SELECT '### ' || c.relname || E'\n\n' || obj_description(c.oid, 'pg_class') || E'\n\n| column | meaning |\n| --- | --- |\n' ||
	(SELECT string_agg('| `' || attname || '` | ' || col_description(attrelid, attnum) || ' |', E'\n' ORDER BY attnum)
	 FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) || E'\n'
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'v'
ORDER BY c.relname COLLATE "C";

\qecho '## Tables'
\qecho
SELECT '### ' || c.relname || E'\n\n' || obj_description(c.oid, 'pg_class') || E'\n\n| column | type |\n| --- | --- |\n' ||
	(SELECT string_agg('| `' || attname || '` | ' || format_type(atttypid, atttypmod) || ' |', E'\n' ORDER BY attnum)
	 FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) || E'\n'
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'r'
ORDER BY c.relname COLLATE "C";
