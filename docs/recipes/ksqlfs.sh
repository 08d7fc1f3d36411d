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
# them. They need cat, awk, and for files mv and rm. Names with two underscores are not for use.

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
		case $(LC_ALL=C cat -- "$dir/info/features" 2>&1) in
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
	ksqlfs__request "$types" "$@" 2>/dev/null | cat >&9 2>/dev/null ||
		ksqlfs__refused "$root"
	# What cat says is caught, what it reads goes on to stdout.
	{ said=$(LC_ALL=C cat <&9 2>&1 >&8); } 8>&1
	code=$?
	[ $code -gt 128 ] && exit $code
	case $code$said in
	0*) exit 0 ;;
	*'write error'*) ksqlfs__fail 1 "the answer cannot be written:${said##*:}." ;;
	esac
	ksqlfs__refused "$root"
)

# Tells why the database refused, and ends the subshell: ksqlfs__refused ROOT.
ksqlfs__refused() {
	cat <"$1/error" >&2
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
function outside(text,    parts, count, i) {
	count = split(text, parts, ",")
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
