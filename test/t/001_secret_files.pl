# Secret files: which files are accepted, and that their content is never logged
# or shown.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $canary = 'canary-7f3a9c51';
my $dir = PostgreSQL::Test::Utils::tempdir();

sub write_secret
{
	my ($name, $content, $mode) = @_;
	my $path = "$dir/$name";

	open my $fh, '>', $path or die "could not write $path: $!";
	binmode $fh;
	print $fh $content;
	close $fh;
	chmod $mode, $path or die "could not chmod $path: $!";
	return $path;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', qq(
log_min_messages = debug5
log_min_error_statement = debug5
log_error_verbosity = verbose
log_parameter_max_length_on_error = -1
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION smartcar_tesla;
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla;
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (management_token_file '/nonexistent');
));

# The result of a call with the secret in a file: the hash, or the error.
sub hash_with
{
	my ($path) = @_;

	$node->safe_psql('postgres',
		"ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET management_token_file '$path')");
	my ($ret, $stdout, $stderr) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT smartcar_hash_challenge('challenge')");
	return $ret == 0 && $stdout ne '' ? $stdout : $stderr;
}

my $good = write_secret('good', "$canary\n", 0600);
my $hash = hash_with($good);
like($hash, qr/^[0-9a-f]{64}$/, 'a file that only the server can read is accepted');
is(hash_with(write_secret('no_newline', $canary, 0400)), $hash, 'a file without a line break is accepted');
is(hash_with(write_secret('crlf', "$canary\r\n", 0600)), $hash, 'a file with CRLF is accepted');

# a new secret takes effect with the next query, in the same session
write_secret('good', "$canary-2\n", 0600);
isnt(hash_with($good), $hash, 'a changed file takes effect at once');

my %refused = (
	'readable by the group' => [ write_secret('group', $canary, 0640), qr/42501.*has group or world access/s ],
	'readable by others' => [ write_secret('others', $canary, 0604), qr/42501.*has group or world access/s ],
	'writable by others' => [ write_secret('writable', $canary, 0602), qr/42501.*has group or world access/s ],
	'empty' => [ write_secret('empty', '', 0600), qr/22023.*does not hold a secret/s ],
	'only a line break' => [ write_secret('line_break', "\n", 0600), qr/22023.*does not hold a secret/s ],
	'two lines' => [ write_secret('two_lines', "$canary\n$canary\n", 0600), qr/22023.*does not hold a secret/s ],
	'a zero byte' => [ write_secret('zero', "$canary\0", 0600), qr/22023.*does not hold a secret/s ],
	'a space' => [ write_secret('space', "$canary x", 0600), qr/22023.*does not hold a secret/s ],
	'too large' => [ write_secret('large', $canary x 1000, 0600), qr/22023.*larger than 8192 bytes/s ],
	'missing' => [ "$dir/missing", qr/58P01.*could not open secret file/s ],
	'a directory' => [ $dir, qr/42809.*not a regular file/s ],
);
foreach my $what (sort keys %refused)
{
	my ($path, $pattern) = @{ $refused{$what} };
	like(hash_with($path), $pattern, "refused: $what");
}

# a fifo must not block the session
my $fifo = "$dir/fifo";
system('mkfifo', '-m', '0600', $fifo) == 0 or die "mkfifo failed";
like(hash_with($fifo), qr/42809.*not a regular file/s, 'refused: a fifo');

# a file that the server cannot read at all
SKIP:
{
	skip 'this user can read everything', 1 if $> == 0;
	like(hash_with(write_secret('unreadable', $canary, 0000)), qr/42501.*could not open secret file/s,
		'refused: unreadable');
}

# the largest file that is accepted
like(hash_with(write_secret('largest', 'x' x 8192, 0600)), qr/^[0-9a-f]{64}$/, 'a file of 8192 bytes is accepted');

# the secret is not visible anywhere
is($node->safe_psql('postgres', q(SELECT count(*) FROM smartcar_info() WHERE setting LIKE '%canary%')), '0',
	'not in smartcar_info()');
$node->stop;
my $log = slurp_file($node->logfile);
like($log, qr/smartcar_hash_challenge/, 'the log has the statements');
unlike($log, qr/\Q$canary\E/, 'no secret is in the log, at debug5');

done_testing();
