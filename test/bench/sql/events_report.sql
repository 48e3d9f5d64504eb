-- What came out of the measurements of events.

\pset footer off

CREATE VIEW bench_event_median AS
	SELECT kind, sessions, percentile_cont(0.5) WITHIN GROUP (ORDER BY rate) AS rate,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY processor_seconds) * 1e6 AS us, min(rate) AS worst, max(rate) AS best
	FROM bench_event_sample
	GROUP BY kind, sessions;

\echo
\echo 'Events a second, received by sessions side by side, fsync on. Medians. "of the INSERTs": of INSERTs'
\echo 'of one row that first read the event from the same table. "of the check": of events whose signature'
\echo 'is checked and whose JSON is parsed, and that is all.'
\echo
SELECT e.sessions, CASE e.kind WHEN 'bare' THEN 'signature and JSON' WHEN 'insert' THEN 'INSERT' WHEN 'same' THEN 'changes nothing' WHEN 'signal' THEN 'changes a signal'
			ELSE 'begins or ends an error' END AS event,
	   round(e.rate) AS "a second", round(e.best) AS best, round(e.worst) AS worst, round((e.rate / i.rate)::numeric, 2) AS "of the INSERTs",
	   round((e.rate / b.rate)::numeric, 2) AS "of the check", round(e.us) AS "processor us"
FROM bench_event_median AS e JOIN bench_event_median AS i ON i.kind = 'insert' AND i.sessions = e.sessions
	 JOIN bench_event_median AS b ON b.kind = 'bare' AND b.sessions = e.sessions
ORDER BY e.sessions, array_position('{bare,insert,same,signal,error}', e.kind);

INSERT INTO bench_reach (what, figure, beside, ratio, target)
	SELECT CASE e.kind WHEN 'same' THEN 'events that change nothing, ' WHEN 'signal' THEN 'events that change a row, '
				ELSE 'events that begin or end an error, ' END || e.sessions || ' sessions, fsync on',
		   round(e.rate) || ' a second', 'INSERTs of one row', e.rate / i.rate, CASE e.kind WHEN 'same' THEN 0.5 WHEN 'signal' THEN 0.35 END
	FROM bench_event_median AS e JOIN bench_event_median AS i ON i.kind = 'insert' AND i.sessions = e.sessions
	WHERE e.sessions = 16 AND e.kind IN ('same', 'signal', 'error')
	ORDER BY array_position('{same,signal,error}', e.kind);
