# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""How much stack the deepest legal statements use: `python -m tests.core.stack` prints the table.

A statement runs on a painted stack (paint.c), so the figure is what was written to, not a guess
from where something was allocated.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.core.deep import DEEP, Deep, deepest
from tests.core.engine import BOTH, MIB, ROOT, WRITE, Db, Engine, File, load, running

HALF = 128 * 1024
# What a statement takes that nests nothing.
BASE = 8376


def build_paint(folder: Path) -> ctypes.CDLL:
    """Compile paint.c."""
    library = folder / "paint.so"
    source = Path(__file__).with_name("paint.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    paint = ctypes.CDLL(str(library))
    paint.paint_call.restype = ctypes.c_long
    return paint


@dataclass
class Use:
    """What one statement did: its stack, and the errno it failed with."""

    stack: int
    failed: int
    message: str


class Meter:
    """Runs statements on a painted stack."""

    def __init__(self, engine: Engine, paint: ctypes.CDLL) -> None:
        self.engine, self.paint = engine, paint
        self.count = 0

    def call(self, name: str, file: File, data: bytes = b"") -> tuple[int, int]:
        """One call on a file: what it returned, and the stack it took."""
        used = ctypes.c_size_t()
        function = ctypes.cast(getattr(file.lib, name), ctypes.c_void_p)
        ret = self.paint.paint_call(
            function,
            file.handle,
            ctypes.byref(file.who),
            data,
            ctypes.c_size_t(len(data)),
            ctypes.c_uint64(0),
            ctypes.byref(used),
        )
        return ret, used.value

    def run(self, db: Db, file: File, sql: str) -> Use:
        """Run a statement, as a batch or a request."""
        wrote, stack = self.call("ksql_write", file, sql.encode() + b";")
        if file.flags == WRITE:
            ended, more = self.call("ksql_finish", file)
        else:
            ended, more = self.call("ksql_read", file, bytes(1 << 16))
        failed = min(wrote, ended, 0)
        return Use(max(stack, more), -failed, db.text("error") if failed else "")

    def measure(self, deep: Deep, n: int, size: int = 64 * MIB) -> Use | None:
        """The statement at a depth, in a database of its own; None if its setup is refused."""
        self.count += 1
        db = self.engine.db(f"{deep.name} {self.count}", size=size)
        try:
            return self.measure_in(db, deep, n)
        finally:
            self.engine.dbs.remove(db)
            db.put()

    def measure_in(self, db: Db, deep: Deep, n: int) -> Use | None:
        """The same in a database that is there."""
        worst = 0
        with db.open("query", BOTH) as setup:
            setup.write("BEGIN;")
            for sql in deep.setup(n):
                use = self.run(db, setup, sql)
                worst = max(worst, use.stack)
                if use.failed:
                    return Use(worst, use.failed, use.message)
            setup.write("COMMIT;")
            with db.open("query", BOTH if deep.change else WRITE) as file:
                if deep.change:
                    file.write("SELECT * FROM sqlite_schema;")
                    db.batch(*(sql + ";" for sql in deep.change))
                use = self.run(db, file, deep.sql(n))
        return Use(max(use.stack, worst), use.failed, use.message)


@dataclass
class Row:
    """One line of the table."""

    deep: Deep
    depth: int
    stack: int
    beyond: str

    def cells(self) -> list[str]:
        """As docs/stack.md has it."""
        level = (self.stack - BASE) / self.depth if self.depth else 0
        half = round((HALF - BASE) / level) if level > 16 else 0
        return [
            self.deep.limit,
            self.deep.name,
            str(self.depth) if self.beyond else f"{self.depth}+",
            str(self.stack),
            str(round(level)) if half else "-",
            str(half) if half else "-",
            self.beyond or "(not tried)",
        ]


def survey(meter: Meter, deep: Deep) -> Row:
    """The deepest legal statement of a kind, and how one deeper fails."""
    uses: dict[int, Use | None] = {}

    def legal(n: int) -> bool:
        uses[n] = found = meter.measure(deep, n)
        return found is not None and not found.failed

    depth = deepest(legal, deep.most)
    at, beyond = uses.get(depth), uses.get(depth + 1)
    reason = beyond.message.partition("\n")[0] if beyond else ""
    return Row(deep, depth, at.stack if at else 0, reason.replace("|", "\\|"))


HEADER = """\
| bounded by | construct | depth | bytes | a level | half at | one deeper |
|---|---|--:|--:|--:|--:|---|"""


def read_table() -> dict[str, tuple[int, bool, int]]:
    """Of docs/stack.md: construct to depth, whether that is the deepest, and bytes."""
    rows: dict[str, tuple[int, bool, int]] = {}
    for line in (ROOT / "docs/stack.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")]
        if len(cells) == 7 and cells[3].isdigit():
            depth = cells[2]
            rows[cells[1]] = (int(depth.rstrip("+")), not depth.endswith("+"), int(cells[3]))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of names")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(load()) as engine:
        meter = Meter(engine, build_paint(Path(folder)))
        print(HEADER)
        for deep in DEEP:
            if arguments.only and not any(part in deep.name for part in arguments.only):
                continue
            print("| " + " | ".join(survey(meter, deep).cells()) + " |", flush=True)


if __name__ == "__main__":
    main()
