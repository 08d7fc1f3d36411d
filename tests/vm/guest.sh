#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# All that runs inside the VM besides the command: guest.sh RUN_FOLDER
#
# virtme's root file system asks the host again for every byte of every file, which makes starting
# Python take tens of seconds. So this script moves to a root of its own: the same host's files,
# but cached, and under an overlay that takes what is written. Then it calls itself again there.
#
# RUN_FOLDER is shared with the host and writable. The host put `settings` (shell assignments)
# and `command` there; this script puts there
#   started          as soon as it runs: the kernel has booted
#   stdout, stderr   of the command, as they come
#   status           the command's exit status; only once everything else is written
#   trouble          sentences about what failed around the command
#   taint            the kernel's taint value at the end
# A write there reaches the host before it returns, so nothing is lost in a panic.
set -u

run=$1
# Names below that are in capitals come from there.
# shellcheck source=/dev/null
. "$run/settings"

trouble() { echo "$*" >>"$run/trouble"; }

# A new mount namespace whose root is the cached view of the host.
move() {
	local base=/run/ksqlfs-vm place
	mkdir -p $base/{lower,upper,work,root}
	modprobe -a 9p overlay
	mount -t 9p -o "ro,trans=virtio,version=9p2000.L,msize=512000,access=any,cache=loose" \
		"$ROOT_TAG" $base/lower
	mount -t overlay -o "lowerdir=$base/lower,upperdir=$base/upper,workdir=$base/work" \
		overlay $base/root
	for place in proc sys dev "$(readlink -f /lib/modules)"; do
		mount --rbind "/${place#/}" "$base/root/${place#/}"
	done
	mount --bind /run $base/root/run
	mount --bind "$OUT" "$base/root$OUT"
	cd $base/root
	mkdir -p .old
	pivot_root . .old
	umount -l .old
	rmdir .old
}

prepare() {
	# virtme makes them ports that only one program at a time may open, where the host has udev.
	ln -sfn /proc/self/fd/1 /dev/stdout
	ln -sfn /proc/self/fd/2 /dev/stderr

	export PATH=$PROJECT/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
	export KSQL_VM=1 KSQL_ROOT=/sys/kernel/ksql KSQL_MODULE=$MODULE KERNELRELEASE=$RELEASE

	# What cannot end by itself ends the machine, with its stack in the log.
	echo 45 >/proc/sys/kernel/hung_task_timeout_secs
	echo 10 >/proc/sys/kernel/hung_task_check_interval_secs
	echo 1 >/proc/sys/kernel/hung_task_panic
	echo 1 >/proc/sys/kernel/softlockup_panic
	echo 1 >/proc/sys/kernel/panic_on_rcu_stall

	cd "$PROJECT"
	echo "<6>$BEGIN_MARK" >/dev/kmsg
}

load() {
	insmod "$MODULE" 2>>"$run/trouble" || { trouble "insmod $MODULE failed"; return 1; }
	mount -t ksqlfs ksqlfs "$KSQL_ROOT" 2>>"$run/trouble" ||
		{ trouble "mounting ksqlfs at $KSQL_ROOT failed"; return 1; }
}

# The module's own check of what is still live runs when it goes.
unload() {
	while mountpoint -q "$KSQL_ROOT"; do
		umount "$KSQL_ROOT" 2>>"$run/trouble" || { trouble "umount $KSQL_ROOT failed"; return; }
	done
	if [ -d /sys/module/ksqlfs ]; then
		rmmod ksqlfs 2>>"$run/trouble" || trouble 'rmmod ksqlfs failed'
	fi
}

# The pipes are there so that the command may open /dev/stdout again, as it may on any machine.
# Something left behind in the background may hold them open; it gets two seconds.
run_command() {
	local out err status
	exec 3> >(exec cat >>"$run/stdout")
	out=$!
	exec 4> >(exec cat >>"$run/stderr")
	err=$!
	bash "$run/command" </dev/null >&3 2>&4 3>&- 4>&-
	status=$?
	exec 3>&- 4>&-
	timeout 2 tail -s 0.05 --pid="$out" --pid="$err" -f /dev/null
	return "$status"
}

run_shell() {
	echo "ksqlfs at $KSQL_ROOT on kernel $(uname -r); leave with 'exit' or Ctrl-D"
	bash -i
}

if [ "${2:-}" != inside ]; then
	echo >"$run/started"
	# The host ends a machine that takes too long. Should the host's side be gone, end it here.
	if [ "$TIMEOUT" -gt 0 ]; then
		(sleep $((TIMEOUT + 30)) && echo o >/proc/sysrq-trigger) >/dev/null 2>&1 &
	fi
	exec unshare --mount --propagation private bash "$0" "$run" inside
fi

# Should this fail, there is no status, and so the machine counts as lost.
set -e
move 2>>"$run/trouble"
prepare
set +e

status=125
if [ "$LOAD" = 0 ] || load; then
	"$ACTION"
	status=$?
fi
if [ "$LOAD" = 1 ]; then
	unload
fi
cat /proc/sys/kernel/tainted >"$run/taint"
echo "$status" >"$run/status.new"
mv "$run/status.new" "$run/status"
