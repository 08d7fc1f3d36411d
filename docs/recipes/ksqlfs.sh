# shellcheck shell=sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# ksqlfs from a shell: functions to source, in POSIX sh; tested in dash, bash, busybox sh and zsh.
#
#     . ./ksqlfs.sh
#     ksqlfs_query 'SELECT name, port FROM host WHERE name = ?' "it's"
#
# README.md beside this file has an example of each. Values are never pasted into SQL: they go to
# the server as parameters.
#
# Answers go to stdout, and what went wrong to stderr. Where a function does not say otherwise its
# exit status is
#
#     0   it went well
#     1   the database refused, or a file is bad or cannot be read or written
#     2   wrong usage
#     3   there is no tree, or none that this user may use
#
# The functions run in subshells, and so leave the caller's variables, options, traps and
# descriptors alone; all but ksqlfs_open, ksqlfs_close and ksqlfs_value, which are there to change
# them. They need cat, awk, sed and their like; a backslash before a command keeps the caller's
# aliases out. Names with two underscores are not for use.

# Says a sentence, and ends the subshell with a status: ksqlfs__fail STATUS SENTENCE.
ksqlfs__fail() {
	printf 'ksqlfs: %s\n' "$2" >&2
	exit "$1"
}

# Where the tree is: $KSQL_ROOT, or the first of the usual places that has one.
#
#     ksqlfs_root
ksqlfs_root() (
	set +eux
	if [ -n "${KSQL_ROOT-}" ]; then
		set -- "$KSQL_ROOT"
	else
		set -- /sys/kernel/ksql /run/ksql ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR/ksql"}
	fi
	for dir; do
		[ -e "$dir/info/features" ] && printf '%s\n' "$dir" && exit
	done
	for dir; do
		case $(LC_ALL=C \cat -- "$dir/info/features" 2>&1) in
		*'endpoint is not connected')
			ksqlfs__fail 3 "$dir is a dead mount: unmount it (umount -l) and mount it again."
			;;
		*'Permission denied')
			ksqlfs__fail 3 "$dir may not be entered by this user: see the mount's uid=, gid=, mode=."
			;;
		esac
	done
	[ -z "${KSQL_ROOT-}" ] ||
		ksqlfs__fail 3 "$1 is no ksqlfs tree: mount one there, or name another by KSQL_ROOT."
	ksqlfs__fail 3 'no ksqlfs tree is mounted: mount one, and name it by KSQL_ROOT.'
)

# The path of a query file that can be opened read-write: ksqlfs__file FORMAT.
ksqlfs__file() {
	root=$(ksqlfs_root) || exit
	case $1 in
	csv) file=$root/query ;;
	json | ndjson | tsv) file=$root/query.$1 ;;
	*) ksqlfs__fail 2 "there is no format '$1': csv, json, ndjson or tsv." ;;
	esac
	(: 9<>"$file") 2>/dev/null ||
		ksqlfs__fail 3 "$file cannot be opened: the mount is read-only, or not for this user."
}

# Writes SQL and its parameters as one request: ksqlfs__request TYPES SQL [VALUE]...
ksqlfs__request() {
	types=$1
	printf '%s' "$2"
	shift 2
	[ $# -eq 0 ] || printf '\0'
	for value; do
		case $types in
		i*) printf '\001%s\0' "$value" ;;
		r*) printf '\002%s\0' "$value" ;;
		b*) printf '\004%s\0' "$value" ;;
		n*) printf '\005\0' ;;
		*) printf '\003%s\0' "$value" ;;
		esac
		types=${types#?}
	done
}

# One request and its answer: ksqlfs__ask FORMAT [-s FD] [-p TYPES] [--] SQL [VALUE]...
#
# The request goes through cat, which stops at the first write that fails. The shells' own printf
# may go on after it, and what it then writes would begin another request.
ksqlfs__ask() (
	set +eux
	format=$1 fd='' types=''
	shift
	while [ $# -gt 1 ]; do
		case $1 in
		-s) fd=$2 ;;
		-p) types=$2 ;;
		*) break ;;
		esac
		shift 2
	done
	[ "${1-}" != -- ] || shift
	[ $# -gt 0 ] || ksqlfs__fail 2 'usage: [-s FD] [-p TYPES] SQL [VALUE]...'
	case $types in
	*[!tirbn]*) ksqlfs__fail 2 "-p $types: a type is one of t, i, r, b and n." ;;
	esac
	[ ${#types} -lt $# ] || ksqlfs__fail 2 "-p $types names more values than there are."
	# Of these shells only zsh can have a NUL byte in a value; the others get an empty pattern.
	if [ -n "${ZSH_VERSION-}" ]; then
		nul=$(printf '\0')
		for value; do
			case $value in
			*"$nul"*) ksqlfs__fail 2 'a NUL byte in SQL or in a value: give a blob (-p b).' ;;
			esac
		done
	fi
	if [ -n "$fd" ]; then
		root=$(ksqlfs_root) || exit
		ksqlfs__descriptor "$fd"
		(eval ": >&$fd") 2>/dev/null || ksqlfs__fail 2 "-s $fd: ksqlfs_open has not opened it."
		eval "exec 9<&$fd"
	else
		ksqlfs__file "$format"
		exec 9<>"$file"
	fi
	ksqlfs__request "$types" "$@" 2>/dev/null | \cat >&9 2>/dev/null ||
		ksqlfs__refused "$root"
	# What dd says is caught, what it reads goes on to stdout. Not cat: that of busybox tries
	# sendfile(), reads on after its failure, and so forgets what could not be written.
	{ said=$(LC_ALL=C \dd bs=65536 <&9 2>&1 >&8); } 8>&1
	code=$?
	[ $code -gt 128 ] && exit $code
	case $code$said in
	0*) exit 0 ;;
	*'standard output'* | *'write error'*)
		said=${said%%
*}
		ksqlfs__fail 1 "the answer cannot be written:${said##*:}."
		;;
	esac
	ksqlfs__refused "$root"
)

# Tells why the database refused, and ends the subshell: ksqlfs__refused ROOT.
ksqlfs__refused() {
	\cat <"$1/error" >&2
	exit 1
}

# Whether a descriptor is one for ksqlfs_open: ksqlfs__descriptor FD.
ksqlfs__descriptor() {
	case $1 in
	[3-7]) ;;
	*) ksqlfs__fail 2 "the descriptor '$1' is not one of 3 to 7." ;;
	esac
}

# Run SQL, print its answer.
#
#     ksqlfs_query [-f FORMAT] [-s FD] [-p TYPES] [--] SQL [VALUE]...
#
#     FORMAT   csv (the default), json, ndjson or tsv
#     FD       a connection made by ksqlfs_open, which has the format then
#     TYPES    a letter for each VALUE from the first on, t for those without one: t text,
#              i integer, r real, b blob in hexadecimal digits, n NULL, whatever the value says
#     SQL      one statement or more; the answer is that of the last one that returns columns
#     VALUE    the last statement's parameters, any bytes but NUL
#
# Several statements are no transaction unless they begin one. After an error in the middle of
# the rows, those before it have been printed. The words of an error are those of the user's last
# error, which may be another program's if two fail at once; the exit status is always one's own.
ksqlfs_query() (
	set +eux
	format=csv
	if [ "${1-}" = -f ] && [ $# -gt 1 ]; then
		format=$2
		shift 2
	fi
	ksqlfs__ask "$format" "$@"
)

# A private connection, held open on a descriptor until ksqlfs_close: a transaction lasts over its
# requests, and so do temporary tables.
#
#     ksqlfs_open FD [FORMAT]
#
#     FD       3 to 7
#     FORMAT   of its answers, as in ksqlfs_query
ksqlfs_open() {
	# shellcheck disable=SC2034 # it is used by eval
	ksqlfs__path=$(ksqlfs__openable "$@") || {
		set -- "$?"
		unset ksqlfs__path
		return "$1"
	}
	eval "exec $1<>\"\$ksqlfs__path\""
	unset ksqlfs__path
}

ksqlfs__openable() (
	set +eux
	ksqlfs__descriptor "${1-}"
	ksqlfs__file "${2-csv}"
	printf '%s\n' "$file"
)

# Close it. A transaction that is still open is rolled back, once no child has the descriptor.
#
#     ksqlfs_close FD
ksqlfs_close() {
	(ksqlfs__descriptor "${1-}") || return
	eval "exec $1>&-"
}

# CSV by RFC 4180, for awk: calls row() for each record, with its `fields` in field[], whether one
# was in quotes in quoted[], and the line that it began on in `begin`; and bad(what) for what is
# none.
# shellcheck disable=SC2016 # awk's
ksqlfs__csv='
function outside(commas,    parts, count, i) {
	count = split(commas, parts, ",")
	if (parts[1] != "" && count > 0) {
		if (quoted[fields]) return bad("something between a closing quote and the next comma")
		field[fields] = field[fields] parts[1]
	}
	for (i = 2; i <= count; i++) {
		field[++fields] = parts[i]
		quoted[fields] = 0
	}
}
{
	open_after = (open + gsub(/"/, "\"")) % 2
	if (!open_after) sub(/\r$/, "")
	count = split($0, piece, "\"")
	if (count == 0) piece[count = 1] = ""
	if (open) {
		field[fields] = field[fields] "\n" piece[1]
	} else {
		begin = NR
		fields = 1
		field[1] = ""
		quoted[1] = 0
		outside(piece[1])
	}
	for (i = 2; i <= count; i++) {
		if (!open) {
			if (field[fields] != "" || quoted[fields]) bad("a quote inside of a field without quotes")
			open = quoted[fields] = 1
			field[fields] = piece[i]
		} else if (piece[i] == "" && i < count) {
			field[fields] = field[fields] "\"" piece[++i]
		} else {
			open = 0
			outside(piece[i])
		}
	}
	if (!open) row()
}
'

# Value of a query into a variable, all of it: line feeds at its end too.
#
#     ksqlfs_value VAR [-s FD] [-p TYPES] [--] SQL [VALUE]...
#
#     VAR      a variable's name; it gets the first column of the first row, as CSV without its
#              quotes has it: a blob is \x and hexadecimal digits
#     others   as in ksqlfs_query; FD must answer in CSV
#
# Exit status 4: the value is NULL; 5: there is no row; VAR is empty in both. After an error VAR
# is as it was. A NUL byte within a text is lost, as variables cannot hold it: ask for hex(...).
ksqlfs_value() {
	case ${1-} in
	'' | [0-9]* | *[!A-Za-z0-9_]*)
		(ksqlfs__fail 2 "'${1-}' is no name of a variable.") || return
		;;
	esac
	# shellcheck disable=SC2034 # it is used by eval
	ksqlfs__answer=$(ksqlfs__first "$@") || {
		set -- "$1" "$?"
		case $2 in
		[45]) eval "$1=''" ;;
		esac
		unset ksqlfs__answer
		return "$2"
	}
	eval "$1=\${ksqlfs__answer%.}"
	unset ksqlfs__answer
}

# The value and a full stop, which keeps the line feeds from the command substitution.
ksqlfs__first() (
	set +eux
	shift
	rows=$(ksqlfs__ask csv "$@" && printf .) || exit
	printf '%s' "${rows%.}" | LC_ALL=C awk "$ksqlfs__csv"'
		function bad(what) { exit 1 }
		function row() {
			if (++rows != 2) return
			printf "%s.", field[1]
			null = field[1] == "" && !quoted[1]
		}
		END { exit rows < 2 ? 5 : null ? 4 : 0 }'
)

# Prints a name as SQL has it, in double quotes: ksqlfs__name NAME.
ksqlfs__name() {
	name=$1
	printf '"'
	while :; do
		case $name in
		*\"*) printf '%s""' "${name%%\"*}" ;;
		*) break ;;
		esac
		name=${name#*\"}
	done
	printf '%s"' "$name"
}

# Puts what a command prints into a file, which is there whole or as it was:
# ksqlfs__into FILE COMMAND [ARGUMENT]...
#
# What is no regular file (a pipe, /dev/stdout) is written to as it is.
ksqlfs__into() (
	set +eux
	file=$1
	shift
	if [ -e "$file" ] && [ ! -f "$file" ]; then
		[ ! -d "$file" ] || ksqlfs__fail 1 "$file is a directory."
		"$@" >|"$file"
		exit
	fi
	new=$file.ksqlfs.$$
	(set -C && : >"$new") 2>/dev/null ||
		ksqlfs__fail 1 "$file cannot be written: no file can be made beside it."
	trap '\rm -f -- "$new"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	"$@" >|"$new" && \mv -f -- "$new" "$file"
)

# A table or view as a file, atomically: it is there whole, or as it was.
#
#     ksqlfs_export NAME [FILE]
#
#     NAME     of a table or view, as SQL has it, without quotes
#     FILE     its ending says the format: .csv, .json, .ndjson or .tsv; without FILE it is CSV on
#              stdout
ksqlfs_export() (
	set +eux
	case $#,${2-} in
	1,) ;;
	2,*.csv | 2,*.json | 2,*.ndjson | 2,*.tsv) ;;
	*) ksqlfs__fail 2 'usage: ksqlfs_export NAME [FILE.csv|FILE.json|FILE.ndjson|FILE.tsv]' ;;
	esac
	sql="SELECT * FROM $(ksqlfs__name "$1" && printf .)"
	if [ $# -eq 1 ]; then
		ksqlfs_query "${sql%.}"
	else
		ksqlfs__into "$2" ksqlfs_query -f "${2##*.}" "${sql%.}"
	fi
)

# Rows of a file into a table that exists: all of them, or none.
#
#     ksqlfs_import FILE TABLE
#
#     FILE     .csv: its first line names the columns; an empty field is NULL, "" the empty text,
#              \x and hexadecimal digits a blob where the column is declared BLOB or without a type
#              .ndjson: a JSON object a line, whose keys name the columns; {"$base64": "..."} is a
#              blob, and other objects and arrays are kept as text
#     TABLE    as SQL has it, without quotes; the types of its columns say what becomes of numbers
#
# What is wrong with a file is told with its line. All is done by the tree's insert.csv and
# insert.ndjson.
ksqlfs_import() (
	set +eux
	case $#,${1-} in
	2,*.csv | 2,*.ndjson) ;;
	*) ksqlfs__fail 2 'usage: ksqlfs_import FILE.csv|FILE.ndjson TABLE' ;;
	esac
	ksqlfs__readable "$1"
	root=$(ksqlfs_root) || exit
	folder=$(ksqlfs__first folder "$(ksqlfs__folder)" "$2") || case $? in
	4) ksqlfs__fail 1 "$1: no such table: $2; nothing is imported." ;;
	*) exit ;;
	esac
	# Not cat: what is found when the file is closed no shell tells.
	\cp -- "$1" "$root/tables/${folder%.}/insert.${1##*.}" 2>/dev/null || {
		said=$(head -n 1 <"$root/error")
		case $said in
		line*) said=", $said" ;;
		*) said=": $said" ;;
		esac
		ksqlfs__fail 1 "$1$said; nothing is imported."
	}
)

# The folder of a table, NULL if there is none of this name.
ksqlfs__folder() {
	\cat <<'SQL'
WITH RECURSIVE letter(i, rest) AS (
  SELECT 1, name FROM pragma_table_list
  WHERE schema = 'main' AND type IN ('table', 'virtual') AND name = ?1 COLLATE NOCASE
  UNION ALL SELECT i + 1, substr(rest, 2) FROM letter WHERE length(rest) > 1)
SELECT group_concat(CASE
  WHEN unicode(rest) < 32 OR unicode(rest) IN (37, 47, 127) OR i = 1 AND rest GLOB '.*'
    THEN format('%%%02X', unicode(rest))
  ELSE substr(rest, 1, 1) END, '' ORDER BY i)
FROM letter
SQL
}

# A view as metrics in Prometheus's text format, such as node_exporter's textfile collector reads.
#
#     ksqlfs_metrics VIEW [FILE]
#
#     VIEW     of SQL; its name is the metric's. Each row is a sample: the column `value` its
#              value, `help`, `type` and `timestamp` (milliseconds) what they say, if they are
#              there, every other column a label. Rows whose value is NULL are left out.
#     FILE     is written atomically; it ends in .prom for the collector, which wants no timestamps
#              and sees no file of another ending, so none that is half written. Without FILE the
#              metrics go to stdout
ksqlfs_metrics() (
	set +eux
	case $#,${2-} in
	1,) ksqlfs__metrics "$1" ;;
	2,?*) ksqlfs__into "$2" ksqlfs__metrics "$1" ;;
	*) ksqlfs__fail 2 'usage: ksqlfs_metrics VIEW [FILE]' ;;
	esac
)

ksqlfs__metrics() (
	ksqlfs_open 7 || exit
	fault=$(ksqlfs__first fault -s 7 "BEGIN; $(ksqlfs__no_metric)" "$1") || exit
	[ "$fault" = . ] || ksqlfs__fail 1 "the view $1 ${fault%.}."
	fault=$(ksqlfs__first fault -s 7 "SELECT typeof(value) FROM \"$1\"
		WHERE typeof(value) NOT IN ('integer', 'real', 'null') LIMIT 1")
	case $? in
	0) ksqlfs__fail 1 "the view $1 has a ${fault%.} that is no number in its column value." ;;
	5) ;;
	*) exit 1 ;;
	esac
	select=$(ksqlfs__first select -s 7 "$(ksqlfs__samples)" "$1") || exit
	ksqlfs__rows "${select%.}"
)

# What keeps a view from being a metric, nothing if it is one. Names are checked so that they can
# stand in SQL and in the text as they are.
ksqlfs__no_metric() {
	\cat <<'SQL'
SELECT CASE
  WHEN count(*) = 0 THEN 'does not exist'
  WHEN ?1 GLOB '[0-9]*' OR ?1 GLOB '*[^a-zA-Z0-9_]*' THEN 'has a name that no metric can have'
  WHEN count(*) FILTER (WHERE name = 'value') = 0 THEN 'has no column value'
  ELSE coalesce('has a column that cannot be a label: ' || max(name) FILTER (
    WHERE name GLOB '[0-9]*' OR name GLOB '*[^a-zA-Z0-9_]*' OR name GLOB '__*' OR name = ''), '')
END FROM pragma_table_xinfo(?1)
SQL
}

# The SELECT that makes the lines of a view.
ksqlfs__samples() {
	\cat <<'SQL'
SELECT coalesce(group_concat(format(
    'SELECT * FROM (SELECT ''# %s %s '' || replace(replace("%s", ''\'', ''\\''), char(10), ''\n'')'
      || ' FROM "%s" WHERE "%s" IS NOT NULL LIMIT 1) UNION ALL ', upper(name), ?1, name, ?1, name),
    '' ORDER BY name) FILTER (WHERE name IN ('help', 'type')), '')
  || format('SELECT ''%s'' || ', ?1)
  || coalesce('''{'' || ' || group_concat(format(
      '''%s="'' || replace(replace(replace(coalesce("%s", ''''), ''\'', ''\\''), ''"'', ''\"''),'
        || ' char(10), ''\n'') || ''"''', name, name), ' || '','' || ' ORDER BY cid)
    FILTER (WHERE name NOT IN ('value', 'help', 'type', 'timestamp')) || ' || ''}'' || ', '')
  || ''' '' || value'
  || iif(sum(name = 'timestamp'), ' || coalesce('' '' || timestamp, '''')', '')
  || format(' FROM "%s" WHERE value IS NOT NULL', ?1)
FROM pragma_table_xinfo(?1)
SQL
}

# The whole database into a file, atomically, as it was at one moment, while writers go on.
#
#     ksqlfs_backup FILE
#
#     FILE     if its name ends in .sql, a text of SQL, as .dump of the sqlite3 command has it;
#              otherwise a database file of SQLite, made by the server
#
# In a text, rowids that no column names are numbered anew, -0.0 loses its sign, and bytes of texts
# that are not UTF-8 become U+FFFD; a database with virtual tables is refused, as SQL cannot write
# those again.
ksqlfs_backup() (
	set +eux
	case $#,${1-} in
	1,?*) ;;
	*) ksqlfs__fail 2 'usage: ksqlfs_backup FILE' ;;
	esac
	case $1 in
	*.sql) ksqlfs__into "$1" ksqlfs__dump ;;
	*)
		root=$(ksqlfs_root) || exit
		ksqlfs__has "$root" image '.sql at the end of the name gives a text of SQL'
		ksqlfs__into "$1" cat -- "$root/image"
		;;
	esac
)

# Ends the subshell if a tree lacks a file: ksqlfs__has ROOT FILE REMEDY.
ksqlfs__has() {
	[ -e "$1/$2" ] || ksqlfs__fail 1 "the tree at $1 has no file $2: $3."
}

# Of the table with some number from 0, a SELECT that writes its rows as INSERTs.
ksqlfs__insert() {
	\cat <<'SQL'
SELECT format('SELECT %Q, %s || '');'' FROM "%w"',
  format('INSERT INTO "%w"(%s) VALUES(',
    t.name, group_concat(format('"%w"', c.name), ',' ORDER BY cid)),
  group_concat(
    format('iif(typeof("%w") = ''text'' AND instr("%w", char(0)),'
      || ' ''CAST(x'''''' || hex("%w") || '''''' AS TEXT)'', quote("%w"))',
      c.name, c.name, c.name, c.name), ',' ORDER BY cid),
  t.name)
FROM sqlite_schema AS t JOIN pragma_table_xinfo(t.name) AS c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite?_%' ESCAPE '?' AND c.hidden = 0
GROUP BY t.rowid ORDER BY t.rowid LIMIT 1 OFFSET ?
SQL
}

ksqlfs__dump() (
	ksqlfs_open 7 || exit
	virtual=$(ksqlfs__first name -s 7 'BEGIN; SELECT name FROM sqlite_schema
		WHERE type = '\''table'\'' AND rootpage = 0')
	case $? in
	0) ksqlfs__fail 1 "the table ${virtual%.} is virtual: SQL cannot write it again." ;;
	5) ;;
	*) exit 1 ;;
	esac
	printf 'PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n'
	ksqlfs__rows "SELECT format('PRAGMA user_version=%d;', user_version) FROM pragma_user_version
		UNION ALL
		SELECT format('PRAGMA application_id=%d;', application_id) FROM pragma_application_id
		UNION ALL
		SELECT sql || iif(sql LIKE '%--%', char(10), '') || ';' FROM (
			SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite?_%' ESCAPE '?'
			ORDER BY rowid)" || exit
	count=0
	while :; do
		select=$(ksqlfs__first select -s 7 -p i "$(ksqlfs__insert)" "$count")
		case $? in
		0) ksqlfs__rows "${select%.}" || exit ;;
		5) break ;;
		*) exit 1 ;;
		esac
		count=$((count + 1))
	done
	# What AUTOINCREMENT counts by; it is there once a table has had that.
	ksqlfs__first name -s 7 "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence'" >/dev/null
	case $? in
	0)
		ksqlfs__rows "SELECT * FROM (SELECT 'DELETE FROM sqlite_sequence;' FROM sqlite_sequence LIMIT 1)
			UNION ALL
			SELECT format('INSERT INTO sqlite_sequence VALUES(%s,%s);', quote(name), quote(seq))
			FROM sqlite_sequence" || exit
		;;
	5) ;;
	*) exit 1 ;;
	esac
	# Triggers come last: they have fired before.
	ksqlfs__rows "SELECT sql || iif(sql LIKE '%--%', char(10), '') || ';' FROM sqlite_schema
		WHERE type <> 'table' AND sql IS NOT NULL ORDER BY type = 'trigger', rowid" || exit
	printf 'COMMIT;\n'
)

# Prints rows that come from descriptor 7, each a line: the first field, then the others with
# commas between them: ksqlfs__rows SQL [VALUE]...
#
# What fails says so on descriptor 6. The last cat is there because not every awk sees a full disk.
ksqlfs__rows() {
	{
		failed=$(
			{
				{ ksqlfs__ask csv -s 7 "$@" || printf x >&6; } |
					LC_ALL=C awk "$ksqlfs__csv"'
						function bad(what) { exit 1 }
						function row(    i) {
							if (++rows < 2) return
							printf "%s", field[1]
							for (i = 2; i <= fields; i++) printf "%s%s", (i > 2 ? "," : ""), field[i]
							printf "\n"
						}' 6>&- | \cat >&5 || printf x
			} 6>&1
		)
	} 5>&1
	[ -z "$failed" ]
}

# What drops all that there is, NULL if there is nothing.
ksqlfs__drops() {
	\cat <<'SQL'
SELECT group_concat(format('DROP %s IF EXISTS "%w";', type, name), char(10)
  ORDER BY type = 'table', sql NOT LIKE 'CREATE VIRTUAL%')
FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite?_%' ESCAPE '?'
SQL
}

# Replace the whole database by a backup, in one step: all of it, or nothing has changed.
#
#     ksqlfs_restore FILE
#
#     FILE     made by ksqlfs_backup; a database file of SQLite; or what .dump of the sqlite3
#              command writes
ksqlfs_restore() (
	set +eux
	[ $# -eq 1 ] || ksqlfs__fail 2 'usage: ksqlfs_restore FILE'
	ksqlfs__readable "$1"
	root=$(ksqlfs_root) || exit
	if [ "$(dd bs=15 count=1 <"$1" 2>/dev/null)" = 'SQLite format 3' ]; then
		ksqlfs__has "$root" image 'restore a text of SQL'
		[ -w "$root/image" ] || ksqlfs__fail 3 "$root/image may not be written to."
		\cp -- "$1" "$root/image" 2>/dev/null || ksqlfs__fail 1 "$1: $(head -n 1 <"$root/error")."
	else
		ksqlfs__load "$root" "$1"
	fi
)

# Ends the subshell if a file cannot be read: ksqlfs__readable FILE.
ksqlfs__readable() {
	[ -r "$1" ] && [ ! -d "$1" ] && return
	ksqlfs__fail 1 "$1 is no file that can be read."
}

# Runs a text of SQL in place of all that there is: ksqlfs__load ROOT FILE.
ksqlfs__load() {
	[ "$(head -n 2 <"$2" && tail -n 1 <"$2")" = 'PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
COMMIT;' ] || ksqlfs__fail 1 "$2 is no whole backup: its first or last lines are not those of one."
	ksqlfs_open 7 || exit
	ksqlfs_query -s 7 'PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE' || exit
	drops=$(ksqlfs__first drops -s 7 "$(ksqlfs__drops)")
	case $? in
	0 | 4) ;;
	*) exit 1 ;;
	esac
	{ printf '%s\n' "${drops%.}" && tail -n +3 <"$2"; } 2>/dev/null | \cat >&7 2>/dev/null ||
		ksqlfs__refused "$1"
	# What is left without its semicolon would run now.
	ksqlfs_query -s 7 ''
}

# The number of the database's last change: it only grows, by one with each commit.
#
#     ksqlfs_version
ksqlfs_version() (
	set +eux
	root=$(ksqlfs_root) || exit
	ksqlfs__has "$root" events 'it cannot tell of changes'
	while IFS=' ' read -r key value; do
		[ "$key" = data_version ] && printf '%s\n' "$value" && exit
	done <"$root/events"
	exit 1
)

# Wait until the database has changed; prints the number of its last change.
#
#     ksqlfs_wait [-t SECONDS] [VERSION]
#
#     SECONDS  to wait at most, a whole number; exit status 124 when they are over
#     VERSION  what ksqlfs_version, or ksqlfs_wait before, has printed: a change since then counts,
#              so that none is missed. Without it the first one from now on.
#
# It looks every 0.05 seconds at first, then more and more rarely, down to once a second: each look
# reads one small file and starts `sleep`. Programs that can poll() need not look at all: see
# README.md.
ksqlfs_wait() (
	set +eux
	limit=''
	if [ "${1-}" = -t ] && [ $# -gt 1 ]; then
		limit=$2
		shift 2
	fi
	case $limit,$# in
	*[!0-9]*,* | *,[!01]*) ksqlfs__fail 2 'usage: ksqlfs_wait [-t SECONDS] [VERSION]' ;;
	*,0) since=$(ksqlfs_version) || exit ;;
	*,1) since=$1 ;;
	esac
	waited=0 pause=5
	while :; do
		now=$(ksqlfs_version) || exit
		[ "$now" = "$since" ] || break
		[ -z "$limit" ] || [ "$waited" -lt "${limit}00" ] || exit 124
		sleep "$((pause / 100)).$((pause / 10 % 10))$((pause % 10))"
		waited=$((waited + pause)) pause=$((pause < 50 ? pause * 2 : 100))
	done
	printf '%s\n' "$now"
)
