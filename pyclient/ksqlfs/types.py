# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""PEP 249's type objects and constructors.

SQLite stores no dates: the constructors give the texts of ISO 8601 that its date functions take.
`description` tells no types, as a column of SQLite's has none; the type objects are equal to
nothing that it holds.
"""

from __future__ import annotations

import time

Binary = bytes


class _Type:
    """A type object: equal to itself alone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"ksqlfs.{self._name}"


STRING = _Type("STRING")
BINARY = _Type("BINARY")
NUMBER = _Type("NUMBER")
DATETIME = _Type("DATETIME")
ROWID = _Type("ROWID")


# The names are PEP 249's.


def Date(year: int, month: int, day: int) -> str:  # noqa: N802
    """Return a date as text, such as `2026-11-21`."""
    return f"{year:04}-{month:02}-{day:02}"


def Time(hour: int, minute: int, second: int) -> str:  # noqa: N802
    """Return a time of day as text, such as `13:50:00`."""
    return f"{hour:02}:{minute:02}:{second:02}"


def Timestamp(  # noqa: N802
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> str:
    """Return date and time as text, such as `2026-11-21 13:50:00`."""
    return f"{Date(year, month, day)} {Time(hour, minute, second)}"


def DateFromTicks(ticks: float) -> str:  # noqa: N802
    """Return the local date of a time in seconds since 1970."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> str:  # noqa: N802
    """Return the local time of day of a time in seconds since 1970."""
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> str:  # noqa: N802
    """Return the local date and time of a time in seconds since 1970."""
    return Timestamp(*time.localtime(ticks)[:6])
