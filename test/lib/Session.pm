# A session that lasts over several statements, for TAP tests: a psql between two pipes.
#
# A statement can be started and its result read later, so that a test can do something
# to the session in between.  A result is the output of psql, including errors with their
# SQLSTATE.  A backend keeps connections only as long as the session.

package Session;

use strict;
use warnings;

use Carp;
use Errno;
use IPC::Open3;
use List::Util qw(max);
use Scalar::Util qw(weaken);
use Test::More;
use Time::HiRes qw(sleep time);

my $marker = '-- end of the result --';

my @sessions;

sub new
{
	my ($class, $node, $database) = @_;
	my @command = ('psql', '-X', '-A', '-t', '-q', '-v', 'VERBOSITY=verbose', '-d',
		$node->connstr($database // 'postgres'));
	my $pid = open3(my $input, my $output, undef, @command);
	my $self = bless { pid => $pid, input => $input, output => $output, read => '' }, $class;

	$input->autoflush(1);
	push @sessions, $self;
	weaken($sessions[-1]);
	$self->{backend} = $self->query('SELECT pg_backend_pid()');
	croak "no session: $self->{backend}" if $self->{backend} !~ /^\d+$/;
	return $self;
}

# The process id of the backend.
sub backend
{
	my ($self) = @_;

	return $self->{backend};
}

sub start
{
	my ($self, $sql) = @_;

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{input} } "$sql\n;\n\\echo $marker\n";
	return;
}

# The result of the statement that was started, or undef if it takes longer than a number
# of seconds.
sub result
{
	my ($self, $seconds) = @_;
	my $until = time() + ($seconds // 60);

	for (;;)
	{
		my $bits = '';

		if ($self->{read} =~ s/\A(.*?)^\Q$marker\E\n//ms)
		{
			my $result = $1;

			chomp $result;
			return $result;
		}

		vec($bits, fileno($self->{output}), 1) = 1;
		# since PostgreSQL 17, its modules catch the signal that a child has ended,
		# and a call of the system may end with it
		my $ready = select($bits, undef, undef, max(0, $until - time()));
		next if $ready < 0 && $!{EINTR};
		return if $ready <= 0;

		my $length = sysread($self->{output}, $self->{read}, 65536, length $self->{read});
		next if !defined $length && $!{EINTR};
		if (!$length)
		{
			# the session has ended
			my $rest = $self->{read};

			$self->{read} = '';
			return $rest;
		}
	}
}

sub query
{
	my ($self, $sql) = @_;

	$self->start($sql);
	return $self->result // croak "no result: $sql";
}

# Sets the server of calls that name none.  Returns the session.
sub use_server
{
	my ($self, $server) = @_;

	$self->query("SET smartcar_tesla.server = $server");
	return $self;
}

# Connects an owner in the sandbox, and stores their tokens and code in the table "token".
sub connect_owner
{
	my ($self, $sandbox, $owner) = @_;
	my $given = $sandbox->connect(owner => $owner);

	$self->query("DROP TABLE IF EXISTS token; CREATE TABLE token AS SELECT '$given->{access_token}' AS access_token, "
		  . "'$given->{refresh_token}' AS refresh_token, '$given->{code}' AS code");
	return $given;
}

# The parts of the error in a result: sqlstate, message, detail, hint; empty without an
# error.
sub parts_of_error
{
	my ($result) = @_;
	my %parts;

	return {} if ($result // '') !~ /^(?:ERROR|FATAL):  (\w{5}): (.*)$/m;
	%parts = (sqlstate => $1, message => $2);
	$parts{detail} = $1 if $result =~ /^DETAIL:  (.*)$/m;
	$parts{hint} = $1 if $result =~ /^HINT:  (.*)$/m;
	return \%parts;
}

sub error
{
	my ($self, $sql) = @_;
	my $result = $self->query($sql);
	my $error = parts_of_error($result);

	$error->{sqlstate} //= "no error but: $result";
	$error->{$_} //= '' foreach qw(message detail hint);
	return $error;
}

# Tests that a statement ends with an error of this SQLSTATE, and that its message, detail
# and hint match a pattern.
sub error_is
{
	my ($self, $sql, $sqlstate, $pattern, $name) = @_;
	my $error = $self->error($sql);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($error->{sqlstate}, $sqlstate, $name);
	like("$error->{message}; $error->{detail}; $error->{hint}", $pattern, "message of: $name");
	return;
}

# Tests that a statement has this result.
sub result_is
{
	my ($self, $sql, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($self->query($sql), $expected, $name);
	return;
}

# Waits until a condition is true, for 10 seconds by default.  Returns whether it is.
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time() + ($seconds // 10);

	while (time() < $end)
	{
		return 1 if $condition->();
		sleep 0.01;
	}
	return 0;
}

sub finish
{
	my ($self) = @_;

	return if !defined $self->{pid};
	close $self->{input};
	close $self->{output};
	waitpid $self->{pid}, 0;
	undef $self->{pid};
	return;
}

# At the end of a test its servers are stopped immediately.  A backend that has not ended
# until then could not write its coverage counts (tools/coverage.sh).
END
{
	local ($?, $!, $@);

	foreach my $session (grep { defined && defined $_->{backend} } @sessions)
	{
		my $until = time() + 2;

		$session->DESTROY;
		sleep 0.01 while kill(0, $session->{backend}) && time() < $until;
	}
}

# Does not wait for a statement that is running; the server notices the end by itself.
sub DESTROY
{
	my ($self) = @_;

	local ($?, $!, $@);
	return if !defined $self->{pid};
	kill 'TERM', $self->{pid};
	$self->finish;
	return;
}

1;
