--
-- What PUBLIC may do with the objects of the extension.  A new object that is
-- open to PUBLIC must be listed here, or the test fails.
--

CREATE TEMP TABLE open_to_public (signature text);
INSERT INTO open_to_public VALUES
	('smartcar_tesla_validator(text[],oid)'),
	('smartcar_info(text)'),
	('smartcar_server_scopes(text,boolean)'),
	('smartcar_connect_url(text[],text,text,boolean,boolean,text,jsonb,text,text,text,text,text,text)'),
	('smartcar_reauth_url(text[],text,text,text,text,text,text)'),
	('smartcar_reauth_vehicle_url(text,text,text,text,text,text,text)'),
	('smartcar_complete_reauth_url(text,text,text,text,text)'),
	('smartcar_parse_callback(text)'),
	('smartcar_tesla.known_permissions()'),
	('smartcar_tesla_permission(text)'),
	('smartcar_tesla_scope(text)'),
	('smartcar_tesla_permissions(text[])'),
	('smartcar_has_scopes(text[],text[])'),
	('smartcar_missing_scopes(text[],text[])'),
	('smartcar_missing_tesla_permissions(text[],text[])'),
	('smartcar_add_required(text[])'),
	('smartcar_virtual_key_required(text,text,integer)'),
	('smartcar_virtual_key_url(text,text)'),
	('smartcar_error_action(text,text)'),
	('smartcar_parse_error(text,integer,text,text)'),
	('smartcar_verify_webhook(bytea,text,text,text)'),
	('smartcar_verify_webhook(text,text,text,text)'),
	('smartcar_tesla.facts_hash(text,smartcar_action,text[],text[],text,text,text,integer,boolean,text)'),
	('smartcar_tesla.next_action(text,smartcar_action,text[],text[],text,text,text,integer,boolean,text)'),
	('smartcar_tesla.action_url(text,text,text,text,text)'),
	('smartcar_tesla.may_use(text)'),
	('smartcar_tesla.is_being_finished(bytea)'),
	('smartcar_permission_mapping SELECT');

CREATE TEMP VIEW members AS
	SELECT d.classid, d.objid FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'smartcar_tesla';

CREATE TEMP VIEW found_open AS
	SELECT p.oid::regprocedure::text AS signature
		FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid,
			aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS acl
		WHERE acl.grantee = 0
	UNION ALL
	SELECT c.oid::regclass::text || ' ' || acl.privilege_type
		FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
			aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) AS acl
		WHERE acl.grantee = 0
	UNION ALL
	SELECT 'wrapper ' || w.fdwname || ' ' || acl.privilege_type
		FROM members m JOIN pg_foreign_data_wrapper w ON m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = w.oid,
			aclexplode(COALESCE(w.fdwacl, acldefault('F', w.fdwowner))) AS acl
		WHERE acl.grantee = 0;

SELECT COALESCE(f.signature, 'missing: ' || o.signature) AS difference
	FROM found_open f FULL JOIN open_to_public o USING (signature)
	WHERE f.signature IS NULL OR o.signature IS NULL;
-- the objects of the extension by kind; it has no roles
-- (from 17 on, the types that come with another type, a table or a view are members too)
SELECT classid::regclass AS kind, count(*) FROM members
	WHERE NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
		WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (t.typcategory = 'A' OR c.relkind IN ('r', 'v')))
	GROUP BY 1 ORDER BY classid::regclass::text;
-- the relations, and whether pg_dump dumps their rows; there are no sequences
SELECT c.oid::regclass AS relation, c.relkind AS kind, c.oid = ANY (e.extconfig) AS is_dumped
	FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	JOIN pg_extension e ON e.extname = 'smartcar_tesla' WHERE c.relkind <> 'c' ORDER BY c.relname;
-- there are no privileges on columns
SELECT a.attrelid::regclass, a.attname, a.attacl FROM members m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid
	WHERE a.attacl IS NOT NULL;

-- a role without privileges can call the functions that need no server
CREATE ROLE regress_smartcar_nobody;
SET ROLE regress_smartcar_nobody;
SELECT count(*) FROM smartcar_permission_mapping;
SELECT smartcar_missing_scopes('{}', '{read_vin}'), (smartcar_parse_callback('code=c')).code, smartcar_virtual_key_url();
INSERT INTO smartcar_permission_mapping VALUES ('a', 'b', 'c');
CREATE SERVER refused FOREIGN DATA WRAPPER smartcar_tesla;
RESET ROLE;
DROP ROLE regress_smartcar_nobody;

-- the handler and validator of the wrapper cannot be changed
CREATE ROLE regress_smartcar_nobody;
SET ROLE regress_smartcar_nobody;
ALTER FOREIGN DATA WRAPPER smartcar_tesla NO VALIDATOR;
RESET ROLE;
DROP ROLE regress_smartcar_nobody;
