# Responses that cannot be used: too large, not JSON, not text, from elsewhere.  Each
# has an error of its own, needs no more memory than the limit, and leaves the
# session usable.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IO::Compress::Gzip;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;
use Time::HiRes qw(sleep);

my $sandbox = Sandbox->start('--tls');
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url);
Sandbox::create_server($node, 'http2', $sandbox->url('https'), ca_file => $sandbox->url('ca_file'));
Sandbox::create_server($node, 'roomy', $sandbox->url, max_response_size => '4MB');
Sandbox::create_server($node, 'huge', $sandbox->url, max_response_size => '64MB', timeout => '60s');

my $session = Session->new($node);
my $ada = $session->connect_owner($sandbox, 'ada');
my $ask = 'SELECT smartcar_get_user(access_token) FROM token';

# The peak memory of a backend, in kB.
sub peak_memory
{
	my ($of) = @_;
	my ($peak) = slurp_file('/proc/' . $of->backend . '/status') =~ /^VmHWM:\s*(\d+)/m;

	return $peak;
}

# Faults that make a response unusable, and the reason in DETAIL.
my $megabyte = 1024 * 1024;
my @unusable = (
	[ 'a body that is too large', { oversize => $megabyte + 1 }, qr/It is too large\./ ],
	[ 'a body that is much too large', { oversize => 64 * $megabyte }, qr/It is too large\./ ],
	[ 'a body that is too large after decompression', { bomb => 64 * $megabyte }, qr/It is too large\./ ],
	[ 'a header that is too large', { big_headers => 80000 }, qr/.*too large\./ ],
	[ 'a body that is not gzip', { body => 'plain', headers => { 'content-encoding' => 'gzip' } }, qr/\S/ ],
	[ 'an encoding that nobody asked for', { body => 'plain', headers => { 'content-encoding' => 'unheard-of' } }, qr/\S/ ],
	[ 'no content type', { body => '{"id":"x"}', content_type => '' }, qr/Its content type is not JSON\./ ],
	[ 'HTML', { body => '<html>', content_type => 'text/html' }, qr/Its content type is not JSON\./ ],
	[ 'JSON that says it is HTML', { body => '{"id":"x"}', content_type => 'text/html' }, qr/Its content type is not JSON\./ ],
	[ 'HTML that says it is JSON', { body => '<html>' }, qr/It is not valid JSON\./ ],
	[ 'no body', { body => '' }, qr/It is not valid JSON\./ ],
	[ 'truncated JSON', { body => '{"id":"x"' }, qr/It is not valid JSON\./ ],
	[ 'JSON followed by more text', { body => '{"id":"x"} {}' }, qr/It is not valid JSON\./ ],
	[ 'bytes that are not UTF-8', { invalid_utf8 => 1 }, qr/It is not valid UTF-8\./ ],
	[ 'a zero byte', { nul => 1 }, qr/It contains a zero byte\./ ],
	[ 'an escaped zero byte', { nul_escape => 1 }, qr/It is not valid JSON\./ ],
	[ 'half of a surrogate pair', { body => '{"id":"\ud83d"}' }, qr/It is not valid JSON\./ ],
	[ 'JSON that nests deeply', { depth => 65 }, qr/It is not valid JSON\./ ],
	[ 'JSON that nests without end', { depth => 400000 }, qr/It is not valid JSON\./ ],
	[ 'a number that is too large', { body => '{"id":1e99999999}' }, qr/It is not valid JSON\./ ],
	[ 'more values than there is memory for', { body => '{"id":"x","list":[1' . ',1' x 100_000 . ']}' }, qr/It is not valid JSON\./ ],
	[ 'a list', { body => '[1]' }, qr/It is not a JSON object\./ ],
	[ 'a text', { body => '"x"' }, qr/It is not a JSON object\./ ],
	[ 'null', { body => 'null' }, qr/It is not a JSON object\./ ],
	[ 'an object of another kind', { body => '{}' }, qr/\S/ ],
	[ 'a value of another type', { body => '{"id":["x"]}' }, qr/\S/ ],
);
foreach my $server ('smartcar', 'http2')
{
	my $peak;

	$session->use_server($server)->query($ask);
	$peak = peak_memory($session) if -d '/proc/self';
	foreach my $case (@unusable)
	{
		my ($what, $fault, $reason) = @$case;

		# over HTTP/2, this breaks the connection before the extension sees the response
		next if $server eq 'http2' && $fault->{big_headers};

		$sandbox->faults({ status => 200, %$fault });
		my $error = $session->error($ask);
		subtest "$server: $what" => sub {
			is($error->{sqlstate}, 'SC004', 'SC004') or diag(explain($error));
			is($error->{message}, q(Smartcar's response cannot be used), 'the message says that the response cannot be used');
			like($error->{detail}, qr{^This is the response to GET /v2\.0/user: $reason}, 'the detail has the reason');
			is($session->query($ask), $ada->{user_id}, 'the session goes on');
			is(scalar $sandbox->log, 2, 'the request is not repeated');
		};
	}
  SKIP:
	{
		skip 'there is no /proc', 1 if !$peak;
		cmp_ok(peak_memory($session) - $peak, '<', 12 * 1024, "$server: all this took less than 12 MB");
	}
}
is($session->query(q(SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'smartcar_tesla %')), '0',
	'no memory context is kept');

# The values of a repeated header are joined into one.
SKIP:
{
	my $values = q(SELECT status, length(headers ->> 'x-a') FROM token, smartcar_request('GET', '/x', access_token));

	skip 'there is no /proc', 4 if !-d '/proc/self';
	my $fresh = Session->new($node);
	$sandbox->faults({ times => 0, body => {}, headers => { 'X-A' => ['1'] } });
	is($fresh->query($values), '200|1', 'the result has a header of the response');
	my $before = peak_memory($fresh);
	$sandbox->faults({ times => 0, body => {}, headers => { 'X-A' => [ ('1') x 4500 ] } });
	is($fresh->query($values), '200|13498', 'a header with 4500 values');
	my $after = peak_memory($fresh);
	cmp_ok($after - $before, '<', 12 * 1024, 'a header with 4500 values takes less than 12 MB');

	# newer versions of libcurl stop at 5000
	$sandbox->faults({ times => 0, body => {}, headers => { 'X-A' => [ ('1') x 6000 ] } });
	like($fresh->query($values), qr/^200\|17998$|^ERROR:  SC004: .*\nDETAIL:  .*\bheaders\b/,
		'with more values than libcurl accepts, the response cannot be used');
	$fresh->finish;
}

# Of many responses, only the results are kept until the call ends.
SKIP:
{
	my $many = q(SELECT count(*), count(DISTINCT headers ->> 'x-39') FROM token, smartcar_request_many('GET', array_fill('/x'::text, ARRAY[$N]), ARRAY[access_token])
		AS r (path, status, body, content_type, request_id, data_age, fetched_at, unit_system, retry_after, headers, sqlstate, error));

	skip 'there is no /proc', 3 if !-d '/proc/self';
	my $fresh = Session->new($node);
	$sandbox->faults({ times => 0, body => {}, headers => { map { ("X-$_" => 'value') } 1 .. 40 } });
	is($fresh->query($many =~ s/\$N/20/r), '20|1', '20 responses with 40 headers');
	my $before = peak_memory($fresh);
	is($fresh->query($many =~ s/\$N/1000/r), '1000|1', '1000 responses with 40 headers');
	my $after = peak_memory($fresh);
	note('1000 responses: ', $after - $before, ' kB');
	cmp_ok($after - $before, '<', 16 * 1024, '1000 responses take less than 16 MB');
	$fresh->finish;
}

# A response that is refused halfway may make its HTTP/2 connection unusable for the
# other requests, which then get another one.
$sandbox->faults({ match => { nth => 3 }, oversize => 64 * $megabyte });
is( $session->use_server('http2')->query(
		q(SELECT count(*) FILTER (WHERE sqlstate IS NULL), string_agg(sqlstate, ' ')
		FROM token, smartcar_request_many('GET', array_fill('/user'::text, ARRAY[20]), ARRAY[access_token]))),
	'19|SC004', 'of many responses, only the one that is too large is lost');

# Violations of HTTP by a server or a proxy: the result is right, or a response that
# cannot be used, but never a lost connection, after which a command "may have been
# carried out".
sub raw
{
	my ($headers, $body, @more) = @_;

	return { raw => [ "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n$headers\r\n$body", @more ] };
}

sub gzip
{
	my ($text) = @_;
	my $packed;

	IO::Compress::Gzip::gzip(\$text => \$packed);
	return $packed;
}

sub packed
{
	my ($bytes) = @_;

	return { body_base64 => encode_base64($bytes, ''), headers => { 'content-encoding' => 'gzip' } };
}
my $json = '{"id":"' . join('', map { sprintf '%03d', $_ } 1 .. 300) . '"}';
my $half = gzip($json);
substr($half, length($half) / 2) = '';
my $in_pieces = "content-length: 2\r\n";
my $chunked = "transfer-encoding: chunked\r\n";
my @unkind = (
	[ 'gzip of two members', packed(gzip('{"id":') . gzip('"x"}')), qr/^SC004$/ ],
	[ 'bytes behind gzip', packed(gzip('{"id":"x"}') . 'xxxxxxxxxxxxxxxxxxxxxxxx'), qr/^SC004$/ ],
	[ 'gzip that ends early', packed($half), qr/^SC004$/ ],
	[ 'interim responses without end', { raw => "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" x 16000 }, qr/^SC004$/ ],
	[ 'a line of the header without end', raw('x-long: ' . 'x' x 250_000 . "\r\n$in_pieces", '{}'), qr/^SC004$/ ],
	[ 'a trailer that looks like a status line', raw($chunked, "2\r\n{}\r\n0\r\nHTTP/foo: bar\r\n\r\n"), qr/^right$/ ],
	[ 'a header that looks like a status line', raw("HTTP/1.1: x\r\n$in_pieces", '{}'), qr/^right$/ ],
	[ 'one interim response', { raw => "HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\n" . raw($in_pieces, '{}')->{raw}[0] }, qr/^right$/ ]);
foreach my $method ('GET', 'POST')
{
	foreach my $case (@unkind)
	{
		my ($what, $fault, $expected) = @$case;
		my $request = qq(SELECT coalesce(sqlstate, 'right'), content_type, coalesce(headers ? 'x-a', false), (error).description
			FROM token, smartcar_request_many('$method', '{/user}', ARRAY[access_token]));

		$sandbox->faults({ %$fault, times => 0 });
		my ($state, $type, $interim, $description) = split /\|/, $session->use_server('smartcar')->query($request);
		like($state, $expected, "$method: $what") or diag($description);
		is("$type $interim", 'application/json f', "$method: $what: the header is that of the final response") if $state eq 'right';
		is(scalar $sandbox->log, 1, "$method: $what: the request is not repeated");
		$sandbox->faults;
		is($session->query($ask), $ada->{user_id}, 'the session goes on');
	}
}

# Unrequested bytes are not the response to the next request.
foreach my $pause (0, 1)
{
	my $evil = raw("content-length: 13\r\n", '{"id":"evil"}')->{raw}[0];
	my $good = raw("content-length: 13\r\n", '{"id":"good"}')->{raw}[0];

	$sandbox->faults({ raw => $pause ? [ $good, $evil ] : "$good$evil" });
	is($session->use_server('smartcar')->query($ask), 'good', 'a response with a second one behind it' . ($pause ? ', which arrives later' : ''));
	sleep 0.1;
	is($session->query($ask), $ada->{user_id}, 'the next request gets its own response');
}

# The limit is exact.
{
	my $exact = q(SELECT length((smartcar_request('GET', '/user', access_token)).body) FROM token);

	$sandbox->faults({ oversize => $megabyte });
	is($session->use_server('smartcar')->query($exact), $megabyte, 'a body as large as the limit is accepted');
	$sandbox->faults({ bomb => $megabyte });
	is($session->use_server('smartcar')->query($exact), $megabyte, 'a compressed body as large as the limit is accepted');
	$sandbox->faults({ oversize => $megabyte + 1 });
	my $error = $session->use_server('smartcar')->error($exact);
	is($error->{sqlstate}, 'SC004', 'a body of one byte more is refused');
	is($error->{hint},
		q(The option "max_response_size" is 1MB; change it with ALTER SERVER smartcar OPTIONS (ADD max_response_size '16MB').),
		'the hint has the statement that raises the limit');
	$sandbox->faults({ oversize => $megabyte + 1 });
	is($session->use_server('roomy')->query($exact), $megabyte + 1, 'a server can have another limit');

	# JSON that takes so long to parse that a cancel would have to wait
	$sandbox->faults({ oversize => 17 * $megabyte });
	is($session->use_server('huge')->query($exact), 17 * $megabyte, 'smartcar_request() returns a text of 17 MB');
	$sandbox->faults({ oversize => 17 * $megabyte });
	like($session->use_server('huge')->error($ask)->{detail}, qr/GET \/v2.0\/user: It is too large\.$/, 'a typed call refuses JSON of that size');

	$sandbox->faults({ big_headers => 80000 });
	unlike($session->use_server('smartcar')->error($exact)->{hint}, qr/max_response_size/, 'max_response_size does not limit headers');
}

# Redirects are not followed: the next host would get the token.
foreach my $status (301, 302, 303, 307, 308)
{
	foreach my $target ('/v2.0/elsewhere', $sandbox->url('https') . '/v2.0/elsewhere', $sandbox->url('https_http1') . '/v2.0/user')
	{
		$sandbox->faults({ status => $status, redirect => $target });
		is($session->use_server('smartcar')->error($ask)->{sqlstate}, "SC$status", "a redirect ($status) is an error");
		is(scalar $sandbox->log, 1, "a redirect ($status) is not followed");
	}
}

# The body of an error can be anything; the status decides.
my @errors = (
	[ 'JSON', { error => { type => 'VEHICLE_STATE', code => 'ASLEEP', description => 'It sleeps.' }, status => 409 },
		'SC409', 'Smartcar refused the request: VEHICLE_STATE:ASLEEP', qr/: It sleeps\./ ],
	[ 'HTML', { status => 403, body => '<html><h1>Forbidden</h1>', content_type => 'text/html' },
		'SC403', 'Smartcar responded with HTTP status 403', qr/<h1>Forbidden/ ],
	[ 'nothing', { status => 404, body => '' }, 'SC404', 'Smartcar responded with HTTP status 404', qr/HTTP status 404\.$/ ],
	[ 'a list', { status => 404, body => '[]' }, 'SC404', 'Smartcar responded with HTTP status 404', qr/HTTP status 404/ ],
	[ 'deep JSON', { status => 404, depth => 100000 }, 'SC404', 'Smartcar responded with HTTP status 404', qr/HTTP status 404/ ],
	[ 'much', { status => 400, body => 'x' x 100000, content_type => 'text/plain' },
		'SC400', 'Smartcar responded with HTTP status 400', qr/x{100}/ ],
	[ 'invalid UTF-8', { status => 400, invalid_utf8 => 1 }, 'SC004', q(Smartcar's response cannot be used), qr/not valid UTF-8/ ],
	[ 'a zero byte', { status => 400, nul => 1 }, 'SC004', q(Smartcar's response cannot be used), qr/zero byte/ ],
	[ 'too much', { status => 400, oversize => 2 * $megabyte }, 'SC004', q(Smartcar's response cannot be used), qr/too large/ ],
	[ 'an unknown status', { status => 499, body => '' }, 'SC499', 'Smartcar responded with HTTP status 499', qr/499/ ],
);
foreach my $case (@errors)
{
	my ($what, $fault, $sqlstate, $message, $detail) = @$case;

	$sandbox->faults($fault);
	my $error = $session->use_server('smartcar')->error($ask);
	is("$error->{sqlstate}: $error->{message}", "$sqlstate: $message", "an error whose body is $what");
	like($error->{detail}, $detail, 'the detail has what could be read of it');
	cmp_ok(length $error->{detail}, '<', 700, 'the detail is short');
	is($session->query($ask), $ada->{user_id}, 'the session goes on');
}

# smartcar_request() accepts any text, but no other bytes.
{
	my $any = q(SELECT (smartcar_request('GET', '/user', access_token)).body FROM token);

	$sandbox->faults({ body => '<html>', content_type => 'text/html' }, { invalid_utf8 => 1 }, { nul => 1 });
	is($session->use_server('smartcar')->query($any), '<html>', 'smartcar_request() accepts a body that is not JSON');
	is($session->error($any)->{sqlstate}, 'SC004', 'smartcar_request() refuses a body that is not UTF-8');
	is($session->error($any)->{sqlstate}, 'SC004', 'smartcar_request() refuses a body with a zero byte');
}

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'no backend has crashed');

done_testing();
