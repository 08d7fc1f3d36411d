# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the clients did: a file each, a line before each transaction and a line after it.

A line is one write(2) to a file opened for appending, so what a killed client had written stays,
and a transaction without its second line is one of which nobody knows whether it was committed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

FOREVER = 1 << 63


class Outcome(Enum):
    """How a transaction ended."""

    COMMITTED = "committed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass
class Append:
    """An element put at the end of a key's list."""

    key: int
    element: int


@dataclass
class Read:
    """A key's list as it was found; None where nothing is known of it."""

    key: int
    elements: list[int] | None = None


@dataclass
class Transfer:
    """Money moved from one account to another, noted in the ledger by its number."""

    number: int


@dataclass
class Balance:
    """What was found wrong in the bank by one who looked at all of it; empty if all was right."""

    complaint: str | None = None


Op = Append | Read | Transfer | Balance
KINDS: dict[str, type[Op]] = {
    "append": Append,
    "read": Read,
    "transfer": Transfer,
    "balance": Balance,
}
NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass
class Transaction:
    """One of a client's transactions; times in nanoseconds of the monotonic clock."""

    number: int
    how: str
    begin: int
    ops: list[Op]
    end: int = FOREVER
    outcome: Outcome = Outcome.UNKNOWN
    error: str = ""
    place: int = field(default=-1, compare=False)  # in the checker's graph

    def __str__(self) -> str:
        ops = ", ".join(map(str, self.ops))
        return f"#{self.number} by {self.how} ({self.outcome.value}): {ops}"


def _pack(op: Op) -> list[object]:
    return [NAMES[type(op)], *vars(op).values()]


class Writer:
    """Writes one client's history."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _line(self, *values: object) -> None:
        line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
        if os.write(self._fd, line) != len(line):
            raise OSError("a line of the history was cut off")

    def begin(self, number: int, how: str, ops: list[Op]) -> None:
        """Before a transaction."""
        self._line("begin", number, time.monotonic_ns(), how, [_pack(op) for op in ops], "")

    def end(self, number: int, outcome: Outcome, ops: list[Op], error: str = "") -> None:
        """After it."""
        self._line(
            "end", number, time.monotonic_ns(), outcome.value, [_pack(op) for op in ops], error
        )


def read(files: Iterable[Path]) -> Iterator[Transaction]:
    """All transactions of these histories."""
    for file in sorted(files):
        open_ones: dict[int, Transaction] = {}
        for line in file.read_bytes().splitlines():
            what, number, when, how, packed, error = json.loads(line)
            ops = [KINDS[kind](*values) for kind, *values in packed]
            if what == "begin":
                open_ones[number] = Transaction(number, how, when, ops)
                continue
            done = open_ones.pop(number)
            done.end, done.outcome, done.ops, done.error = when, Outcome(how), ops, error
            yield done
        yield from open_ones.values()
