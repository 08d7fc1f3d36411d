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
    """A mounted ksqlfs."""

    directory: Path
    # KERNEL_TYPE or FUSE_TYPE.
    type: str
    # The database's name.
    source: str
    # As in /proc/mounts: those of the mount and then those of the filesystem.
    options: tuple[str, ...]

    @property
    def owner(self) -> int:
        """The uid of who mounted it."""
        for option in self.options:
            if option.startswith("user_id="):
                return int(option.removeprefix("user_id="))
        return 0


def _unescape(field: bytes) -> str:
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), field))


def ksqlfs_mounts() -> list[Mount]:
    """Return every mount of a ksqlfs, of either host, the uppermost of a directory last."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        left, _, right = line.partition(b" - ")
        fields, (kind, source, options) = left.split(b" "), right.split(b" ", 2)
        if kind.decode() in (KERNEL_TYPE, FUSE_TYPE):
            words = (fields[5] + b"," + options).decode(errors="surrogateescape").split(",")
            mount = Mount(
                Path(_unescape(fields[4])), kind.decode(), _unescape(source), tuple(words)
            )
            found.append(mount)
    return found


def mount_at(directory: str | os.PathLike[str]) -> Mount | None:
    """Return the ksqlfs that is mounted on exactly this directory; None for none.

    The directory itself is not touched, so that a dead mount is found too.
    """
    # realpath() of a dead mount's own last name fails; that of its parent does not.
    path = Path(os.path.abspath(directory))
    path = Path(os.path.realpath(path.parent), path.name)
    return next((mount for mount in reversed(ksqlfs_mounts()) if mount.directory == path), None)
