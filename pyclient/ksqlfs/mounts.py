# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What is mounted, by the kernel's word: /proc/self/mountinfo."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

KERNEL_TYPE = "ksqlfs"
FUSE_TYPE = "fuse.ksqlfs"

_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """Something mounted."""

    directory: Path
    # KERNEL_TYPE or FUSE_TYPE for what is ours.
    type: str
    # The database's name.
    source: str
    # As in /proc/mounts: those of the mount and then those of the filesystem.
    options: tuple[str, ...]
    # Whether its top is the filesystem's top, and not some folder that was bound.
    whole: bool

    @property
    def owner(self) -> int:
        """The uid of who mounted it."""
        for option in self.options:
            if option.startswith("user_id="):
                return int(option.removeprefix("user_id="))
        return 0

    @property
    def ours(self) -> bool:
        """Whether it is a ksqlfs, of either host."""
        return self.type in (KERNEL_TYPE, FUSE_TYPE)


def _unescape(field: bytes) -> str:
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), field))


def _mounts() -> list[Mount]:
    """Every mount, later ones above earlier ones."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().split(b"\n")[:-1]:
        left, _, right = line.partition(b" - ")
        fields, (kind, source, options) = left.split(b" "), right.split(b" ", 2)
        mount = Mount(
            Path(_unescape(fields[4])),
            _unescape(kind),
            _unescape(source),
            tuple(os.fsdecode(fields[5] + b"," + options).split(",")),
            fields[3] == b"/",
        )
        found.append(mount)
    return found


def ksqlfs_mounts() -> list[Mount]:
    """Return every mount of a ksqlfs, of either host, the uppermost of a directory last."""
    return [mount for mount in _mounts() if mount.ours]


def mount_at(directory: str | os.PathLike[str]) -> Mount | None:
    """Return the ksqlfs that is mounted on exactly this directory; None for none, or another.

    The directory itself is not touched, so that a dead mount is found too.
    """
    path = Path(os.path.realpath(directory))
    at = next((mount for mount in reversed(_mounts()) if mount.directory == path), None)
    return at if at is not None and at.ours else None
