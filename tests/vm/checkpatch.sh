#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Run the kernel's checkpatch over files of ours: checkpatch.sh FILE...
#
# Debian's headers come without it, so it is taken from the package of the kernel's source, once:
# a download of 140 MB of which three files are kept, in build/checkpatch.
set -euo pipefail

tool=build/checkpatch

# What is not asked of this project, each with its reason.
ignored=(
	FILE_PATH_CHANGES	# there is no MAINTAINERS file
	LINUX_VERSION_CODE	# one source for many kernels; such tests are in compat.h alone
	SPDX_LICENSE_TAG	# it knows only the licences of the kernel's own tree, in their places
	SPLIT_STRING		# clang-format's and checkpatch's limits differ by design
	PREFER_KERNEL_TYPES	# the core is host-independent: stdint's names are at home on both
	ARRAY_SIZE		# the core has no header of the kernel's that defines it
	PREFER_DEFINED_ATTRIBUTE_MACRO # nor these
	NEW_TYPEDEFS		# the port's stand-ins for libc's headers define C's own types
	CAMELCASE		# SQLite's own names
	AVOID_EXTERNS		# assembly entry points have no header
	OPEN_ENDED_LINE		# clang-format ends lines so where nothing else fits in 80 columns
	VOLATILE		# in the signature of SQLite's xShmMap
	REPEATED_WORD		# "enum format format"
	EMBEDDED_FILENAME	# SQLite's configuration names its own file
)

fetch() {
	local package work
	package=$(apt-cache depends linux-source 2>/dev/null | sed -n 's/^  Depends: //p' | head -n 1)
	if [ -z "$package" ]; then
		echo 'checkpatch: apt knows no linux-source package; run apt-get update as root.' >&2
		exit 1
	fi
	echo "checkpatch: fetching it out of $package" >&2
	mkdir -p build
	work=$(mktemp -d build/checkpatch.XXXXXX)
	# shellcheck disable=SC2064 # $work as it is now
	trap "rm -rf '$PWD/$work'" EXIT
	(cd "$work" && apt-get -qq download "$package" 2>/dev/null)
	dpkg-deb --fsys-tarfile "$work"/*.deb |
		tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ -C "$work" --strip-components=2 --wildcards \
			'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
			'*/scripts/const_structs.checkpatch'
	rm "$work"/*.deb
	mv "$work" "$tool"
}

[ -e $tool/checkpatch.pl ] || fetch
[ $# -gt 0 ] || exit 0

# It keeps a cache of names in the folder it is called in.
trap 'rm -f .checkpatch-camelcase.*' EXIT
list=$(IFS=, && echo "${ignored[*]}")
perl $tool/checkpatch.pl --no-tree --no-summary --quiet --terse --strict --show-types \
	--max-line-length=100 --ignore "$list" --file "$@"
