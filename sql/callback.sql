--
-- Parsing callbacks
--
\pset null '(null)'
\x on

-- every parameter
SELECT * FROM smartcar_parse_callback('https://example.com/callback?code=90abecb6-e7ab-4b85-864a-e1c8bf67f2ad&state=a+b%20c%2Bd'
	'&user_id=725146a3-69f4-46c8-965d-54b3b6f81eb7&external_id=owner%207&vehicle_id=sc4a1b01e5'
	'&virtual_key_url=https%3A%2F%2Fwww.tesla.com%2F_ak%2Fsmartcar.com');
SELECT * FROM smartcar_parse_callback('?error=vehicle_incompatible&error_description=The+user%27s+vehicle+is+not+compatible.'
	'&vin=1FDKE30G4JHA04964&make=FORD&model=E-Series&year=1988&state=s&code=not-to-be-used');
SELECT * FROM smartcar_parse_callback('error=configuration_error&error_description=There%20has%20been%20an%20error&status_code=400&error_message=You%20have%20entered%20a%20test%20mode%20VIN.');
SELECT * FROM smartcar_parse_callback('https://example.com/callback?vehicle_id=v&selected_capacity=78.1&reason=battery_capacity');
\x off

-- finding the query string
SELECT input, (smartcar_parse_callback(input)).code FROM (VALUES
	('https://example.com/callback?code=c'),
	('https://example.com/callback?code=c#_=_'),
	('https://example.com/a=b/callback?code=c'),
	('https://example.com?code=c'),
	('sc8229df9f://exchange?code=c'),
	('http://localhost:3000/callback?x&code=c'),
	('/callback?code=c'),
	('callback?code=c'),
	('?code=c'),
	('code=c'),
	('code=c#code=d'),
	('a=b?code=x&code=c'),
	('%63ode=c'),
	('c%6Fd%65=c'),
	('https://example.com/callback'),
	('https://example.com/callback#code=c'),
	('https://example.com/code=c'),
	('#code=c'),
	(''),
	('?'),
	('&&&'),
	('='),
	('code'),
	('code='),
	('=code'),
	('CODE=c'),
	('code=c&'),
	('code=a=b'),
	('code=a?b')) AS v (input);
SELECT smartcar_parse_callback(NULL) IS NULL AS null_gives_null;

-- an unknown error passes through; an unknown parameter is ignored, whatever its value
SELECT (smartcar_parse_callback('error=blargh&error_description=I''m+new&utm=100%&utm=%00&%zz=1&%00=2&app_origin=x')).*;
-- callbacks of the migration from v2.0 say userId, and may have both names
SELECT (smartcar_parse_callback('userId=u')).user_id;
SELECT (smartcar_parse_callback(c)).user_id FROM (VALUES ('user_id=u%2B1&state=s&userId=u%2B1'), ('userId=u&user_id=%75'), ('user_id=&userId=')) AS v (c);

-- virtual_key_url: only links of Tesla, because the application shows them to owners
SELECT url, (smartcar_parse_callback('virtual_key_url=' || url)).virtual_key_url AS accepted FROM (VALUES
	('https://www.tesla.com/_ak/smartcar.com'),
	('https://tesla.com/_ak/acme.app.car'),
	('https://www.tesla.cn/_ak/smartcar.com'),
	('https://tesla.cn/_ak/smartcar.com')) AS v (url);
SELECT count((smartcar_parse_callback('virtual_key_url=' || url)).virtual_key_url) AS accepted FROM (VALUES
	('https://www.tesla.com.evil.example/_ak/smartcar.com'),
	('https://www.tesla.com@evil.example/_ak/smartcar.com'),
	('//www.tesla.com/_ak/smartcar.com'),
	('http://www.tesla.com/_ak/smartcar.com'),
	('https://WWW.TESLA.COM/_ak/smartcar.com'),
	('https://www.tesla.com./_ak/smartcar.com'),
	('https://www.tesla.com:443/_ak/smartcar.com'),
	('https://user@www.tesla.com/_ak/smartcar.com'),
	('https://www.tesla.com/_ak/'),
	('https://www.tesla.com/_ak/smartcar.com/'),
	('https://www.tesla.com/_ak/smartcar.com/../../x'),
	('https://www.tesla.com/_ak/smartcar.com?x=y'),
	('https://www.tesla.com/_ak/smartcar'),
	('https://www.tesla.com/_ak/Smartcar.com'),
	('https://www.tesla.com/_AK/smartcar.com'),
	('https://www.tesla.com/_ak/%252e%252e'),
	('https://evil.tesla.com/_ak/smartcar.com'),
	('javascript:alert(1)')) AS v (url);

-- refused callbacks, with the place of the error
CREATE FUNCTION pg_temp.refusal(input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM smartcar_parse_callback(input);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ': ' || SQLERRM || ': ' || detail;
END
$$;
SELECT input, pg_temp.refusal(input) FROM (VALUES
	('code=a&code=b'), ('code=a&code=a'), ('code=a&code'), ('code=&code=a'), ('code=a&%63ode=b'), ('user_id=a&userId=b'), ('userId=a&user_id=b'),
	('user_id=a&userId='), ('userId=&state=s&user_id=a'), ('user_id=a&userId=a&userId=a'), ('user_id=a&user_id=a'), ('user_id=a&userId=%'),
	('state=%'), ('state=%4'), ('state=%zz'), ('state=abc%4g'), ('state=%%34'), ('https://example.com/?x=y&state=ab%'),
	('state=%00'), ('state=a%00b'),
	('state=%ff'), ('state=%C3'), ('state=ok%C3%28'), ('state=%C0%AF'), ('state=%E0%80%AF'), ('state=%ED%A0%80'),
	('state=%F4%90%80%80'), ('state=%F8%88%80%80%80'), ('state=%80'),
	('state=%C3%A9'), ('state=%F0%9D%84%9E'),
	('year=MMXX'), ('year=20.5'), ('year=-1'), ('year=+2020'), ('year=%2B2020'), ('year=20201'), ('year=2020'), ('year='),
	('status_code=4x0'), ('status_code=4000'), ('status_code=404')) AS v (input);
SELECT smartcar_parse_callback('code=secret-code&state=%zz');

-- large input
SELECT length((smartcar_parse_callback('state=' || repeat('%41', 350000))).state);
SELECT length((smartcar_parse_callback(repeat('a=b&', 250000) || 'state=x')).state);
SELECT (smartcar_parse_callback(repeat('&', 1000000) || 'state=x')).state;
SELECT (smartcar_parse_callback(repeat('?', 1000000))).state IS NULL;
SELECT (smartcar_parse_callback(repeat('%', 1000000))).state IS NULL;

-- the result equals a row that SQL builds column by column, also in its binary
-- image and hash, for values of any length
CREATE TEMP TABLE parsed AS
	SELECT n, smartcar_parse_callback(format('code=%s&vin=%s&year=%s&state=%s&status_code=%s&reason=%s',
			repeat('c', n % 5), repeat('v', n), n, repeat('s', 300 - n), n % 1000, repeat('r', n % 3))) AS row,
		ROW(NULLIF(repeat('c', n % 5), ''), NULLIF(repeat('s', 300 - n), ''), NULL, NULL, NULL, NULL, NULL, NULL, n % 1000, NULL,
			NULLIF(repeat('v', n), ''), NULL, NULL, n, NULLIF(repeat('r', n % 3), ''), NULL)::smartcar_callback AS built
	FROM generate_series(0, 300) AS n;
SELECT count(*), bool_and(row = built) AS equal, bool_and(row *= built) AS same_image,
	bool_and(hash_record(row) = hash_record(built)) AS same_hash, bool_and(row::text = built::text) AS same_text FROM parsed;
SELECT count(*) FROM (SELECT row FROM parsed UNION SELECT built FROM parsed) AS x;
SELECT count(*) FROM parsed WHERE smartcar_parse_callback('') IS NULL AND NOT smartcar_parse_callback('') IS NOT NULL;
SELECT smartcar_parse_callback(''), smartcar_parse_callback('code=c');
