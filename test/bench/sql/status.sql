-- Samples of reading all connections, and those of one owner, in a session of
-- its own.
--
-- Variable: workers, that help to read them.

SET max_parallel_workers_per_gather = :workers;
-- also for a table that is too small for it
SET parallel_setup_cost = 0;

SELECT format($$CALL bench_time_status('floor', %s, 'SELECT smartcar_virtual_key_required(make, model, year), count(*) AS n, count(error_action) FROM smartcar_tesla.connection GROUP BY 1')$$, :workers),
	   format($$CALL bench_time_status('view', %s, 'SELECT action, count(*) AS n FROM smartcar_status GROUP BY 1')$$, :workers)
FROM bench_run, generate_series(1, repeats)
\gexec

SELECT format('CALL bench_time_lookup(%s)', 1 + i * (rows / 101))
FROM bench_run, generate_series(0, 100) AS i
WHERE :workers = 0
\gexec
