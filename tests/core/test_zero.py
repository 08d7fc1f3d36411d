# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""zero=: of what was deleted nothing is left in the memory of who runs the engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.engine import BOTH, ROOT, Db, load, running

# Made by SQL, so that it is nowhere else: neither in what is asked nor in Python's memory. It is
# larger than what SQLite keeps in a connection's own small memory.
MARK = "replace(hex(zeroblob(1000)), '00', 'qV7')"
TIMES = 300
SETUP = f"""
    CREATE TABLE t(n INTEGER PRIMARY KEY, b);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100)
        INSERT INTO t SELECT n, {MARK} FROM c;
    INSERT INTO t VALUES(0, hex(zeroblob(100000)) || {MARK});
    SELECT count(*) FROM t WHERE b LIKE '%' || {MARK};
"""
LEAVES = {
    "drop": "DROP TABLE t;",
    "delete": "DELETE FROM t WHERE n > 0; DELETE FROM t;",
    "update": "UPDATE t SET b = 0;",
    "the last count of the database": "",
}


def leave(zero: int, late: bool, sql: str) -> None:
    """In a process of its own: make marks and do away with them; then say so, and wait."""
    with running(load()) as engine:
        engine.db("another")
        db: Db = engine.db("zeroed", zero=0 if late else zero)
        if late:
            db.configure(zero=zero)
        with db.open("query", BOTH) as file:
            file.ask(SETUP)
        if sql:
            db.batch(sql + "PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            engine.dbs.remove(db)
            db.put()
        print("done", flush=True)
        sys.stdin.read()


def marks_in(pid: int) -> int:
    """How often the mark is in a process's memory."""
    mark, count = b"qV7" * TIMES, 0  # not a constant: the other process has these as well
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match and "[v" not in line:
                begin, end = (int(text, 16) for text in match.groups())
                memory.seek(begin)
                count += memory.read(end - begin).count(mark)
    return count


def left(zero: int, late: bool, sql: str) -> int:
    """How many marks are left. Without sanitizers, which fill what is freed by themselves."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    environment["KSQL_CORE_LIB"] = str(ROOT / "build/core/libksqlcore.so")
    code = f"from tests.core.test_zero import leave; leave({zero}, {late}, {sql!r})"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"done\n"
        count = marks_in(process.pid)
        process.stdin.close()
    assert process.returncode == 0
    return count


@pytest.mark.parametrize("late", [False, True], ids=["mounted so", "remounted so"])
@pytest.mark.parametrize("name", LEAVES)
def test_what_was_deleted_is_nowhere(name: str, late: bool) -> None:
    assert left(1, late, LEAVES[name]) == 0


@pytest.mark.parametrize("name", LEAVES)
def test_without_it_something_is_left(name: str) -> None:
    assert left(0, False, LEAVES[name]) > 0
