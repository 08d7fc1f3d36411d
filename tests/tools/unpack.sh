#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# unpack.sh FOLDER: programs that the tests run, from Debian's packages, into FOLDER. Installed they
# would begin to serve on the machine; so they, and the libraries that are missing here, are only
# unpacked. Quick and silent when they are there.
set -eu

# A package, and its program.
packages='
prometheus               promtool
prometheus-node-exporter prometheus-node-exporter
collectd-core            collectd
zabbix-agent             zabbix_agentd
'

folder=$1
PATH=$PATH:/usr/sbin:/sbin

missing=''
while read -r package program; do
	[ -n "$package" ] || continue
	[ -e "$folder/usr/bin/$program" ] || [ -e "$folder/usr/sbin/$program" ] ||
		command -v "$program" >/dev/null || missing="$missing $package"
done <<END
$packages
END

if [ -n "$missing" ]; then
	echo "make setup: unpacking into $folder:$missing" >&2
	rm -rf "$folder.new"
	mkdir -p "$folder.new/archives/partial"
	archives=$(cd "$folder.new/archives" && pwd)
	# shellcheck disable=SC2086 # words
	apt-get -qq -y install --no-install-recommends --download-only -o APT::Sandbox::User="$(id -un)" \
		-o Debug::NoLocking=true -o Dir::Cache::archives="$archives" $missing >&2 || {
		echo 'make setup: they could not be downloaded; if the archive has newer ones by now, run' >&2
		echo 'make setup: apt-get update as root, and call it again.' >&2
		exit 1
	}
	for archive in "$archives"/*.deb; do
		case ${archive##*/} in
		fonts-* | libjs-*) continue ;; # of web pages that nobody looks at here
		esac
		dpkg -x "$archive" "$folder.new"
	done
	# Of one package the tests need the smaller half.
	rm -rf "$folder.new/archives" "$folder.new/usr/bin/prometheus" "$folder"
	mv "$folder.new" "$folder"
fi
touch "$folder/.ready"
