#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run_demo.sh [DIRECTORY]: what `make run` does. The packages and processes of this machine become
# tables, and are asked about. Each command is shown as one would type it, then run. Ends in failure
# if anything fails.
#
# With a DIRECTORY a tree is mounted there by FUSE, and unmounted at the end; without one the tree at
# $KSQL_ROOT is used, for example the module's: make vm RUN=tests/run_demo.sh
set -eu

say() { printf '\n# %s\n' "$1"; }

# Shows and runs the commands on its input.
run() {
	commands=$(cat)
	printf '%s\n' "$commands" | sed 's/^/$ /; s/^\$  /   /'
	eval "$commands" 2>&1
}

fail() {
	echo "run_demo.sh: $1" >&2
	exit 1
}

command -v dpkg-query >/dev/null || fail 'there is no dpkg-query: this needs a Debian system.'

if [ $# -gt 0 ]; then
	directory=$1
	say 'A tree, without any kernel module'
	run <<END
mkdir -p $directory && ksqlctl mount --source run-demo $directory
END
	trap 'cd / && ksqlctl umount "$KSQL_ROOT" && rmdir "$KSQL_ROOT"' EXIT
	KSQL_ROOT=$(cd "$directory" && pwd)
	export KSQL_ROOT
	run <<END
cd $directory; ls
END
else
	: "${KSQL_ROOT:=/sys/kernel/ksql}"
	export KSQL_ROOT
	run <<END
cd $KSQL_ROOT; ls
END
fi

say 'The packages of this machine, in one transaction'
run <<'END'
echo "CREATE TABLE pkg(name TEXT PRIMARY KEY, version TEXT, kib INTEGER);" > query
row="INSERT INTO pkg VALUES('\${binary:Package}', '\${Version}', nullif('\${Installed-Size}', ''));\n"
{ echo "BEGIN;"; dpkg-query -W -f "$row"; echo "COMMIT;"; } > query
cat tables/pkg/count
END

say 'By the first part of the name, with a running share of all'
run <<'END'
ksqlctl query --format table "WITH family AS (
    SELECT substr(name, 1, instr(replace(name, ':', '-') || '-', '-') - 1) AS family,
      count(*) AS packages, sum(kib) AS kib
    FROM pkg GROUP BY 1)
  SELECT family, packages, round(kib / 1024.0, 1) AS mib,
    round(100.0 * sum(kib) OVER (ORDER BY kib DESC) / sum(kib) OVER (), 1) AS percent
  FROM family ORDER BY family.kib DESC LIMIT 8"
END

say 'Its processes, and the package of the same name if there is one'
run <<'END'
{ echo pid,rss,program
  for process in /proc/[0-9]*; do
    program=$(readlink $process/exe) && rss=$(awk '/^VmRSS/ {print $2}' $process/status) &&
      printf '%s,%s,"%s"\n' "${process#/proc/}" "$rss" "${program##*/}"
  done 2>/dev/null; true; } | ksqlctl import - process
END
run <<'END'
ksqlctl query --format table "SELECT program, count(*) AS processes,
    round(sum(rss) / 1024.0, 1) AS rss_mib, pkg.version
  FROM process LEFT JOIN pkg ON pkg.name = program GROUP BY program ORDER BY sum(rss) DESC LIMIT 8"
END

say 'One value; a parameter, and JSON'
run <<'END'
echo "SELECT round(sqrt(avg(kib * kib) - pow(avg(kib), 2)), 1) AS deviation FROM pkg" > query; cat value
END
run <<'END'
printf '%s\0' "SELECT name, version FROM pkg WHERE name = ?" dpkg > query; cat result.json
END

say 'The tables as files'
run <<'END'
ls tables; cat tables/pkg/schema; wc -l < tables/pkg/data.csv
END

say 'A mistake'
run <<'END'
echo "SELEC 1" > query; cat result || cat error
END

listed=$(dpkg-query -W | wc -l)
[ "$(cat tables/pkg/count)" = "$listed" ] || fail "dpkg-query lists $listed packages."
if cat result 2>/dev/null; then
	fail 'there is a result of what is no statement.'
fi
