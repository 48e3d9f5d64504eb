# A C library that is preloaded into a postmaster (LD_PRELOAD) and replaces a function of
# another library; the test builds it.

package Preload;

use strict;
use warnings;

use PostgreSQL::Test::Utils;

# The path of the library; undefined if it cannot be built.
sub library
{
	my ($source) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir_short();
	my $compiler = $ENV{CC} // 'cc';

	return if $^O ne 'linux';
	open my $file, '>', "$directory/preload.c" or die "could not write $directory/preload.c: $!";
	print $file $source;
	close $file;
	system("$compiler -shared -fPIC -o $directory/preload.so $directory/preload.c -ldl 2>/dev/null");
	return $? == 0 ? "$directory/preload.so" : undef;
}

# Starts a node with the library, if there is one.
sub start_node
{
	my ($node, $library) = @_;

	local $ENV{LD_PRELOAD} = join ' ', grep { defined && $_ ne '' } $ENV{LD_PRELOAD}, $library;
	delete $ENV{LD_PRELOAD} if $ENV{LD_PRELOAD} eq '';
	$node->start;
	return;
}

1;
