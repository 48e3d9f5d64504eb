-- The ratios of this run, as a table that can be pasted into a page.

\pset footer off

SELECT '| what | figure | ratio | of | target | reached |' || E'\n' || '| --- | --- | --- | --- | --- | --- |'
\g (format=unaligned tuples_only=on)
SELECT format('| %s | %s | %s | %s | %s | %s |', what, figure, round(ratio::numeric, 2), beside,
			  COALESCE(CASE WHEN is_upper THEN '<= ' ELSE '>= ' END || target, ''),
			  CASE WHEN target IS NULL THEN '' WHEN (ratio <= target) = is_upper THEN 'yes' ELSE 'no' END)
FROM bench_reach ORDER BY place
\g (format=unaligned tuples_only=on)
