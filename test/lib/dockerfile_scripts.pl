#!/usr/bin/perl

# Prints the scripts that a Dockerfile runs, one after the other, as a shell gets
# them.
#
# Usage: dockerfile_scripts.pl Dockerfile

use strict;
use warnings;

local $/ = undef;
my $text = <>;

$text =~ s/^\s*#.*\n//mg;
while ($text =~ /^RUN((?:.*\\\n)*.*)$/mg)
{
	my $script = $1;

	$script =~ s/^(?:\s|\\\n)*(?:--\S+(?:\s|\\\n)+)*//;
	$script =~ s/\\\n\s*//g;
	print "$script\n";
}
