#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# What `make run` does in the VM: the machine's own package list becomes a table, and is asked
# about. Each command is shown as one would type it, then run. Ends in failure if anything fails.
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
root=${KSQL_ROOT:-/sys/kernel/ksql}

# What lines columns up: util-linux's column if it is installed, else tabulate from .venv.
if command -v column >/dev/null; then
	align='column -t -s,'
else
	align='tabulate -1 -s ,'
fi

say 'SQLite, in the kernel'
run <<END
cd $root
END
run <<'END'
uname -r; cat info/version; head -n 1 info/sqlite_version
END

say 'The packages of this machine, in one transaction'
run <<'END'
echo "CREATE TABLE pkg(name TEXT PRIMARY KEY, version TEXT, kib INTEGER);" > query
row="INSERT INTO pkg VALUES('\${binary:Package}', '\${Version}', nullif('\${Installed-Size}', ''));\n"
{ echo "BEGIN;"; dpkg-query -W -f "$row"; echo "COMMIT;"; } > query
cat tables/pkg/count
END

say 'The ten largest'
run <<'END'
echo "SELECT name, kib, round(kib/1024.0, 2) AS mib FROM pkg ORDER BY kib DESC LIMIT 10" > query
END
echo "$align result" | run

say 'By the first part of the name, with a running share of all'
run <<'END'
echo "WITH family AS (
    SELECT substr(name, 1, instr(replace(name, ':', '-') || '-', '-') - 1) AS family,
      count(*) AS packages, sum(kib) AS kib
    FROM pkg GROUP BY 1)
  SELECT family, packages, round(kib / 1024.0, 1) AS mib,
    round(100.0 * sum(kib) OVER (ORDER BY kib DESC) / sum(kib) OVER (), 1) AS percent
  FROM family ORDER BY family.kib DESC LIMIT 8" > query
END
echo "$align result" | run

say 'One value; a parameter, and JSON'
run <<'END'
echo "SELECT round(sqrt(avg(kib * kib) - pow(avg(kib), 2)), 1) AS deviation FROM pkg" > query; cat value
END
run <<'END'
printf '%s\0' "SELECT name, version FROM pkg WHERE name = ?" dpkg > query; cat result.json
END

say 'The table as files'
run <<'END'
ls tables; cat tables/pkg/schema; cat tables/pkg/data.csv | wc -l
END
echo "$align tables/pkg/columns" | run

say 'A mistake'
run <<'END'
echo "SELEC 1" > query; cat result || cat error
END

listed=$(dpkg-query -W | wc -l)
[ "$(cat tables/pkg/count)" = "$listed" ] || fail "dpkg-query lists $listed packages."
if cat result 2>/dev/null; then
	fail 'there is a result of what is no statement.'
fi
