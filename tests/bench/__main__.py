# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Measure the kernel module, inside the VM, and print a table for docs/benchmarks.md.

The inner loops are bench.c's, which `make bench` builds before the VM starts; this runs it on a
mount of its own and sets each figure beside its reference and what it should be.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import client, together
from tests.bench.report import at_most, beside, show

BENCH = Path("build/bench/bench")


@contextmanager
def mounted(source: str = "bench", *options: str) -> Iterator[Path]:
    """A fresh database, mounted."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "ksqlfs", *options, source, folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def memory(root: Path) -> dict[str, int]:
    """info/memory, in bytes."""
    lines = (root / "info/memory").read_text().splitlines()
    return {key: int(value) for key, value in (line.split() for line in lines)}


def longest_section(root: Path) -> float:
    """Of info/latency, in us: since the module was loaded, which the VM did for this."""
    lines = (root / "info/latency").read_text().splitlines()
    return int(dict(line.split() for line in lines)["longest"]) / 1000


def measure(root: Path, rows: int, operations: int, rounds: int) -> dict[str, float]:
    """Run bench.c's loops: microseconds, but for what is named bytes."""
    command = [
        str(BENCH),
        str(root / "query"),
        "/dev/null",
        str(rows),
        str(operations),
        str(rounds),
    ]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {key: float(value) for key, value in (line.split() for line in out.splitlines())}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--operations", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    with mounted() as root:
        before = memory(root)
        us = measure(root, args.rows, args.operations, args.rounds)
        after = memory(root)
        longest = longest_section(root)
        python = dict(client.measure(root, 10))
    with mounted("bench-together") as root:
        crowd = together.measure(str(root), args.rows, args.operations, args.rounds)
    with mounted("bench-sessions", "-o", f"sessions={together.SESSIONS}") as root:
        crowd += together.sessions(root, kernel=True)
    mib = 1 << 20
    table = [
        at_most(
            "point query through a read-write `query`, same text",
            us["file_repeated"],
            us["prepared"] + us["null_pair"],
            "µs",
            1.6,
        ),
        at_most(
            "the same with new text each time",
            us["file_new"],
            us["prepare_step"] + us["null_pair"],
            "µs",
            1.5,
        ),
        at_most(
            f"`SELECT *` of {args.rows:,} rows to CSV",
            us["stream_file"] / 1000,
            us["stream_core"] / 1000,
            "ms",
            1.3,
        ),
        at_most(
            f"memory that {args.rows:,} rows took, against the database's pages",
            (after["held"] - before["held"]) / mib,
            after["database"] / mib,
            "MiB",
            1.2,
        ),
    ]
    table.append(
        at_most(
            "Python client, `execute().fetchone()`, beside Python's sqlite3",
            python["client"],
            python["sqlite3"],
            "µs",
            2.5,
        )
    )
    table += crowd
    table.append(beside("longest section of the workloads above, emulated", longest, "µs"))
    print(f"Linux {platform.release()}, {os.cpu_count()} processors, {args.rounds} rounds, medians")
    print(
        "references, µs: "
        f"write and read on /dev/null {us['null_pair']:.2f}, "
        f"prepared in process {us['prepared']:.2f}, "
        f"prepare, step, finalize in process {us['prepare_step']:.2f}; of the client's time"
        f" write and read take {python['write and read']:.2f}"
    )
    print()
    show(table)


if __name__ == "__main__":
    main()
