-- What came out of the measurements of events.

\pset footer off

CREATE VIEW bench_event_median AS
	SELECT kind, sessions, percentile_cont(0.5) WITHIN GROUP (ORDER BY rate) AS rate, min(rate) AS worst, max(rate) AS best
	FROM bench_event_sample
	GROUP BY kind, sessions;

\echo
\echo 'Events a second, received by sessions side by side, fsync on. Medians. "of the INSERTs": of INSERTs'
\echo 'of one row that first read the event from the same table.'
\echo
SELECT e.sessions, CASE e.kind WHEN 'insert' THEN 'INSERT' WHEN 'same' THEN 'changes nothing' WHEN 'signal' THEN 'changes a signal'
			ELSE 'begins or ends an error' END AS event,
	   round(e.rate) AS "a second", round(e.best) AS best, round(e.worst) AS worst, round((e.rate / i.rate)::numeric, 2) AS "of the INSERTs"
FROM bench_event_median AS e JOIN bench_event_median AS i ON i.kind = 'insert' AND i.sessions = e.sessions
ORDER BY e.sessions, array_position('{insert,same,signal,error}', e.kind);
