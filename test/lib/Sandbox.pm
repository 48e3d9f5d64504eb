# A local Smartcar for TAP tests, and servers that use it.
#
# The sandbox is a Node program (test/sandbox/main.js, see its README.md) that listens
# on ports of its own choice on the loopback interface:
#
#   use FindBin;
#   use lib "$FindBin::RealBin/../lib";
#   use Sandbox;
#
#   my $sandbox = Sandbox->start('--tls');    # skips all tests without Node
#   Sandbox::create_server($node, 'smartcar', $sandbox->url, timeout => '5s');
#   my $ada = $sandbox->connect(owner => 'ada');
#   $sandbox->faults({ status => 503 });
#   ... calls that use $ada->{access_token} ...
#   is(scalar $sandbox->log, 2, 'the request was made twice');
#
# It ends with the test, even if that is killed, because its standard input does.

package Sandbox;

use strict;
use warnings;

use Carp;
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use Socket;
use Test::More;

my $main = "$FindBin::RealBin/../sandbox/main.js";

my @started;

# The credentials of the application in the sandbox.
our %mapping = (
	client_secret => 'sandbox-client-secret',
	api_client_id => 'client_sandbox',
	api_client_secret => 'sandbox-api-secret',
	management_token => 'sandbox-management-token');

sub start
{
	my ($class, @arguments) = @_;
	my $pid;

	if (system('node --version >/dev/null 2>&1') != 0)
	{
		plan(skip_all => 'there is no node, in which the sandbox is written');
	}
	# Tests of the application's rate limit set one; the others make as many requests as
	# they need.
	$pid = open2(my $output, my $input, 'node', $main, '--no-bucket', @arguments);
	my $line = <$output> // croak 'the sandbox did not start';

	# Proxies of the environment must not be used for the loopback interface.  Over a kept
	# connection, a request with a body would take 40 ms, because HTTP::Tiny
	# sends the body separately and the system then waits for an acknowledgement.
	my $client = HTTP::Tiny->new(timeout => 60, keep_alive => 0, max_redirect => 0, proxy => undef,
		http_proxy => undef, https_proxy => undef);
	my $self = bless {
		pid => $pid, input => $input, client => $client, addresses => decode_json($line)
	}, $class;
	push @started, $self;
	return $self;
}

# The address of a listener, by its name in the line that the sandbox prints.
sub url
{
	my ($self, $member) = @_;

	$member //= 'http';
	return "http://127.0.0.1:$self->{addresses}{closed_port}" if $member eq 'closed_port';
	return $self->{addresses}{$member} // croak "the sandbox has no $member";
}

# A control request: a POST if there is a body, else a GET.
sub ask
{
	my ($self, $path, $content, $method) = @_;
	my %options;

	$method //= defined $content ? 'POST' : 'GET';
	%options = (content => encode_json($content), headers => { 'content-type' => 'application/json' })
		if defined $content;
	my $response = $self->{client}->request($method, $self->url . "/sandbox/$path", \%options);
	croak "the sandbox refused $method $path: $response->{content}" if !$response->{success};
	return decode_json($response->{content});
}

# A connected owner: access_token, refresh_token, code, user_id, vehicles.
sub connect
{
	my ($self, %given) = @_;

	return $self->ask('connect', \%given);
}

# Submits the consent form of a link.  Returns the response.
sub consent
{
	my ($self, $link, %form) = @_;

	return $self->{client}->post_form($link, \%form);
}

# The callback of an owner who consents, with all Tesla permissions by default.
sub callback
{
	my ($self, $link, %form) = @_;
	my $response = $self->consent($link, tesla_permission => 'all', %form);

	return $response->{headers}{location} // croak "no callback: $response->{status} $response->{content}";
}

# Replaces all faults, by none if there are no arguments.  Empties the log.
sub faults
{
	my ($self, @faults) = @_;

	$self->ask('faults', undef, 'DELETE');
	$self->ask('log', undef, 'DELETE');
	$self->ask('faults', \@faults) if @faults;
	return;
}

# The requests since then, oldest first; in scalar context, their number.  Filters are
# members of the query, such as path => '/oauth/token$'.
sub log
{
	my ($self, %query) = @_;
	my $query = $self->{client}->www_form_urlencode(\%query);
	my @entries = @{ $self->ask("log?$query")->{entries} };

	return @entries;
}

# The requests since then, as texts like "GET /v2.0/user".  Removes the faults, and empties
# the log.
sub requests
{
	my ($self, %query) = @_;
	my @requests = map { "$_->{method} $_->{path}" . ($_->{query} eq '' ? '' : "?$_->{query}") } $self->log(%query);

	$self->faults;
	return @requests;
}

# The largest number of requests at the same time since the log was emptied.
sub max_in_flight
{
	my ($self) = @_;

	return $self->ask('log?limit=1')->{max_in_flight};
}

sub stop
{
	my ($self) = @_;

	return if !defined $self->{pid};
	close $self->{input};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	undef $self->{pid};
	return;
}

END
{
	local $?;

	$_->stop foreach @started;
}

sub quoted
{
	my ($value) = @_;

	$value =~ s/'/''/g;
	return "'$value'";
}

sub option_list
{
	my (%options) = @_;

	return join ', ', map { "$_ " . quoted($options{$_}) } sort keys %options;
}

# Creates a server in the database postgres of a node, with one origin for all requests,
# and its user mapping for PUBLIC.  Options that are given as mapping => {...} replace
# all options of the mapping.  The API version is 2.0 by default.
sub create_server
{
	my ($node, $name, $origin, %options) = @_;
	my %mapping_options = %{ delete $options{mapping} // \%mapping };

	$options{"${_}_origin"} = $origin foreach qw(auth iam api vehicle management compatibility);
	$options{api_version} //= '2.0';
	$options{client_id} //= '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07';
	$options{redirect_uri} //= 'https://example.com/callback';
	$node->safe_psql('postgres',
			"SET client_min_messages = warning;\n"
		  . "CREATE EXTENSION IF NOT EXISTS smartcar_tesla;\n"
		  . "CREATE SERVER $name FOREIGN DATA WRAPPER smartcar_tesla OPTIONS ("
		  . option_list(%options)
		  . ");\nCREATE USER MAPPING FOR PUBLIC SERVER $name OPTIONS ("
		  . option_list(%mapping_options)
		  . ')');
	return;
}

# The origin of a port that never completes a connection: its queue is full, so the
# system ignores further clients.  Undefined if the system does otherwise.  The sockets
# stay open until the test ends.
my @occupied;

sub deaf_origin
{
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or return;
	my $address = pack_sockaddr_in($listener->sockport, INADDR_LOOPBACK);

	push @occupied, $listener;
	for (1 .. 10)
	{
		socket(my $client, PF_INET, SOCK_STREAM, 0) or return;
		IO::Handle::blocking($client, 0);
		push @occupied, $client;
		next if CORE::connect($client, $address);

		# one that is not connected soon never will be
		my $bits = '';
		vec($bits, fileno($client), 1) = 1;
		return 'http://127.0.0.1:' . $listener->sockport
			if select(undef, my $ready = $bits, undef, 0.2) == 0;
	}
	return;
}

1;
