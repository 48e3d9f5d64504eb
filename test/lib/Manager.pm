# The connection manager in TAP tests: many accounts at once, and what became of them.
#
#   my $sandbox = Sandbox->start;
#   Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '5s');
#   Manager::add_fleet($node, $sandbox, 'smartcar', 300);   # all of them due
#   ... CALL smartcar_refresh() while things go wrong ...
#   is_deeply(Manager::losses($node, $sandbox), {...});
#
# seal_tokens.js seals and opens the tokens, so that a test knows the stored token, and
# can ask the sandbox whether it works.
#
# No other file of the TAP tests writes to the tables of the manager: they set and read
# rows with the functions of the last part.

package Manager;

use strict;
use warnings;

use Carp;
use Encode ();
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

use Sandbox;

my $seal_tokens = "$FindBin::RealBin/../lib/seal_tokens.js";

# The time after which a lease ends, and in which a used refresh token works, in
# seconds.
our $lease = 20;
our $grace = 60;

our %table = (
	account => 'smartcar_tesla.account',
	connection => 'smartcar_tesla.connection',
	job_run => 'smartcar_tesla.job_run',
	forgotten_user => 'smartcar_tesla.forgotten_user',
	session => 'smartcar_tesla.session',
	sync_round => 'smartcar_tesla.sync_round',
	webhook_event => 'smartcar_tesla.webhook_event');

# A key file that belongs to a node.
sub key_file
{
	my ($node) = @_;
	my $path = $node->basedir . '/token_key';

	write_key_file($path, 'key1 ' . ('00112233' x 8) . "\n") if !-e $path;
	return $path;
}

sub write_key_file
{
	my ($path, $content) = @_;

	unlink $path;
	my $before = umask 077;
	open my $file, '>', $path or croak "could not write $path: $!";
	print $file $content;
	close $file;
	umask $before;
	return;
}

# A server with a key to seal tokens with.
sub create_server
{
	my ($node, $name, $origin, %options) = @_;

	$options{token_key_file} //= key_file($node);
	$options{scope} //= 'read_odometer read_location';
	Sandbox::create_server($node, $name, $origin, %options);
	return;
}

# A running node with a server for the sandbox, and without autovacuum.
sub start_node
{
	my ($sandbox) = @_;
	my $node = PostgreSQL::Test::Cluster->new('main');

	$node->init;
	$node->append_conf('postgresql.conf', "autovacuum = off\n");
	$node->start;
	create_server($node, 'smartcar', $sandbox->url, timeout => '3s');
	return $node;
}

# The statement that finishes a callback of v2.0: the session is begun, and the owner
# consents at the sandbox with the given parameters.
sub callback_of
{
	my ($node, $sandbox, $owner, $external_id, %given) = @_;
	my $response = $sandbox->connect(owner => $owner, %given);
	my ($state) = $node->safe_psql('postgres', "SELECT smartcar_begin_connect('$external_id')") =~ /[?&]state=([^&]*)/;

	return "CALL smartcar_finish_connect('https://example.com/callback?code=$response->{code}&state=$state&user_id=$response->{user_id}')";
}

# Adds accounts to the sandbox's fleet and to a node.  Their access tokens expire in a
# minute, unless another interval is given; other parameters are those of the fleet.
# Returns the last number.
my %fleet;

sub add_fleet
{
	my ($node, $sandbox, $server, $count, $access_ends, %given) = @_;
	my $first = ($fleet{ $sandbox->url } // 0) + 1;
	my $last = $first + $count - 1;
	my $path = $node->basedir . "/fleet_$first";

	$access_ends //= '1 minute';
	$sandbox->ask('fleet', { owners => $count, %given });
	$fleet{ $sandbox->url } = $last;
	system("node '$seal_tokens' seal '" . key_file($node) . "' '$server' $first $last > '$path'") == 0
	  or croak 'the tokens could not be sealed';
	$node->safe_psql('postgres', <<SQL);
		CREATE TEMPORARY TABLE fleet (user_id text, access_token text, refresh_token text);
		COPY fleet FROM '$path';
		INSERT INTO $table{account} (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at)
			SELECT '$server', user_id, 'owner of ' || user_id, decode(access_token, 'hex'), now() + '$access_ends',
				decode(refresh_token, 'hex'), now() + '60 days', now()
			FROM fleet;
SQL
	unlink $path;
	return $last;
}

# Deletes all accounts, here and in the sandbox, and resets its clock and faults.
sub start_over
{
	my ($node, $sandbox) = @_;

	$sandbox->ask('reset', {});
	delete $fleet{ $sandbox->url };
	sql($node, 'TRUNCATE ' . join(', ', sort values %table));
	return;
}

# The stored refresh token, or access token, of each user; an empty text if it cannot be
# opened.
sub stored_tokens
{
	my ($node, $kind) = @_;
	my $path = $node->basedir . '/stored_tokens';

	$kind //= 'refresh';
	my $rows = $node->safe_psql('postgres',
		"SELECT server || E'\\t' || user_id || E'\\t$kind\\t' || encode(${kind}_token, 'hex') FROM $table{account} "
		  . "WHERE ${kind}_token IS NOT NULL ORDER BY server, user_id");
	my @users = map { (split /\t/)[1] } split /\n/, $rows;

	open my $file, '>', $path or croak "could not write $path: $!";
	print $file "$rows\n";
	close $file;
	my @tokens = split /\n/, scalar(`node '$seal_tokens' open '${\key_file($node)}' < '$path'`), -1;
	unlink $path;

	my %tokens;
	@tokens{@users} = @tokens[0 .. $#users];
	return \%tokens;
}

# What must not happen: accounts whose stored refresh token does not work, accounts that
# are no longer stored, and owners who have to connect again.
sub losses
{
	my ($node, $sandbox) = @_;
	my $stored = stored_tokens($node);
	my $response = $sandbox->ask('account', { refresh_tokens => [ values %$stored ] });

	return {
		dead => scalar @{ $response->{dead} },
		lost => scalar @{ $response->{lost_accounts} },
		asked_again => count($node, 'account', 'status <>' => 'active')
	};
}

our $no_losses = { dead => 0, lost => 0, asked_again => 0 };

# How often the sandbox refreshed an account, at least and at most, the number of all
# refreshes, and of those with a token that had been used before.
sub refreshes
{
	my ($sandbox) = @_;
	my ($least, $most, $sum, $repeated, $refused) = (1e9, 0, 0, 0, 0);

	foreach my $account (@{ $sandbox->ask('accounts')->{accounts} })
	{
		$least = $account->{refreshes} if $account->{refreshes} < $least;
		$most = $account->{refreshes} if $account->{refreshes} > $most;
		$sum += $account->{refreshes};
		$repeated += $account->{repeated};
		$refused += $account->{refused};
	}
	return { least => $least, most => $most, sum => $sum, repeated => $repeated, refused => $refused };
}

# Lets time pass without waiting: moves the sandbox's clock, leases and pauses by so many
# seconds.
sub pass_time
{
	my ($node, $sandbox, $seconds) = @_;

	$sandbox->ask('advance', { seconds => $seconds });
	sql($node,
		"UPDATE $table{account} SET leased_until = leased_until - interval '$seconds s', "
		  . "next_attempt_at = next_attempt_at - interval '$seconds s' "
		  . 'WHERE leased_until IS NOT NULL OR next_attempt_at IS NOT NULL');
	return;
}

# The counts of a refresh, from the last line of its result: refreshed, failed, refused.
sub counts
{
	my ($result) = @_;

	return ($result // '') =~ /^(\d+\|\d+\|\d+)\|\d+$/m ? $1 : 'no counts but: ' . ($result // 'nothing');
}

#
# The tables.  Statements run in a session, in the database "postgres" of a node, or in
# another one, [ $node, 'database' ].  Rows are chosen by columns and their values: undef
# is NULL, a list means one of its values, and an operator may follow a column; without
# columns, all rows are meant:
#
#   Manager::set_accounts($node, { access_expires => '1 hour' }, user_id => Manager::fleet(2, 5));
#   is(Manager::count($node, 'connection', 'access_type IS NOT' => undef), 3, ...);
#

sub sql
{
	my ($on, $statement) = @_;

	if (ref $on eq 'Session')
	{
		my $result = $on->query($statement);

		croak $result if $result =~ /^(?:ERROR|FATAL)/m;
		return $result;
	}
	my ($node, $database) = ref $on eq 'ARRAY' ? @$on : ($on, 'postgres');
	return $node->safe_psql($database, $statement);
}

sub literal
{
	my ($value) = @_;

	return defined $value ? "'" . ($value =~ s/'/''/gr) . "'" : 'NULL';
}

sub condition
{
	my (%where) = @_;
	my @parts = ('true');

	foreach my $column (sort keys %where)
	{
		my $value = $where{$column};
		my $operator = $column =~ / / ? '' : !defined $value ? ' IS' : ref $value ? ' IN' : ' =';

		push @parts, "$column$operator " . (ref $value ? '(' . join(', ', map { literal($_) } @$value) . ')' : literal($value));
	}
	return join ' AND ', @parts;
}

# The users of a fleet with these numbers.
sub fleet
{
	my ($first, $last) = @_;

	return [ map { sprintf 'user-%06d', $_ } $first .. $last ];
}

# Times are intervals from now.
my %moment = (
	access_expires => 'access_expires_at',
	refresh_expires => 'refresh_expires_at',
	refreshed => 'refreshed_at',
	next_attempt => 'next_attempt_at',
	leased_until => 'leased_until',
	error => 'error_at',
	updated => 'updated_at',
	began => 'began_at',
	received => 'received_at',
	forgotten => 'forgotten_at',
	expires => 'expires_at');

sub column_of
{
	my ($name) = @_;

	return $moment{$name} // $name;
}

sub value_of
{
	my ($name, $value) = @_;

	return (exists $moment{$name} && defined $value ? 'now() + interval ' : '') . literal($value);
}

sub set_rows
{
	my ($on, $table, $values, %where) = @_;
	my @assignments = map { column_of($_) . ' = ' . value_of($_, $values->{$_}) } sort keys %$values;

	sql($on, "UPDATE $table{$table} SET " . join(', ', @assignments) . ' WHERE ' . condition(%where));
	return;
}

sub set_accounts
{
	my ($on, $values, %where) = @_;

	set_rows($on, 'account', $values, %where);
	return;
}

sub set_connections
{
	my ($on, $values, %where) = @_;

	set_rows($on, 'connection', $values, %where);
	return;
}

# Access tokens expire in a minute, also of accounts that were refreshed.
sub make_due
{
	my ($on, %where) = @_;

	set_accounts($on, { access_expires => '1 minute' }, %where);
	return;
}

# Moves the times at which access tokens expire.
sub shift_access_expiry
{
	my ($on, $interval) = @_;

	sql($on, "UPDATE $table{account} SET access_expires_at = access_expires_at + interval '$interval'");
	return;
}

# As if another session had claimed accounts.
sub lease
{
	my ($on, $interval, %where) = @_;

	set_accounts($on, { lease => '00000000-0000-4000-8000-000000000001', leased_until => $interval }, %where);
	return;
}

# Removes the traces of failures and claims, so that accounts are attempted at once.
sub retry_now
{
	my ($on, %where) = @_;

	set_accounts($on, { next_attempt => undef, lease => undef, leased_until => undef }, %where);
	return;
}

# Changes a bit of a stored token, and back.
sub damage_token
{
	my ($on, $kind, $user_id) = @_;

	sql($on, "UPDATE $table{account} SET ${kind}_token = set_byte(${kind}_token, 30, get_byte(${kind}_token, 30) # 1) WHERE user_id = '$user_id'");
	return;
}

# Stores a token in the place of another one.
sub copy_token
{
	my ($on, $from_user, $from_kind, $to_user, $to_kind) = @_;

	sql($on, "UPDATE $table{account} SET ${to_kind}_token = (SELECT ${from_kind}_token FROM $table{account} WHERE user_id = '$from_user') WHERE user_id = '$to_user'");
	return;
}

# The SQL function set_access_token(user_id, token), for tests that store thousands.
sub create_set_access_token
{
	my ($on) = @_;

	sql($on, 'CREATE FUNCTION set_access_token(text, bytea) RETURNS void LANGUAGE sql '
		  . "AS 'UPDATE $table{account} SET access_token = \$2 WHERE user_id = \$1'");
	return;
}

# A row with these values.
sub add_row
{
	my ($on, $table, %values) = @_;
	my @names = sort keys %values;

	sql($on, "INSERT INTO $table{$table} (" . join(', ', map { column_of($_) } @names)
		  . ') VALUES (' . join(', ', map { value_of($_, $values{$_}) } @names) . ')');
	return;
}

# Adds a vehicle for each account.
sub add_vehicles
{
	my ($on) = @_;

	sql($on, <<SQL);
		INSERT INTO $table{connection} (server, user_id, vehicle_id, granted_scopes, tesla_scopes, virtual_key_paired)
			SELECT server, user_id, 'vehicle of ' || user_id, '{read_odometer,read_location}', '{vehicle_device_data,vehicle_location}', true
			FROM $table{account}
SQL
	return;
}

# Rows that a refresh does not need: accounts that are not due, with times spread as in a
# real fleet, expired sessions, events.
sub add_others
{
	my ($on, $count) = @_;

	sql($on, <<SQL);
		INSERT INTO $table{account} (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at)
			SELECT 'smartcar', 'other-' || n, 'owner of other-' || n, sha256('access'), now() + '20 minutes' + n * 100 / $count * interval '1 minute',
				sha256('refresh'), now() + '59 days' + n * interval '1 s', now() - interval '10 minutes'
			FROM generate_series(1, $count) AS n;
		INSERT INTO $table{session} (server, state_hash, link, expires_at)
			SELECT 'smartcar', sha256(n::text::bytea), 'connect', now() - n * interval '1 minute' FROM generate_series(1, $count) AS n;
		INSERT INTO $table{webhook_event} (server, event_id, received_at)
			SELECT 'smartcar', n, now() - n * interval '1 s' FROM generate_series(1, $count) AS n;
SQL
	return;
}

# Owners of a server, each with a row in every table.
sub add_crowd
{
	my ($on, $server, $first, $last) = @_;
	my $owner = "'owner of other-' || n";

	sql($on, <<SQL);
		INSERT INTO $table{account} (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at)
			SELECT '$server', 'other-' || n, $owner, sha256('access'), now() + '1 hour', sha256('refresh'), now() + '59 days', now()
			FROM generate_series($first, $last) AS n;
		INSERT INTO $table{connection} (server, user_id, vehicle_id, external_id, connection_id, granted_scopes, synced_at)
			SELECT '$server', 'other-' || n, 'vehicle-' || n, $owner, 'connection-' || n, '{read_odometer}', now()
			FROM generate_series($first, $last) AS n;
		INSERT INTO $table{session} (server, state_hash, external_id, link, expires_at)
			SELECT '$server', sha256(n::text::bytea), $owner, 'connect', now() + '1 hour' FROM generate_series($first, $last) AS n;
		INSERT INTO $table{webhook_event} (server, event_id, received_at)
			SELECT '$server', n, now() FROM generate_series($first, $last) AS n;
SQL
	return;
}

# Sessions and events that are old enough to be deleted.
sub add_old_rows
{
	my ($on, $count) = @_;

	sql($on, <<SQL);
		INSERT INTO $table{session} (server, state_hash, link, expires_at)
			SELECT 'smartcar', sha256(('past ' || n)::bytea), 'connect', now() - interval '31 days' FROM generate_series(1, $count) AS n;
		INSERT INTO $table{webhook_event} (server, event_id, received_at)
			SELECT 'smartcar', 'past ' || n, now() - interval '2 days' FROM generate_series(1, $count) AS n;
SQL
	return;
}

sub delete_rows
{
	my ($on, $table, %where) = @_;

	sql($on, "DELETE FROM $table{$table} WHERE " . condition(%where));
	return;
}

# Stores the connection of a user with a vehicle after all others with that vehicle.
sub put_last
{
	my ($on, $vehicle_id, $user_id) = @_;
	my $connection = $table{connection};

	sql($on, <<SQL);
		DO \$\$
		BEGIN
			LOOP
				WITH r AS (DELETE FROM $connection WHERE vehicle_id = '$vehicle_id' AND user_id = '$user_id' RETURNING *)
					INSERT INTO $connection TABLE r;
				EXIT WHEN (SELECT max(ctid) = max(ctid) FILTER (WHERE user_id = '$user_id') FROM $connection WHERE vehicle_id = '$vehicle_id');
			END LOOP;
		END \$\$
SQL
	return;
}

# Moves accounts to another database of the node.
sub move_accounts
{
	my ($node, $database, %where) = @_;
	my $path = $node->basedir . '/moved_accounts';

	sql($node, "COPY (SELECT * FROM $table{account} WHERE " . condition(%where) . ") TO '$path'");
	delete_rows($node, 'account', %where);
	sql([ $node, $database ], "COPY $table{account} FROM '$path'");
	unlink $path;
	return;
}

# Reading

my %order = (
	account => 'server, user_id',
	connection => 'server, vehicle_id, user_id',
	job_run => 'began_at',
	forgotten_user => 'server, user_hash',
	session => 'created_at',
	webhook_event => 'server, event_id');

# Rows in the order of their keys, one per line, with these columns or expressions.
sub rows
{
	my ($on, $table, $columns, %where) = @_;

	return sql($on, "SELECT $columns FROM $table{$table} WHERE " . condition(%where) . " ORDER BY $order{$table}");
}

sub count
{
	my ($on, $table, %where) = @_;

	return sql($on, "SELECT count(*) FROM $table{$table} WHERE " . condition(%where));
}

# One value of all rows.
sub aggregate
{
	my ($on, $table, $expression, %where) = @_;

	return sql($on, "SELECT $expression FROM $table{$table} WHERE " . condition(%where));
}

# Accounts whose access token expires in more than an hour, as after a refresh.
sub count_refreshed
{
	my ($on, %where) = @_;

	return sql($on, "SELECT count(*) FROM $table{account} WHERE access_expires_at > now() + interval '1 hour' AND " . condition(%where));
}

# Accounts with traces of a claim.
sub count_claimed
{
	my ($on) = @_;

	return sql($on, "SELECT count(*) FROM $table{account} WHERE lease IS NOT NULL OR leased_until IS NOT NULL");
}

# Accounts with traces of a failure.
sub count_failing
{
	my ($on) = @_;

	return sql($on, "SELECT count(*) FROM $table{account} WHERE attempts <> 0 OR next_attempt_at IS NOT NULL"
		  . ' OR error_sqlstate IS NOT NULL OR error_description IS NOT NULL OR error_at IS NOT NULL');
}

# Locks rows, and returns a column of them.
sub lock_rows
{
	my ($on, $table, $column, %where) = @_;

	return sql($on, "SELECT $column FROM $table{$table} WHERE " . condition(%where) . ' FOR UPDATE');
}

# A value that changes if any row of the tables does.
sub checksum
{
	my ($on, @tables) = @_;

	return sql($on, q{SELECT md5(string_agg(r, ' ' ORDER BY r)) FROM (}
		  . join(' UNION ALL ', map { "SELECT t::text FROM $table{$_} AS t" } @tables) . ') AS r (r)');
}

# Receives an event of the local Smartcar.  Ends with the result of the function.
sub receive
{
	my ($on, $sandbox, $server, %event) = @_;
	my $delivery = $sandbox->ask('webhook', \%event)->{deliveries}[0];
	my $body = unpack 'H*', Encode::encode('UTF-8', $delivery->{body});
	my $signature = defined $delivery->{signature} ? "'$delivery->{signature}'" : 'NULL';

	return sql($on, "SELECT COALESCE(smartcar_receive_webhook('\\x$body'::bytea, $signature, '$server'), 'NULL')");
}

1;
