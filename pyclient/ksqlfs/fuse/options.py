# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What stands after -o, sorted by whom it concerns."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Those of every filesystem, for the kernel, as mount(8) has them.
_FLAGS = {
    *("ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync"),
    *("atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime"),
}
# For mount(8) and systemd alone.
_FSTAB = {
    *("defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail"),
    *("_netdev", "default_permissions"),
}
_OWN = {"uid", "gid", "mode", "metrics_mode"}
# Those in octal: the bits that each may have.
_MODES = {"mode": 0o777, "metrics_mode": 0o444}
# What /proc/mounts shows of every FUSE mount: when mount(8) remounts it hands all of that back.
_SHOWN = {"user_id", "group_id", "max_read"}


class OptionError(ValueError):
    """An option that is none, or has a value that is none."""


@dataclass
class Options:
    """Mount options.

    Attributes:
        flags: The kernel's, such as `ro`.
        limits: The engine's, such as `size=1g`, which it checks itself.
        uid, gid, mode: Owner, group and permission bits; None where they were not named.
        metrics_mode: Permission bits of the files in metrics/, likewise.
        rom: A database file to be read; None where it was not named.
        allow_other: Let users in whom the mode lets in; None where it was not named.
        remount: Change a mount that is there.
    """

    flags: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    metrics_mode: int | None = None
    rom: Path | None = None
    allow_other: bool | None = None
    remount: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Options:
        """Read what stands after each -o.

        Raises:
            OptionError: One of ours has a bad value.  What is not ours is left to the engine.
        """
        options = cls()
        for word in (word for text in texts for word in text.split(",") if word):
            options._add(word)
        if options.remount:
            options.limits = [
                word for word in options.limits if word.partition("=")[0] not in _SHOWN
            ]
        return options

    def _add(self, word: str) -> None:
        key, _, value = word.partition("=")
        if key in _OWN:
            setattr(self, key, _number(key, value))
        elif key == "rom":
            if not value:
                raise OptionError("rom= takes a file")
            # As it is meant now: a server that is a daemon is elsewhere.
            self.rom = Path(os.path.abspath(value))
        elif word in _FLAGS:
            self.flags.append(word)
        elif word == "allow_other":
            self.allow_other = True
        elif word == "remount":
            self.remount = True
        elif word not in _FSTAB and not key.startswith("x-"):
            self.limits.append(word)

    @property
    def owns_nothing(self) -> bool:
        """Whether nothing was named that belongs to the database or to its files."""
        return not self.limits and not self.owns_files and self.rom is None

    @property
    def owns_files(self) -> bool:
        """Whether something was named that all files keep until the last mount is gone."""
        return not self.uid is self.gid is self.mode is self.metrics_mode is None

    def for_fuse(self, source: str) -> str:
        """Return them as libfuse and the kernel's FUSE want them."""
        name = source.replace("\\", "\\\\").replace(",", "\\,")
        words = [f"fsname={name}", "subtype=ksqlfs", "noexec", "noatime"]
        # Who may mount for everybody does: then the mode decides, as with the module.
        if self.allow_other or (self.allow_other is None and os.geteuid() == 0):
            words.append("allow_other")
        return ",".join(words + self.flags)


def _number(key: str, text: str) -> int:
    try:
        value = int(text, 8 if key in _MODES else 10)
    except ValueError:
        value = -1
    bits = _MODES.get(key)
    if bits is None and not 0 <= value <= 0xFFFF_FFFE:
        raise OptionError(f"{key}={text}: {key}= takes a number")
    if bits is not None and (value < 0 or value & ~bits):
        raise OptionError(f"{key}={text}: {key}= takes an octal number of the bits {bits:o}")
    return value
