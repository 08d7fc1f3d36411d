# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Boots a machine, runs one command or shell in it, and says truthfully how that went."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from tests.vm import kernel, klog

PROJECT = kernel.PROJECT
# The one folder that a guest writes to and that outlives it.
OUT = PROJECT / "build" / "vm" / "out"
LATEST_LOG = PROJECT / "build" / "vm" / "kernel.log"

# Exit codes of our own; any other is the command's.
DIRTY = 123
TIMED_OUT = 124
LOST = 125

_BOOT_SECONDS = 120
_BOOT_ATTEMPTS = 3
_KEPT_RUNS = 20
_POLL_SECONDS = 0.05

# The emulated processors share one time stamp counter, which the kernel's test of that does not
# see; without it each look at the clock is a trap to QEMU.
_KERNEL_OPTIONS = ("ignore_loglevel", "oops=panic", "panic=-1", "tsc=reliable")
# Under this name the guest finds the host's files, to mount them with a cache.
_ROOT_TAG = "ksqlfs-root"


class VmError(Exception):
    """The machine failed, not the command in it: ``code`` is what to exit with."""

    code = LOST

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log


class VmLostError(VmError):
    """The machine panicked or vanished before the command ended, or could not begin it."""


class VmNotBootedError(VmLostError):
    """The machine ended before anything of ours ran in it."""


class VmTimeoutError(VmError):
    """The machine took too long and was killed."""

    code = TIMED_OUT


class VmDirtyError(VmError):
    """The command ended, but the kernel complained or the module could not be unloaded."""

    code = DIRTY


@dataclass(frozen=True)
class Machine:
    """What is booted."""

    release: str
    cpus: int = 2
    memory: str = "2G"
    kvm: bool = False
    kernel_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What is done in the machine: a command, or an interactive shell if that is None."""

    command: str | None
    load: bool = True
    timeout: int = 0


@dataclass(frozen=True)
class Run:
    """The folder that host and guest share during one run; ``guest.sh`` lists its files."""

    folder: Path

    @property
    def log(self) -> Path:
        """The machine's console: the kernel's log and whatever else lands there."""
        return self.folder / "kernel.log"

    def read(self, name: str) -> str | None:
        """Return the content of a file that the guest may have written."""
        try:
            return (self.folder / name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return None


def new_run() -> Run:
    """Make the folder of a run, point ``build/vm/kernel.log`` at it, drop those long past."""
    OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("run-%m%d-%H%M%S-"), dir=OUT))
    folder.chmod(0o755)
    run = Run(folder)
    run.log.touch()
    link = LATEST_LOG.with_name(f".kernel.log.{os.getpid()}")
    link.symlink_to(run.log.relative_to(LATEST_LOG.parent))
    link.replace(LATEST_LOG)
    for old in sorted(OUT.glob("run-*"))[:-_KEPT_RUNS]:
        subprocess.run(["rm", "-rf", "--", old], check=False)
    return run


def module_path(release: str) -> Path:
    """Return where the Makefile puts the module built for a kernel."""
    return PROJECT / "build" / release / "ksqlfs.ko"


def write_orders(run: Run, machine: Machine, task: Task) -> None:
    """Tell the guest what to do."""
    settings = {
        "PROJECT": str(PROJECT),
        "RELEASE": machine.release,
        "MODULE": str(module_path(machine.release)),
        "OUT": str(OUT),
        "ROOT_TAG": _ROOT_TAG,
        "LOAD": str(int(task.load)),
        "TIMEOUT": str(task.timeout),
        "ACTION": "run_shell" if task.command is None else "run_command",
        "BEGIN_MARK": klog.BEGIN_MARK,
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
    (run.folder / "settings").write_text("".join(lines))
    (run.folder / "command").write_text((task.command or "") + "\n")
    start = run.folder / "start"
    start.write_text(
        f"#!/bin/bash\nexec bash {shlex.quote(str(PROJECT / 'tests/vm/guest.sh'))} "
        f"{shlex.quote(str(run.folder))}\n"
    )
    start.chmod(0o755)


def boot_command(image: Path, run: Run, machine: Machine, task: Task) -> list[str]:
    """Return the command that boots the machine."""
    runner = Path(sys.executable).with_name("virtme-run")
    command = [str(runner), "--kimg", str(image), "--mods", "auto", "--force-9p"]
    command += ["--cpus", str(machine.cpus), "--memory", machine.memory, "--user", "root"]
    command += ["--rwdir", str(OUT)]
    if not machine.kvm:
        command.append("--disable-kvm")
    for option in (*_KERNEL_OPTIONS, *machine.kernel_options):
        command += ["--kopt", option]
    if task.command is None:
        command += ["--disable-monitor", "--shell", str(run.folder / "start")]
    else:
        command += ["--show-boot-console", "--script-sh", str(run.folder / "start")]
    # Last, since it takes all that follows.
    command += ["--qemu-opts", "-no-reboot"]
    command += ["-fsdev", "local,id=ksqlfs,path=/,security_model=none,readonly=on,multidevs=remap"]
    return [*command, "-device", f"virtio-9p-pci,fsdev=ksqlfs,mount_tag={_ROOT_TAG}"]


def copy_console(console: IO[bytes], log: Path) -> None:
    """Write what the machine's console says to the log, until it ends."""
    with log.open("ab", buffering=0) as file:
        while chunk := os.read(console.fileno(), 65536):
            file.write(chunk.replace(b"\r\n", b"\n"))


@contextmanager
def booted(
    command: list[str], log: Path, *, interactive: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the machine; whatever happens, none of its processes is left afterwards."""
    process = subprocess.Popen(
        command,
        stdin=None if interactive else subprocess.DEVNULL,
        stdout=None if interactive else subprocess.PIPE,
        stderr=subprocess.PIPE if interactive else subprocess.STDOUT,
        start_new_session=not interactive,
    )
    console = process.stderr if interactive else process.stdout
    assert console is not None
    copier = threading.Thread(target=copy_console, args=(console, log), daemon=True)
    copier.start()
    try:
        yield process
    finally:
        if not interactive:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        copier.join(timeout=5)


class Follower:
    """Copies a file that the guest writes to a stream of ours, as it grows."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        path.touch()
        self._file = path.open("rb")
        self._stream = stream

    def copy(self) -> None:
        """Copy what is new."""
        while chunk := self._file.read(1 << 20):
            self._stream.write(chunk)
        self._stream.flush()


def wait(process: subprocess.Popen[bytes], run: Run, task: Task, followers: list[Follower]) -> None:
    """Wait until the machine has ended, passing on what the command says."""
    start = time.monotonic()
    running = True
    while running:
        running = process.poll() is None
        for follower in followers:
            follower.copy()
        passed = time.monotonic() - start
        if running and followers and passed > _BOOT_SECONDS and run.read("started") is None:
            raise VmNotBootedError(f"the machine has not booted within {_BOOT_SECONDS} s", run.log)
        if running and 0 < task.timeout < passed:
            raise VmTimeoutError(f"it was still running after {task.timeout} s", run.log)
        if running:
            time.sleep(_POLL_SECONDS)


def judge(run: Run) -> int:
    """Return the command's exit status, or raise what makes the run a failure regardless."""
    complaints = klog.warnings(run.log.read_text(errors="replace"))
    trouble = run.read("trouble")
    status = run.read("status")
    if status is None:
        if run.read("started") is None:
            raise VmNotBootedError("the machine did not boot", run.log)
        reason = f"; the kernel said: {complaints[0]}" if complaints else ""
        reason += f"; {trouble}" if trouble else ""
        raise VmLostError(f"the machine was lost before the command ended{reason}", run.log)
    if int(status) == LOST and trouble:
        raise VmLostError(trouble, run.log)
    if complaints:
        raise VmDirtyError("the kernel complained:\n" + "\n".join(complaints[:30]), run.log)
    if bad := klog.taints(int(run.read("taint") or 0)):
        raise VmDirtyError("the kernel is tainted: " + ", ".join(bad), run.log)
    if trouble:
        raise VmDirtyError(trouble, run.log)
    return int(status)


def attempt(image: Path, machine: Machine, task: Task) -> int:
    """Boot the machine once, do the task in it and return the command's exit status."""
    run = new_run()
    write_orders(run, machine, task)
    interactive = task.command is None
    followers = []
    if not interactive:
        followers.append(Follower(run.folder / "stdout", sys.stdout.buffer))
        followers.append(Follower(run.folder / "stderr", sys.stderr.buffer))
    with booted(boot_command(image, run, machine, task), run.log, interactive=interactive) as vm:
        wait(vm, run, task, followers)
    return judge(run)


def run_task(machine: Machine, task: Task) -> int:
    """Do the task in a machine and return the command's exit status.

    QEMU's emulation now and then dies of an assertion of its own while the kernel looks for
    devices.  Nothing of ours has run by then, so a machine that did not boot is booted again.
    """
    image = kernel.ensure(machine.release)
    if task.load and not module_path(machine.release).exists():
        raise FileNotFoundError(f"{module_path(machine.release)} is missing: run `make module`")
    for _ in range(_BOOT_ATTEMPTS - 1):
        try:
            return attempt(image, machine, task)
        except VmNotBootedError as error:
            print(f"vm: {error}; trying again", file=sys.stderr)
    return attempt(image, machine, task)
