# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where the tree is, and how SQL's names are written in it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from ksqlfs.errors import NoTreeError, errno_name

KERNEL_ROOT = Path("/sys/kernel/ksql")
SYSTEM_ROOT = Path("/run/ksql")
# Every tree has this file, on every host.
_MARK = "info/features"

_ESCAPED = re.compile(r"^\.|[/%\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")


def escape_name(name: str) -> str:
    """Return a table's or view's SQL name as its folder is called in the tree."""
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", name)


def unescape_name(name: str) -> str:
    """Return the SQL name that a folder of the tree stands for."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def _why_not(root: Path) -> NoTreeError | None:
    """What keeps a directory from being used as a tree; None for nothing."""
    try:
        os.stat(root / _MARK)
    except OSError as error:
        name = errno_name(error)
        if error.errno == errno.ENOTCONN:
            return NoTreeError(
                f"{root} is a dead mount ({error.strerror}): mount again over it by"
                f" `ksqlctl mount {root}`, or take it away by `umount -l {root}`.",
                name,
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return NoTreeError(
                f"{root} may not be entered by this user ({error.strerror}): mount it with uid=,"
                " gid= or mode= that let this user in, or run as its owner.",
                name,
            )
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            return NoTreeError(f"{root} cannot be looked at: {error.strerror}.", name)
        if not os.path.lexists(root):
            return NoTreeError(
                f"{root} does not exist: mount a tree there by `ksqlctl mount {root}`, or name"
                " another by KSQL_ROOT.",
                name,
            )
        return NoTreeError(
            f"{root} is not a ksqlfs tree: mount one there by `ksqlctl mount {root}`, or name"
            " another by KSQL_ROOT.",
            name,
        )
    return None


def default_roots() -> list[Path]:
    """Return the directories that are tried when none is named, in their order."""
    roots = [KERNEL_ROOT, SYSTEM_ROOT]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        roots.append(Path(runtime, "ksql"))
    return roots


def find_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the root of the tree to use.

    It is the argument if one is given, else $KSQL_ROOT if that is set, else the first tree of
    /sys/kernel/ksql, /run/ksql and $XDG_RUNTIME_DIR/ksql.

    Raises:
        NoTreeError: There is none, or none that can be used: the sentence says which, and what
            to do.
    """
    named = os.fspath(root) if root is not None else os.environ.get("KSQL_ROOT")
    if named:
        path = Path(named)
        if (reason := _why_not(path)) is not None:
            raise reason
        return path
    reasons = []
    for path in default_roots():
        reason = _why_not(path)
        if reason is None:
            return path
        reasons.append(reason)
    # A tree that is there and cannot be used is more worth telling than those that are not.
    for reason in reasons:
        if reason.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise reason
    places = ", ".join(str(path) for path in default_roots())
    raise NoTreeError(
        f"No ksqlfs tree is mounted at {places}: mount one by `ksqlctl mount DIR` and name it by"
        " KSQL_ROOT=DIR, or load the kernel module.",
        "ENOENT",
    )
