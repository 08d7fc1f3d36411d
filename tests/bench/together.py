# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Several clients at once, commits, and sessions that wait: lines for the tables.

The inner loops are together.c's, which `make bench` builds.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.mounts import directory
from tests.bench.report import beside, times, within

PROGRAM = Path("build/bench/together")
SESSIONS = 1000
KIB = 1024
# The rows of together.c's t are read in one point query and one scan of some of them.
STATEMENTS = ("SELECT name, kib FROM t WHERE id = 4711;", "SELECT max(kib) FROM t WHERE id < 5000;")
FILL = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER);"
    "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 10000)"
    " SELECT i, printf('package-%06d', i), i * 37 % 100003 FROM c;"
)


@contextmanager
def tmpfs() -> Iterator[Path]:
    """A file system in memory, for the reference's database."""
    with directory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def measure(tree: str, rows: int, operations: int, rounds: int) -> list[list[str]]:
    """The lines of a mount, or with "-" of the engine in a process."""
    with tmpfs() as folder:
        words = [str(PROGRAM), tree, str(folder), *map(str, (rows, operations, rounds))]
        out = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    got = {key: float(value) for key, value in (line.split() for line in out.splitlines())}
    who = "engine in process: " if tree == "-" else ""
    lines = []
    for key, what, goal in (
        ("same", "two readers on two processors, same text, beside one", 1.8),
        ("new", "the same with new text each time", 1.8),
        ("compute", "two loops that only compute, beside one", None),
    ):
        one = 1e6 / got[f"us_{key}"]
        lines.append(times(who + what, got[f"readers_{key}"] * one, one, "/s", goal))
    lines += [
        times(
            who + "p99 of a point query beside a writer that goes on and on, beside none",
            got["p99_beside"],
            got["p99_alone"],
            "µs",
            2.0,
            most=True,
        ),
        beside(who + "median of them", got["p50_beside"], "µs"),
        beside(who + "that writer's commits", got["commits_beside"], "/s"),
        times(
            who + "single-row commits; beside SQLite in process, WAL, tmpfs",
            1e6 / got["commit_ours"],
            1e6 / got["commit_wal"],
            "/s",
            0.5,
        ),
        times(
            who + "the same; beside `:memory:`, which has no log and no second connection",
            1e6 / got["commit_ours"],
            1e6 / got["commit_memory"],
            "/s",
            None,
        ),
    ]
    return lines


def held(root: Path) -> int:
    """Bytes that the engine has of the host."""
    lines = (root / "info/memory").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("held ")))


def available() -> int:
    """Bytes that the kernel could give to programs."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) * KIB


def waiting(root: Path, private: bool) -> tuple[float, float]:
    """KiB of each of SESSIONS that have run something: by the engine's count, by the kernel's."""
    before, free = held(root), available()
    open_files = []
    for number in range(SESSIONS):
        folder = root / f"sessions/bench-{number}" if private else root
        if private:
            folder.mkdir()
        fd = os.open(folder / "query", os.O_RDWR)
        for sql in STATEMENTS:
            os.write(fd, sql.encode())
            while os.read(fd, 65536):
                pass
        open_files.append(fd)
    each = (held(root) - before) / SESSIONS / KIB, (free - available()) / SESSIONS / KIB
    for fd in open_files:
        os.close(fd)
    for number in range(SESSIONS if private else 0):
        (root / f"sessions/bench-{number}").rmdir()
    return each


def sessions(root: Path, kernel: bool) -> list[list[str]]:
    """Lines of open sessions, on a mount that allows so many; `kernel`: its count as well."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(4096, limit[0]), max(4096, limit[1])))
    (root / "query").write_text(FILL)
    lines = []
    for private, what in ((False, "open `query`"), (True, "directories in sessions/")):
        engine, machine = waiting(root, private)
        name = f"{SESSIONS:,} {what}, each"
        lines.append(within(f"{name}: by `info/memory`", engine, "KiB", 64))
        if kernel:
            lines.append(within(f"{name}: by the kernel's MemAvailable", machine, "KiB", 64))
    return lines
