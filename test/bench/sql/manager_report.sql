-- What came out of the measurements of sync and refresh.
--
-- Variables: delay, at_once.

\pset footer off
\pset null '-'

CREATE VIEW bench_manager_median AS
	SELECT kind, sessions, max(count) AS count,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY count / seconds) AS rate,
		   min(count / seconds) AS worst_rate, max(count / seconds) AS best_rate,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY processor_seconds / count) * 1e6 AS us,
		   max(requests) AS requests
	FROM bench_manager_sample
	GROUP BY kind, sessions;

\echo
\echo 'A sync of all connections (v3), 100 on a page,' :at_once 'requests at once. Medians. "of the bare'
\echo 'client": of what a client reaches that only makes the same requests.'
\echo
SELECT n.name AS "sync", m.count AS connections, round(m.rate) AS "connections/s",
	   round(m.best_rate) AS best, round(m.worst_rate) AS worst,
	   round((100 * m.rate / b.rate)::numeric, 1) || ' %' AS "of the bare client",
	   round(m.us::numeric, 1) AS "processor us/connection", m.requests,
	   round(m.requests::numeric / m.count, 2) AS "requests/vehicle"
FROM bench_manager_median AS m
	 JOIN (VALUES (1, 'first_sync', 'bare_sync', 'into an empty table'), (2, 'next_sync', 'bare_sync', 'when all are known'),
				  (3, 'bare_sync', 'bare_sync', 'bare client of Node'),
				  (4, 'details_sync', 'bare_details', 'with details, into an empty table'),
				  (5, 'known_sync', 'bare_details', 'with details, when all are known'),
				  (6, 'bare_details', 'bare_details', 'bare client of Node, with details')) AS n (place, kind, beside, name) USING (kind)
	 JOIN bench_manager_median AS b ON b.kind = n.beside
ORDER BY n.place;

INSERT INTO bench_reach (what, figure, beside, ratio, target)
	SELECT format('sync of %s connections, %s', m.count, n.name), round(m.rate) || ' a second', 'a client that makes the same requests',
		   m.rate / b.rate, n.target
	FROM bench_manager_median AS m
		 JOIN (VALUES ('first_sync', 'bare_sync', 'into an empty table', 0.6), ('next_sync', 'bare_sync', 'all known', 0.5),
					  ('details_sync', 'bare_details', 'with details', NULL)) AS n (kind, beside, name, target) USING (kind)
		 JOIN bench_manager_median AS b ON b.kind = n.beside
	ORDER BY m.count DESC, m.kind;

\echo
\echo 'Refreshes, each with a response after' :delay 'ms,' :at_once 'at once in each session. Medians.'
\echo '"of the ideal": of refreshes that cost no time of their own. "of the bare client": of what the'
\echo 'sandbox reaches for one client with as many requests at once, in one process. fsync is on.'
\echo
SELECT m.sessions, m.count AS accounts, round(m.rate) AS "refreshes/s",
	   round(m.best_rate) AS best, round(m.worst_rate) AS worst,
	   round((100 * m.rate * :delay / (1000 * m.sessions * :at_once))::numeric, 1) || ' %' AS "of the ideal",
	   round(b.rate) AS "bare client",
	   round((100 * m.rate / b.rate)::numeric, 1) || ' %' AS "of the bare client",
	   round((m.rate / one.rate)::numeric, 2) AS "x one session",
	   round(m.us) AS "processor us/refresh"
FROM bench_manager_median AS m
	 JOIN bench_manager_median AS b ON b.kind = 'bare_refresh' AND b.sessions = m.sessions
	 JOIN bench_manager_median AS one ON one.kind = 'refresh' AND one.sessions = 1
WHERE m.kind = 'refresh'
ORDER BY m.sessions;

INSERT INTO bench_reach (what, figure, beside, ratio, target)
	SELECT 'refresh, one session, fsync on', round(rate) || ' a second', 'what responses after ' || :delay || ' ms allow',
		   rate * :delay / (1000 * :at_once), 0.93
	FROM bench_manager_median WHERE kind = 'refresh' AND sessions = 1
	UNION ALL
	SELECT 'refresh, four sessions, fsync on', round(four.rate) || ' a second', 'one session', four.rate / one.rate, 3.6
	FROM bench_manager_median AS one, bench_manager_median AS four
	WHERE one.kind = 'refresh' AND four.kind = 'refresh' AND one.sessions = 1 AND four.sessions = 4;
