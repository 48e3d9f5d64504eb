--
-- Connect links
--
\pset format unaligned
\pset tuples_only on

-- no server is needed when the arguments are complete
SELECT smartcar_connect_url(ARRAY['read_odometer'], client_id => 'app', redirect_uri => 'https://example.com/callback');
SELECT smartcar_connect_url(client_id => 'app');
-- otherwise the hint says what to do
SELECT smartcar_connect_url();
SELECT smartcar_connect_url(server => 'no_such_server', client_id => 'app');

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'required:read_location read_odometer control_charge', api_version '2.0');
CREATE SERVER third FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'read_vin', mode 'simulated', api_version '3', extra_scopes 'read_new_thing',
	connect_origin 'http://localhost:8080');
CREATE SERVER bare FOREIGN DATA WRAPPER smartcar_tesla;

-- a configured server needs no arguments
SELECT smartcar_connect_url();
-- every argument
SELECT smartcar_connect_url(ARRAY['read_vin', 'required:read_location'], 'the state', 'TESLA', true, true,
	'5YJSA1E14FF101307', '{"country": "DE", "color": "00819D", "new_flow": true, "level": 1.50}',
	'owner 7', 'test', 'none', 'other-app', 'http://localhost:3000/callback?tenant=7&x=a%20b', 'smartcar');
SELECT smartcar_connect_url(ARRAY['read_vin', 'read_new_thing'], 'the state', force_prompt => true,
	external_id => 'owner 7', server => 'third');
-- NULL and the empty string
SELECT smartcar_connect_url(make => NULL);
SELECT smartcar_connect_url(make => '', state => '', external_id => '', single_select_vin => '');
SELECT smartcar_connect_url(force_prompt => NULL, response_type => NULL, mode => NULL);
SELECT smartcar_connect_url(single_select => true);
SELECT smartcar_connect_url(single_select => false);
SELECT smartcar_connect_url(single_select_vin => '5YJSA1E14FF101307');
SELECT smartcar_connect_url(flags => '{}');
SELECT smartcar_connect_url(external_id => 'null', server => 'third');
-- a missing option
SELECT smartcar_connect_url(server => 'bare');
SELECT smartcar_connect_url(client_id => 'app', server => 'bare');
-- all bytes but letters, digits and -._~ are percent-encoded
SELECT smartcar_connect_url(scope => ARRAY['read_vin'], client_id => 'app', make => NULL, server => 'bare',
	state => E'\x01\t\n !"#$%&''()*+,-./0123456789:;<=>?@ABC[\\]^_`abc{|}~\x7f é€𝄞');

-- refused arguments
SELECT smartcar_connect_url(ARRAY[]::text[]);
SELECT smartcar_connect_url(ARRAY['read_vin', NULL]);
SELECT smartcar_connect_url(ARRAY[['read_vin'], ['read_odometer']]);
SELECT smartcar_connect_url(ARRAY['read_odmeter']);
SELECT smartcar_connect_url(ARRAY['required:read_locaton']);
SELECT smartcar_connect_url(ARRAY['read_new_thin'], server => 'third');
SELECT smartcar_connect_url(ARRAY['completely_unknown']);
SELECT smartcar_connect_url(ARRAY['Read_Vin']);
SELECT smartcar_connect_url(ARRAY['read_vin ']);
SELECT smartcar_connect_url(ARRAY['read_vin,read_location']);
SELECT smartcar_connect_url(ARRAY['']);
SELECT smartcar_connect_url(ARRAY[repeat('x', 1000000)]);
SELECT smartcar_connect_url(ARRAY['required:required:read_vin']);
SELECT smartcar_connect_url(mode => 'LIVE');
SELECT smartcar_connect_url(mode => '');
SELECT smartcar_connect_url(response_type => 'token');
SELECT smartcar_connect_url(client_id => 'client_01JABC');
SELECT smartcar_connect_url(client_id => '');
SELECT smartcar_connect_url(client_id => E'app\r\nX: y');
SELECT smartcar_connect_url(redirect_uri => 'http://example.com/');
SELECT smartcar_connect_url(redirect_uri => '');
SELECT smartcar_connect_url(single_select => false, single_select_vin => '5YJSA1E14FF101307');
SELECT smartcar_connect_url(flags => '["country"]');
SELECT smartcar_connect_url(flags => '"country"');
SELECT smartcar_connect_url(flags => 'null');
SELECT smartcar_connect_url(flags => '{"country": null}');
SELECT smartcar_connect_url(flags => '{"country": ["DE"]}');
SELECT smartcar_connect_url(flags => '{"country": {"of": "origin"}}');
SELECT smartcar_connect_url(flags => '{"country": "D E"}');
SELECT smartcar_connect_url(flags => '{"coun:try": "DE"}');
SELECT smartcar_connect_url(flags => '{"": "DE"}');
SELECT smartcar_connect_url(flags => '{"country": ""}');
-- the longest link
SELECT length(smartcar_connect_url(ARRAY['read_vin'], client_id => 'app', make => NULL, server => 'bare',
	state => repeat('x', 32768 - 125)));
SELECT length(smartcar_connect_url(ARRAY['read_vin'], client_id => 'app', make => NULL, server => 'bare',
	state => repeat('x', 32768 - 124)));
SELECT smartcar_connect_url(state => repeat('x', 1000000));
SELECT length(smartcar_connect_url(array_fill('read_vin'::text, ARRAY[1000])));
SELECT smartcar_connect_url(array_fill('read_vin'::text, ARRAY[10000]));

DROP SERVER smartcar;
DROP SERVER third;
DROP SERVER bare;
