-- What came out of the measurements of calls, in two tables.

\pset footer off
\pset null '-'

CREATE VIEW bench_call_median AS
	SELECT kind, protocol, at_once, max(calls) AS calls, at_once / max(delay) AS ideal,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY calls / seconds) AS rate,
		   min(calls / seconds) AS worst_rate, max(calls / seconds) AS best_rate,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY processor_seconds / calls) * 1e6 AS us
	FROM bench_call_sample, bench_call_run
	GROUP BY kind, protocol, at_once;

CREATE VIEW bench_call_names AS
	SELECT *
	FROM (VALUES ('bulk', 'http', 'in bulk'), ('single', 'http', 'one by one'),
				 ('sdk', 'http', 'Node SDK'), ('bare', 'http', 'bare client of Node'),
				 ('bulk', 'https', 'in bulk, TLS and HTTP/2'), ('sdk', 'https', 'Node SDK, TLS and HTTP/1.1'),
				 ('bare', 'https', 'bare client of Node, TLS and HTTP/2')) AS n (kind, protocol, name);

\echo
\echo 'Calls to Smartcar, each with a response after' :delay 'ms. Medians. "of the ideal": of'
\echo 'calls that cost no time of their own. "of the bare client": of what the sandbox responds to a'
\echo 'client that only makes requests. "x SDK": how many times as many calls as the Node SDK in the'
\echo 'same time, and how many times as many in the same processor time; "x one by one" likewise.'
\echo
SELECT n.name AS "calls", m.at_once AS "at once", round(m.rate) AS "calls/s",
	   round((100 * m.rate / m.ideal)::numeric, 1) || ' %' AS "of the ideal",
	   round((100 * m.rate / b.rate)::numeric, 1) || ' %' AS "of the bare client",
	   round(m.us) AS "processor us/call",
	   round((m.rate / s.rate)::numeric, 2) AS "x SDK",
	   round((s.us / m.us)::numeric, 1) AS "x SDK, processor",
	   round((m.rate / o.rate)::numeric, 1) AS "x one by one",
	   round((o.us / m.us)::numeric, 1) AS "x one by one, processor",
	   CASE WHEN m.kind = 'bulk' AND m.at_once = 32 THEN '>= 90 % of the ideal or the client, >= 2 SDK, processor' END AS target,
	   CASE WHEN m.kind = 'bulk' AND m.at_once = 32 THEN
			concat_ws(', ', CASE WHEN greatest(m.rate / m.ideal, m.rate / b.rate) >= 0.9 THEN 'yes' ELSE 'no' END,
					  CASE WHEN s.us / m.us >= 2 THEN 'yes' WHEN s.us / m.us < 2 THEN 'no' ELSE 'skipped' END) END AS reached
FROM bench_call_median AS m
	 NATURAL JOIN bench_call_names AS n
	 LEFT JOIN bench_call_median AS b ON b.kind = 'bare' AND b.protocol = m.protocol AND b.at_once = m.at_once
	 LEFT JOIN bench_call_median AS s ON s.kind = 'sdk' AND s.protocol = m.protocol AND s.at_once = m.at_once
	 LEFT JOIN bench_call_median AS o ON o.kind = 'single'
WHERE m.kind IN ('bulk', 'single')
ORDER BY m.protocol, m.at_once, m.kind DESC;

\echo
\echo 'Everything that was measured, in one process each.'
\echo
SELECT n.name AS "calls", at_once AS "at once", calls AS "in a run",
	   round(rate::numeric, 1) AS "calls/s", round(best_rate::numeric, 1) AS best,
	   round(worst_rate::numeric, 1) AS worst, round(us) AS "processor us/call"
FROM bench_call_median NATURAL JOIN bench_call_names AS n
ORDER BY protocol, at_once, array_position('{single,bulk,sdk,bare}', kind);

SELECT format('WARNING: what was measured waited for a processor for %s %% of the time that it needed one. The machine was busy, do not rely on these figures.',
			  round((100 * waiting)::numeric))
FROM (
	SELECT sum(waiting_seconds) / sum(waiting_seconds + processor_seconds) AS waiting
	FROM bench_call_sample) AS samples
WHERE waiting > 0.1
\g (format=unaligned tuples_only=on)
