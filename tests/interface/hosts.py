# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The one place that knows how a host mounts: `host_of(root)` gives mount and unmount."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from ksqlfs import fuse

from tests.interface.tree import Tree

MS_RDONLY = 1
MS_REMOUNT = 32
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


class Host(Protocol):
    """What the tests ask of a host."""

    name: str

    def mount(self, source: str, directory: Path, options: Mapping[str, str]) -> None:
        """Mount the database `source`; an option with an empty value is a word alone."""

    def remount(self, directory: Path, options: Mapping[str, str]) -> None:
        """Change some limits of it."""

    def unmount(self, directory: Path) -> None:
        """Unmount; must not fail when nothing holds it."""


def _check(outcome: int, path: Path) -> None:
    if outcome != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))


def kernel_mount(source: str, directory: Path, options: Mapping[str, str], flags: int = 0) -> None:
    """mount(2) of the module's filesystem, without the cost of starting mount(8)."""
    words = dict(options)
    if "ro" in words:
        del words["ro"]
        flags |= MS_RDONLY
    data = ",".join(f"{key}={value}" if value else key for key, value in words.items())
    _check(
        _libc.mount(source.encode(), bytes(directory), b"ksqlfs", flags, data.encode() or None),
        directory,
    )


def kernel_unmount(directory: Path, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(bytes(directory), flags), directory)


class KernelHost:
    """The module."""

    name = "kernel"

    def mount(self, source: str, directory: Path, options: Mapping[str, str]) -> None:
        kernel_mount(source, directory, options)

    def remount(self, directory: Path, options: Mapping[str, str]) -> None:
        kernel_mount("none", directory, options, MS_REMOUNT)

    def unmount(self, directory: Path) -> None:
        kernel_unmount(directory)


class FuseHost:
    """The server in user space."""

    name = "fuse"

    def mount(self, source: str, directory: Path, options: Mapping[str, str]) -> None:
        words = [f"{key}={value}" if value else key for key, value in options.items()]
        try:
            fuse.mount(directory, source, fuse.Options.parse(words))
        except (fuse.MountError, fuse.OptionError) as error:
            raise OSError(errno.EINVAL, str(error), str(directory)) from error

    def remount(self, directory: Path, options: Mapping[str, str]) -> None:
        words = ["remount", *(f"{key}={value}" for key, value in options.items())]
        try:
            fuse.remount(directory, fuse.Options.parse(words))
        except (fuse.MountError, fuse.OptionError) as error:
            raise OSError(errno.EINVAL, str(error), str(directory)) from error

    def unmount(self, directory: Path) -> None:
        fuse.unmount(directory)


def mount_points() -> Iterator[tuple[Path, str]]:
    """Where something is mounted, and its type; what came later, and lies above, comes later.

    Read here and not by ksqlfs.mounts, which tests hold against this.
    """
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").split("\n")[:-1]:
        fields, _, rest = line.partition(" - ")
        point = os.fsencode(fields.split(" ")[4]).decode("unicode_escape")
        yield Path(point), rest.split(" ")[0]


def filesystem_of(path: Path) -> str | None:
    """The type of what is mounted on exactly this directory, the uppermost; None for nothing."""
    found = None
    for point, kind in mount_points():
        if point == path:
            found = kind
    return found


def host_of(root: Path) -> Host | None:
    """The host that has mounted this root; None when the tests do not know it (yet)."""
    hosts: dict[str, Host] = {"ksqlfs": KernelHost(), "fuse.ksqlfs": FuseHost()}
    return hosts.get(filesystem_of(root) or "")


class Mounter:
    """Calls make a mount of a fresh database (or of a named source), undone after the test."""

    _numbers = itertools.count(1)

    def __init__(self, host: Host) -> None:
        self.host = host
        self._mounted: list[Path] = []

    def __call__(self, source: str | None = None, **options: str | int) -> Tree:
        name = source or f"pytest-{os.getpid()}-{next(self._numbers)}"
        directory = Path(tempfile.mkdtemp(prefix="ksqlfs-test-"))
        try:
            self.host.mount(name, directory, {key: str(value) for key, value in options.items()})
        except OSError:
            directory.rmdir()
            raise
        self._mounted.append(directory)
        return Tree(directory)

    def remount(self, tree: Tree, **options: str | int) -> None:
        """Change some limits of one of them."""
        self.host.remount(tree.root, {key: str(value) for key, value in options.items()})

    def unmount(self, tree: Tree) -> None:
        """Unmount one of them now."""
        self.host.unmount(tree.root)
        self._mounted.remove(tree.root)
        tree.root.rmdir()

    def finish(self) -> None:
        """Unmount all that is left."""
        for directory in reversed(self._mounted):
            self.host.unmount(directory)
            directory.rmdir()
