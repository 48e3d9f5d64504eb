-- Sizes after the week, and how many updates changed no index.
--
-- Variable: fillfactor.

\pset footer off
SELECT :fillfactor AS fillfactor, relid::regclass AS "table", n_live_tup AS rows, n_tup_upd AS updates,
	   round(100.0 * n_tup_hot_upd / nullif(n_tup_upd, 0)) AS "% HOT", vacuum_count AS vacuums,
	   pg_size_pretty(pg_table_size(relid)) AS "table size", pg_size_pretty(pg_indexes_size(relid)) AS "indexes"
	FROM pg_stat_user_tables
	WHERE schemaname = 'smartcar_tesla' AND n_tup_upd + n_tup_ins > 0
	ORDER BY 2;
SELECT indexrelid::regclass AS index, pg_size_pretty(pg_relation_size(indexrelid)) AS size
	FROM pg_stat_user_indexes
	WHERE schemaname = 'smartcar_tesla' AND pg_relation_size(indexrelid) > 100000
	ORDER BY pg_relation_size(indexrelid) DESC;
