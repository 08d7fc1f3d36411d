# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""PEP 249's exceptions, and which failure of the tree becomes which of them."""

from __future__ import annotations

import errno as _errno
import re
from collections.abc import Mapping
from typing import Any


class Warning(Exception):  # noqa: A001, N818 - the name is PEP 249's
    """Something noteworthy that is no failure. ksqlfs raises none."""


class Error(Exception):
    """Any failure. `str()` of it is one sentence, SQLite's where the failure is SQLite's.

    Attributes:
        errno: The number of the errno on this machine, or None if no call failed.
        errno_name: Its name, such as `EEXIST`, or None.
        sqlite: The name of SQLite's result code, such as `SQLITE_CONSTRAINT_UNIQUE`, or None.
        statement: The SQL that failed as the tree tells it (long ones are cut), or None.
        offset: The byte of `statement`, in UTF-8, where SQLite saw the fault, or None.
    """

    def __init__(
        self,
        message: str = "",
        errno_name: str | None = None,
        sqlite: str | None = None,
        statement: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.errno_name = errno_name
        self.errno = None if errno_name is None else getattr(_errno, errno_name, None)
        self.sqlite = sqlite
        self.statement = statement
        self.offset = offset

    def caret(self) -> str:
        """Return the statement with a line under the fault's that holds a `^`, as `error` does.

        The caret counts characters, so wide ones move it. Without a place it is the statement
        alone, without a statement the empty string.
        """
        if self.statement is None:
            return ""
        text = self.statement.rstrip("\n ")
        if self.offset is None:
            return text
        before = self.statement.encode()[: self.offset].decode(errors="ignore")[: len(text)]
        end = text.find("\n", len(before))
        if end < 0:
            end = len(text)
        line = before[before.rfind("\n") + 1 :]
        mark = "".join("\t" if character == "\t" else " " for character in line) + "^"
        return f"{text[:end]}\n{mark}{text[end:]}"


class InterfaceError(Error):
    """The tree, or the way to it, is at fault; not the database."""


class NoTreeError(InterfaceError):
    """There is no ksqlfs tree where one was looked for, or it cannot be used."""


class DatabaseError(Error):
    """The database is at fault."""


class DataError(DatabaseError):
    """A value or text cannot be taken: out of range, too long, not Unicode."""


class OperationalError(DatabaseError):
    """What a correct program may meet: locks, limits, signals, rights."""


class IntegrityError(DatabaseError):
    """A constraint is violated."""


class InternalError(DatabaseError):
    """The client and the tree do not understand each other."""


class ProgrammingError(DatabaseError):
    """The program is wrong: SQL, names, parameters, use after close()."""


class NotSupportedError(DatabaseError):
    """What was asked for is not in this tree, or not in ksqlfs."""


# What each errno is. docs/errors.md says where they come from.
BY_ERRNO: dict[str, type[DatabaseError]] = {
    "EBUSY": OperationalError,
    "ECANCELED": OperationalError,
    "EDOM": IntegrityError,
    "EEXIST": ProgrammingError,
    "EFBIG": DataError,
    "EINTR": OperationalError,
    "EINVAL": ProgrammingError,
    "EIO": OperationalError,
    "ENOENT": ProgrammingError,
    "ENOMEM": OperationalError,
    "ENOSPC": OperationalError,
    "EOVERFLOW": DataError,
    "EPERM": OperationalError,
    "EROFS": OperationalError,
    "ETIMEDOUT": OperationalError,
    "EUCLEAN": DatabaseError,
}

# Where SQLite's code says more: the first prefix that fits counts before the errno. EEXIST is a
# constraint or a table that exists already.
BY_SQLITE: dict[str, type[DatabaseError]] = {
    "SQLITE_CONSTRAINT": IntegrityError,
}


# What the tree says of a parameter.
_UNFIT = re.compile(r"parameter \d+ is not of the type it says")


def error_class(errno_name: str | None, sqlite: str | None) -> type[DatabaseError]:
    """Return the exception for an errno and SQLite's code, each by name or None."""
    if sqlite is not None:
        for prefix, kind in BY_SQLITE.items():
            if sqlite.startswith(prefix):
                return kind
    return BY_ERRNO.get(errno_name or "", OperationalError)


def error_of_answer(told: Mapping[str, Any]) -> DatabaseError:
    """Make the exception of a failure as `query.rows` tells it in the last line of an answer."""
    kind = error_class(told["errno"], told["sqlite"])
    if _UNFIT.fullmatch(told["error"]):
        # All other types are given right.
        return DataError("An int outside of 64 bits cannot be stored.", told["errno"])
    return kind(
        told["error"], told["errno"], told["sqlite"], told.get("statement"), told.get("offset")
    )


def errno_name(error: OSError) -> str:
    """Return the name of the errno of a failed call; EIO if it has none that is known."""
    return _errno.errorcode.get(error.errno or 0, "EIO")


def error_of_call(error: OSError, doing: str) -> Error:
    """Make the exception of a failed call that the tree has no words for.

    Args:
        error: What the call raised.
        doing: What was done, such as `reading /sys/kernel/ksql/image`.
    """
    name = errno_name(error)
    if name in ("ENOTCONN", "EBADF"):
        return InterfaceError(f"{doing} failed: {error.strerror}", name)
    return error_class(name, None)(f"{doing} failed: {error.strerror}", name)
