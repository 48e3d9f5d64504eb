--
-- Everything in an installed extension, a line each: what it is, its definition, its
-- privileges and its comment.  Two databases with the same output have the same extension.
-- Used by test/t/053_update_paths.pl.
--

SET search_path = pg_catalog;

WITH members AS (
	SELECT d.classid, d.objid FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'smartcar_tesla'
), relations AS (
	SELECT c.* FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), lines (line) AS (
	SELECT 'member ' || pg_describe_object(classid, objid, 0) FROM members
	UNION ALL
	SELECT 'comment ' || pg_describe_object(classoid, objoid, objsubid) || ': ' || description
		FROM pg_description JOIN members m ON m.classid = classoid AND m.objid = objoid
	UNION ALL
	SELECT 'function ' || p.oid::regprocedure || ': ' || pg_get_functiondef(p.oid) || ' ' || p.prosrc || ' ' || COALESCE(p.probin, '')
		|| ' cost ' || p.procost || ' rows ' || p.prorows || ' result ' || COALESCE(pg_get_function_result(p.oid), '')
		FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL
	SELECT 'rights on ' || pg_describe_object('pg_proc'::regclass, p.oid, 0) || ': ' || COALESCE(p.proacl::text, 'default')
		FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL
	SELECT 'rights on ' || oid::regclass || ': ' || COALESCE(relacl::text, 'default') FROM relations
	UNION ALL
	SELECT 'column ' || c.oid::regclass || '.' || a.attname || ' ' || a.attnum || ': ' || format_type(a.atttypid, a.atttypmod) || ' not null ' || a.attnotnull
		|| ' default ' || COALESCE(pg_get_expr(f.adbin, f.adrelid), 'none') || ' rights ' || COALESCE(a.attacl::text, 'default')
		FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped
	UNION ALL
	SELECT 'constraint ' || c.oid::regclass || ' ' || k.conname || ': ' || pg_get_constraintdef(k.oid) FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
	UNION ALL
	SELECT 'index ' || pg_get_indexdef(i.indexrelid) FROM relations c JOIN pg_index i ON i.indrelid = c.oid
	UNION ALL
	SELECT 'view ' || oid::regclass || ': ' || pg_get_viewdef(oid) || ' ' || COALESCE(reloptions::text, '') FROM relations WHERE relkind = 'v'
	UNION ALL
	SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid
	UNION ALL
	SELECT 'label ' || t.oid::regtype || ': ' || string_agg(l.enumlabel, ' ' ORDER BY l.enumsortorder)
		FROM members m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid JOIN pg_enum l ON l.enumtypid = t.oid GROUP BY t.oid
	UNION ALL
	SELECT 'rights on ' || t.oid::regtype || ': ' || COALESCE(t.typacl::text, 'default')
		FROM members m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION ALL
	SELECT 'rights on schema ' || n.nspname || ': ' || COALESCE(n.nspacl::text, 'default')
		FROM members m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
	UNION ALL
	SELECT 'rights that are not dumped on ' || pg_describe_object(classoid, objoid, objsubid) || ': ' || initprivs::text
		FROM pg_init_privs JOIN members m ON m.classid = classoid AND m.objid = objoid
	UNION ALL
	SELECT 'wrapper ' || w.fdwname || ': ' || w.fdwhandler::regproc || ' ' || w.fdwvalidator::regproc || ' ' || COALESCE(w.fdwacl::text, 'default') || ' ' || COALESCE(w.fdwoptions::text, '')
		FROM members m JOIN pg_foreign_data_wrapper w ON m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = w.oid
	UNION ALL
	SELECT 'dumped ' || c.oid::regclass || ': ' || (e.extcondition)[array_position(e.extconfig, c.oid)]
		FROM pg_extension e, relations c WHERE e.extname = 'smartcar_tesla' AND c.oid = ANY (e.extconfig)
	UNION ALL
	SELECT 'extension ' || extversion || ' ' || extnamespace::regnamespace || ' ' || extrelocatable FROM pg_extension WHERE extname = 'smartcar_tesla'
)
SELECT replace(line, E'\n', '\n') FROM lines ORDER BY line COLLATE "C";
