# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Measure the FUSE host on this machine, and print a table for docs/benchmarks.md.

The round trip is bench.c's, with a FUSE server that does nothing (null_fuse.c) as what the way
costs.  Beside it stand what people use instead: the command sqlite3 once a query, and Redis.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from tests.bench import client, latency, together, tree
from tests.bench.mounts import directory, mounted
from tests.bench.report import at_least, at_most, beside, show, within

BUILD = Path("build/bench")
MB = 1_000_000
STREAM_BYTES = 50 * MB
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c;"

FILES_SQL = (
    "CREATE TABLE file(id INTEGER PRIMARY KEY, name TEXT, path TEXT, size INTEGER, mtime INTEGER);"
    "INSERT INTO file WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT {rows})"
    " SELECT i, printf('file-%07d.txt', i), printf('/usr/share/doc/package-%05d/examples/%07d',"
    " i % 100003, i), i * 7919 % 10000019, 1700000000 + i FROM c;"
)
POINT_SQL = "SELECT name, size FROM file WHERE id = 4711;"


@contextmanager
def redis_server() -> Iterator[redis.Redis]:
    """A Redis server that listens on a socket of its own, and on nothing else."""
    with directory() as folder:
        socket = folder / "redis"
        command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                if server.poll() is not None:
                    raise SystemExit("redis-server did not start")
                time.sleep(0.01)
            yield redis.Redis(unix_socket_path=str(socket))
        finally:
            server.terminate()
            server.wait()


def median_us(run: Callable[[], object], operations: int, rounds: int) -> float:
    """Microseconds of one call: the median of rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(operations):
            run()
        times.append((time.perf_counter() - start) / operations * 1e6)
    return statistics.median(times)


def round_trips(operations: int, rounds: int) -> dict[str, float]:
    """bench.c's loops, microseconds; all on one processor.

    Between two processors, each waking the other from idleness, what is measured is mostly that.
    """
    pinned = ["taskset", "-c", "0"]
    mount = [*pinned, "ksqlctl", "mount", "--source", "bench-round-trip"]
    with mounted(*mount) as root, mounted(*pinned, str(BUILD / "null_fuse")) as null:
        words = [*pinned, BUILD / "bench", root / "query", null / "null", 100_000]
        out = subprocess.run(
            [str(word) for word in (*words, operations, rounds)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    return {key: float(value) for key, value in (line.split() for line in out.splitlines())}


def read_all(path: Path) -> int:
    """Read a file to its end as cat does; its bytes."""
    total, fd = 0, os.open(path, os.O_RDONLY)
    while data := os.read(fd, 128 * 1024):
        total += len(data)
    os.close(fd)
    return total


def streams(root: Path, rounds: int) -> tuple[float, float, float]:
    """MB/s of 50 MB of CSV: by FUSE, by the command sqlite3; and µs of that for one query."""
    rows = STREAM_BYTES // 81
    (root / "query").write_text(FILES_SQL.format(rows=rows))
    size = read_all(root / "tables/file/data.csv")
    ours, theirs = [], []
    with directory() as folder:
        database = str(folder / "files.db")
        subprocess.run(["sqlite3", database, FILES_SQL.format(rows=rows)], check=True)
        command = ["sqlite3", "-csv", "-header", database, "SELECT * FROM file"]
        for _ in range(rounds):
            start = time.perf_counter()
            read_all(root / "tables/file/data.csv")
            ours.append(size / MB / (time.perf_counter() - start))
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            theirs.append(size / MB / (time.perf_counter() - start))
        command_us = median_us(
            lambda: subprocess.run(
                ["sqlite3", database, POINT_SQL], check=True, stdout=subprocess.DEVNULL
            ),
            50,
            3,
        )
    print(f"the stream has {size / MB:.1f} MB")
    return statistics.median(ours), statistics.median(theirs), command_us


def interrupts(root: Path, rounds: int) -> list[float]:
    """Milliseconds from SIGINT to the end of a client whose statement never ends."""
    code = "import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.write(1, b'.');"
    code += "open(sys.argv[1], 'wb', 0).write(sys.argv[2].encode())"
    times = []
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(root / "query"), ENDLESS], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.read(1)
        time.sleep(0.05)  # what is measured is how a statement ends that runs
        start = time.perf_counter()
        child.send_signal(signal.SIGINT)
        child.wait()
        times.append((time.perf_counter() - start) * 1000)
        child.stdout.close()
    return times


def write_then_read(root: Path) -> None:
    """What a shell does for one query: write it to `query`, read `result`."""
    fd = os.open(root / "query", os.O_WRONLY)
    os.write(fd, POINT_SQL.encode())
    os.close(fd)
    fd = os.open(root / "result", os.O_RDONLY)
    while os.read(fd, 65536):
        pass
    os.close(fd)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    with ExitStack() as stack:
        root = stack.enter_context(mounted("ksqlctl", "mount", "--source", "bench-fuse"))
        server = stack.enter_context(redis_server())
        us = round_trips(args.operations, args.rounds)
        ours, theirs, command_us = streams(root, 7)
        python = dict(client.measure(root, 3))
        server.set("4711", "file-0004711.txt,7000004")
        redis_us = median_us(lambda: server.get("4711"), args.operations, 5)
        shell_us = median_us(lambda: write_then_read(root), args.operations, 5)
        ends = interrupts(root, 20)
    lines = tree.measure(7)
    lines += together.measure("-", 100_000, args.operations * 10, args.rounds)
    with mounted(
        "ksqlctl", "mount", "--source", "bench-sessions", "-o", f"sessions={together.SESSIONS}"
    ) as root:
        lines += together.sessions(root, kernel=False)
    print(f"Linux {platform.release()}, {os.cpu_count()} processors, {args.rounds} rounds, medians")
    print(
        f"references, µs: write and read on a FUSE server that does nothing {us['null_pair']:.1f},"
        f" prepared in process {us['prepared']:.2f}"
    )
    print()
    show(
        [
            at_most(
                "FUSE: point query through a read-write `query`",
                us["file_repeated"],
                us["null_pair"] + us["prepared"],
                "µs",
                1.5,
            ),
            at_least(
                "FUSE: `cat tables/file/data.csv`; beside `sqlite3 -csv`", ours, theirs, "MB/s", 200
            ),
            beside("FUSE: Ctrl-C to the client's end, median", statistics.median(ends), "ms"),
            beside("FUSE: the slowest of 20", max(ends), "ms"),
            beside("FUSE: write to `query`, read `result`", shell_us, "µs"),
            beside("FUSE: Python client, `execute().fetchone()`", python["client"], "µs"),
            beside("sqlite3 command, once a query", command_us, "µs"),
            beside("Redis GET over its socket (redis-py)", redis_us, "µs"),
            *lines,
            within(
                "engine in process: longest section of these workloads",
                latency.workloads(100_000, args.operations, 5),
                "µs",
                200,
            ),
        ]
    )


if __name__ == "__main__":
    main()
