# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mounting and unmounting: in the foreground or as a daemon, over a dead mount, a second time."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from ksqlfs.fuse.options import OptionError, Options
from ksqlfs.fuse.rom import Rom, RomError
from ksqlfs.mounts import FUSE_TYPE, Mount, ksqlfs_mounts, mount_at

DEFAULT_SOURCE = "ksqlfs"
DEFAULT_MODE = 0o750
_MESSAGE_SIZE = 512


class MountError(Exception):
    """A mount that could not be made, changed or taken away: one sentence, with the remedy."""


def _binding() -> Any:
    try:
        import _ksqlfs_fuse
    except ImportError as error:
        raise MountError(
            f"the FUSE host is not installed ({error}): `pip install ksqlfs[fuse]`, or in a clone"
            " of the repository `pip install . ./pyclient/fuse`"
        ) from error
    return _ksqlfs_fuse


# --- the server ---------------------------------------------------------------------------------


def _serve(source: str, directory: Path, options: Options, ready: int, text: str) -> None:
    """Mount and serve until the mount's end; `text` is written to `ready` when it answers."""
    binding = _binding()
    ffi, lib = binding.ffi, binding.lib
    strings = [
        ffi.new("char[]", os.fsencode(word))
        for word in (source, directory, options.for_fuse(source), ",".join(options.limits), text)
    ]
    mount = ffi.new("struct ksqlfs_mount *")
    mount.source, mount.directory, mount.fuse_options, mount.limits, mount.ready_text = strings
    mount.uid = os.getuid() if options.uid is None else options.uid
    mount.gid = os.getgid() if options.gid is None else options.gid
    mount.mode = DEFAULT_MODE if options.mode is None else options.mode
    mount.metrics_mode = 0xFFFF_FFFF if options.metrics_mode is None else options.metrics_mode
    mount.ready_fd = ready
    rom = _rom(options)
    if rom:
        strings += [ffi.new("char[]", os.fsencode(rom.name)), ffi.from_buffer(rom.data)]
        mount.rom_name, mount.rom_data = strings[-2:]
        mount.rom_size, mount.rom_sha256 = len(rom.data), rom.sha256.encode()
    message = ffi.new("char[]", _MESSAGE_SIZE)
    failed = lib.ksqlfs_serve(mount, message, _MESSAGE_SIZE)
    _unmount_dead(source)
    why = ffi.string(message).decode(errors="replace")
    if failed == -errno.EINVAL:
        raise OptionError(f"{directory} could not be mounted: {why}")
    if failed:
        raise MountError(f"{directory} could not be mounted: {why}{_hint()}")


def _rom(options: Options) -> Rom | None:
    try:
        return Rom.read(options.rom) if options.rom else None
    except RomError as error:
        raise MountError(str(error)) from error


def _unmount_dead(source: str) -> None:
    """Take away the further directories that showed a database whose server has ended."""
    for at in ksqlfs_mounts():
        if (at.type, at.source, at.owner) == (FUSE_TYPE, source, os.geteuid()):
            try:
                os.stat(at.directory)
            except OSError as error:
                if error.errno == errno.ENOTCONN:
                    unmount(at.directory, lazy=True)


def _hint() -> str:
    """What commonly keeps FUSE from mounting, as far as it can be seen."""
    if not os.path.exists("/dev/fuse"):
        return "; there is no /dev/fuse: load the kernel's module fuse"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "; /dev/fuse is closed to this user: root may open it by `chmod 666 /dev/fuse`"
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return "; there is no fusermount3: install the package fuse3"
    return ""


def _notify_socket() -> int | None:
    """A descriptor that leads to systemd, if it waits to be told."""
    address = os.environ.pop("NOTIFY_SOCKET", None)
    if not address:
        return None
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        notify.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        raise MountError(f"NOTIFY_SOCKET={address}: {error.strerror}") from error
    return notify.detach()


def _serve_in_foreground(source: str, directory: Path, options: Options) -> None:
    notify = _notify_socket()
    if notify is None:
        ready, text = sys.stderr.fileno(), f"ksqlfs: {source} is mounted at {directory}\n"
    else:
        ready, text = notify, "READY=1"
    _serve(source, directory, options, ready, text)


def _become_daemon(ready: int) -> None:
    """Keep nothing of who called: session, working directory, open files."""
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, ready)
    os.closerange(ready + 1, os.sysconf("SC_OPEN_MAX"))


def _daemon_main(ready: int, serve: Callable[[int], None]) -> NoReturn:
    status = 1
    try:
        # Not a child of who called, who would have to wait for it.
        if os.fork() == 0:
            _become_daemon(ready)
            serve(ready)
        status = 0
    except BaseException as error:  # whatever it is, the parent is to tell of it
        kind = b"?" if isinstance(error, OptionError) else b"!"
        with suppress(OSError):
            os.write(ready, kind + str(error).encode(errors="replace"))
    finally:
        os._exit(status)


def _serve_as_daemon(source: str, directory: Path, options: Options) -> None:
    """Return when the mount answers."""
    _binding()  # what is missing is told best by the parent
    ours, low = os.pipe()
    # The daemon's first three are others.
    theirs = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(low)
    child = os.fork()
    if child == 0:
        _daemon_main(theirs, lambda ready: _serve(source, directory, options, ready, "+"))
    os.close(theirs)
    os.waitpid(child, 0)
    with open(ours, "rb") as answers:
        answer = answers.read(1)
        if answer != b"+":
            why = answers.read().decode(errors="replace")
            kind = OptionError if answer == b"?" else MountError
            raise kind(why or f"{directory}: the server ended before it was ready")


# --- mounting -----------------------------------------------------------------------------------


def _same_database(source: str) -> Mount | None:
    """A mount of this user's that serves this database already."""
    for mount in ksqlfs_mounts():
        ours = (mount.type, mount.source, mount.owner) == (FUSE_TYPE, source, os.geteuid())
        if ours and mount.whole:
            try:
                os.stat(mount.directory)
            except OSError:
                continue
            return mount
    return None


def _bind(first: Mount, directory: Path, options: Options) -> None:
    """Let a second directory show a database that is mounted: servers cannot share one."""
    if os.geteuid() != 0:
        raise MountError(
            f"the database {first.source} is mounted at {first.directory} already, and only root"
            " can mount it a second time: give another by --source NAME"
        )
    if not options.owns_nothing or options.flags or options.allow_other:
        raise MountError(
            f"the database {first.source} is mounted at {first.directory} already: its options"
            f" are changed by `ksqlctl mount -o remount,... {first.directory}`"
        )
    _run(["mount", "--bind", os.fspath(first.directory), os.fspath(directory)], directory)


def _run(command: list[str], directory: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MountError(f"{directory}: {command[0]}: {error.strerror}") from error
    if done.returncode:
        why = done.stderr.strip().partition("\n")[0] or f"{command[0]} failed"
        raise MountError(f"{directory}: {why}")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Nobody else looks for a dead mount there, and takes away what was mounted meanwhile."""
    try:
        parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        # A folder that cannot be read: nothing is there to be locked.
        yield
        return
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        yield
    finally:
        os.close(parent)


def _check_directory(directory: Path) -> None:
    """Take away a dead mount, and say what else is wrong."""
    while True:
        try:
            os.listdir(directory)
            return
        except (NotADirectoryError, FileNotFoundError) as error:
            raise MountError(
                f"{directory} is not a directory: make it by `mkdir {directory}`"
            ) from error
        except OSError as error:
            at = mount_at(directory)
            if error.errno != errno.ENOTCONN or at is None or at.type != FUSE_TYPE:
                raise MountError(f"{directory}: {error.strerror}") from error
            unmount(directory, lazy=True)


def mount(
    directory: str | os.PathLike[str],
    source: str = DEFAULT_SOURCE,
    options: Options | None = None,
    *,
    foreground: bool = False,
) -> None:
    """Mount the database `source` at `directory`, and serve it.

    A dead mount of ours in that place is taken away first.

    Args:
        directory: Where; it must exist.
        source: The database's name.  One that this user has mounted already is shown a second
            time, for which one must be root.
        options: Those of the mount.
        foreground: Serve until somebody unmounts, or SIGTERM, SIGINT or SIGHUP comes; otherwise
            another process does, and the call returns when the mount answers.  The process must
            have no other thread then, as it forks.

    Raises:
        OptionError: The engine does not take one of them.
        MountError: It could not be mounted.
    """
    options = options or Options()
    if not 1 <= len(os.fsencode(source)) <= 255:
        raise MountError("a database's name has 1 to 255 bytes")
    path = Path(os.path.realpath(directory))
    with _alone(path):
        _check_directory(path)
        first = _same_database(source)
        if first is not None and foreground:
            raise MountError(
                f"the database {source} is mounted at {first.directory} already, by another"
                " server: leave out --foreground, or give another by --source NAME"
            )
        if first is not None:
            _bind(first, path, options)
        elif not foreground:
            _serve_as_daemon(source, path, options)
    if first is None and foreground:
        _serve_in_foreground(source, path, options)


def remount(directory: str | os.PathLike[str], options: Options) -> None:
    """Change the limits of a mount, then what the kernel decides of it, such as `ro`.

    Raises:
        OptionError: The engine does not take one of them; nothing was changed.
        MountError: It could not be changed.
    """
    path, binding = Path(directory), _binding()
    if options.owns_files:
        raise MountError("a remount cannot change uid=, gid=, mode= or metrics_mode=")
    if options.rom:
        raise MountError("a remount cannot change rom=")
    at = mount_at(path)
    if at is None or at.type != FUSE_TYPE:
        raise MountError(f"{path} is no mount of ksqlfs by FUSE")
    if options.flags and os.geteuid() != 0:
        raise MountError(
            f"{path}: only root can change {','.join(options.flags)} of a mount: unmount it, and"
            " mount it again"
        )
    limits = binding.ffi.new("char[]", os.fsencode(",".join(options.limits)))
    failed = binding.lib.ksqlfs_reconfigure(os.fsencode(path), limits) if options.limits else 0
    if failed:
        reasons = {errno.ENOENT: "an option is unknown", errno.EINVAL: "a value is out of range"}
        kind = OptionError if -failed in reasons else MountError
        why = reasons.get(-failed) or os.strerror(-failed)
        raise kind(f"{path}: {','.join(options.limits)}: {why}")
    if options.flags:
        # -i: without the helper that may have called us.
        _run(["mount", "-i", "-o", ",".join(["remount", *options.flags]), str(path)], path)


def unmount(directory: str | os.PathLike[str], *, lazy: bool = False, force: bool = False) -> None:
    """Unmount a tree of either host.

    Args:
        directory: Where it is mounted.
        lazy: At once, even if it is in use or its server is dead; who uses it may go on.
        force: The same, and whoever waits for the server stops waiting (root alone can do that).

    Raises:
        MountError: It could not be unmounted.
    """
    at = mount_at(directory)
    if at is None:
        raise MountError(f"no ksqlfs is mounted at {directory}")
    if os.geteuid() == 0:
        command = ["umount", "-i", *(["-f"] if force else []), *(["-l"] if lazy or force else [])]
    else:
        command = ["fusermount3", "-u", *(["-z"] if lazy or force else [])]
    _run([*command, os.fspath(at.directory)], at.directory)
