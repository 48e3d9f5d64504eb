# No secret is ever shown: not in the log at debug5, not in a message to the client,
# not in the server's views of statements, not in a dump.
#
# Every call is made, with success and with each kind of failure; one server repeats
# in its error all that it was sent.  Statements have no literals for secrets, which
# come from files, from options, and from a table.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;
use Time::HiRes qw(sleep);

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
my $directory = PostgreSQL::Test::Utils::tempdir();

# The secrets of the application have a word in them that nothing else has, and
# characters that are escaped in a URL and in base64.
my %secret = map { $_ => "kanarie-$_/+?=%41&z" } qw(client_secret api_client_secret management_token);
my %wrong = map { $_ => "kanarie-$_/+=z" } qw(access_token refresh_token code);
my @hidden = (values %secret, values %wrong);

$sandbox->ask('settings', {
	client_secrets => [ $secret{client_secret} ],
	api_client_secrets => [ $secret{api_client_secret} ],
	management_token => $secret{management_token}
});

# Options and tokens that are set before everything is logged.
$node->init;
$node->start;
my %files;
foreach my $name (keys %secret)
{
	$files{"${name}_file"} = "$directory/$name";
	append_to_file("$directory/$name", "$secret{$name}\n");
	chmod 0600, "$directory/$name" or die "could not chmod: $!";
}
my %options = (scope => 'read_location', redirect_uri => 'https://example.com/callback');
my %by = (option => {%secret}, file => {%files});
foreach my $kind (keys %by)
{
	foreach my $version ('2.0', '3')
	{
		Sandbox::create_server($node, "by_${kind}_" . int $version, $sandbox->url, %options,
			api_version => $version, mapping => { api_client_id => 'client_sandbox', %{ $by{$kind} } });
	}
}
Sandbox::create_server($node, 'closed', $sandbox->url('closed_port'), timeout => '1s',
	mapping => { api_client_id => 'client_sandbox', %secret });

# Each round of calls uses up a code and a refresh token.
my $rounds = 5;
my (@rows, $owner);
for my $round (1 .. $rounds)
{
	$owner = $sandbox->connect(owner => 'ben');
	push @rows, map { [ $round, $_, $owner->{$_} ] } qw(code refresh_token access_token);
	push @hidden, @{$owner}{qw(code refresh_token access_token)};
}
push @rows, map { [ 0, $_, $wrong{$_} ] } keys %wrong;
$node->safe_psql('postgres', join ";\n", 'CREATE TABLE secret (round integer, name text, value text)',
	map { "INSERT INTO secret VALUES ($_->[0], '$_->[1]', '$_->[2]')" } @rows);
my ($model_s, $model_x) = @{ $owner->{vehicles} };

# From now on everything is logged.
my $has_statements = -e $node->config_data('--pkglibdir') . '/pg_stat_statements.so';
$node->append_conf('postgresql.conf', q(
log_min_messages = debug5
log_min_error_statement = debug5
log_error_verbosity = verbose
log_statement = all
log_duration = on
log_parameter_max_length_on_error = -1
track_activity_query_size = 16kB
));
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = all\n")
  if $has_statements;
$node->rotate_logfile;
$node->restart;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements') if $has_statements;

my $session = Session->new($node);
my $seen = '';

# Makes a call, ignores its result, and keeps everything else that the client sees.
sub make
{
	my ($sql) = @_;
	my $output = $session->query("$sql \\g /dev/null");

	$seen .= "$output\n";
	return Session::parts_of_error($output)->{sqlstate} // 'none';
}

# A secret of a round, as an expression.
sub from_table
{
	my ($round, $name) = @_;

	return "(SELECT value FROM secret WHERE round = $round AND name = '$name')";
}

# Every call: its request and its statement.
sub v2_calls
{
	my ($round) = @_;
	my $token = from_table($round, 'access_token');
	my $tokens = "ARRAY[$token]";

	return (
		[ '/oauth/token', 'SELECT smartcar_exchange_code(' . from_table($round, 'code') . ')' ],
		[ '/oauth/token', 'SELECT smartcar_refresh_token(' . from_table($round, 'refresh_token') . ')' ],
		[ '/user$', "SELECT smartcar_get_user($token)" ],
		[ '/vehicles$', "SELECT smartcar_get_vehicles($token)" ],
		(map {
			[ '/vehicles/', "SELECT smartcar_get_$_('$model_x', $token)" ],
			[ '/vehicles/', "SELECT * FROM smartcar_get_${_}_many('{$model_x,$model_s}', $tokens)" ]
		} qw(vehicle permissions tesla_access virtual_key)),
		[ '/vehicles/', "SELECT smartcar_get_tesla_migration('$model_x', $token)" ],
		[ '/compatibility', q(SELECT smartcar_get_compatibility('5YJ3E1EA0MF000001')) ],
		[ '/user$', "SELECT smartcar_request('GET', '/user', $token)" ],
		[ '/user$', "SELECT * FROM smartcar_request_many('GET', '{/user}', $tokens)" ],
		[ '/connections', q(SELECT smartcar_request('GET', '/connections', origin => 'management')) ],
		[ '/connections', 'SELECT smartcar_get_connections()' ],
		[ '/connections', "SELECT smartcar_delete_connections('$model_s')" ],
		[ '/application', "SELECT smartcar_request('DELETE', '/vehicles/$model_x/application', $token)" ]);
}

sub v3_calls
{
	my $user = "user_id => '$owner->{user_id}'";

	return (
		[ '/oauth2/token', 'SELECT smartcar_get_application_token()' ],
		[ '/connections', "SELECT smartcar_get_vehicles($user)" ],
		(map { [ '/v3/', "SELECT smartcar_get_$_('$model_x', $user)" ] }
			  qw(vehicle permissions tesla_access virtual_key)),
		[ '/v3/', "SELECT smartcar_request('GET', '/connections', $user)" ],
		[ '/v3/', 'SELECT smartcar_get_connections()' ],
		[ '/v3/', "SELECT smartcar_delete_connections('$model_s')" ],
		[ '/v3/', "CALL smartcar_disconnect_vehicle('$model_x')" ]);
}

# Makes all calls of a round with a fault.
sub all_calls
{
	my ($server, $round, %expected) = @_;
	my @calls = $server =~ /_3$/ ? v3_calls() : v2_calls($round);
	my @unexpected;

	$session->query("SET smartcar_tesla.server = $server");
	foreach my $call (@calls)
	{
		my ($path, $sql) = @$call;

		$sandbox->faults($expected{fault} ? { %{ $expected{fault} }, match => { path => $path }, times => 0 } : ());
		my $sqlstate = make($sql);

		# a call for many, or for any endpoint, returns its error
		my $wanted = $sql =~ /\* FROM|smartcar_request/ && $sqlstate eq 'none' ? qr/none/ : $expected{sqlstate};
		push @unexpected, "$sqlstate: $sql" if $sqlstate !~ $wanted;
	}
	$sandbox->faults;
	return @unexpected;
}

my $round = 0;
$session->query('SET client_min_messages = debug5');
foreach my $kind (sort keys %by)
{
	my $v2 = "by_${kind}_2";
	my $v3 = "by_${kind}_3";

	# Every call repeats in its error what it was sent: as an error of the API,
	# as a page, and in a response that cannot be used.
	$round++;
	foreach my $status ($kind eq 'file' ? (400, 401, 429) : (400))
	{
		is_deeply([ all_calls($v2, $round, fault => { echo => 1, status => $status }, sqlstate => qr/^SC$status$/) ],
			[], "$v2: each call fails with SC$status from a server that repeats what it got");
	}
	$session->finish;
	$session = Session->new($node);
	$session->query('SET client_min_messages = debug5');
	is_deeply([ all_calls($v3, 0, fault => { echo => 1 }, sqlstate => qr/^SC400$/) ],
		[], "$v3: each call fails with SC400 from a server that repeats what it got");

	# the token that the backend keeps
	$session->query('SET client_min_messages = notice');
	my $token = $session->query('SELECT access_token FROM smartcar_get_application_token()');
	like($token, qr/^[\w.-]{20,}$/, "$v3: the backend has a token of the application");
	push @hidden, $token;
	$session->query('SET client_min_messages = debug5');
	is_deeply([ all_calls($v2, 0, sqlstate => qr/^(SC4\d\d|none)$/) ], [], "$v2: a wrong code or token is refused");
	is_deeply([ all_calls($v2, $round, fault => { body => '{"id"', status => 200 }, sqlstate => qr/^SC004$/) ],
		[], "$v2: a response that cannot be used");
	$round++;
	is_deeply([ all_calls($v2, $round, sqlstate => qr/^none$/) ], [], "$v2: each call succeeds");
	$sandbox->connect(owner => 'ben');
	is_deeply([ all_calls($v3, 0, sqlstate => qr/^none$/) ], [], "$v3: each call succeeds");
	$sandbox->connect(owner => 'ben');
}
like($seen, qr/Authorization was .*\(hidden\)/, 'the error repeats what was sent, with the secrets hidden');
$session->query('SET smartcar_tesla.server = closed');
is(make('SELECT smartcar_exchange_code(' . from_table(5, 'code') . ')'), 'SC001', 'a code without a connection');
is(make('SELECT smartcar_get_application_token()'), 'SC001', 'an application token without a connection');

# The error in a row of a call for many, which applications log themselves.
$session->query('SET smartcar_tesla.server = by_file_2');
$sandbox->faults({ echo => 1, times => 0 });
my $errors = $session->query("SELECT error FROM smartcar_get_vehicle_many(ARRAY['x'], ARRAY[" . from_table(5, 'access_token') . '])');
like($errors, qr/\(hidden\)/, 'the error in a row of a call for many hides the secrets');
$seen .= $errors;

# A page, and one so long that it is cut off within the secret.
foreach my $length (0, map { 400 + 10 * $_ } 0 .. 10)
{
	$sandbox->faults({ status => 400, body => '<p>' . 'x' x $length . $wrong{access_token} . 'y' x 100 });
	is(make('SELECT smartcar_get_vehicles(' . from_table(0, 'access_token') . ')'), 'SC400', 'an error that is a page');
}

# A block that catches an error and raises another one with all of its texts.
$sandbox->faults({ echo => 1, times => 0 });
$seen .= $session->query(q(DO $$
	DECLARE token text = (SELECT value FROM secret WHERE round = 5 AND name = 'access_token');
		message text; detail text; hint text; context text;
	BEGIN
		PERFORM smartcar_get_vehicles(token);
	EXCEPTION WHEN SQLSTATE 'SC000' THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
			context = PG_EXCEPTION_CONTEXT;
		RAISE '% % % %', message, detail, hint, context;
	END $$));

# While a call waits, others see its statement.
$sandbox->faults({ delay_ms => 30000 });
$session->start('SELECT smartcar_get_user(' . from_table(5, 'access_token') . ')');
for (1 .. 1000)
{
	last if $sandbox->log;
	sleep 0.01;
}
my $control = Session->new($node);
my $activity = $control->query('SELECT * FROM pg_stat_activity');
like($activity, qr/SELECT smartcar_get_user/, 'pg_stat_activity has the statement');
$control->query('SELECT pg_cancel_backend(' . $session->backend . ')');
like($session->result(10), qr/57014/, 'the call is canceled');

my $statements = $has_statements ? $control->query('SELECT * FROM pg_stat_statements') : '';
my $info = join "\n", map { $control->query("SELECT * FROM smartcar_info('by_${_}_2')") } keys %by;
$control->query('TRUNCATE secret');
my ($dump) = run_command([ 'pg_dumpall', '-h', $node->host, '-p', $node->port ]);
like($dump, qr/CREATE USER MAPPING FOR public SERVER by_option_2/i, 'a dump has the user mappings');
$dump =~ s/^CREATE USER MAPPING .*?\);\n//gms;

$session->finish;
$control->finish;
$node->stop;
my $log = slurp_file($node->logfile);
cmp_ok(length $log, '>', 100000, 'the log is verbose');

# Parts of a secret that give it away: as it is, or in base64, where it can begin at
# any of three offsets.
sub traces
{
	my ($value) = @_;
	my @traces = $value =~ /^kanarie/ ? ('kanarie') : (substr($value, 0, 13), substr($value, -12));

	foreach my $offset (0 .. 2)
	{
		my $encoded = encode_base64(('x' x $offset) . $value, '');

		# without the characters that depend on what stands before and after it
		push @traces, substr $encoded, 4, 16;
	}
	return @traces;
}
my %trace = map { $_ => 1 } map { traces($_) } @hidden;
my $pattern = join '|', map { quotemeta } keys %trace;
my %where = (
	'the log' => $log,
	'what the client sees' => $seen,
	'pg_stat_activity' => $activity,
	'pg_stat_statements' => $statements,
	'smartcar_info()' => $info,
	'a dump' => $dump);
foreach my $name (sort keys %where)
{
	my $text = $where{$name};
	my @found = $text =~ /^(.*(?:$pattern).*)$/gmi;

	is(scalar @found, 0, "no secret in $name") or diag(map { substr($_, 0, 500) . "\n" } @found[ 0 .. ($#found > 4 ? 4 : $#found) ]);
}

done_testing();
