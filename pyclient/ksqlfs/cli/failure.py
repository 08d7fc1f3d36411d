# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What ends `ksqlctl` with a sentence, by exit code.  Wrong usage is `click.UsageError`, 2."""

from __future__ import annotations

import errno
import re
import signal
from pathlib import Path
from typing import IO, Any

import click

from ksqlfs.errors import Error, InterfaceError

# What to do about an errno of a statement, where its message alone does not tell.
_REMEDIES = {
    errno.EBUSY: "another transaction is writing: try again, or raise the mount's busy=",
    errno.ETIMEDOUT: "raise the mount's timeout=",
    errno.ENOSPC: "delete something, or raise the mount's size=",
    errno.ENOMEM: "free memory, or make the statement simpler",
    errno.EOVERFLOW: "raise the mount's max_result=",
    errno.EFBIG: "raise the mount's max_sql=",
}
# The same of a call that needs the tree itself.
_DEAD = "its server has died: `ksqlctl umount` it, and mount it again"
_ABSENT = "mount a tree there, or name another by --root"
_TREE_REMEDIES = {
    errno.EACCES: "run it as root, or have the tree mounted with gid= or mode= that let you in",
    errno.EROFS: "SQL needs a mount without `ro`; `ksqlctl export TABLE` works with it",
    errno.ENOTCONN: _DEAD,
    errno.ECONNABORTED: _DEAD,
    errno.ENODEV: _DEAD,
    errno.ENOENT: _ABSENT,
    errno.ENOTDIR: _ABSENT,
}
# The same of a call on a file of the user's own.
_FILE_REMEDIES = {
    errno.ENOENT: "look at the name and the folder",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "look at the folder's name",
    errno.EACCES: "use another folder, or run it as who may",
    errno.EROFS: "use another folder",
    errno.ENOSPC: "make room, or use another disk",
    errno.EDQUOT: "make room, or use another disk",
    errno.ENXIO: "name a file",
}
# Errnos that no statement has.
_NO_TREE = {errno.EACCES, errno.ENOTCONN, errno.ENODEV, errno.ECONNABORTED}

LEFT_OPEN = "a transaction was left open at the end and is rolled back; end it by COMMIT"


# C0 but tab and line feed, DEL and C1: a terminal would obey them.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """The text with control characters written as Python writes them, but for tabs and lines."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class Failure(click.ClickException):
    """The database refused.

    `message` says in a sentence what is wrong and what to do about it; `detail`, such as a
    statement with a caret, is printed below it.
    """

    exit_code = 1

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail.rstrip("\n")

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it to stderr, after the name of the program."""
        text = f"ksqlctl: {self.message}"
        if self.detail:
            text += f"\n{self.detail}"
        click.echo(harmless(text), file=file, err=file is None)


class NoTreeFailure(Failure):
    """There is no tree that answers, or what would make one cannot be had."""

    exit_code = 3


class BadFileFailure(Failure):
    """A file to read or to write is missing or bad."""

    exit_code = 4


class Ended(BaseException):
    """A signal asks this process to end; what is half done is undone on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)


def _and(message: str, remedy: str | None) -> str:
    return f"{message}; {remedy}" if remedy else message


def refused(message: str, number: int | None, detail: str = "") -> Failure:
    """The failure of a statement: its message, its errno, and the statement with a caret."""
    return Failure(_and(message, _REMEDIES.get(number or 0)), detail)


def is_unreachable(number: int | None) -> bool:
    """Whether an errno says that the tree is gone, or closed to this user."""
    return number in _NO_TREE


def unreachable(path: Path | str, error: OSError) -> NoTreeFailure:
    """The failure of a call that needed the tree."""
    return NoTreeFailure(_and(f"{path}: {error.strerror}", _TREE_REMEDIES.get(error.errno or 0)))


def of_client(error: Error) -> Failure:
    """The failure that the client's exception tells of."""
    if isinstance(error, InterfaceError) or is_unreachable(error.errno):
        return NoTreeFailure(str(error).rstrip("."))
    return refused(str(error), error.errno, error.caret())


def unreadable(path: Path | str, error: OSError) -> BadFileFailure:
    """The failure of a call on a file of the user's own."""
    return BadFileFailure(_and(f"{path}: {error.strerror}", _FILE_REMEDIES.get(error.errno or 0)))


def not_utf8(name: str, line: int, error: UnicodeDecodeError) -> BadFileFailure:
    """The failure of a file whose bytes are no text."""
    return BadFileFailure(
        f"{name}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; convert it by"
        " `iconv -t UTF-8 -f` and the encoding that it has"
    )
