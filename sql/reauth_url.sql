--
-- Update-access links and re-authentication links
--
\pset format unaligned
\pset tuples_only on

SELECT smartcar_reauth_url();
SELECT smartcar_reauth_url(ARRAY['read_location'], 's', client_id => 'app', redirect_uri => 'https://example.com/');
SELECT smartcar_reauth_url(ARRAY['read_location'], flow => 'reauthenticate', client_id => 'app');
SELECT smartcar_reauth_vehicle_url('v', redirect_uri => 'https://example.com/', client_id => 'app');
SELECT smartcar_reauth_url(ARRAY['read_location'], client_id => 'app');
SELECT smartcar_reauth_url(client_id => 'app', redirect_uri => 'https://example.com/');

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'required:read_location read_odometer', api_version '2.0');
CREATE SERVER third FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'required:read_location read_odometer', api_version '3');
CREATE SERVER bare FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'app', api_version '2.0');

-- the two flows of Smartcar's Tesla page, in both versions of the API
SELECT smartcar_reauth_url(state => 'a b');
SELECT smartcar_reauth_url(state => 'a b', server => 'third');
SELECT smartcar_reauth_url(flow => 'reauthenticate');
SELECT smartcar_reauth_url(flow => 'reauthenticate', server => 'third');
SELECT smartcar_reauth_url(ARRAY['control_charge', 'required:read_vin']);
SELECT smartcar_reauth_url(ARRAY['control_charge', 'required:read_vin'], flow => 'reauthenticate');
SELECT smartcar_reauth_url(flow => NULL, state => '');
-- the flow may change from row to row
SELECT smartcar_reauth_url(ARRAY['read_vin'], flow => flow, state => state)
	FROM (VALUES ('authorize', 'a'), ('reauthenticate', NULL), ('authorize', NULL), ('reauthenticate', '')) AS v (flow, state);

-- external_id, for which v2.0 has no parameter
SELECT smartcar_reauth_url(external_id => 'owner 7', flow => flow, server => server) FROM unnest(ARRAY['authorize', 'reauthenticate']) AS flow, unnest(ARRAY['smartcar', 'third']) AS server;
SELECT smartcar_reauth_url(external_id => id, state => id, server => 'third') FROM (VALUES ('owner-1'), (NULL), ('a&b=c'), ('')) AS v (id);

-- one vehicle
SELECT smartcar_reauth_vehicle_url('sc4a1b01e5-0497-417c-a30e-6df6ba33ba46', '0facda3319', external_id => 'owner 7');
SELECT smartcar_reauth_vehicle_url('sc4a1b01e5-0497-417c-a30e-6df6ba33ba46', '0facda3319', external_id => 'owner 7', server => 'third');
SELECT smartcar_reauth_vehicle_url('v', '', '', NULL, 'other-app', 'http://localhost/');
-- without a callback, and so without a redirect URI
SELECT smartcar_reauth_vehicle_url('v', external_id => 'owner 7', response_type => 'none', server => s) FROM unnest(ARRAY['smartcar', 'third', 'bare']) AS s;
SELECT smartcar_reauth_vehicle_url('v', response_type => r, redirect_uri => 'http://localhost/') FROM unnest(ARRAY['none', 'vehicle_id', NULL]) AS r;
SELECT smartcar_reauth_vehicle_url('v', server => 'bare');
SELECT smartcar_reauth_vehicle_url('v', response_type => 'code');
SELECT smartcar_reauth_vehicle_url(NULL) IS NULL;

-- completing the link of an error
SELECT
	smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?response_type=vehicle_id'
	'&client_id=8229df9f-91a0-4ff0-a1ae-a1f38ee24d07&vehicle_id=sc4a1b01e5-0497-417c-a30e-6df6ba33ba46',
	'a b');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?vehicle_id=v', redirect_uri => 'http://localhost/x?y=z');
SELECT smartcar_complete_reauth_url(NULL) IS NULL;
-- existing parameters are kept, or replaced by an argument, never doubled
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?state=old&redirect_uri=https%3A%2F%2Fold.example&vehicle_id=v');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?state=old&redirect_uri=https%3A%2F%2Fold.example&vehicle_id=v', 'new', redirect_uri => 'https://new.example');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate', 's', server => 'bare');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?redirect_uri=https%3A%2F%2Fold.example', 's', server => 'bare');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?', 's');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?a=1&&b=2&', 's');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/x?st%61te=old&redirect%5Furi=https%3A%2F%2Fold.example&a%20b=c', 'new', redirect_uri => 'https://new.example');
-- external_id in v3
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?external_id=old&vehicle_id=v', 's', id, server => s)
	FROM unnest(ARRAY['owner 7', '', NULL]) AS id, unnest(ARRAY['smartcar', 'third']) AS s;
-- links that point elsewhere
CREATE FUNCTION pg_temp.completion(url text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN smartcar_complete_reauth_url(url, 's');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT pg_temp.completion(url) FROM (VALUES
	('https://connect.smartcar.com.evil.example/oauth/reauthenticate'),
	('https://connect.smartcar.com@evil.example/oauth/reauthenticate'),
	('https://connect.smartcar.com:443/oauth/reauthenticate'),
	('https://connect.smartcar.com'),
	('https://connect.smartcar.com?x=y'),
	('https://connect.smartcar.com\@evil.example/'),
	('https://connect.smartcar.com/\evil.example'),
	('https://connect.smartcar.com./oauth/reauthenticate'),
	('http://connect.smartcar.com/oauth/reauthenticate'),
	('HTTPS://connect.smartcar.com/oauth/reauthenticate'),
	('https://CONNECT.smartcar.com/oauth/reauthenticate'),
	('//connect.smartcar.com/oauth/reauthenticate'),
	(' https://connect.smartcar.com/oauth/reauthenticate'),
	('https://connect.smartcar.com/oauth/reauthenticate?a=b#fragment'),
	(E'https://connect.smartcar.com/oauth/\nreauthenticate'),
	('https://connect.smartcar.com/é'),
	('javascript:alert(1)//https://connect.smartcar.com/'),
	('')) AS v (url);
SELECT smartcar_complete_reauth_url('https://evil.example/oauth/reauthenticate');
SELECT smartcar_complete_reauth_url('https://connect.smartcar.com/oauth/reauthenticate?x=' || repeat('x', 1000000));

-- refused arguments
SELECT smartcar_reauth_url(ARRAY['read_locaton']);
SELECT smartcar_reauth_url(ARRAY[]::text[]);
SELECT smartcar_reauth_url(server => 'bare');
SELECT smartcar_reauth_url(ARRAY['read_vin'], server => 'bare');
SELECT smartcar_reauth_url(flow => 'authorise');
SELECT smartcar_reauth_url(flow => '');
SELECT smartcar_reauth_url(flow => 'reauthenticate', state => 's');
SELECT smartcar_reauth_url(flow => 'reauthenticate', redirect_uri => 'https://example.com/');
SELECT smartcar_reauth_vehicle_url('');
SELECT smartcar_reauth_vehicle_url('v', server => 'bare');
SELECT smartcar_reauth_vehicle_url(repeat('v', 1000000));

DROP SERVER smartcar;
DROP SERVER third;
DROP SERVER bare;
