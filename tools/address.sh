#!/bin/bash
#
# Writes the address of the repository, or compares the files that name it.
#
# Usage: tools/address.sh              compares them
#        tools/address.sh URL EMAIL    writes the address of the repository on GitHub,
#                                      such as https://github.com/acme/smartcar_tesla,
#                                      and of its maintainers
#        tools/address.sh --release    compares them, and fails while the address is
#                                      the one at example.org
#
# META.json is the source.  The other files repeat its addresses, because hosts,
# people and Debian read those.

set -euo pipefail

cd "$(dirname "$0")/.."

files=(META.json README.md SECURITY.md debian/changelog debian/control debian/control.in debian/copyright)

# Both addresses, as META.json has them.
read -r url email < <(perl -MJSON::PP -0777 -ne '
	my $meta = decode_json($_);
	print $meta->{resources}{homepage} // "-", " ", $meta->{maintainer}[0] =~ /<(.+)>/, "\n";' META.json)

# replace OLD NEW, in all files
replace()
{
	OLD=$1 NEW=$2 perl -pi -e 's/(?<![\w.+-])\Q$ENV{OLD}\E(?![\w-])/$ENV{NEW}/g' "${files[@]}"
}

case $#,${1:-} in
	0,* | 1,--release) ;;
	2,https://?*)
		[[ $2 =~ ^[^@[:space:]\<\>]+@[^@[:space:]\<\>]+\.[^@[:space:]\<\>]+$ ]] ||
			{ echo "\"$2\" is not the address of a mailbox" >&2; exit 2; }
		replace "$url" "${1%/}"
		replace "$email" "$2"
		exec "$0"
		;;
	*) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

failed=no

# must_have TEXT FILE...
must_have()
{
	local text=$1 file

	shift
	for file in "$@"; do
		if ! grep -qF -e "$text" "$file"; then
			echo "$file does not have \"$text\", which META.json implies" >&2
			failed=yes
		fi
	done
}

must_have "\"$url/issues\"" META.json
must_have "\"$url.git\"" META.json
must_have "git clone $url.git smartcar_tesla &&" README.md
must_have "$url/security" SECURITY.md
must_have "Homepage: $url" debian/control debian/control.in
must_have "Vcs-Browser: $url" debian/control debian/control.in
must_have "Vcs-Git: $url.git" debian/control debian/control.in
must_have "Source: $url" debian/copyright
must_have "<$email>" debian/changelog debian/control debian/control.in debian/copyright
must_have "$email" SECURITY.md

if [ "${1:-}" = --release ] && [[ "$url $email" == *example.org* ]]; then
	echo "the address of the repository is not known yet: write it with tools/address.sh URL EMAIL" >&2
	failed=yes
fi
[ $failed = no ] || exit 1
echo "repository $url, maintainers $email"
