-- Part of doc/reference.sql: the options of servers and user mappings.
--
-- Only the purpose of an option is written here.  Its object, default, range and
-- form, and who may set it, are read from the extension.

CREATE TEMP TABLE option_purpose (name text PRIMARY KEY, purpose text);
INSERT INTO option_purpose VALUES
	('client_id', 'the application''s identifier for links, a UUID that the Smartcar dashboard calls client id or, in newer pages, application id'),
	('redirect_uri', 'where Connect sends the owner back; identical to one that is registered in the Smartcar dashboard'),
	('scope', 'the scopes that links ask for and that `smartcar_status` compares with; separated by spaces, each with or without `required:`'),
	('mode', 'which vehicles owners can connect and which are listed; without it, links leave it out and lists are of `live` vehicles'),
	('api_version', 'the version of Smartcar''s API; with `2.0`, links have `client_id` and `user` instead of `application_id` and `external_id`'),
	('webhook_id', 'the webhook to which new vehicles are subscribed, as listed by `smartcar_get_webhooks` (v3)'),
	('extra_scopes', 'permissions that links may use in addition to those of `smartcar_tesla.known_permissions()`, separated by spaces'),
	('virtual_key_domain', 'the domain of the application''s own virtual key (Enterprise and Scale plans)'),
	('connect_timeout', 'how long it may take to connect, TLS included; milliseconds without a unit'),
	('timeout', 'how long a request with its retries may take; milliseconds without a unit'),
	('max_concurrency', 'how many requests of one call run at the same time'),
	('max_response_size', 'the largest size of a response after decompression; bytes without a unit'),
	('connect_origin', 'the origin of links to Smartcar Connect'),
	('auth_origin', 'the origin of the token endpoint for owners (v2.0)'),
	('iam_origin', 'the origin of the token endpoint for the application (v3)'),
	('api_origin', 'the origin of the v2.0 API'),
	('vehicle_origin', 'the origin of the v3 API'),
	('management_origin', 'the origin of the management API; with `api_version` 2.0 the default is `https://management.smartcar.com`'),
	('compatibility_origin', 'the origin of the v3 list of supported models, which needs no credentials'),
	('ca_file', 'a file with certificate authorities to trust in addition to the system''s; see [Install](install.md#which-authorities-are-trusted)'),
	('token_key_file', 'a file with the keys that [seal stored tokens](how-to/back-up-and-keys.md#the-key-file)'),
	('only_in', 'the only database that may send requests, in the form of the row `here` of `smartcar_info()`; see [A copy for tests](how-to/back-up-and-keys.md#a-copy-for-tests)'),
	('client_secret', 'the secret for the v2.0 token endpoint and `smartcar_get_compatibility`'),
	('client_secret_file', 'a file with `client_secret`'),
	('api_client_id', 'the id of the v3 client credentials; begins with `client_`'),
	('api_client_secret', 'the secret of the v3 client credentials'),
	('api_client_secret_file', 'a file with `api_client_secret`'),
	('management_token', 'the application management token: the key of webhook signatures, and the password of the v2.0 management API'),
	('management_token_file', 'a file with `management_token`'),
	('management_token_previous', 'the token that is being replaced: its signatures are accepted, too'),
	('management_token_previous_file', 'a file with `management_token_previous`');

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

-- Sets each option to a value that none accepts, and reads the form from the error.
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
\qecho 'A SERVER is one Smartcar application. The owner of the server sets its options. Some are for superusers only, because they decide where'
\qecho 'secrets are sent or which files are read. An option that is unset and has no default is not used.'
\qecho
SELECT 'An *origin* is ' || min(form) || '.' FROM option_found WHERE name LIKE '%\_origin';
\qecho
\qecho '| option | meaning | values | default | set by |'
\qecho '| --- | --- | --- | --- | --- |'
SELECT format('| `%s` | %s | %s | %s | %s |', name, purpose, CASE WHEN name LIKE '%\_origin' THEN 'an origin' ELSE form END, COALESCE('`' || default_value || '`', ''), CASE WHEN only_superusers THEN 'superuser' ELSE 'owner' END)
	FROM option_found JOIN option_purpose USING (name) WHERE is_of = 'server' ORDER BY place;
\qecho
\qecho '## Options of a user mapping'
\qecho
\qecho 'The mapping of the current role is used, or else that of PUBLIC. A secret is either a value or a file, not both.'
\qecho
\qecho '| option | meaning | values | set by |'
\qecho '| --- | --- | --- | --- |'
SELECT format('| `%s` | %s | %s | %s |', name, purpose, form, CASE WHEN only_superusers THEN 'superuser' ELSE 'owner of the server' END)
	FROM option_found JOIN option_purpose USING (name) WHERE is_of = 'user mapping' ORDER BY place;
\qecho
ROLLBACK;
