# Updates: an updated database has the same extension as a fresh installation of the
# version, from whichever version it was updated.
#
# Each installed smartcar_tesla--A--B.sql is run and compared with an installation of B.
# Made-up versions test the comparison: a correct update, and several that forget
# something.  They are written into a copy of the server's files, because the server
# looks for scripts in one place relative to its programs, where a test may not write.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A copy of the programs, with links to all other files.
my $tree = PostgreSQL::Test::Utils::tempdir();
my %original = map { chomp(my $path = `pg_config --$_`); $_ => $path } qw(bindir sharedir pkglibdir);
foreach my $name (sort keys %original)
{
	my $how = $name eq 'bindir' ? '-r' : '-rs';

	system("mkdir -p '$tree$original{$name}' && cp $how '$original{$name}/.' '$tree$original{$name}'") == 0
	  or die "could not copy $original{$name}";
}

my $node = PostgreSQL::Test::Cluster->new('main', install_path => $tree . ($original{bindir} =~ s{/[^/]*$}{}r));
$node->init;
$node->start;

my $question = slurp_file("$FindBin::RealBin/../lib/compare_extension.sql");
my $current = $node->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = 'smartcar_tesla'");
my $databases = 0;

# A description of the extension in a new database, after these statements.
sub extension_after
{
	my (@statements) = @_;
	my $database = 'd' . ++$databases;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	my ($result, $output, $error) = $node->psql($database, join ";\n", 'SET client_min_messages = warning', @statements, $question);
	$output = "failed: $error" if $result != 0;
	$node->safe_psql('postgres', "DROP DATABASE $database");
	return $output;
}

sub differences
{
	my ($first, $second) = @_;
	my %in_first = map { $_ => 1 } split /\n/, $first;
	my %in_second = map { $_ => 1 } split /\n/, $second;

	return (map({ "- $_" } grep { !$in_second{$_} } sort keys %in_first), map({ "+ $_" } grep { !$in_first{$_} } sort keys %in_second));
}

my $fresh = extension_after("CREATE EXTENSION smartcar_tesla VERSION '$current'");
like($fresh, qr/^member function public\.smartcar_connect_url\(/m, 'the extension is described');
cmp_ok(scalar(split /\n/, $fresh), '>', 300, 'the description is detailed');
is($fresh, extension_after("CREATE EXTENSION smartcar_tesla VERSION '$current'"), 'the description is the same for the same extension');

# What Citus would refuse.  It sends the change of a table to the workers, and then the
# script, so a change must do nothing the second time; and for some changes it sends the
# text of the whole script, unless they are in a DO block.
sub refused_by_citus
{
	my ($script) = @_;
	my @refused;

	$script =~ s/--.*//g;
	while ($script =~ s/\bDO\s+(\$\w*\$)(.*?)\1//is)
	{
		my $block = $2;

		push @refused, grep { /\bADD\s+CONSTRAINT\b/i && $block !~ /\bIF\s+NOT\s+EXISTS\s*\(\s*SELECT\b.*\bpg_constraint\b/is
				|| /\bADD\b(?!\s+CONSTRAINT\b)(?!\s+COLUMN\s+IF\s+NOT\s+EXISTS\b)/i
				|| /\bDROP\s+(?:COLUMN|CONSTRAINT)\b(?!\s+IF\s+EXISTS\b)/i }
		  $block =~ /\bALTER\s+TABLE\b[^;]*/gi;
		push @refused, grep { !/\bIF\s+NOT\s+EXISTS\b/i } $block =~ /\bCREATE\s+(?:UNIQUE\s+)?INDEX\b[^;]*/gi;
		push @refused, grep { !/\bIF\s+EXISTS\b/i } $block =~ /\bDROP\s+INDEX\b[^;]*/gi;
	}
	push @refused, $script =~ /\b(?:ALTER\s+TABLE|CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX)\b[^;]*/gi;
	return map { s/\s+/ /gr =~ s/ $//r } @refused;
}

my $table = 'smartcar_tesla.account';
is_deeply([ refused_by_citus("DO \$\$ BEGIN $_ END \$\$;") ], [], "Citus takes: $_")
  foreach "ALTER TABLE $table ADD COLUMN IF NOT EXISTS note text;", "ALTER TABLE $table DROP COLUMN IF EXISTS note; ALTER TABLE $table ALTER attempts SET DEFAULT 1;",
  "CREATE INDEX IF NOT EXISTS account_note ON $table (note); DROP INDEX IF EXISTS smartcar_tesla.account_note;",
  "ALTER TABLE $table DROP CONSTRAINT IF EXISTS c; IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'c') THEN ALTER TABLE $table ADD CONSTRAINT c CHECK (true); END IF;";
is_deeply([ refused_by_citus("DO \$x\$ BEGIN $_; END \$x\$;") ], [$_], "Citus refuses: $_")
  foreach "ALTER TABLE $table ADD note text", "ALTER TABLE $table ADD COLUMN note text", "ALTER TABLE $table ADD COLUMN IF NOT EXISTS a text, ADD COLUMN b text",
  "ALTER TABLE $table DROP COLUMN note", "ALTER TABLE $table ADD CONSTRAINT c CHECK (true)", "ALTER TABLE $table DROP CONSTRAINT c",
  "CREATE INDEX account_note ON $table (note)", "CREATE UNIQUE INDEX i ON $table (note)", 'DROP INDEX smartcar_tesla.account_note';
is_deeply([ refused_by_citus("SELECT 1;\n$_;\nSELECT 2;\n") ], [$_], "Citus refuses outside of DO: $_")
  foreach "ALTER TABLE $table ADD COLUMN IF NOT EXISTS note text", "CREATE INDEX IF NOT EXISTS account_note ON $table (note)", 'DROP INDEX IF EXISTS smartcar_tesla.account_note';

# The existing update scripts

my $updates = $node->safe_psql('postgres', "SELECT source || ' ' || target FROM pg_extension_update_paths('smartcar_tesla') WHERE path = source || '--' || target ORDER BY 1");
my $full = $node->safe_psql('postgres', "SELECT string_agg(' ' || version || ' ', '') FROM pg_available_extension_versions WHERE name = 'smartcar_tesla'");

foreach my $update (split /\n/, $updates)
{
	my ($from, $to) = split / /, $update;

	is_deeply([ differences(extension_after("CREATE EXTENSION smartcar_tesla VERSION '$to'"), extension_after("CREATE EXTENSION smartcar_tesla VERSION '$from'", "ALTER EXTENSION smartcar_tesla UPDATE TO '$to'")) ],
		[], "from $from to $to");
	is_deeply([ refused_by_citus(slurp_file("$tree$original{sharedir}/extension/smartcar_tesla--$from--$to.sql")) ], [], "from $from to $to with Citus");
}
like($full, qr/ \Q$current\E /, 'the current version can be installed directly');

# Made-up versions: one without a function, and updates from it

my $directory = "$tree$original{sharedir}/extension";
my $script = slurp_file("$directory/smartcar_tesla--$current.sql");

sub write_script
{
	my ($versions, $content) = @_;

	open my $file, '>', "$directory/smartcar_tesla--$versions.sql" or die "could not write: $!";
	print $file $content;
	close $file;
	return;
}

my ($function) = $script =~ /^(CREATE FUNCTION smartcar_add_required\(.*?;\n)/ms or die 'the function is not there';
my ($comment) = $script =~ /^(COMMENT ON FUNCTION smartcar_add_required IS.*?';\n)/ms or die 'its comment is not there';
my $earlier = $script =~ s/\Q$function\E//r =~ s/\Q$comment\E//r;

write_script('before', $earlier);

my %wrong = (
	'without the comment' => [ $function, qr/^- comment function public\.smartcar_add_required/m ],
	'with another comment' => [ $function . "COMMENT ON FUNCTION smartcar_add_required(text[]) IS 'other';\n", qr/^\+ comment function public\.smartcar_add_required\(text\[\]\): other$/m ],
	'without the function' => [ "SELECT 1;\n", qr/^- member function public\.smartcar_add_required/m ],
	'with another volatility' => [ ($function =~ s/IMMUTABLE/VOLATILE/r) . $comment, qr/^\+ function public\.smartcar_add_required/m ],
	'with a right too few' => [ $function . $comment . "REVOKE EXECUTE ON FUNCTION smartcar_add_required(text[]) FROM PUBLIC;\n", qr/^\+ rights on function public\.smartcar_add_required/m ],
	'with a right that nobody had' => [ $function . $comment . "GRANT SELECT ON smartcar_tesla.account TO PUBLIC;\n", qr/^\+ rights on smartcar_tesla\.account/m ],
	'with a column too many' => [ $function . $comment . "ALTER TABLE smartcar_tesla.account ADD extra text;\n", qr/^\+ column .*smartcar_tesla.account\.extra/m ],
	'with another default' => [ $function . $comment . "ALTER TABLE smartcar_tesla.account ALTER attempts SET DEFAULT 1;\n", qr/^\+ column .*attempts/m ],
	'without a check' => [ $function . $comment . "ALTER TABLE smartcar_tesla.account DROP CONSTRAINT account_status_check;\n", qr/^- constraint .*status_check/m ],
	'with an index too few' => [ $function . $comment . "DROP INDEX smartcar_tesla.account_external_id;\n", qr/^- index .*account_external_id/m ],
	'with another label' => [ $function . $comment . "ALTER TYPE smartcar_action ADD VALUE 'other';\n", qr/^\+ label .*other/m ],
	'with rows that are not dumped' => [ $function . $comment . "SELECT pg_catalog.pg_extension_config_dump('smartcar_tesla.account', 'WHERE false');\n", qr/^\+ dumped .*WHERE false/m ],
	'with a comment on a column too few' => [ $function . $comment . "COMMENT ON COLUMN smartcar_status.action IS NULL;\n", qr/^- comment column action/m ],
	'with a function that does not belong to the extension' => [ $function . $comment . "ALTER EXTENSION smartcar_tesla DROP FUNCTION smartcar_add_required(text[]);\n", qr/^- member function public\.smartcar_add_required/m ]);

$fresh =~ s/^extension .*\n?//m;
my $number = 0;
foreach my $case ([ 'right', $function . $comment, undef ], map { [ $_, @{ $wrong{$_} } ] } sort keys %wrong)
{
	my ($name, $content, $pattern) = @$case;
	my $to = "after$number";

	$number++;
	write_script("before--$to", $content);
	my $updated = extension_after("CREATE EXTENSION smartcar_tesla VERSION 'before'", "ALTER EXTENSION smartcar_tesla UPDATE TO '$to'") =~ s/^extension .*\n?//mr;
	my $differences = join "\n", differences($fresh, $updated);

	is($differences, '', 'a correct update leaves no difference') if !$pattern;
	like($differences, $pattern, "an update $name is noticed") if $pattern;
}

$node->stop;
done_testing();
