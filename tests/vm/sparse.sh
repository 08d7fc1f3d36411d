#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Run sparse over the module's sources: sparse.sh MAKE KERNEL_HEADERS STAGING_FOLDER
#
# The kernel's build system calls this script again as its checker, once for each file:
# sparse.sh OPTION... FILE. Third-party source is let pass. Whatever sparse says about a file of
# ours, headers included, is a failure; what it says about the kernel's own headers is not.
set -uo pipefail

third_party='/(sqlite/sqlite3_unit|sqlite/sqlite3|musl/)'

if [ -z "${KSQL_SPARSE:-}" ]; then
	make=$1 headers=$2 stage=$3
	log=$stage/sparse.log
	KSQL_SPARSE=$stage $make -C "$headers" M="$stage" C=2 CHECK="$PWD/tests/vm/sparse.sh" \
		modules >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	if grep -E "(kfs_module|sqlite_core)/[^:]*:[0-9]+:[0-9]+: (warning|error)" "$log" >&2; then
		exit 1
	fi
	exit 0
fi

for file; do :; done # the last argument
[[ $file =~ $third_party ]] || sparse "$@"
# Judged above, from the log.
exit 0
