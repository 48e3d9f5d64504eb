# Arrays of millions of names, which any role can pass: a cancel takes effect within
# 300 ms at any time.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q(
	CREATE EXTENSION smartcar_tesla;
	CREATE TABLE names (names text[]);
	ALTER TABLE names ALTER names SET STORAGE EXTERNAL;
	INSERT INTO names SELECT ARRAY(SELECT 'read_thing_' || i FROM generate_series(1, 3000000) AS i);
	CREATE FUNCTION late_by(statement text, after integer) RETURNS numeric LANGUAGE plpgsql AS $$
	DECLARE
		began timestamptz := clock_timestamp();
	BEGIN
		EXECUTE statement;
		RETURN 0;
	EXCEPTION WHEN query_canceled THEN
		RETURN extract(epoch FROM clock_timestamp() - began) * 1000 - after;
	END $$;));

# How late a cancel took effect, in ms; tried up to three times, because other processes
# may hold up the machine.
sub late_by
{
	my ($statement, $after) = @_;
	my $late;

	for (1 .. 3)
	{
		$late = $node->safe_psql('postgres',
			"SET statement_timeout = $after; SELECT late_by(\$\$$statement\$\$, $after)");
		last if $late < 300;
	}
	return $late;
}

my %statements = (
	missing => 'SELECT smartcar_missing_scopes(names, names) FROM names',
	has => 'SELECT smartcar_has_scopes(names, names) FROM names',
	required => 'SELECT smartcar_add_required(names) FROM names',
	tesla => 'SELECT smartcar_tesla_permissions(names) FROM names');
foreach my $name (sort keys %statements)
{
	foreach my $after (300, 1000)
	{
		my $late = late_by($statements{$name}, $after);

		cmp_ok($late, '<', 300, "$name: canceled after $after ms, served within 300 ms");
	}
}

$node->stop;
done_testing();
