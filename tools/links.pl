#!/usr/bin/perl
# Checks that every relative link, anchor and image in the project's Markdown files has a
# target, that every page of the manual is linked from its front page, and that the paths in
# `backquotes` exist.
#
#   tools/links.pl [DIRECTORY]      default: the project
#
# Links to other sites are not followed.

use strict;
use warnings;
use utf8;

use File::Basename qw(dirname);
use File::Find qw(find);
use File::Spec::Functions qw(abs2rel canonpath catfile);

binmode STDOUT, ':encoding(UTF-8)';

my $project = $ARGV[0] // dirname($0) . '/..';
my $front_page = 'doc/README.md';
my %anchors_of;
my %linked_from_front;
my $links = 0;
my @problems;

chdir $project or die "could not enter $project: $!\n";

sub markdown_files
{
	my @files;

	find({ no_chdir => 1, wanted => sub {
		$File::Find::prune = 1 if -d && m{/(?:node_modules|\.git|tmp_check)$};
		push @files, canonpath($_) if -f && /\.md$/;
	} }, '.');
	return sort @files;
}

# The lines of a file that are not code, with their numbers.
sub prose_of
{
	my ($file) = @_;
	my (@lines, $in_code);

	open my $fh, '<:encoding(UTF-8)', $file or die "could not read $file: $!\n";
	while (my $line = <$fh>)
	{
		chomp $line;
		if ($line =~ /^\s*```/)
		{
			$in_code = !$in_code;
		}
		elsif (!$in_code)
		{
			push @lines, [ $., $line ];
		}
	}
	close $fh;
	return @lines;
}

# The anchors that GitHub generates from the headings of a file.
sub anchors_of
{
	my ($file) = @_;
	my (%anchors, %seen);

	return $anchors_of{$file} if $anchors_of{$file};
	foreach (prose_of($file))
	{
		next if $_->[1] !~ /^#{1,6}\s+(.*?)\s*#*$/;
		my $anchor = lc $1;

		$anchor =~ s/!?\[([^\]]*)\]\([^)]*\)/$1/g;
		$anchor =~ s/[^\w\- ]//g;
		$anchor =~ s/ /-/g;
		my $count = $seen{$anchor}++;
		$anchors{ $count ? "$anchor-$count" : $anchor } = 1;
	}
	return $anchors_of{$file} = \%anchors;
}

sub check_link
{
	my ($file, $number, $target) = @_;

	return if $target =~ /^[a-z][a-z0-9+.-]*:/;
	my ($path, $anchor) = $target =~ /^([^#?]*)(?:#(.*))?$/;
	my $found = $path eq '' ? $file : catfile(dirname($file), $path);

	# without the ".." within
	1 while $found =~ s{(?:^|(?<=/))(?!\.\./)[^/]+/\.\./}{};
	$found = canonpath($found);
	$links++;
	if ($found =~ m{^(?:\.\.|/)} || !-e $found)
	{
		push @problems, "$file, line $number: there is no $found";
		return;
	}
	$linked_from_front{$found} = 1 if $file eq $front_page;
	push @problems, "$file, line $number: $found has no heading #$anchor"
		if defined $anchor && !($found =~ /\.md$/ && anchors_of($found)->{$anchor});
}

# Paths in pages for users that are not paths of the project.
sub check_path
{
	my ($file, $number, $code) = @_;
	return if $file !~ m{^(?:README|CONTRIBUTING)\.md$|^doc/};
	my ($path) = $code =~ m{^((?:src|sql|expected|doc|test|tools|example|debian)/[\w./-]+)(?:\s|$)} or return;

	push @problems, "$file, line $number: there is no $path" if !-e $path;
}

foreach my $file (markdown_files())
{
	foreach (prose_of($file))
	{
		my ($number, $line) = @$_;

		check_path($file, $number, $1) while $line =~ /`([^`]+)`/g;
		$line =~ s/`[^`]*`//g;
		check_link($file, $number, $1) while $line =~ /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g;
		check_link($file, $number, $1) while $line =~ /\b(?:href|src)="([^"]+)"/g;
		push @problems, "$file, line $number: a link by reference is not looked at: write [text](target)"
			if $line =~ /^\s*\[[^\]]+\]:\s|\]\[/;
	}
}
foreach my $page (grep { m{^doc/} && $_ ne $front_page && !$linked_from_front{$_} } markdown_files())
{
	push @problems, "$front_page does not link to $page";
}

print "$_\n" foreach @problems;
print "$links links\n";
exit(@problems || $links == 0 ? 1 : 0);
