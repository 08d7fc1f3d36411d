# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The Python client beside Python's own sqlite3: the same statement, in one process."""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import ksqlfs

ROWS = 100_000
FILL = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows})"
    " INSERT INTO bench SELECT n, 'name ' || n, n % 1000 FROM c"
)
POINT = "SELECT name, kib FROM bench WHERE id = ?"
# Calls between two looks at the clock.
BLOCK = 200


def _per_call(call: Callable[[int], object]) -> float:
    """Microseconds of one call, over a block of them with different numbers."""
    begin = time.perf_counter_ns()
    for number in range(1, BLOCK + 1):
        call(number)
    return (time.perf_counter_ns() - begin) / BLOCK / 1000


def measure(root: Path, seconds: float) -> list[tuple[str, float]]:
    """Measure a point query, the same text with a bound number, `execute(...).fetchone()`.

    Args:
        root: A tree; the table `bench` is made in it, and dropped at the end.
        seconds: How long to measure. Rounds of all kinds take turns.

    Returns:
        Name and median, in microseconds, of: the client; sqlite3 in process, its database in
        memory; and of what the client needs the system calls: a write and a read of the same
        request on an open file by themselves.
    """
    with (
        closing(ksqlfs.connect(root, isolation_level=None)) as db,
        closing(sqlite3.connect(":memory:", isolation_level=None)) as reference,
    ):
        for database in (db, reference):
            database.execute("DROP TABLE IF EXISTS bench")
            database.execute("CREATE TABLE bench(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER)")
            database.execute(FILL.format(rows=ROWS))
        ours, theirs = db.cursor(), reference.cursor()
        requests = [POINT.encode() + b"\0\x01%d\0" % number for number in range(BLOCK + 1)]
        fd = os.open(root / "query.rows", os.O_RDWR)

        def calls(number: int) -> bytes:
            os.write(fd, requests[number])
            return os.read(fd, 65536)

        kinds: dict[str, Callable[[int], object]] = {
            "client": lambda number: ours.execute(POINT, (number,)).fetchone(),
            "sqlite3": lambda number: theirs.execute(POINT, (number,)).fetchone(),
            "write and read": calls,
        }
        assert kinds["client"](7) == kinds["sqlite3"](7) == ("name 7", 7)
        taken: dict[str, list[float]] = {name: [] for name in kinds}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, call in kinds.items():
                taken[name].append(_per_call(call))
        os.close(fd)
        db.execute("DROP TABLE bench")
    return [(name, statistics.median(figures)) for name, figures in taken.items()]


def main() -> None:
    """Print the figures for the tree that connect() finds."""
    for name, figure in measure(ksqlfs.find_root(), 5):
        print(f"{name:16} {figure:8.2f} µs")


if __name__ == "__main__":
    main()
