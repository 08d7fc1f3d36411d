# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The file events, its polling, and who is told of commits."""

from __future__ import annotations

import errno
import threading

import pytest

from tests.core.engine import POLL_CHANGED, POLL_READ, POLL_WRITE, READ, Db, Engine, File
from tests.core.test_api import errno_of

READY = POLL_READ | POLL_WRITE


def versions(db: Db) -> tuple[int, int]:
    """data_version and schema_version."""
    facts = db.facts("events")
    assert list(facts) == ["data_version", "schema_version"]
    return int(facts["data_version"]), int(facts["schema_version"])


CHANGES = {
    "insert": "INSERT INTO t VALUES(7)",
    "update": "UPDATE t SET a = a + 1",
    "delete": "DELETE FROM t",
    "transaction": "BEGIN; INSERT INTO t VALUES(7); INSERT INTO t VALUES(8); COMMIT",
    "savepoint": "SAVEPOINT s; INSERT INTO t VALUES(7); RELEASE s",
    "half rolled back": "BEGIN; INSERT INTO t VALUES(7); SAVEPOINT s; DELETE FROM t;"
    " ROLLBACK TO s; COMMIT",
    "returning": "INSERT INTO t VALUES(7) RETURNING a",
    "upsert": "INSERT INTO t VALUES(1) ON CONFLICT DO UPDATE SET a = 10",
    "fts": "INSERT INTO f VALUES('text')",
    "user_version": "PRAGMA user_version = 5",
    "large": "INSERT INTO t SELECT randomblob(3000000)",
}

SCHEMA_CHANGES = {
    "create": "CREATE TABLE new(a)",
    "drop": "DROP TABLE t",
    "rename": "ALTER TABLE t RENAME TO u",
    "add a column": "ALTER TABLE t ADD COLUMN b",
    "index": "CREATE INDEX i ON t(a)",
    "view": "CREATE VIEW v AS SELECT 1",
    "trigger": "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
    "vacuum": "VACUUM",
}

NO_CHANGES = {
    "select": "SELECT * FROM t",
    "nothing": ";",
    "no rows": "UPDATE t SET a = 5 WHERE 0",
    "nothing to delete": "DELETE FROM t WHERE a = 5",
    "ignored": "INSERT OR IGNORE INTO t VALUES(1)",
    "empty transaction": "BEGIN; COMMIT",
    "immediate": "BEGIN IMMEDIATE; COMMIT",
    "exclusive": "BEGIN EXCLUSIVE; SELECT * FROM t; COMMIT",
    "rolled back": "BEGIN; INSERT INTO t VALUES(7); ROLLBACK",
    "create rolled back": "BEGIN; CREATE TABLE new(a); ROLLBACK",
    "temporary": "CREATE TEMP TABLE new(a); INSERT INTO new VALUES(1)",
    "if not exists": "CREATE TABLE IF NOT EXISTS t(b)",
    "checkpoint": "PRAGMA wal_checkpoint",
}


@pytest.fixture
def told(db: Db) -> Db:
    """A database with something in it."""
    db.batch(
        "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1);CREATE VIRTUAL TABLE f USING fts5(x)"
    )
    return db


@pytest.mark.parametrize("name", CHANGES)
def test_a_change(told: Db, name: str) -> None:
    data, schema = versions(told)
    calls: list[int] = []
    with told.open("events") as file, told.watching(lambda: calls.append(file.poll())):
        assert file.poll() == READY
        told.batch(CHANGES[name])
        assert file.poll() == READY | POLL_CHANGED
    assert calls == [READY | POLL_CHANGED]
    assert versions(told) == (data + 1, schema)


@pytest.mark.parametrize("name", SCHEMA_CHANGES)
def test_a_change_of_the_schema(told: Db, name: str) -> None:
    data, schema = versions(told)
    told.batch(SCHEMA_CHANGES[name])
    now = versions(told)
    assert now[0] > data
    assert now[1] > schema
    assert versions(told) == now


@pytest.mark.parametrize("name", NO_CHANGES)
def test_no_change(told: Db, name: str) -> None:
    if name == "checkpoint" and errno_of(told.batch, NO_CHANGES[name]) == errno.EPERM:
        pytest.skip("this PRAGMA is not allowed")
    before = versions(told)
    calls: list[int] = []
    with told.open("events") as file, told.watching(lambda: calls.append(1)):
        told.batch(NO_CHANGES[name])
        assert file.poll() == READY
    assert calls == []
    assert versions(told) == before


def test_a_failed_statement_changes_nothing(told: Db) -> None:
    before = versions(told)
    with told.open("events") as file:
        assert errno_of(told.batch, "INSERT INTO t VALUES(1)") == errno.EEXIST
        assert errno_of(told.batch, "BEGIN; INSERT INTO t VALUES(9)") == errno.EINVAL
        assert file.poll() == READY
    assert versions(told) == before


def test_a_statement_whose_rows_nobody_reads_is_told(told: Db) -> None:
    data, schema = versions(told)
    calls: list[int] = []
    with told.session() as session, told.watching(lambda: calls.append(1)):
        session.write(
            "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n "
            "LIMIT 50000) SELECT i FROM n RETURNING a;"
        )
        session.read(10)
        session.release()  # a further statement would make SQLite look
        assert calls == [1]
        assert told.value("SELECT count(*) FROM t") == "50001"
        assert versions(told) == (data + 1, schema)


def test_what_a_failed_statement_keeps_is_told(told: Db) -> None:
    data, schema = versions(told)
    calls: list[int] = []
    with told.watching(lambda: calls.append(1)):
        sql = "INSERT OR FAIL INTO t VALUES(2), (1), (3)"
        assert errno_of(told.batch, sql) == errno.EEXIST
        assert calls == [1]
    assert told.cat("tables/t/count") == b"2\n"
    assert versions(told) == (data + 1, schema)


def test_a_transaction_is_told_when_it_commits(told: Db) -> None:
    with told.open("events") as file, told.session() as session:
        session.ask("BEGIN; INSERT INTO t VALUES(7);")
        assert file.poll() == READY
        session.ask("COMMIT;")
        assert file.poll() == READY | POLL_CHANGED


def test_reading_from_the_beginning_renews(told: Db) -> None:
    with told.open("events") as file:
        first = file.read_all()
        told.batch("INSERT INTO t VALUES(7)")
        assert file.read(100, 5) == first[5:]
        assert file.poll() == READY | POLL_CHANGED
        assert file.end() == len(first)
        second = file.read(7)
        assert file.poll() == READY
        assert second + file.read(100, 7) == told.cat("events") != first
        assert file.read(100, 100) == b""


def test_a_first_read_is_of_that_time(told: Db) -> None:
    with told.open("events") as file:
        told.batch("INSERT INTO t VALUES(7)")
        assert file.read() == told.cat("events")
        assert file.poll() == READY


def test_each_open_file_waits_for_itself(told: Db) -> None:
    with told.open("events") as one, told.open("events") as two:
        told.batch("INSERT INTO t VALUES(7)")
        one.read()
        assert (one.poll(), two.poll()) == (READY, READY | POLL_CHANGED)


def test_other_files_are_always_ready(told: Db) -> None:
    with told.open("result") as result, told.session() as session:
        told.batch("INSERT INTO t VALUES(7)")
        assert (result.poll(), session.poll()) == (READY, READY)


def test_events_is_not_written(db: Db) -> None:
    assert errno_of(db.open, "events", 2) == errno.EPERM
    assert db.attr("events").size == len(db.cat("events"))


def test_databases_do_not_hear_of_each_other(engine: Engine) -> None:
    one, two = engine.db("one"), engine.db("two")
    calls: list[str] = []
    with one.watching(lambda: calls.append("one")), two.watching(lambda: calls.append("two")):
        two.batch("CREATE TABLE t(a)")
        assert calls == ["two"]


def test_several_watch(db: Db) -> None:
    calls: list[str] = []
    with db.watching(lambda: calls.append("a")):
        with db.watching(lambda: calls.append("b")), db.watching(lambda: calls.append("c")):
            db.batch("CREATE TABLE t(a)")
            assert sorted(calls) == ["a", "b", "c"]
            calls.clear()
        db.batch("INSERT INTO t VALUES(1)")
        assert calls == ["a"]
    db.batch("INSERT INTO t VALUES(1)")
    assert calls == ["a"]


def test_after_unwatch_it_is_never_called(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    done = threading.Event()

    def commit() -> None:
        while not done.is_set():
            db.batch("INSERT INTO t VALUES(1)")

    writer = threading.Thread(target=commit)
    writer.start()
    too_late: list[int] = []
    try:
        for i in range(50):
            watching, came = [True], threading.Event()

            def changed(
                i: int = i, watching: list[bool] = watching, came: threading.Event = came
            ) -> None:
                came.set()
                if not watching[0]:
                    too_late.append(i)

            with db.watching(changed):
                assert came.wait(60)
            watching[0] = False
    finally:
        done.set()
        writer.join()
    assert not too_late


def test_commits_of_many_threads_are_all_told(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    calls: list[int] = []
    before, _ = versions(db)

    def commit() -> None:
        with db.session() as session:
            for _ in range(100):
                session.ask("INSERT INTO t VALUES(1);")

    with db.watching(lambda: calls.append(1)):
        writers = [threading.Thread(target=commit) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert len(calls) == 400
    assert versions(db)[0] == before + 400


def test_a_poller_misses_nothing(db: Db) -> None:
    """Read, then wait as a host lets wait: note, look, sleep. The last value must be seen."""
    db.batch("CREATE TABLE n(v); INSERT INTO n VALUES(0)")
    woken, seen, last = threading.Condition(), [0], 300
    calls: list[int] = []

    def changed() -> None:
        with woken:
            calls.append(1)
            woken.notify_all()

    def wait(file: File) -> None:
        while True:
            noted = len(calls)
            if file.poll() & POLL_CHANGED:
                return
            with woken:
                assert woken.wait_for(lambda noted=noted: len(calls) != noted, 60)  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def follow() -> None:
        with db.open("events", READ) as file:
            while True:
                file.read()
                seen.append(int(db.cat("tables/n/data.tsv").split()[1]))
                if seen[-1] == last:
                    return
                wait(file)

    with db.watching(changed):
        follower = threading.Thread(target=follow)
        follower.start()
        with db.session() as session:
            for i in range(last):
                session.ask(f"UPDATE n SET v = {i + 1};")
        follower.join(60)
        assert not follower.is_alive()
    assert seen[-1] == last
    assert seen == sorted(seen)
