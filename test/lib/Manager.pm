# Accounts of the connection manager for TAP tests: many at once, and what has
# become of them.
#
#   my $sandbox = Sandbox->start;
#   Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '5s');
#   Manager::add_fleet($node, $sandbox, 'smartcar', 300);   # all of them due
#   ... CALL smartcar_refresh() while things go wrong ...
#   is_deeply(Manager::losses($node, $sandbox), {...});
#
# The tokens are sealed and opened by seal_tokens.js, so that a test knows the
# very token that is stored, and can ask the sandbox whether it works.

package Manager;

use strict;
use warnings;

use Carp;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

use Sandbox;

my $seal_tokens = "$FindBin::RealBin/../lib/seal_tokens.js";

# The time after which a lease ends by itself, and in which a used refresh token
# works, in seconds.
our $lease = 20;
our $grace = 60;

# A file with a key, which belongs to a node.
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

# A running node with a server for the sandbox, whose tables change only when a test
# changes them.
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

# The statement with which the callback of an owner is taken, who has begun with a
# link of version 2.0 and has consented at the sandbox as given.
sub callback_of
{
	my ($node, $sandbox, $owner, $external_id, %given) = @_;
	my $answer = $sandbox->connect(owner => $owner, %given);
	my ($state) = $node->safe_psql('postgres', "SELECT smartcar_begin_connect('$external_id')") =~ /[?&]state=([^&]*)/;

	return "CALL smartcar_finish_connect('https://example.com/callback?code=$answer->{code}&state=$state&user_id=$answer->{user_id}')";
}

# Adds accounts to the sandbox's fleet, and the same to a node.  Their access
# tokens end in a minute, unless another interval is given.  Returns the last
# number.
my %fleet;

sub add_fleet
{
	my ($node, $sandbox, $server, $count, $access_ends) = @_;
	my $first = ($fleet{ $sandbox->url } // 0) + 1;
	my $last = $first + $count - 1;
	my $path = $node->basedir . "/fleet_$first";

	$access_ends //= '1 minute';
	$sandbox->ask('fleet', { owners => $count });
	$fleet{ $sandbox->url } = $last;
	system("node '$seal_tokens' seal '" . key_file($node) . "' '$server' $first $last > '$path'") == 0
	  or croak 'the tokens could not be sealed';
	$node->safe_psql('postgres', <<SQL);
		CREATE TEMPORARY TABLE fleet (user_id text, access_token text, refresh_token text);
		COPY fleet FROM '$path';
		INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at)
			SELECT '$server', user_id, 'owner of ' || user_id, decode(access_token, 'hex'), now() + '$access_ends',
				decode(refresh_token, 'hex'), now() + '60 days', now()
			FROM fleet;
SQL
	unlink $path;
	return $last;
}

# Forgets all accounts, here and in the sandbox, whose clock and faults are as at
# its start.
sub start_over
{
	my ($node, $sandbox) = @_;

	$sandbox->ask('reset', {});
	delete $fleet{ $sandbox->url };
	$node->safe_psql('postgres',
		'TRUNCATE smartcar_tesla.account, smartcar_tesla.connection, smartcar_tesla.session, smartcar_tesla.webhook_event');
	return;
}

# The refresh token, or access token, that is stored for each user; an empty text
# where it cannot be opened.
sub stored_tokens
{
	my ($node, $kind) = @_;
	my $path = $node->basedir . '/stored_tokens';

	$kind //= 'refresh';
	my $rows = $node->safe_psql('postgres',
		"SELECT server || E'\\t' || user_id || E'\\t$kind\\t' || encode(${kind}_token, 'hex') FROM smartcar_tesla.account "
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

# What a test wants to be nothing at all: accounts whose stored refresh token does
# not work, those that are not stored any more, and owners who were asked to
# connect again.
sub losses
{
	my ($node, $sandbox) = @_;
	my $stored = stored_tokens($node);
	my $answer = $sandbox->ask('account', { refresh_tokens => [ values %$stored ] });

	return {
		dead => scalar @{ $answer->{dead} },
		lost => scalar @{ $answer->{lost_accounts} },
		asked_again => $node->safe_psql('postgres',
			"SELECT count(*) FROM smartcar_tesla.account WHERE status <> 'active'")
	};
}

our $no_losses = { dead => 0, lost => 0, asked_again => 0 };

# How often the sandbox refreshed an account, the most and the least, how many
# refreshes there were, and how many were with a token that had been used.
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

# Lets time pass without waiting: the sandbox's clock, and the ends of leases and
# pauses, move by so many seconds.
sub pass_time
{
	my ($node, $sandbox, $seconds) = @_;

	$sandbox->ask('advance', { seconds => $seconds });
	$node->safe_psql('postgres',
		"UPDATE smartcar_tesla.account SET leased_until = leased_until - interval '$seconds s', "
		  . "next_attempt_at = next_attempt_at - interval '$seconds s' "
		  . 'WHERE leased_until IS NOT NULL OR next_attempt_at IS NOT NULL');
	return;
}

# All access tokens end in a minute, whatever was refreshed.
sub make_due
{
	my ($node) = @_;

	$node->safe_psql('postgres', "UPDATE smartcar_tesla.account SET access_expires_at = now() + '1 minute'");
	return;
}

# The counts of a refresh, which are the last line of its result: refreshed,
# failed, refused.
sub counts
{
	my ($result) = @_;

	return ($result // '') =~ /^(\d+\|\d+\|\d+)$/m ? $1 : 'no counts but: ' . ($result // 'nothing');
}

sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time() + ($seconds // 10);

	while (time() < $end)
	{
		return 1 if $condition->();
		sleep 0.02;
	}
	return 0;
}

1;
