# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The file tables/NAME/changes: which rows commits changed, in their order."""

from __future__ import annotations

import errno
import json
import threading
from typing import Any

import pytest

from tests.core.engine import POLL_READ, WRITE, Db, Engine, File
from tests.core.test_api import errno_of

# The ring of sqlite_core/tracked.h.
RING = 8192

Line = dict[str, Any]


def lines(file: File) -> list[Line]:
    """All that can be read without waiting."""
    got = b""
    while True:
        try:
            got += file.read()
        except BlockingIOError:
            return [json.loads(line) for line in got.splitlines()]


def rows(file: File) -> list[tuple[str, int | None]]:
    """The same, without the versions."""
    return [(str(line["op"]), line["rowid"]) for line in lines(file)]


@pytest.fixture
def t(db: Db) -> Db:
    """A database with some rows."""
    db.batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE); CREATE TABLE u(x);")
    db.batch("INSERT INTO t VALUES(1, 'one'), (2, 'two'); INSERT INTO u VALUES('x');")
    return db


ROWS = {
    "insert": ("INSERT INTO t VALUES(3, 'three')", [("insert", 3)]),
    "update": ("UPDATE t SET b = b || '!'", [("update", 1), ("update", 2)]),
    "delete one": ("DELETE FROM t WHERE a = 2", [("delete", 2)]),
    "delete all": ("DELETE FROM t", [("delete", 1), ("delete", 2)]),
    "another number": ("UPDATE t SET a = 9 WHERE a = 1", [("delete", 1), ("insert", 9)]),
    "replace by number": ("REPLACE INTO t VALUES(1, 'new')", [("delete", 1), ("insert", 1)]),
    "replace by value": ("REPLACE INTO t VALUES(7, 'two')", [("delete", 2), ("insert", 7)]),
    "upsert": (
        "INSERT INTO t VALUES(1, 'new') ON CONFLICT DO UPDATE SET b = excluded.b",
        [("update", 1)],
    ),
    "returning": ("INSERT INTO t VALUES(3, 'three') RETURNING b", [("insert", 3)]),
    "transaction": (
        "BEGIN; INSERT INTO t VALUES(3, 3); DELETE FROM t WHERE a = 1; COMMIT",
        [("insert", 3), ("delete", 1)],
    ),
    "savepoint": (
        "SAVEPOINT s; INSERT INTO t VALUES(3, 3); SAVEPOINT r; INSERT INTO t VALUES(4, 4);"
        "ROLLBACK TO R; INSERT INTO t VALUES(5, 5); RELEASE r; RELEASE s",
        [("insert", 3), ("insert", 5)],
    ),
    "rolled back to the same savepoint twice": (
        "BEGIN; SAVEPOINT s; INSERT INTO t VALUES(3, 3); ROLLBACK TO s;"
        "INSERT INTO t VALUES(4, 4); ROLLBACK TO s; INSERT INTO t VALUES(5, 5); COMMIT",
        [("insert", 5)],
    ),
    "after a rollback": (
        "BEGIN; INSERT INTO t VALUES(3, 3); ROLLBACK; BEGIN; INSERT INTO t VALUES(4, 4); COMMIT",
        [("insert", 4)],
    ),
    "a trigger": (
        "CREATE TRIGGER r AFTER INSERT ON u BEGIN DELETE FROM t WHERE a = new.x; END;"
        "INSERT INTO u VALUES(2)",
        [("delete", 2)],
    ),
    "fail keeps what it did": ("INSERT OR FAIL INTO t VALUES(3, 3), (1, 1)", [("insert", 3)]),
}

NONE = {
    "rollback": "BEGIN; INSERT INTO t VALUES(3, 3); ROLLBACK",
    "constraint": "INSERT INTO t VALUES(3, 3), (1, 1)",
    "constraint in a transaction": "BEGIN; INSERT INTO t VALUES(3, 3), (1, 1)",
    "left open": "BEGIN; INSERT INTO t VALUES(3, 3)",
    "another table": "INSERT INTO u VALUES(1)",
    "temporary table of its name": "CREATE TEMP TABLE t(a); INSERT INTO t VALUES(1)",
    "no row": "UPDATE t SET b = 1 WHERE a = 99",
    "select": "SELECT * FROM t",
    "unique index": "CREATE INDEX i ON t(b)",
}

RESETS = {
    "vacuum": "VACUUM",
    "rename": "ALTER TABLE u RENAME TO v",
    "drop": "DROP TABLE t",
    "new column": "ALTER TABLE t ADD COLUMN c",
}


@pytest.mark.parametrize(("sql", "expected"), ROWS.values(), ids=ROWS)
def test_rows(t: Db, sql: str, expected: list[tuple[str, int]]) -> None:
    with t.open("tables/t/changes") as file:
        errno_of(t.batch, sql) if "FAIL" in sql else t.batch(sql)
        assert rows(file) == expected


@pytest.mark.parametrize("sql", NONE.values(), ids=NONE)
def test_no_rows(t: Db, sql: str) -> None:
    with t.open("tables/t/changes") as file:
        assert errno_of(t.batch, sql) in (0, errno.EEXIST, errno.EINVAL)
        assert rows(file) == []
        assert not file.poll() & POLL_READ
        t.batch("INSERT INTO main.t VALUES(8, 8)")
        assert rows(file) == [("insert", 8)]


@pytest.mark.parametrize("sql", RESETS.values(), ids=RESETS)
def test_resets(t: Db, sql: str) -> None:
    with t.open("tables/t/changes") as file:
        t.batch(sql)
        assert rows(file) == [("reset", None)]


def test_a_replaced_database_is_a_reset(t: Db) -> None:
    image = t.cat("image")
    with t.open("tables/t/changes") as file:
        with t.open("image", WRITE) as sink:
            sink.write(image)
            sink.close()
        assert rows(file) == [("reset", None)]


def test_versions_are_those_of_events(t: Db) -> None:
    with t.open("tables/t/changes") as file:
        for number in (3, 4):
            t.batch(f"INSERT INTO t VALUES({number}, {number})")
            version = int(t.facts("events")["data_version"])
            assert lines(file) == [{"op": "insert", "rowid": number, "version": version}]


def test_only_what_comes_after_it_was_opened(t: Db) -> None:
    with t.open("tables/t/changes") as first:
        t.batch("INSERT INTO t VALUES(3, 3)")
        with t.open("tables/t/changes") as second:
            t.batch("INSERT INTO t VALUES(4, 4)")
            assert rows(first) == [("insert", 3), ("insert", 4)]
            assert rows(second) == [("insert", 4)]


def test_poll(t: Db) -> None:
    with t.open("tables/t/changes") as file:
        assert not file.poll() & POLL_READ
        t.batch("INSERT INTO t VALUES(3, 3), (4, 4)")
        assert file.poll() & POLL_READ
        assert file.read(5) == b'{"op"'
        assert file.poll() & POLL_READ
        while file.poll() & POLL_READ:
            assert file.read(7)
        assert errno_of(file.read) == errno.EAGAIN


def test_a_slow_reader_is_told_how_much_it_lost(t: Db) -> None:
    with t.open("tables/t/changes") as file:
        t.batch(
            "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
            "SELECT * FROM n"
        )
        for start in range(10, 10 + RING + 1000, 100):
            t.batch(
                f"WITH RECURSIVE n(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n"
                f" WHERE i < {start + 99}) INSERT INTO t SELECT i, i FROM n"
            )
        total = 100 * len(range(10, 10 + RING + 1000, 100))
        got = lines(file)
        assert got[0] == {"lost": total - RING}
        assert [line["rowid"] for line in got[1:]] == list(range(10 + total - RING, 10 + total))
        t.batch("DELETE FROM t WHERE a = 1")
        assert rows(file) == [("delete", 1)]


@pytest.mark.parametrize("count", [RING, RING + 1, 5 * RING])
def test_one_transaction_larger_than_the_ring(t: Db, count: int) -> None:
    with t.open("tables/t/changes") as file:
        t.batch(
            "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n"
            f" WHERE i < {9 + count}) INSERT INTO t SELECT i, i FROM n"
        )
        got = lines(file)
        known = [line for line in got if "lost" not in line]
        assert sum(int(line.get("lost") or 0) for line in got) + len(known) == count
        t.batch("DELETE FROM t WHERE a = 1")
        assert rows(file) == [("delete", 1)]


def test_without_rowid_the_number_is_null(db: Db) -> None:
    db.batch("CREATE TABLE w(a PRIMARY KEY) WITHOUT ROWID")
    with db.open("tables/w/changes") as file:
        db.batch("INSERT INTO w VALUES('x')")
        assert rows(file) == [("insert", None)]


def test_of_a_virtual_table_only_that_it_changed(db: Db) -> None:
    db.batch("CREATE VIRTUAL TABLE f USING fts5(a)")
    with db.open("tables/f/changes") as file:
        db.batch("INSERT INTO f VALUES('x')")
        assert rows(file) == [("reset", None)]


def test_a_transaction_that_was_open_before(t: Db) -> None:
    with t.session() as writer:
        writer.ask("BEGIN; INSERT INTO t VALUES(3, 3);")
        with t.open("tables/t/changes") as file:
            writer.ask("INSERT INTO t VALUES(4, 4); COMMIT;")
            assert rows(file) == [("reset", None)]
            writer.ask("INSERT INTO t VALUES(5, 5);")
            assert rows(file) == [("insert", 5)]


def test_a_kept_statement_tells_its_rows(t: Db) -> None:
    """One that was prepared while nobody watched may have a program that does not tell."""
    with t.session() as writer:
        for _ in range(3):
            writer.ask("DELETE FROM u;")
            writer.ask("INSERT INTO u VALUES(1);")
        with t.open("tables/u/changes") as file:
            writer.ask("DELETE FROM u;")
            assert [op for op, _ in rows(file)] == ["delete"]


def test_writers_on_many_connections_keep_their_order(t: Db) -> None:
    """Each row is made, then taken away by whoever sees it: in this order it is told."""
    t.batch("CREATE TABLE q(a INTEGER PRIMARY KEY AUTOINCREMENT)")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(100):
                t.batch("INSERT INTO q DEFAULT VALUES")
                t.batch("DELETE FROM q WHERE a = (SELECT max(a) FROM q)")
        except BaseException as error:
            failures.append(error)

    with t.open("tables/q/changes") as file:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        got = lines(file)
    versions = [int(line["version"]) for line in got]
    there: set[int] = set()
    for line in got:
        rowid = int(line["rowid"])
        if line["op"] == "insert":
            assert rowid not in there
            there.add(rowid)
        else:
            there.remove(rowid)
    assert len(versions) == len(got) >= 400
    assert not there


def test_a_commit_that_fails_tells_nothing(engine: Engine) -> None:
    db = engine.db(size=1 << 20)
    db.batch("CREATE TABLE t(a)")
    with db.open("tables/t/changes") as file:
        while errno_of(db.batch, "INSERT INTO t VALUES(randomblob(30000))") != errno.ENOSPC:
            assert len(rows(file)) == 1
        assert rows(file) == []


def test_nothing_is_left_of_readers(t: Db) -> None:
    before = None
    for _ in range(3):
        with t.open("tables/t/changes") as file:
            t.batch("INSERT INTO t VALUES(3, 3); DELETE FROM t WHERE a = 3;")
            assert len(rows(file)) == 2
        now = t.memory("blocks")
        assert before is None or now <= before
        before = now


def test_fail_leaves_what_a_trigger_did(t: Db) -> None:
    """SQLite does not say whether it is undone: read the table anew."""
    t.batch("CREATE TABLE w(x UNIQUE); INSERT INTO w VALUES(3);")
    t.batch("CREATE TRIGGER r BEFORE INSERT ON w BEGIN INSERT INTO t VALUES(new.x, new.x); END")
    for how, count in {"FAIL": "3", "ABORT": "2"}.items():
        with t.open("tables/t/changes") as file, t.session() as session:
            session.ask("BEGIN; UPDATE u SET x = x;")
            assert errno_of(session.ask, f"INSERT OR {how} INTO w VALUES(3);") == errno.EEXIST
            session.ask("COMMIT;")
            assert t.value("SELECT count(*) FROM t") == count
            assert rows(file) == [("reset", None)]
        t.batch("DELETE FROM t WHERE a = 3")


def test_nothing_is_left_of_savepoints(t: Db) -> None:
    """COMMIT ends them, also where it has nothing to commit."""
    with t.session() as session:
        session.ask("BEGIN; SAVEPOINT s; COMMIT;" * 10)
        before = t.memory("blocks")
        for _ in range(100):
            session.ask("BEGIN; SAVEPOINT s; COMMIT;" * 10)
        assert t.memory("blocks") - before < 4096


def test_errors(t: Db) -> None:
    assert errno_of(t.open, "tables/t/changes", WRITE) == errno.EPERM
    with t.open("tables/t/changes") as file:
        assert errno_of(file.end) == errno.ESPIPE
