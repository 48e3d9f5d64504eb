-- One sample of calls, in a session of its own.
--
-- Variables: kind, protocol, at_once, calls, origin, ca_file, owners.

DROP SERVER IF EXISTS smartcar CASCADE;
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	api_version '2.0', api_origin :'origin', max_concurrency :'at_once', ca_file :'ca_file');
CALL bench_time_calls(:'kind', :'protocol', :at_once, :calls, :owners);
