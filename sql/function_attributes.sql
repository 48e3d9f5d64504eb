--
-- Volatility, strictness and parallel safety of every function, against a table
--

CREATE TEMP TABLE expected_labels (signature text PRIMARY KEY, volatility "char", strict boolean, parallel "char");
INSERT INTO expected_labels VALUES
	('smartcar_tesla_validator(text[],oid)', 'v', true, 's'),
	('smartcar_info(text)', 's', false, 's'),
	('smartcar_server_scopes(text,boolean)', 's', false, 's'),
	('smartcar_connect_url(text[],text,text,boolean,boolean,text,jsonb,text,text,text,text,text,text)', 's', false, 's'),
	('smartcar_reauth_url(text[],text,text,text,text,text,text)', 's', false, 's'),
	('smartcar_reauth_vehicle_url(text,text,text,text,text,text,text)', 's', false, 's'),
	('smartcar_complete_reauth_url(text,text,text,text,text)', 's', false, 's'),
	('smartcar_parse_callback(text)', 'i', true, 's'),
	('smartcar_tesla.known_permissions()', 'i', true, 's'),
	('smartcar_tesla_permission(text)', 'i', true, 's'),
	('smartcar_tesla_scope(text)', 'i', true, 's'),
	('smartcar_tesla_permissions(text[])', 'i', true, 's'),
	('smartcar_has_scopes(text[],text[])', 'i', true, 's'),
	('smartcar_missing_scopes(text[],text[])', 'i', true, 's'),
	('smartcar_missing_tesla_permissions(text[],text[])', 'i', true, 's'),
	('smartcar_add_required(text[])', 'i', true, 's'),
	('smartcar_virtual_key_required(text,text,integer)', 'i', false, 's'),
	('smartcar_virtual_key_url(text,text)', 's', false, 's'),
	('smartcar_error_action(text,text)', 'i', false, 's'),
	('smartcar_parse_error(text,integer,text,text)', 'i', false, 's'),
	('smartcar_hash_challenge(text,text,text)', 's', false, 's'),
	('smartcar_verify_webhook(bytea,text,text,text)', 's', false, 's'),
	('smartcar_verify_webhook(text,text,text,text)', 's', false, 's'),
	('smartcar_exchange_code(text,interval,jsonb,text,text)', 'v', false, 'r'),
	('smartcar_refresh_token(text,interval,jsonb,text)', 'v', false, 'r'),
	('smartcar_get_application_token(text)', 'v', false, 'r'),
	('smartcar_request(text,text,text,text,jsonb,jsonb,text,text,interval,text)', 'v', false, 'r'),
	('smartcar_request_many(text,text[],text[],text[],jsonb,jsonb,text,text,interval,text)', 'v', false, 'r'),
	('smartcar_get_user(text,text)', 'v', false, 'r'),
	('smartcar_get_vehicles(text,text,text)', 'v', false, 'r'),
	('smartcar_get_vehicle(text,text,text,text)', 'v', false, 'r'),
	('smartcar_get_vehicle_many(text[],text[],text[],text)', 'v', false, 'r'),
	('smartcar_get_permissions(text,text,text,text)', 'v', false, 'r'),
	('smartcar_get_permissions_many(text[],text[],text[],text)', 'v', false, 'r'),
	('smartcar_get_tesla_access(text,text,text,text)', 'v', false, 'r'),
	('smartcar_get_tesla_access_many(text[],text[],text[],text)', 'v', false, 'r'),
	('smartcar_get_virtual_key(text,text,text,text)', 'v', false, 'r'),
	('smartcar_get_virtual_key_many(text[],text[],text[],text)', 'v', false, 'r'),
	('smartcar_get_tesla_migration(text,text,text,text)', 'v', false, 'r'),
	('smartcar_get_signals(text,text,text[],text)', 'v', false, 'r'),
	('smartcar_get_signals_many(text[],text[],text[],text)', 'v', false, 'r'),
	('smartcar_send_command(text,text,text,jsonb,interval,text)', 'v', false, 'r'),
	('smartcar_get_connections(text,text,text,text,text)', 'v', false, 'r'),
	('smartcar_delete_connections(text,text,text)', 'v', false, 'r'),
	('smartcar_get_compatibility(text,text[],text,jsonb,text,text)', 'v', false, 'r'),
	('smartcar_get_webhooks(text)', 'v', false, 'r'),
	('smartcar_subscribe(text,text,text,text)', 'v', false, 'r'),
	('smartcar_unsubscribe(text,text,text,text)', 'v', false, 'r'),
	('smartcar_begin_connect(text,text[],text,boolean,interval,text,text)', 'v', false, 'u'),
	('smartcar_begin_reauth(text,text,text[],interval,text,text)', 'v', false, 'u'),
	('smartcar_finish_connect(text,text,text,text,text,text,text[],text,smartcar_action,text,bigint)', 'v', false, 'u'),
	('smartcar_refresh(interval,interval,bigint,text,bigint,bigint,bigint,bigint)', 'v', false, 'u'),
	('smartcar_sync(text,text,boolean,bigint,bigint,text,bigint,bigint,bigint,bigint)', 'v', false, 'u'),
	('smartcar_access_token(text,text,text)', 'v', false, 'u'),
	('smartcar_disconnect_vehicle(text,text,text,bigint)', 'v', false, 'u'),
	('smartcar_forget(text,text,bigint,bigint,bigint,bigint,bigint)', 'v', false, 'u'),
	('smartcar_adopt(text[],text[],text,bigint,bigint,bigint)', 'v', false, 'u'),
	('smartcar_import_tokens(text[],text[],text[],text[],timestamp with time zone[],text,bigint,bigint,bigint)', 'v', false, 'u'),
	('smartcar_reseal_tokens(text)', 'v', false, 'u'),
	('smartcar_receive_webhook(bytea,text,text)', 'v', false, 'u'),
	('smartcar_receive_webhook(text,text,text)', 'v', false, 'u'),
	('smartcar_tesla.facts_hash(text,smartcar_action,text[],text[],text,text,text,integer,boolean,text)', 'i', false, 's'),
	('smartcar_tesla.next_action(text,smartcar_action,text[],text[],text,text,text,integer,boolean,text)', 's', false, 's'),
	('smartcar_tesla.action_url(text,text,text,text,text)', 's', false, 's'),
	('smartcar_tesla.may_use(text)', 's', false, 's'),
	('smartcar_tesla.is_being_finished(bytea)', 's', true, 's'),
	('smartcar_grant(text,text,text)', 'v', true, 'u');

CREATE TEMP VIEW members AS
	SELECT p.oid, p.oid::regprocedure::text AS signature, p.provolatile, p.proisstrict, p.proparallel, p.prosecdef, p.proargnames, p.pronargs
	FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE e.extname = 'smartcar_tesla';

SELECT signature, m.provolatile, e.volatility, m.proisstrict, e.strict, m.proparallel, e.parallel
	FROM members m FULL JOIN expected_labels e USING (signature)
	WHERE (m.provolatile, m.proisstrict, m.proparallel) IS DISTINCT FROM (e.volatility, e.strict, e.parallel);
-- functions that send requests have a high cost, so that the planner calls them last, and return few rows
SELECT signature, procost, prorows FROM members JOIN pg_proc USING (oid)
	WHERE (procost = 10000) <> (pg_proc.proparallel = 'r') OR prorows > 100;
CREATE TEMP TABLE vehicle (id text, make text);
EXPLAIN (COSTS OFF) SELECT FROM vehicle WHERE smartcar_get_virtual_key(id, 't') AND md5(make) = 'x';
-- no function has an argument and a result of the same name, and only smartcar_verify_webhook
-- and smartcar_receive_webhook are overloaded
SELECT signature, n FROM members, unnest(proargnames) AS n GROUP BY 1, 2 HAVING count(*) > 1;
SELECT p.proname, count(*) FROM members JOIN pg_proc p USING (oid) GROUP BY 1 HAVING count(*) > 1;
-- no function is SECURITY DEFINER
SELECT signature FROM members WHERE prosecdef;
-- every object has a comment, every argument a name
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
	FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'smartcar_tesla'
		-- from 17 on, the types that come with another type, a table or a view are members too
		AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
			WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND (t.typcategory = 'A' OR c.relkind IN ('r', 'v')))
		AND CASE d.classid WHEN 'pg_foreign_data_wrapper'::regclass THEN obj_description(d.objid, 'pg_foreign_data_wrapper')
			ELSE obj_description(d.objid, d.classid::regclass::name) END IS NULL;
SELECT signature FROM members WHERE pronargs > 0 AND (proargnames IS NULL OR '' = ANY (proargnames[1:pronargs]));
-- a comment is one line, and every column of a view, a table and a type has one
SELECT d.description FROM pg_description d
	JOIN pg_depend m ON m.classid = d.classoid AND m.objid = d.objoid AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e'
	JOIN pg_extension e ON m.refobjid = e.oid AND e.extname = 'smartcar_tesla'
	WHERE d.description LIKE E'%\n%' OR length(d.description) > 110;
SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
	JOIN pg_depend d ON (d.classid = 'pg_class'::regclass AND d.objid = c.oid) OR (d.classid = 'pg_type'::regclass AND d.objid = c.reltype AND c.relkind = 'c')
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'smartcar_tesla' AND c.relkind IN ('v', 'r', 'c') AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
	ORDER BY attrelid::regclass::text, attnum;
SELECT count(*) AS views FROM pg_views WHERE viewname ~ '^smartcar_' AND schemaname = 'public';
-- the names of the arguments that hold the results of procedures
SELECT signature, p.proargnames, p.proargmodes FROM members JOIN pg_proc p USING (oid) WHERE prokind = 'p' ORDER BY 1;
