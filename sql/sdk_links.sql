--
-- Links, compared with those of the official SDKs and of Smartcar's documentation
--
-- An application that moves here from an SDK must send owners to the same pages
-- as before.  The rows are links from the test suites of the SDKs, links that
-- their published packages printed, and links of the documentation: the origin,
-- the arguments, and the link.  They are listed in test/sdk.md.
--
-- Arguments have our names: testMode is mode, makeBypass and vehicleInfo.make are
-- make, singleSelect.enabled is single_select, user and externalId are
-- external_id; other translations are in the column note.  The SDKs always print
-- mode, which we leave to Smartcar; they print no make, and ours defaults to
-- TESLA.
--
-- Links are compared twice: as text (with our text, if a row of difference has
-- one), and as the parameters that a server reads from them (without those that
-- the row of difference names).
--

-- Decodes one name or value of a query as a server does.  The extension is not
-- used, so that its decoder does not check its encoder.
CREATE FUNCTION pg_temp.decoded(value text) RETURNS text
LANGUAGE sql AS $$
	SELECT convert_from(decode(coalesce(string_agg(
				CASE WHEN length(part[1]) = 3 THEN substr(part[1], 2)
					 ELSE encode(convert_to(part[1], 'UTF8'), 'hex') END,
				'' ORDER BY place), ''), 'hex'), 'UTF8')
	  FROM regexp_matches(replace(value, '+', ' '), '%[[:xdigit:]]{2}|.', 'g')
		   WITH ORDINALITY AS parts (part, place)
$$;

-- The parameters of a link, each as name=value, sorted.
CREATE FUNCTION pg_temp.parameters(link text) RETURNS text[]
LANGUAGE sql AS $$
	SELECT array_agg(parameter ORDER BY parameter)
	  FROM regexp_split_to_table(substr(link, strpos(link, '?') + 1), '&') AS pair,
		   split_part(pair, '=', 1) AS name,
		   concat(pg_temp.decoded(name), '=',
				  pg_temp.decoded(substr(pair, length(name) + 2))) AS parameter
$$;

-- One parameter of a link; all of its values if it is repeated.
CREATE FUNCTION pg_temp.parameter(link text, name text) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(substr(parameter, length(name) + 2), ' and ')
	  FROM unnest(pg_temp.parameters(link)) AS parameter
	 WHERE starts_with(parameter, name || '=')
$$;

-- How a statement is refused: the SQLSTATE and the message.
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE statement INTO result;
	RETURN 'accepted: ' || coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- The functions above work.
SELECT pg_temp.parameters('https://h/p?b=x%3d%26+y&a=%C3%A9=&b=') AS parameters,
	   pg_temp.parameter('https://h/p?b=x%3d%26+y&a=%C3%A9=&b=', 'b') AS parameter,
	   pg_temp.refusal('SELECT 1 / 0') AS refusal, pg_temp.refusal('SELECT 1') AS accepted;

CREATE SERVER sdk_v2 FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (api_version '2.0', extra_scopes 'a testing1 testing2 control_security:lock');
CREATE SERVER sdk_v3 FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (api_version '3');
SET smartcar_tesla.server = 'sdk_v2';

CREATE TYPE pg_temp.link_arguments AS (
	scope text[],
	state text,
	make text,
	force_prompt boolean,
	single_select boolean,
	single_select_vin text,
	flags jsonb,
	external_id text,
	mode text,
	response_type text,
	client_id text,
	redirect_uri text,
	server text
);

CREATE TEMP TABLE link (
	id text,
	origin text,
	arguments jsonb,
	match text,					-- what is compared
	note text,
	expected text,
	expected_parameters text[]	-- where the origin has no whole link
);

INSERT INTO link (id, origin, arguments, match, note, expected, expected_parameters) VALUES
	('node-01', 'smartcar/node-sdk test/unit/lib/auth-client.js: getAuthUrl - simple',
	 '{"scope": ["read_odometer", "read_vehicle_info"], "mode": "live", "client_id": "4cf82729-4275-46d9-9255-8437ba777151", "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'query_params', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback'
	 '&scope=read_odometer%20read_vehicle_info&mode=live', NULL),
	('node-02', 'smartcar/node-sdk test/unit/lib/auth-client.js: getAuthUrl - no scope provided',
	 '{"mode": "live", "client_id": "4cf82729-4275-46d9-9255-8437ba777151", "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'query_params', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&mode=live', NULL),
	('node-03', 'smartcar/node-sdk test/unit/lib/auth-client.js: getAuthUrl - with optional arguments - no scope provided',
	 '{"state": "fakestate", "make": "TESLA", "force_prompt": true, "flags": {"country": "DE", "flag": "suboption"},
	   "mode": "test", "client_id": "4cf82729-4275-46d9-9255-8437ba777151",
	   "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'query_params', NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&state=fakestate&make=TESLA'
	 '&flags=country%3ADE%20flag%3Asuboption&mode=test', NULL),
	('node-04', 'smartcar/node-sdk test/unit/lib/auth-client.js: getAuthUrl - single select enabled true',
	 '{"scope": ["read_odometer", "read_vehicle_info"], "state": "fakestate", "force_prompt": true,
	   "single_select": true, "mode": "live", "client_id": "4cf82729-4275-46d9-9255-8437ba777151",
	   "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'query_params', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback'
	 '&scope=read_odometer%20read_vehicle_info&state=fakestate&single_select=true&mode=live', NULL),
	('node-05', 'smartcar/node-sdk test/unit/lib/auth-client.js: getAuthUrl - single select vin',
	 '{"scope": ["read_odometer", "read_vehicle_info"], "state": "fakestate", "force_prompt": true,
	   "single_select_vin": "01234567890123", "mode": "live", "client_id": "4cf82729-4275-46d9-9255-8437ba777151",
	   "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'query_params', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback'
	 '&scope=read_odometer%20read_vehicle_info&state=fakestate&single_select=true&single_select_vin=01234567890123'
	 '&mode=live', NULL),
	('node-06', 'smartcar/node-sdk test/unit/lib/auth-client.js: getAuthUrl - user',
	 '{"scope": ["read_odometer", "read_vehicle_info"], "state": "fakestate", "force_prompt": true,
	   "external_id": "test-user-param", "mode": "live", "client_id": "4cf82729-4275-46d9-9255-8437ba777151",
	   "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'query_params', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback'
	 '&scope=read_odometer%20read_vehicle_info&state=fakestate&user=test-user-param&mode=live', NULL),
	('node-11', 'smartcar 10.4.0 (npm) lib/auth-client.js, observed',
	 '{"scope": ["read_odometer"], "state": "a b&c=d/é!''()*~-_.", "mode": "live", "client_id": "cid", "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto'
	 '&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=read_odometer&state=a%20b%26c%3Dd%2F%C3%A9!''()*~-_.'
	 '&mode=live', NULL),
	('node-12', 'smartcar 10.4.0 (npm) lib/auth-client.js, observed',
	 '{"scope": ["required:read_odometer", "control_security:lock"], "mode": "live", "client_id": "cid", "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto'
	 '&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=required%3Aread_odometer%20control_security%3Alock'
	 '&mode=live', NULL),
	('node-15', 'smartcar 10.4.0 (npm) lib/auth-client.js, observed',
	 '{"scope": ["a"], "state": "", "mode": "live", "client_id": "cid", "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=a&mode=live', NULL),
	('java-01', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/AuthClientTest.java: testAuthUrlBuilderDefault',
	 '{"scope": ["read_vehicle_info", "read_location", "read_odometer"], "mode": "live", "client_id": "cl13nt1d-t35t-46dc-aa25-bdd042f54e7d", "redirect_uri": "https://example.com/", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d'
	 '&mode=live&redirect_uri=https%3A%2F%2Fexample.com%2F&scope=read_vehicle_info%20read_location%20read_odometer', NULL),
	('java-02', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/AuthClientTest.java: testAuthUrlBuilderWithSimulatedMode',
	 '{"scope": ["read_vehicle_info", "read_location", "read_odometer"], "mode": "simulated",
	   "client_id": "cl13nt1d-t35t-46dc-aa25-bdd042f54e7d", "redirect_uri": "https://example.com/",
	   "server": "sdk_v2"}',
	 'exact', NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d'
	 '&mode=simulated&redirect_uri=https%3A%2F%2Fexample.com%2F'
	 '&scope=read_vehicle_info%20read_location%20read_odometer', NULL),
	('java-03', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/AuthClientTest.java: testAuthUrlBuilderWithTestModeParameter',
	 '{"scope": ["read_vehicle_info", "read_location", "read_odometer"], "mode": "test", "client_id": "cl13nt1d-t35t-46dc-aa25-bdd042f54e7d", "redirect_uri": "https://example.com/", "server": "sdk_v2"}',
	 'exact', 'testMode is mode',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d'
	 '&mode=test&redirect_uri=https%3A%2F%2Fexample.com%2F&scope=read_vehicle_info%20read_location%20read_odometer', NULL),
	('java-04', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/AuthClientTest.java: testAuthUrlBuilderWithoutScope',
	 '{"mode": "live", "client_id": "cl13nt1d-t35t-46dc-aa25-bdd042f54e7d", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d&mode=live', NULL),
	('go-01', 'smartcar/go-sdk authentication_test.go: TestGetAuthURLEmptyParams',
	 '{"scope": ["read_odometer", "read_vin"], "client_id": "client-id", "redirect_uri": "https://example.com", "server": "sdk_v2"}',
	 'exact', NULL,
	 'https://connect.smartcar.com/oauth/authorize?approval_prompt=auto&client_id=client-id&redirect_uri=https%3A%2F%2Fexample.com&response_type=code&scope=read_odometer+read_vin', NULL),
	('ruby-01', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: check url of default constructor',
	 '{"scope": ["testing1", "testing2"], "mode": "live", "client_id": "SMARTCAR_CLIENT_ID", "redirect_uri": "https://example.com/callback", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked; redirect_uri one that is accepted',
	 'https://connect.smartcar.com/oauth/authorize?client_id=SMARTCAR_CLIENT_ID&mode=live&redirect_uri=test_url&response_type=code&scope=testing1+testing2', NULL),
	('ruby-02', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: check url of constructor with mode set to simulated',
	 '{"scope": ["testing1", "testing2"], "mode": "simulated", "client_id": "SMARTCAR_CLIENT_ID", "redirect_uri": "https://example.com/callback", "server": "sdk_v2"}',
	 'exact', 'redirect_uri one that is accepted',
	 'https://connect.smartcar.com/oauth/authorize?client_id=SMARTCAR_CLIENT_ID&mode=simulated&redirect_uri=test_url&response_type=code&scope=testing1+testing2', NULL),
	('ruby-03', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: authorization_url with single select vin',
	 '{"scope": ["testing1", "testing2"], "state": "blah", "make": "blah", "single_select_vin": "vin",
	   "flags": {"country": "DE"}, "mode": "test", "client_id": "SMARTCAR_CLIENT_ID",
	   "redirect_uri": "https://example.com/callback", "server": "sdk_v2"}',
	 'query_params', 'redirect_uri one that is accepted',
	 NULL, '{flags=country:DE,make=blah,mode=test,redirect_uri=test_url,response_type=code,"scope=testing1 testing2",single_select=true,single_select_vin=vin,state=blah}'),
	('ruby-04', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: authorization_url with user',
	 '{"scope": ["testing1", "testing2"], "state": "blah", "make": "blah", "flags": {"country": "DE"},
	   "external_id": "test-user-id", "mode": "test", "client_id": "SMARTCAR_CLIENT_ID",
	   "redirect_uri": "https://example.com/callback", "server": "sdk_v2"}',
	 'query_params', 'redirect_uri one that is accepted',
	 NULL, '{flags=country:DE,make=blah,mode=test,redirect_uri=test_url,response_type=code,"scope=testing1 testing2",state=blah,user=test-user-id}'),
	('python-01', 'smartcar/python-sdk a4dfeff smartcar/auth_client.py, observed',
	 '{"scope": ["read_odometer", "read_vehicle_info"], "state": "WEEEEEEEEE", "make": "Ford", "force_prompt": true,
	   "single_select": true, "single_select_vin": "abcdefghi12345678",
	   "flags": {"flag_1": "Yay", "flag_2": true, "flag_3": 123},
	   "external_id": "3ee54ada-54d8-40a3-a315-150beb578a3f", "mode": "test",
	   "client_id": "4cf82729-4275-46d9-9255-8437ba777151", "redirect_uri": "https://insurance.co/callback",
	   "server": "sdk_v2"}',
	 'exact', NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&approval_prompt=force&scope=read_odometer+read_vehicle_info'
	 '&mode=test&state=WEEEEEEEEE&make=Ford&single_select_vin=abcdefghi12345678&single_select=true'
	 '&flags=flag_1%3AYay+flag_2%3Atrue+flag_3%3A123&user=3ee54ada-54d8-40a3-a315-150beb578a3f', NULL),
	('python-02', 'smartcar/python-sdk a4dfeff smartcar/auth_client.py, observed',
	 '{"scope": ["a"], "state": "a b&c=d/é!''()*~-_.", "mode": "test", "client_id": "4cf82729-4275-46d9-9255-8437ba777151", "redirect_uri": "https://insurance.co/callback", "server": "sdk_v2"}',
	 'exact', NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&approval_prompt=auto&scope=a&mode=test'
	 '&state=a+b%26c%3Dd%2F%C3%A9%21%27%28%29%2A~-_.', NULL),
	('js-01', 'smartcar/javascript-sdk test/unit/sdk.test.js: generates basic link without optional params',
	 '{"state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=", "mode": "live", "client_id": "applicationId", "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=auto&mode=live'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=', NULL),
	('js-02', 'smartcar/javascript-sdk test/unit/sdk.test.js: generates link with optional scope, state, and forcePrompt',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9",
	   "force_prompt": true, "mode": "live", "client_id": "applicationId", "redirect_uri": "https://smartcar.com",
	   "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=force&scope=read_vehicle_info%20read_odometer'
	 '&mode=live&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9', NULL),
	('js-03', 'smartcar/javascript-sdk test/unit/sdk.test.js: generates simulated mode link',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9",
	   "force_prompt": true, "mode": "simulated", "client_id": "applicationId",
	   "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=force&scope=read_vehicle_info%20read_odometer'
	 '&mode=simulated&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9', NULL),
	('js-04', 'smartcar/javascript-sdk test/unit/sdk.test.js: generate link when vehicleInfo={...} included',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9",
	   "make": "TESLA", "force_prompt": true, "mode": "live", "client_id": "applicationId",
	   "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=force&scope=read_vehicle_info%20read_odometer'
	 '&mode=live&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9'
	 '&make=TESLA', NULL),
	('js-05', 'smartcar/javascript-sdk test/unit/sdk.test.js: Adds single_select_vin=12345 when singleSelect included as an object',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9",
	   "make": "TESLA", "force_prompt": true, "single_select_vin": "12345", "mode": "live",
	   "client_id": "applicationId", "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=force&scope=read_vehicle_info%20read_odometer'
	 '&mode=live&single_select_vin=12345&single_select=true'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9&make=TESLA', NULL),
	('js-06', 'smartcar/javascript-sdk test/unit/sdk.test.js: Ignores junk properties when singleSelect is included as an object with only junk properties',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9",
	   "make": "TESLA", "force_prompt": true, "single_select": false, "mode": "live", "client_id": "applicationId",
	   "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it; a junk object is false',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=force&scope=read_vehicle_info%20read_odometer'
	 '&mode=live&single_select=false'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9&make=TESLA', NULL),
	('js-07', 'smartcar/javascript-sdk test/unit/sdk.test.js: Includes user when passed to getAuthUrl',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9",
	   "force_prompt": true, "external_id": "test-user-param", "mode": "live", "client_id": "applicationId",
	   "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=force&scope=read_vehicle_info%20read_odometer'
	 '&mode=live&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9'
	 '&user=test-user-param', NULL),
	('js-08', 'smartcar/javascript-sdk test/unit/sdk.test.js: generates link with externalId',
	 '{"scope": ["read_vehicle_info", "read_odometer"],
	   "state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=", "external_id": "test-external-id",
	   "mode": "live", "client_id": "applicationId", "redirect_uri": "https://smartcar.com", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&redirect_uri=https%3A%2F%2Fsmartcar.com&approval_prompt=auto&scope=read_vehicle_info%20read_odometer&mode=live'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=&external_id=test-external-id', NULL),
	('js-09', 'smartcar/javascript-sdk test/unit/sdk.test.js: generates link without redirectUri and scope',
	 '{"state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=", "mode": "live", "client_id": "applicationId", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId&approval_prompt=auto&mode=live&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=', NULL),
	('js-10', 'smartcar/javascript-sdk test/unit/sdk.test.js: generates link with app_origin when responseType is none',
	 '{"state": "eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0=", "external_id": "test-external-id", "mode": "live", "response_type": "none", "client_id": "applicationId", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; state as it wraps it',
	 'https://connect.smartcar.com/oauth/authorize?response_type=none&application_id=applicationId'
	 '&approval_prompt=auto&mode=live&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0='
	 '&external_id=test-external-id&app_origin=https%3A%2F%2Fapp.example.com', NULL),
	('ios-01', 'smartcar/ios-sdk SmartcarAuthTests/SCUrlBuilderTests.swift: testSCUrlBuilderSetExternalIdApplicationId',
	 '{"scope": ["read_vehicle_info", "read_odometer"], "external_id": "a60d61bb-3f7b-49bd-b7ec-bf1d87db0e47",
	   "mode": "live", "client_id": "8229df9f-91a0-4ff0-a1ae-a1f38ee24d07", "redirect_uri": "scTesting://exchange",
	   "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; the placeholder of the id filled in',
	 'https://connect.smartcar.com/oauth/authorize?application_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07'
	 '&response_type=code&mode=live&sdk_platform=iOS&sdk_version=6.5.0&redirect_uri=scTesting://exchange'
	 '&scope=read_vehicle_info%20read_odometer&external_id=a60d61bb-3f7b-49bd-b7ec-bf1d87db0e47', NULL),
	('ios-02', 'smartcar/ios-sdk SmartcarAuthTests/SCUrlBuilderTests.swift: testSCUrlBuilderResponseTypeNoneWithoutRedirectUri',
	 '{"scope": ["read_vehicle_info", "read_odometer"], "mode": "live", "response_type": "none", "client_id": "8229df9f-91a0-4ff0-a1ae-a1f38ee24d07", "server": "sdk_v3"}',
	 'exact', 'mode as it prints it unasked; the placeholder of the id filled in',
	 'https://connect.smartcar.com/oauth/authorize?application_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07'
	 '&response_type=none&mode=live&sdk_platform=iOS&sdk_version=6.5.0&scope=read_vehicle_info%20read_odometer', NULL),
	('android-01', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_authUrlBuilder',
	 '{"scope": ["read_odometer", "read_vin"], "mode": "live", "client_id": "client123", "redirect_uri": "scclient123://test", "server": "sdk_v2"}',
	 'exact', 'mode as it prints it unasked',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=client123&redirect_uri=scclient123%3A%2F%2Ftest&mode=live&scope=read_odometer%20read_vin', NULL),
	('android-02', 'smartcar/android-sdk smartcar-auth/src/androidUnitTest/kotlin/com/smartcar/sdk/SmartcarAuthTest.kt: smartcarAuth_authUrlBuilder_testMode',
	 '{"scope": ["read_odometer", "read_vin"], "mode": "test", "client_id": "client123", "redirect_uri": "scclient123://test", "server": "sdk_v2"}',
	 'exact', 'testMode is mode',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=client123&redirect_uri=scclient123%3A%2F%2Ftest&mode=test&scope=read_odometer%20read_vin', NULL);

-- Where we print another text than the SDK on purpose.
CREATE TEMP TABLE difference (
	id text,
	reason text,
	omitted text[],				-- parameters that only the SDK prints
	added text[],				-- parameters that only we print
	link text					-- ours
);

INSERT INTO difference (id, reason, omitted, added, link) VALUES
	('node-03', 'jsonb keeps no order of keys', '{"flags=country:DE flag:suboption"}', '{"flags=flag:suboption country:DE"}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&state=fakestate&make=TESLA'
	 '&flags=flag%3Asuboption%20country%3ADE&mode=test'),
	('node-11', 'Node leaves !''()* as they are', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto'
	 '&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=read_odometer'
	 '&state=a%20b%26c%3Dd%2F%C3%A9%21%27%28%29%2A~-_.&mode=live'),
	('java-01', 'another order; approval_prompt only when asked for', NULL, '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2F'
	 '&scope=read_vehicle_info%20read_location%20read_odometer&mode=live'),
	('java-02', 'another order; approval_prompt only when asked for', NULL, '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2F'
	 '&scope=read_vehicle_info%20read_location%20read_odometer&mode=simulated'),
	('java-03', 'another order; approval_prompt only when asked for', NULL, '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2F'
	 '&scope=read_vehicle_info%20read_location%20read_odometer&mode=test'),
	('java-04', 'another order; approval_prompt only when asked for', NULL, '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cl13nt1d-t35t-46dc-aa25-bdd042f54e7d&approval_prompt=auto&mode=live'),
	('go-01', 'sorted by name; a space is +', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=client-id&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com&scope=read_odometer%20read_vin'),
	('ruby-01', 'test_url is refused, see below; sorted by name; no approval_prompt', '{redirect_uri=test_url}', '{approval_prompt=auto,redirect_uri=https://example.com/callback}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=SMARTCAR_CLIENT_ID'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2Fcallback&scope=testing1%20testing2&mode=live'),
	('ruby-02', 'test_url is refused, see below; sorted by name; no approval_prompt', '{redirect_uri=test_url}', '{approval_prompt=auto,redirect_uri=https://example.com/callback}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=SMARTCAR_CLIENT_ID'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2Fcallback&scope=testing1%20testing2'
	 '&mode=simulated'),
	('ruby-03', 'test_url is refused, see below; lists options, not the whole link', '{redirect_uri=test_url}', '{approval_prompt=auto,
	  client_id=SMARTCAR_CLIENT_ID,redirect_uri=https://example.com/callback}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=SMARTCAR_CLIENT_ID'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2Fcallback&scope=testing1%20testing2&state=blah'
	 '&single_select=true&single_select_vin=vin&make=blah&flags=country%3ADE&mode=test'),
	('ruby-04', 'test_url is refused, see below; lists options, not the whole link', '{redirect_uri=test_url}', '{approval_prompt=auto,
	  client_id=SMARTCAR_CLIENT_ID,redirect_uri=https://example.com/callback}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=SMARTCAR_CLIENT_ID'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fexample.com%2Fcallback&scope=testing1%20testing2&state=blah'
	 '&make=blah&flags=country%3ADE&user=test-user-id&mode=test'),
	('python-01', 'another order; a space is +', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback'
	 '&scope=read_odometer%20read_vehicle_info&state=WEEEEEEEEE&single_select=true'
	 '&single_select_vin=abcdefghi12345678&make=Ford&flags=flag_1%3AYay%20flag_2%3Atrue%20flag_3%3A123'
	 '&user=3ee54ada-54d8-40a3-a315-150beb578a3f&mode=test'),
	('python-02', 'another order; a space is +', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=4cf82729-4275-46d9-9255-8437ba777151'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=a'
	 '&state=a%20b%26c%3Dd%2F%C3%A9%21%27%28%29%2A~-_.&mode=test'),
	('js-01', 'another order; state not encoded', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fsmartcar.com'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0%3D&mode=live'),
	('js-02', 'another order', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9&mode=live'),
	('js-03', 'another order', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9&mode=simulated'),
	('js-04', 'another order', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9&make=TESLA'
	 '&mode=live'),
	('js-05', 'another order', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9'
	 '&single_select=true&single_select_vin=12345&make=TESLA&mode=live'),
	('js-06', 'another order', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9'
	 '&single_select=false&make=TESLA&mode=live'),
	('js-07', 'application_id goes with external_id; another order', '{user=test-user-param}', '{external_id=test-user-param}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=force&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6ImZvb2JhcmJheiJ9'
	 '&external_id=test-user-param&mode=live'),
	('js-08', 'another order; state not encoded', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId'
	 '&approval_prompt=auto&redirect_uri=https%3A%2F%2Fsmartcar.com&scope=read_vehicle_info%20read_odometer'
	 '&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0%3D&external_id=test-external-id&mode=live'),
	('js-09', 'another order; state not encoded', NULL, NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&application_id=applicationId&approval_prompt=auto&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0%3D&mode=live'),
	('js-10', 'app_origin is of a page in a browser; another order; state not encoded', '{app_origin=https://app.example.com}', NULL,
	 'https://connect.smartcar.com/oauth/authorize?response_type=none&application_id=applicationId'
	 '&approval_prompt=auto&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4In0%3D&external_id=test-external-id'
	 '&mode=live'),
	('ios-01', 'another order; names the SDK; no approval_prompt', '{sdk_platform=iOS,sdk_version=6.5.0}', '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code'
	 '&application_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07&approval_prompt=auto'
	 '&redirect_uri=scTesting%3A%2F%2Fexchange&scope=read_vehicle_info%20read_odometer'
	 '&external_id=a60d61bb-3f7b-49bd-b7ec-bf1d87db0e47&mode=live'),
	('ios-02', 'another order; names the SDK; no approval_prompt', '{sdk_platform=iOS,sdk_version=6.5.0}', '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=none&application_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07&approval_prompt=auto&scope=read_vehicle_info%20read_odometer&mode=live'),
	('android-01', 'another order; no approval_prompt', NULL, '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=client123&approval_prompt=auto&redirect_uri=scclient123%3A%2F%2Ftest&scope=read_odometer%20read_vin&mode=live'),
	('android-02', 'another order; no approval_prompt', NULL, '{approval_prompt=auto}',
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=client123&approval_prompt=auto&redirect_uri=scclient123%3A%2F%2Ftest&scope=read_odometer%20read_vin&mode=test');

CREATE TEMP VIEW comparison AS
	SELECT v.id, v.match, v.expected, v.expected_parameters, d.reason, d.omitted, d.added, o.link AS ours,
		   o.link IS NOT DISTINCT FROM v.expected AS same_text,
		   o.link = coalesce(d.link, v.expected)
		   AND (d.id IS NULL OR d.link IS DISTINCT FROM v.expected) AS text_ok,
		   pg_temp.parameters(o.link) = p.wanted
		   AND p.printed @> coalesce(d.omitted, '{}')
		   AND NOT p.printed && coalesce(d.added, '{}') AS parameters_ok,
		   split_part(o.link, '?', 1) = 'https://connect.smartcar.com/oauth/authorize'
		   AND (v.expected IS NULL OR
				split_part(v.expected, '?', 1) = split_part(o.link, '?', 1)) AS address_ok
	  FROM link v
	  LEFT JOIN difference d USING (id)
	 CROSS JOIN LATERAL jsonb_populate_record(NULL::pg_temp.link_arguments, v.arguments) AS a
	 CROSS JOIN LATERAL (
		SELECT smartcar_connect_url(
				   scope => a.scope, state => a.state, make => a.make,
				   force_prompt => a.force_prompt, single_select => a.single_select,
				   single_select_vin => a.single_select_vin, flags => a.flags,
				   external_id => a.external_id, mode => a.mode,
				   response_type => a.response_type, client_id => a.client_id,
				   redirect_uri => a.redirect_uri, server => a.server)) AS o (link)
	 CROSS JOIN LATERAL (
		SELECT coalesce(v.expected_parameters, pg_temp.parameters(v.expected))) AS e (printed)
	 CROSS JOIN LATERAL (
		SELECT e.printed,
			   ARRAY(SELECT unnest(e.printed) EXCEPT ALL SELECT unnest(d.omitted)
					 UNION ALL SELECT unnest(d.added) ORDER BY 1)) AS p (printed, wanted);

SELECT id, match, same_text, text_ok AND parameters_ok AND address_ok AS ok
  FROM comparison ORDER BY id;

-- Rows that are not ok; there are none.
SELECT id, ours, expected, expected_parameters, text_ok, parameters_ok, address_ok
  FROM comparison WHERE (text_ok AND parameters_ok AND address_ok) IS NOT TRUE ORDER BY id;

SELECT id, omitted, added, reason FROM difference ORDER BY id;

-- Arguments that the SDK refuses, or that we refuse although the SDK accepts them.
CREATE TEMP TABLE refused (
	id text,
	origin text,
	call text,
	expected text,				-- of the SDK
	sqlstate text,				-- ours
	named text,					-- by our message
	note text
);

INSERT INTO refused (id, origin, call, expected, sqlstate, named, note) VALUES
	('node-08', 'smartcar/node-sdk test/unit/lib/auth-client.js: constructor - client id, secret and redirect url errors',
	 $$smartcar_connect_url(server => 'sdk_v2')$$,
	 'SMARTCAR_CLIENT_ID not set or passed as arguments', '55000', 'client_id', NULL),
	('node-13', 'smartcar 10.4.0 (npm) lib/auth-client.js, observed',
	 $$smartcar_connect_url('{read_odometer}', single_select => false, single_select_vin => 'V', client_id => 'cid', redirect_uri => 'https://insurance.co/callback')$$,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto'
	 '&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=read_odometer&single_select=true&single_select_vin=V'
	 '&mode=live',
	 '22023', 'single_select', 'the two contradict each other'),
	('node-14', 'smartcar 10.4.0 (npm) lib/auth-client.js, observed',
	 $$smartcar_connect_url('{}', client_id => 'cid', redirect_uri => 'https://insurance.co/callback')$$,
	 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto&redirect_uri=https%3A%2F%2Finsurance.co%2Fcallback&scope=&mode=live',
	 '22023', 'scope', 'a link that asks for nothing; NULL leaves scope out'),
	('node-16', 'smartcar 10.4.0 (npm) lib/auth-client.js, observed',
	 $$smartcar_connect_url('{a}', state => convert_from('\xeda080', 'UTF8'), client_id => 'cid', server => 'sdk_v2')$$,
	 'URIError: URI malformed', '22021', 'UTF8', 'PostgreSQL has no such text; the call is never made'),
	('java-05', 'smartcar/java-sdk src/test/java/com/smartcar/sdk/AuthClientTest.java: testAuthUrlBuilderWithInvaildMode',
	 $$smartcar_connect_url(mode => 'invalid', client_id => 'cl13nt1d-t35t-46dc-aa25-bdd042f54e7d', redirect_uri => 'https://example.com/')$$,
	 'The "mode" parameter MUST be one of the following: "test", "live", "simulated"', '22023', 'mode', NULL),
	('go-02', 'smartcar/go-sdk authentication_test.go: TestGetAuthURLEmptyClientID',
	 $$smartcar_connect_url(client_id => '')$$,
	 'AuthClient.ClientID missing', '22023', 'client_id', NULL),
	('ruby-01', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: check url of default constructor',
	 $$smartcar_connect_url('{testing1,testing2}', mode => 'live', client_id => 'SMARTCAR_CLIENT_ID', redirect_uri => 'test_url', server => 'sdk_v2')$$,
	 'https://connect.smartcar.com/oauth/authorize?client_id=SMARTCAR_CLIENT_ID&mode=live&redirect_uri=test_url&response_type=code&scope=testing1+testing2',
	 '22023', 'redirect_uri', 'Smartcar registers no such redirect URI'),
	('ruby-02', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: check url of constructor with mode set to simulated',
	 $$smartcar_connect_url('{testing1,testing2}', mode => 'simulated', client_id => 'SMARTCAR_CLIENT_ID', redirect_uri => 'test_url', server => 'sdk_v2')$$,
	 'https://connect.smartcar.com/oauth/authorize?client_id=SMARTCAR_CLIENT_ID&mode=simulated&redirect_uri=test_url&response_type=code&scope=testing1+testing2',
	 '22023', 'redirect_uri', 'Smartcar registers no such redirect URI'),
	('ruby-03', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: authorization_url with single select vin',
	 $$smartcar_connect_url('{testing1,testing2}', state => 'blah', make => 'blah', single_select_vin => 'vin',
	   flags => '{"country": "DE"}', mode => 'test', client_id => 'SMARTCAR_CLIENT_ID', redirect_uri => 'test_url', server => 'sdk_v2')$$,
	 'the parameters above', '22023', 'redirect_uri', 'Smartcar registers no such redirect URI'),
	('ruby-04', 'smartcar/ruby-sdk spec/smartcar/unit/auth_client_spec.rb: authorization_url with user',
	 $$smartcar_connect_url('{testing1,testing2}', state => 'blah', make => 'blah', flags => '{"country": "DE"}',
	   external_id => 'test-user-id', mode => 'test', client_id => 'SMARTCAR_CLIENT_ID', redirect_uri => 'test_url', server => 'sdk_v2')$$,
	 'the parameters above', '22023', 'redirect_uri', 'Smartcar registers no such redirect URI'),
	('js-11', 'smartcar/javascript-sdk test/unit/sdk.test.js: constructor errors on invalid responseType',
	 $$smartcar_connect_url(response_type => 'invalid', client_id => 'applicationId')$$,
	 'The "responseType" option must be one of: code, none', '22023', 'response_type', NULL);

SELECT id, left(refusal, 5) = sqlstate AND strpos(refusal, named) > 0 AS ok, refusal, note
  FROM refused, pg_temp.refusal('SELECT ' || call) AS refusal
 ORDER BY id;

-- The Node SDK asks for the secret before it prints a link.  A link needs none.
SELECT v.id, o.link IS NOT DISTINCT FROM v.link AS ok, v.link AS ours
  FROM (VALUES
		('node-07', 'smartcar/node-sdk test/unit/lib/auth-client.js: constructor - client id, secret and redirect url errors',
		 'clientId', 'SMARTCAR_CLIENT_SECRET not set or passed as arguments',
		 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=clientId&approval_prompt=auto&make=TESLA')
	   ) AS v (id, origin, client_id, expected, link),
	   smartcar_connect_url(client_id => v.client_id, server => 'sdk_v2') AS o (link);

-- The deprecated testMode of the SDKs is the boolean form of mode.
SELECT v.id, pg_temp.parameter(o.link, 'mode') IS NOT DISTINCT FROM v.expected AS ok
  FROM (VALUES
		('node-09', 'smartcar/node-sdk test/unit/lib/auth-client.js: constructor - test_mode attribute [deprecated]', true, 'test'),
		('node-10', 'smartcar/node-sdk test/unit/lib/auth-client.js: constructor - test_mode attribute [deprecated]', false, 'live')
	   ) AS v (id, origin, test_mode, expected),
	   smartcar_connect_url(client_id => 'cid',
							mode => CASE WHEN test_mode THEN 'test' ELSE 'live' END) AS o (link)
 ORDER BY v.id;

-- Flags, as the value that a server reads.
SELECT v.id, flags = v.expected AS same_text,
	   flags IS NOT DISTINCT FROM coalesce(v.ours, v.expected)
	   AND ARRAY(SELECT regexp_split_to_table(flags, ' ') ORDER BY 1) =
		   ARRAY(SELECT regexp_split_to_table(v.expected, ' ') ORDER BY 1) AS ok,
	   flags, v.reason
  FROM (VALUES
		('python-03', 'smartcar/python-sdk tests/unit/test_helpers.py: test_format_flag_query',
		 '{"flag1": true, "flag2": 100, "flag3": "apple"}'::jsonb, 'flag1:true flag2:100 flag3:apple',
		 NULL, NULL),
		('node-17', 'smartcar/node-sdk test/unit/lib/vehicle.js: constructor - with optional flags',
		 '{"country": "DE", "flag": "suboption"}', 'country:DE flag:suboption',
		 'flag:suboption country:DE', 'jsonb keeps no order of keys')
	   ) AS v (id, origin, input, expected, ours, reason),
	   smartcar_connect_url(client_id => 'cid', flags => v.input) AS o (link),
	   pg_temp.parameter(o.link, 'flags') AS flags
 ORDER BY v.id;

-- The JavaScript SDK does not encode state.  A server then reads each + as a space,
-- which no base64 decoder accepts.  Ours comes back unchanged.
SELECT v.id, o.link = 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid'
'&approval_prompt=auto'
'&state=eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6Ij8%2FPz8%2BPj4%2Bfn5%2BIn0%3D'
	   AND pg_temp.parameter(o.link, 'state') = v.expected
	   AND smartcar_parse_callback('?' || split_part(o.link, '&', 4)) =
		   smartcar_parse_callback('?state=' || replace(v.expected, '+', '%2B')) AS ok,
	   convert_from(decode(pg_temp.parameter(o.link, 'state'), 'base64'), 'UTF8') AS state_read,
	   (smartcar_parse_callback('?state=' || v.expected)).state = replace(v.expected, '+', ' ') AS lost_by_the_sdk
  FROM (VALUES
		('js-12', '@smartcar/auth 2.14.1 (npm) dist/npm/sdk.js, observed',
		 'eyJpbnN0YW5jZUlkIjoiMTc1MjEwNDIxODU0OTEyMzQ1Njc4Iiwib3JpZ2luYWxTdGF0ZSI6Ij8/Pz8+Pj4+fn5+In0=')
	   ) AS v (id, origin, expected),
	   smartcar_connect_url(client_id => 'cid', state => v.expected, make => NULL) AS o (link);

-- The re-authentication link of a vehicle, from the documentation.
SELECT v.id, o.link = v.base || '?' || v.query AS same_text,
	   split_part(o.link, '?', 1) = v.base
	   AND pg_temp.parameters(o.link) = pg_temp.parameters(v.query) AS ok, v.note
  FROM (VALUES
		('docs-01', 'smartcar.com/docs/connect/re-auth/redirect-to-connect',
		 'sdk_v2', 'https://connect.smartcar.com/oauth/reauthenticate',
		 'response_type=vehicle_id&client_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07&vehicle_id=sc4a1b01e5-0497-417c-a30e-6df6ba33ba46&redirect_uri=https%3A%2F%2Fexample.com%2Fhome&state=0facda3319',
		 NULL),
		('docs-01', 'smartcar.com/docs/connect/re-auth/redirect-to-connect',
		 'sdk_v3', 'https://connect.smartcar.com/oauth/reauthenticate',
		 'response_type=vehicle_id&application_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07&vehicle_id=sc4a1b01e5-0497-417c-a30e-6df6ba33ba46&redirect_uri=https%3A%2F%2Fexample.com%2Fhome&state=0facda3319',
		 'newer copies of the page print application_id')
	   ) AS v (id, origin, server, base, query, note),
	   smartcar_reauth_vehicle_url('sc4a1b01e5-0497-417c-a30e-6df6ba33ba46', state => '0facda3319',
								   redirect_uri => 'https://example.com/home',
								   client_id => '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
								   server => v.server) AS o (link)
 ORDER BY v.id, v.server;

-- The incomplete link in an error is returned unchanged; completed, it equals the
-- one above.
SELECT v.id, e.resolution_url IS NOT DISTINCT FROM v.expected AS same_text,
	   starts_with(c.link, v.expected || '&')
	   AND c.link = smartcar_reauth_vehicle_url('sc4a1b01e5-0497-417c-a30e-6df6ba33ba46',
												state => '0facda3319',
												redirect_uri => 'https://example.com/home',
												client_id => '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
												server => 'sdk_v2') AS ok
  FROM (VALUES
		('docs-02', 'smartcar.com/docs/errors/api-errors/connected-services-account-errors',
		 'https://connect.smartcar.com/oauth/reauthenticate?response_type=vehicle_id&client_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07&vehicle_id=sc4a1b01e5-0497-417c-a30e-6df6ba33ba46')
	   ) AS v (id, origin, expected),
	   smartcar_parse_error(json_build_object(
			'type', 'CONNECTED_SERVICES_ACCOUNT', 'code', 'AUTHENTICATION_FAILED',
			'resolution', json_build_object('type', 'REAUTHENTICATE', 'url', v.expected))::text) AS e,
	   smartcar_complete_reauth_url(e.resolution_url, '0facda3319', redirect_uri => 'https://example.com/home',
									server => 'sdk_v2') AS c (link);

DROP SERVER sdk_v2;
DROP SERVER sdk_v3;
