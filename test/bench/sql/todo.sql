-- Samples of the list of those who need something, in a session of its own.

SELECT format($$CALL bench_time_todo(%L, %L)$$, kind, source)
FROM bench_run, generate_series(1, repeats),
	 (VALUES ('todo', 'smartcar_todo'), ('status', $$smartcar_status WHERE action <> 'none'$$)) AS kinds (kind, source)
\gexec

CALL bench_check('the list of those who need something is another one',
	'SELECT bool_and(kinds = 2) FROM (SELECT count(DISTINCT kind) AS kinds FROM bench_todo_sample GROUP BY connections, needing) AS lists');
