-- What the measurements of sync and refresh share.

-- kind: bare_sync, first_sync, next_sync, bare_details, details_sync, known_sync,
-- bare_refresh, refresh; sessions: that refresh side by side, for the bare client as
-- many times the requests at once; processor_seconds: of the server
CREATE TABLE bench_manager_sample (
	kind text NOT NULL,
	sessions integer NOT NULL,
	count integer NOT NULL,
	seconds double precision NOT NULL,
	processor_seconds double precision,
	requests bigint
);
