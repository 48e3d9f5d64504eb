-- One sync of all connections, in a session of its own.
--
-- Variables: kind, count, details.

-- the application's token is fetched, and code is loaded
SELECT count(*) AS ignored FROM smartcar_get_application_token(server => 'sync') \gset

SELECT extract(epoch FROM clock_timestamp()) AS begun, bench_processor_time() AS processor \gset
CALL smartcar_sync(details => :details, server => 'sync') \gset
INSERT INTO bench_manager_sample
	SELECT :'kind', 1, :count, extract(epoch FROM clock_timestamp()) - :begun, bench_processor_time() - :processor, :requests;

SELECT format('SELECT count(*) = %1$s AND %2$s = %1$s AND %3$s = 0 FROM smartcar_tesla.connection WHERE status = ''connected''',
			  :count, :synced, :failed) AS check \gset
CALL bench_check('the sync has not all connections', :'check');
