#!/bin/bash
#
# Formats the C sources as PostgreSQL does, with pg_bsd_indent.
#
# Usage: tools/format.sh [FILE...]            prints what would change; fails if anything would
#        tools/format.sh --write [FILE...]    changes it
#        tools/format.sh --typedefs           rewrites tools/typedefs.list; needs a compiler
#        tools/format.sh --find               prints which pg_bsd_indent is used; fails without
#
# Without a FILE all C sources are meant.  The options are those of pgindent.
# They wrap comments at column 79; code is never wrapped, and this project lets
# it go to column 100.  pg_bsd_indent has to know which names are types: those
# that the project defines are found in the sources, those that it uses from
# PostgreSQL, OpenSSL, libcurl and the C library are in tools/typedefs.list.

set -euo pipefail

options=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79 -lp -lpl -nip
	-npro -sac -tpg -ts4)

project=$(cd "$(dirname "$0")/.." && pwd)
cd "$project"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die()
{
	echo "format.sh: $*" >&2
	exit 2
}

# In Debian 12 it is a package of its own, in Debian 13 it comes with the server.
find_indent()
{
	command -v pg_bsd_indent ||
		command -v "$("${PG_CONFIG:-pg_config}" --bindir 2>/dev/null)/pg_bsd_indent" ||
		die "there is no pg_bsd_indent; install it (Debian 12: pg-bsd-indent)"
}

all_sources()
{
	find src test -name node_modules -prune -o -name '*.[ch]' -print | sort
}

# As PostgreSQL lays them out, a name stands at the end of its definition: of a
# struct, of a pointer to a function, or of another name for a type.
own_typedefs()
{
	all_sources | xargs sed -nE \
		-e 's/^\} ([A-Za-z_0-9]+);.*/\1/p' \
		-e 's/^typedef .*\(\*([A-Za-z_0-9]+)\).*/\1/p' \
		-e 's/^typedef [^(]*[ *]([A-Za-z_0-9]+);.*/\1/p' | sort -u
}

# The compiler notes every type that the headers define; those whose names are
# in our sources are the ones in use.
write_typedefs()
{
	local pg_config=${PG_CONFIG:-pg_config} file flags

	read -r -a flags < <("$pg_config" --includedir-server | sed 's/^/-I/' | tr '\n' ' '
		pkg-config --cflags libcurl libcrypto | tr '\n' ' '; echo)
	for file in $(all_sources | grep '\.c$'); do
		gcc -std=gnu11 -g -fno-eliminate-unused-debug-types -Isrc -Itest/fuzz "${flags[@]}" \
			-D_GNU_SOURCE -DSMARTCAR_TESLA_VERSION='""' -c "$file" -o "$work/object.o"
		readelf --wide --debug-dump=info "$work/object.o" 2>/dev/null |
			awk '/DW_TAG/ { typedef = /DW_TAG_typedef/ } typedef && /DW_AT_name/ { print $NF }'
	done | sort -u >"$work/known"
	all_sources | xargs sed -E -e 's!/\*.*!!' -e '/^\s+\*/d' -e 's/"[^"]*"//g' |
		grep -oE '\b[A-Za-z_][A-Za-z_0-9]*\b' | sort -u >"$work/used"
	# <stdbool.h> makes bool a macro
	{ comm -12 "$work/known" "$work/used"; echo bool; } |
		sort -u | comm -23 - <(own_typedefs) >tools/typedefs.list
}

# In the core and in its tests "text" is a good name for a variable; only where
# PostgreSQL's headers are known is it a type.
typedefs_for()
{
	case $1 in
		src/core/* | test/*) grep -vx text "$work/typedefs" ;;
		*) cat "$work/typedefs" ;;
	esac
}

# Prints a file as it should be.
formatted()
{
	typedefs_for "$1" >"$work/typedefs.here"
	# with a name for the output it makes no backup, which would be in our folder
	"$indent" "$1" "$work/output.c" "${options[@]}" -U"$work/typedefs.here" \
		>"$work/messages" 2>&1 ||
		{ cat "$work/messages" >&2; die "pg_bsd_indent failed on $1"; }
	if [ -s "$work/messages" ]; then
		cat "$work/messages" >&2
		die "pg_bsd_indent has something to say about $1"
	fi
	perl "$project/tools/lib/after_indent.pl" <"$work/output.c"
}

mode=check
case ${1:-} in
	--write) mode="write"; shift ;;
	--typedefs) write_typedefs; exit ;;
	--find) mode="find" ;;
	-*) sed -n '/^# Usage/,/^$/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

indent=$(find_indent)
if [ $mode = find ]; then
	echo "$indent"
	exit
fi

if [ $# -eq 0 ]; then
	mapfile -t files < <(all_sources)
else
	files=("$@")
fi

{ own_typedefs; cat tools/typedefs.list; } | sort -u >"$work/typedefs"
different=0
for file in "${files[@]}"; do
	formatted "$file" >"$work/result"
	if cmp -s "$file" "$work/result"; then
		continue
	fi
	different=$((different + 1))
	if [ $mode = write ]; then
		cat "$work/result" >"$file"
		echo "$file"
	else
		diff -u --label "$file" --label "$file, formatted" "$file" "$work/result" || true
	fi
done
if [ $mode = check ] && [ $different -gt 0 ]; then
	echo "$different of ${#files[@]} files are not formatted; tools/format.sh --write formats them" >&2
	exit 1
fi
