-- Asks the extension the questions of the comparison.
--
-- A question is a JSON object.  Each is evaluated in a subtransaction of its own, so
-- that an error is a result, too: its SQLSTATE and message.

CREATE EXTENSION smartcar_tesla;

CREATE TABLE question (
	position integer PRIMARY KEY,
	kind text NOT NULL,
	input jsonb NOT NULL
);

-- The arguments of smartcar_connect_url().  flags is text, because jsonb within
-- jsonb would not tell how a number was written.
CREATE TYPE link_arguments AS (
	scope text[],
	state text,
	make text,
	force_prompt boolean,
	single_select boolean,
	single_select_vin text,
	flags text,
	external_id text,
	mode text,
	response_type text,
	client_id text,
	redirect_uri text,
	server text
);

-- Everything from variables.
CREATE FUNCTION link_from_variables(a link_arguments) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	RETURN to_jsonb(smartcar_connect_url(
		scope => a.scope, state => a.state, make => a.make, force_prompt => a.force_prompt,
		single_select => a.single_select, single_select_vin => a.single_select_vin,
		flags => a.flags::jsonb, external_id => a.external_id, mode => a.mode,
		response_type => a.response_type, client_id => a.client_id,
		redirect_uri => a.redirect_uri, server => a.server));
END
$$;

-- Everything constant but the state, which changes from row to row: an array of
-- the links with the state that was asked for.
CREATE FUNCTION links_from_literals(a link_arguments) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	links jsonb;
BEGIN
	EXECUTE format(
		'SELECT jsonb_agg(link ORDER BY position) FILTER (WHERE asked)
		   FROM (SELECT position, asked,
						smartcar_connect_url(
							scope => %L::text[], state => state, make => %L, force_prompt => %L,
							single_select => %L, single_select_vin => %L, flags => %L::jsonb,
							external_id => %L, mode => %L, response_type => %L, client_id => %L,
							redirect_uri => %L, server => %L) AS link
				   FROM (VALUES (1, false, ''another''), (2, true, %13$L), (3, false, NULL),
								(4, false, repeat(''long '', 100)), (5, true, %13$L))
						AS r (position, asked, state)) AS l',
		a.scope, a.make, a.force_prompt, a.single_select, a.single_select_vin, a.flags, a.external_id,
		a.mode, a.response_type, a.client_id, a.redirect_uri, a.server, a.state)
	INTO links;
	RETURN links;
END
$$;

-- A query of one value.
CREATE FUNCTION result_of(query text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
BEGIN
	EXECUTE query INTO result;
	RETURN result;
END
$$;

CREATE FUNCTION evaluate(kind text, input jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	RETURN jsonb_build_object('value', CASE kind
		WHEN 'link' THEN
			link_from_variables(jsonb_populate_record(NULL::link_arguments, input))
		WHEN 'links' THEN
			links_from_literals(jsonb_populate_record(NULL::link_arguments, input))
		WHEN 'link by default' THEN
			to_jsonb(smartcar_connect_url(client_id => input->>'client_id'))
		WHEN 'hash' THEN
			to_jsonb(smartcar_hash_challenge(input->>'challenge', input->>'token'))
		WHEN 'verify' THEN
			to_jsonb(smartcar_verify_webhook(
				decode(input->>'body', 'base64'), input->>'signature', input->>'token'))
		WHEN 'verify text' THEN
			to_jsonb(smartcar_verify_webhook(
				convert_from(decode(input->>'body', 'base64'), 'UTF8'), input->>'signature', input->>'token'))
		WHEN 'query' THEN
			result_of(input->>'query')
		END);
EXCEPTION WHEN OTHERS THEN
	RETURN jsonb_build_object('sqlstate', SQLSTATE, 'message', SQLERRM);
END
$$;
