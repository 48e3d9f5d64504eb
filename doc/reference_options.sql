-- Part of doc/reference.sql: the options of servers and user mappings.
--
-- Only what an option is for is written here.  Which options there are, of what,
-- with which default and range, in which form and for whom, is what the
-- extension answers when it is asked to set them.

CREATE TEMP TABLE option_purpose (name text PRIMARY KEY, purpose text);
INSERT INTO option_purpose VALUES
	('client_id', 'the application''s identifier for links, a UUID that the Smartcar dashboard calls client id or, in newer pages, application id'),
	('redirect_uri', 'where Connect sends the owner back; to the letter one that is registered in the dashboard'),
	('scope', 'the permissions that links ask for, and that `smartcar_status` measures against; separated by spaces, each with or without `required:`'),
	('mode', 'which vehicles; left out of links when unset'),
	('api_version', 'the version of Smartcar''s API; with `2.0`, links carry `client_id` and `user` instead of `application_id` and `external_id`'),
	('webhook_id', 'the webhook that new vehicles are subscribed to (v3), of `smartcar_get_webhooks`'),
	('extra_scopes', 'permission names that links may use beside those of `smartcar_tesla.known_permissions()`, separated by spaces'),
	('virtual_key_domain', 'the domain of the application''s own virtual key (Enterprise and Scale plans)'),
	('connect_timeout', 'how long a connection with its TLS may take; milliseconds without a unit'),
	('timeout', 'how long a request with its repeats may take; milliseconds without a unit'),
	('max_concurrency', 'how many requests of one bulk call run at once'),
	('max_response_size', 'how large an answer may be, decompressed; bytes without a unit'),
	('connect_origin', 'where links point'),
	('auth_origin', 'where tokens of owners come from'),
	('iam_origin', 'where tokens of the application come from'),
	('api_origin', 'the v2.0 API'),
	('vehicle_origin', 'the v3 API'),
	('management_origin', 'the management API; with `api_version` 2.0 the default is `https://management.smartcar.com`'),
	('compatibility_origin', 'the v3 list of supported models, which needs no credentials'),
	('ca_file', 'certificates of authorities to be trusted beside the system''s; see [Install](install.md#which-authorities-are-trusted)'),
	('token_key_file', 'the keys that [seal stored tokens](how-to/back-up-and-keys.md#the-key-file)'),
	('only_in', 'the database from which requests may be sent, as `smartcar_info()` returns it as `here`; see [A copy for tests](how-to/back-up-and-keys.md#a-copy-for-tests)'),
	('client_secret', 'of the v2.0 token endpoint and of `smartcar_get_compatibility`'),
	('client_secret_file', 'a file with the same'),
	('api_client_id', 'of the v3 client credentials; begins with `client_`'),
	('api_client_secret', 'of the v3 client credentials'),
	('api_client_secret_file', 'a file with the same'),
	('management_token', 'the application management token: the key of webhook signatures, and the password of the v2.0 management API'),
	('management_token_file', 'a file with the same'),
	('management_token_previous', 'the token that is being replaced: signatures with it are accepted, too'),
	('management_token_previous_file', 'a file with the same');

-- A value in the unit in which one would write it.
CREATE FUNCTION pg_temp.with_unit(value bigint, unit text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN unit = 'ms' AND value % 60000 = 0 THEN value / 60000 || ' min'
		WHEN unit = 'ms' AND value % 1000 = 0 THEN value / 1000 || ' s'
		WHEN unit = 'bytes' AND value % 1048576 = 0 THEN value / 1048576 || ' MB'
		WHEN unit = 'bytes' AND value % 1024 = 0 THEN value / 1024 || ' kB'
		ELSE concat_ws(' ', value, NULLIF(unit, '')) END
$$;

CREATE TEMP TABLE option_found (place serial, name text, is_of text, default_value text, form text, only_superusers boolean);

BEGIN;
CREATE SERVER reference_probe FOREIGN DATA WRAPPER smartcar_tesla;
CREATE USER MAPPING FOR PUBLIC SERVER reference_probe;
CREATE ROLE reference_probe;
ALTER ROLE reference_probe NOSUPERUSER;
GRANT USAGE ON FOREIGN DATA WRAPPER smartcar_tesla TO reference_probe;
ALTER SERVER reference_probe OWNER TO reference_probe;

-- Asks to set an option to a value that none of them takes, and hears why not.
DO $$
DECLARE
	option record;
	set_option text;
	message text;
	detail text;
	form text;
	range text[];
	is_of text;
	only_superusers boolean;
	default_value text;
BEGIN
	FOR option IN SELECT name, setting FROM smartcar_info('reference_probe') WHERE source = 'default' LOOP
		is_of := 'server';
		set_option := format('ALTER SERVER reference_probe OPTIONS (ADD %I %L)', option.name, ' ');
		LOOP
			BEGIN
				EXECUTE set_option;
				RAISE assert_failure USING MESSAGE = format('option "%s" takes a space', option.name);
			EXCEPTION
				WHEN fdw_invalid_option_name THEN
					is_of := 'user mapping';
					set_option := format('ALTER USER MAPPING FOR PUBLIC SERVER reference_probe OPTIONS (ADD %I %L)', option.name, ' ');
					CONTINUE;
				WHEN invalid_parameter_value THEN
					GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
					EXIT;
			END;
		END LOOP;

		form := CASE detail WHEN 'The value names no permission.' THEN 'one or more permissions'
			ELSE replace(regexp_replace(detail, '^The value must be (.*)\.$', '\1'), '<', '&lt;') END;
		default_value := option.setting;
		BEGIN
			EXECUTE replace(set_option, quote_literal(' '), quote_literal('0'));
			RAISE EXCEPTION USING ERRCODE = 'assert_failure';
		EXCEPTION
			WHEN invalid_parameter_value THEN
				GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
				range := regexp_match(message, '\((\d+) ?(\w*) \.\. (\d+) ?(\w*)\)$');
				IF range IS NOT NULL THEN
					form := pg_temp.with_unit(range[1]::bigint, range[2]) || ' to ' || pg_temp.with_unit(range[3]::bigint, range[4]);
					default_value := pg_temp.with_unit(option.setting::bigint, range[2]);
				END IF;
			WHEN assert_failure THEN
				NULL;
		END;

		BEGIN
			SET LOCAL ROLE reference_probe;
			EXECUTE set_option;
		EXCEPTION
			WHEN insufficient_privilege THEN
				only_superusers := true;
			WHEN invalid_parameter_value THEN
				only_superusers := false;
		END;
		RESET ROLE;

		PERFORM pg_temp.stop_if(format('nothing says which values option "%s" takes', option.name)) WHERE COALESCE(form, '') = '';
		INSERT INTO option_found (name, is_of, default_value, form, only_superusers)
			VALUES (option.name, is_of, default_value, form, only_superusers);
	END LOOP;
END
$$;

SELECT pg_temp.stop_if('doc/reference_options.sql has no purpose for, or the extension has no: ' || string_agg(COALESCE(f.name, p.name), ', '))
	FROM option_found f FULL JOIN option_purpose p USING (name) WHERE f.name IS NULL OR p.name IS NULL \g /dev/null

\qecho '## Options of a server'
\qecho
\qecho 'A SERVER is one Smartcar application. Its owner sets them; where it says superuser, nobody else can, because the option decides where'
\qecho 'secrets go or what is read. An option that is unset and has no default is not used.'
\qecho
\qecho '| option | meaning | values | default | set by |'
\qecho '| --- | --- | --- | --- | --- |'
SELECT format('| `%s` | %s | %s | %s | %s |', name, purpose, form, COALESCE('`' || default_value || '`', ''), CASE WHEN only_superusers THEN 'superuser' ELSE 'owner' END)
	FROM option_found JOIN option_purpose USING (name) WHERE is_of = 'server' ORDER BY place;
\qecho
\qecho '## Options of a user mapping'
\qecho
\qecho 'The mapping of the current role is used, and where there is none, that of PUBLIC. A secret is given once, as a value or as a file.'
\qecho
\qecho '| option | meaning | values | set by |'
\qecho '| --- | --- | --- | --- |'
SELECT format('| `%s` | %s | %s | %s |', name, purpose, form, CASE WHEN only_superusers THEN 'superuser' ELSE 'owner of the server' END)
	FROM option_found JOIN option_purpose USING (name) WHERE is_of = 'user mapping' ORDER BY place;
\qecho
ROLLBACK;
