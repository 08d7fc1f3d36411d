#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Install the Debian packages that the Makefile's targets need, naming them first. Quick and
# silent when nothing is missing. The only place in this project that installs anything.
set -eu

# One line per package: its name, and a file or command whose presence shows that it is there.
# A command that came some other way (npm from NodeSource, say) is as good as the package.
packages='
gcc                 gcc
libc6-dev           @libc
make                make
npm                 npm
python3             python3
python3-venv        @venv
linux-headers-amd64 @headers
qemu-system-x86     qemu-system-x86_64
busybox-static      @busybox
kmod                depmod
dpkg-dev            dpkg-source
xz-utils            xz
sparse              sparse
clang-format        clang-format
shellcheck          shellcheck
file                file
zsh                 zsh
'

PATH=$PATH:/usr/sbin:/sbin

have_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

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
while read -r package probe; do
	[ -n "$package" ] || continue
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
