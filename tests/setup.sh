#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# setup.sh GROUP...: install the Debian packages of these groups, naming them first. Quick and
# silent when nothing is missing. The only place in this project that installs anything.
#
#   build   the engine, the FUSE host, the Python environment
#   vm      the module, and the VM that it runs in
#   test    what the tests run besides
#   check   what `make check` runs
#   bench   what `make bench` compares with
set -eu

# One line per package: its group, its name, and a file or command whose presence shows that it is
# there. A command that came some other way (npm from NodeSource, say) is as good as the package.
packages='
build  gcc                 gcc
build  libc6-dev           @libc
build  make                make
build  npm                 npm
build  python3             python3
build  python3-dev         @python_headers
build  python3-venv        @venv
build  xz-utils            xz
build  pkg-config          pkg-config
build  libfuse3-dev        @fuse
build  fuse3               fusermount3
vm     linux-headers-amd64 @headers
vm     qemu-system-x86     qemu-system-x86_64
vm     busybox-static      @busybox
vm     kmod                depmod
vm     dpkg-dev            dpkg-source
test   busybox-static      @busybox
test   file                file
test   fish                fish
test   inotify-tools       inotifywait
test   jq                  jq
test   miller              mlr
test   ripgrep             rg
test   rsync               rsync
test   sqlite3             sqlite3
test   zsh                 zsh
check  sparse              sparse
check  clang-format        clang-format
check  shellcheck          shellcheck
bench  redis-server        redis-server
bench  sqlite3             sqlite3
'

PATH=$PATH:/usr/sbin:/sbin

have_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

# Of the Python that makes .venv, wherever it comes from.
have_python_headers() {
	python3 -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null
}

have_fuse() { pkg-config --exists fuse3 2>/dev/null; }

have_headers() {
	for config in /lib/modules/*/build/.config; do
		[ -e "$config" ] && return 0
	done
	return 1
}

# The VM's first process is busybox, in a file system without any library.
have_busybox() { [ -e /usr/share/doc/busybox-static ] || command -v busybox-static >/dev/null; }

have_libc() { [ -e /usr/include/stdio.h ]; }

have() {
	case $1 in
	@*) "have_${1#@}" ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing=''
while read -r group package probe; do
	case " $* " in
	*" ${group:-none} "*) ;;
	*) continue ;;
	esac
	case " $missing " in
	*" $package "*) continue ;;
	esac
	have "$probe" || missing="$missing $package"
done <<END
$packages
END
missing=${missing# }

[ -n "$missing" ] || exit 0

echo "make setup: missing: $missing" >&2

if ! command -v apt-get >/dev/null || ! grep -qsE '^ID(_LIKE)?="?debian' /etc/os-release; then
	echo 'make setup: this is not a Debian system. Install what these Debian packages hold,' >&2
	echo 'make setup: by the means of your system, and call it again.' >&2
	exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
	as_root=''
elif command -v sudo >/dev/null; then
	as_root=sudo
else
	echo 'make setup: installing needs root, and there is no sudo. As root, run:' >&2
	echo "  apt-get update && apt-get install --no-install-recommends $missing" >&2
	exit 1
fi

echo 'make setup: installing them with apt-get' >&2
$as_root apt-get -q update >&2
# shellcheck disable=SC2086 # words, both of them
$as_root env DEBIAN_FRONTEND=noninteractive \
	apt-get -q install -y --no-install-recommends $missing >&2
