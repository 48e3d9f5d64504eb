-- Connect links in PL/pgSQL, for comparison.
--
-- Of several ways to write this the fastest was kept: no loop over the scopes
-- and none over characters, and nothing is replaced in a value that has nothing
-- to replace.  It can do less than the extension (it knows no flags, no single
-- select, no configuration), which is to its advantage.

-- The general way, for values with letters outside ASCII.
CREATE FUNCTION bench_encode_characters(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT string_agg(
			   CASE WHEN character ~ '[A-Za-z0-9._~-]' THEN character
					ELSE regexp_replace(upper(encode(convert_to(character, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
			   END, '' ORDER BY place)
	FROM string_to_table(value, NULL) WITH ORDINALITY AS c (character, place)
$$;

CREATE FUNCTION bench_encode(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF value !~ '[^A-Za-z0-9._~-]' THEN
		RETURN value;
	END IF;
	IF value ~ '[^ -~]' THEN
		RETURN bench_encode_characters(value);
	END IF;
	RETURN replace(replace(replace(replace(replace(replace(replace(replace(
		   replace(replace(replace(replace(replace(replace(replace(replace(
		   replace(replace(replace(replace(replace(replace(replace(replace(
		   replace(replace(replace(replace(replace(
		   value, '%', '%25'), ' ', '%20'), '!', '%21'), '"', '%22'), '#', '%23'),
		   '$', '%24'), '&', '%26'), '''', '%27'), '(', '%28'), ')', '%29'),
		   '*', '%2A'), '+', '%2B'), ',', '%2C'), '/', '%2F'), ':', '%3A'),
		   ';', '%3B'), '<', '%3C'), '=', '%3D'), '>', '%3E'), '?', '%3F'),
		   '@', '%40'), '[', '%5B'), '\', '%5C'), ']', '%5D'), '^', '%5E'),
		   '`', '%60'), '{', '%7B'), '|', '%7C'), '}', '%7D');
END
$$;

CREATE FUNCTION bench_connect_url(
	scope text[], state text, make text, client_id text, redirect_uri text, mode text)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
	known CONSTANT text[] := '{
		control_charge, control_climate, control_navigation, control_pin, control_security,
		control_trunk, read_alerts, read_battery, read_charge, read_charge_events,
		read_charge_locations, read_charge_records, read_climate, read_compass,
		read_diagnostics, read_engine_oil, read_extended_vehicle_info, read_fuel,
		read_location, read_odometer, read_security, read_service_history,
		read_speedometer, read_thermometer, read_tires, read_user_profile,
		read_vehicle_info, read_vin}';
	scopes CONSTANT text := array_to_string(scope, ' ');
	url text := 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id='
		|| bench_encode(client_id) || '&approval_prompt=auto';
BEGIN
	IF NOT string_to_array(replace(scopes, 'required:', ''), ' ') <@ known THEN
		RAISE EXCEPTION 'unrecognized Smartcar permission in "%"', scopes
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	IF redirect_uri <> '' THEN
		url := url || '&redirect_uri=' || bench_encode(redirect_uri);
	END IF;
	IF scopes <> '' THEN
		url := url || '&scope=' || bench_encode(scopes);
	END IF;
	IF state <> '' THEN
		url := url || '&state=' || bench_encode(state);
	END IF;
	IF make <> '' THEN
		url := url || '&make=' || bench_encode(make);
	END IF;
	IF mode <> '' THEN
		url := url || '&mode=' || bench_encode(mode);
	END IF;
	RETURN url;
END
$$;
