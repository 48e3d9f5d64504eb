-- What came out of the measurements of sync and refresh.
--
-- Variables: delay, at_once.

\pset footer off
\pset null '-'

CREATE VIEW bench_manager_median AS
	SELECT kind, sessions, max(count) AS count,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY count / seconds) AS rate,
		   min(count / seconds) AS worst_rate, max(count / seconds) AS best_rate
	FROM bench_manager_sample
	GROUP BY kind, sessions;

\echo
\echo 'A sync of all connections (v3, without details), 100 on a page,' :at_once 'pages at once. Medians.'
\echo '"of the bare client": of what the sandbox answers to a client that only reads the pages.'
\echo
SELECT CASE m.kind WHEN 'first_sync' THEN 'into an empty table' WHEN 'next_sync' THEN 'when all are known'
				   ELSE 'bare client of Node' END AS "sync",
	   m.count AS connections, round(m.rate) AS "connections/s",
	   round(m.best_rate) AS best, round(m.worst_rate) AS worst,
	   round((100 * m.rate / b.rate)::numeric, 1) || ' %' AS "of the bare client"
FROM bench_manager_median AS m, bench_manager_median AS b
WHERE m.kind LIKE '%sync' AND b.kind = 'bare_sync'
ORDER BY array_position('{first_sync,next_sync,bare_sync}', m.kind);

\echo
\echo 'Refreshes, each of which is answered after' :delay 'ms,' :at_once 'at once in each session. Medians.'
\echo '"of the ideal": of refreshes that cost no time of their own. "of the bare client": of what the'
\echo 'sandbox answers to one client with as many requests at once, in one process.'
\echo
SELECT m.sessions, m.count AS accounts, round(m.rate) AS "refreshes/s",
	   round(m.best_rate) AS best, round(m.worst_rate) AS worst,
	   round((100 * m.rate * :delay / (1000 * m.sessions * :at_once))::numeric, 1) || ' %' AS "of the ideal",
	   round(b.rate) AS "bare client",
	   round((100 * m.rate / b.rate)::numeric, 1) || ' %' AS "of the bare client",
	   round((m.rate / one.rate)::numeric, 2) AS "x one session"
FROM bench_manager_median AS m
	 JOIN bench_manager_median AS b ON b.kind = 'bare_refresh' AND b.sessions = m.sessions
	 JOIN bench_manager_median AS one ON one.kind = 'refresh' AND one.sessions = 1
WHERE m.kind = 'refresh'
ORDER BY m.sessions;
