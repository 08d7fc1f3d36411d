# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Memory is counted and bounded, and comes back."""

from __future__ import annotations

import ctypes
import errno

import pytest

from tests.core.engine import MIB, Db, Engine, running
from tests.core.test_api import errno_of

ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < {}) "


def test_a_full_engine_recovers(lib: ctypes.CDLL) -> None:
    with running(lib, mem_limit=6 * MIB) as engine:
        db = engine.db()
        db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
        for _ in range(5):
            code = errno_of(
                db.batch, ROWS.format(1000000) + "INSERT INTO t SELECT zeroblob(9000) FROM n"
            )
            assert code == errno.ENOSPC
            assert "memory limit is reached" in db.text("error")
            assert db.value("SELECT a FROM t") == "kept"
            assert db.memory("held") <= 6 * MIB
        for sql in (
            "SELECT length(group_concat(hex(randomblob(1000)))) FROM ("
            + ROWS.format(9999)
            + "SELECT i FROM n)",
            "SELECT length(printf('%.*c', 30000000, 'x'))",
            ROWS.format(200000) + "SELECT hex(randomblob(50)) AS x FROM n ORDER BY x",
        ):
            assert errno_of(db.batch, sql) == errno.ENOSPC, sql
            assert db.value("SELECT a FROM t") == "kept"
        assert db.value("PRAGMA integrity_check") == "ok"
        db.batch(ROWS.format(100) + "INSERT INTO t SELECT zeroblob(9000) FROM n")


@pytest.mark.parametrize(
    "limit", [1 << 12, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 3 << 19, 2 << 20]
)
def test_any_limit(lib: ctypes.CDLL, limit: int) -> None:
    """However small: it works or says why not, and leaves nothing behind."""
    engine = Engine(lib, mem_limit=limit)
    try:
        engine.start()
    except OSError as error:
        assert limit < 1 << 18
        code = error.errno
    else:
        code = 0
        code = code or errno_of(engine.db)
        if not code:
            db = engine.db()
            code = errno_of(db.batch, "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT * FROM t")
        assert engine.stop() == 0
    assert code in (0, errno.ENOMEM, errno.ENOSPC)
    assert limit < 2 * MIB or code == 0


def test_a_full_database_recovers(engine: Engine) -> None:
    db = engine.db(size=1 * MIB)
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    for _ in range(3):
        assert errno_of(db.batch, "INSERT INTO t VALUES(zeroblob(1200000))") == errno.ENOSPC
        assert db.value("SELECT group_concat(a) FROM t") == "kept"
    db.batch("INSERT INTO t VALUES(zeroblob(900000))")
    assert errno_of(db.batch, "INSERT INTO t VALUES(zeroblob(900000))") == errno.ENOSPC
    db.batch("DELETE FROM t WHERE a <> 'kept'")
    db.batch("INSERT INTO t VALUES(zeroblob(900000))")
    assert db.usage()[0] * 4096 <= 1 * MIB
    db.batch("DELETE FROM t; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
    assert db.usage()[0] < 5
    assert db.value("PRAGMA integrity_check") == "ok"


def test_rows_take_little_more_than_their_pages(db: Db) -> None:
    db.batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL)")
    before = db.memory("held")
    db.batch(ROWS.format(100000) + "INSERT INTO t SELECT i, 'row number ' || i, i / 7.0 FROM n")
    pages = db.usage()[0] * 4096
    assert (db.memory("held") - before) / pages < 1.2


def test_what_was_deleted_comes_back(db: Db) -> None:
    before = db.memory("held")
    for _ in range(3):
        db.batch(
            "CREATE TABLE t(a); "
            + ROWS.format(3000)
            + "INSERT INTO t SELECT randomblob(3000) FROM n; DROP TABLE t; VACUUM"
        )
    db.batch("PRAGMA wal_checkpoint(TRUNCATE)")
    assert db.usage()[1] == 0
    assert db.memory("held") - before < 2 * MIB


def test_a_result_gives_its_memory_back(db: Db) -> None:
    before = db.memory("blocks")
    for _ in range(3):
        db.batch(ROWS.format(20000) + "SELECT hex(zeroblob(200)) FROM n")
        db.cat("result.json")
        assert db.memory("blocks") - before > 8 * MIB
        db.batch("SELECT 1")
        assert db.memory("blocks") - before < 1 * MIB


def test_connections_are_closed(db: Db) -> None:
    db.batch("SELECT 1")
    before = db.memory("blocks")
    files = [db.session() for _ in range(50)]
    for file in files:
        file.ask("SELECT 1")
    assert db.memory("blocks") > before
    for file in files:
        file.release()
    assert db.memory("blocks") - before < 1 * MIB


def test_what_was_rolled_back_comes_back(db: Db) -> None:
    """The log has grown by then."""
    db.batch("CREATE TABLE t(a)")
    for end in ("ROLLBACK", "SELEC", ""):
        errno_of(
            db.batch,
            "BEGIN; " + ROWS.format(3000) + f"INSERT INTO t SELECT randomblob(9000) FROM n; {end}",
        )
        assert db.usage()[1] < 300, end
        assert db.memory("pages") < 3 * MIB


def test_counters(db: Db) -> None:
    facts = {key: int(value) for key, value in db.facts("info/memory").items()}
    assert facts["limit"] >= facts["peak"] >= facts["held"] >= facts["pages"] > 0
    assert facts["held"] >= facts["blocks"] * 0.5
    assert facts["stack_size"] == 256 * 1024
    assert facts["stack_peak"] > 0


def test_the_limit_is_of_all_databases(lib: ctypes.CDLL) -> None:
    with running(lib, mem_limit=8 * MIB) as engine:
        one, other = engine.db("one"), engine.db("other")
        one.batch("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000000))")
        assert (
            errno_of(other.batch, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(6000000))")
            == errno.ENOSPC
        )
        one.batch("DROP TABLE t; VACUUM")
        one.batch("PRAGMA wal_checkpoint(TRUNCATE)")
        other.batch("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(zeroblob(2000000))")


@pytest.mark.parametrize("private", [False, True], ids=["connections", "sessions"])
def test_a_thousand_that_wait_cost_less_than_64_kib_each(lib: ctypes.CDLL, private: bool) -> None:
    """Also when their last statement read pages of the log, which are copied for each."""
    count = 1000
    with running(lib) as engine:
        db = engine.db(sessions=count)
        db.batch("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER)")
        db.batch(ROWS.format(10000) + "INSERT INTO t SELECT i, 'package-' || i, i % 100 FROM n")
        assert db.memory("wal") > 200_000
        before = db.memory("held")
        files = []
        for number in range(count):
            folder = f"sessions/s{number}"
            if private:
                db.make(folder)
            file = db.session(f"{folder}/query" if private else "query")
            assert file.ask("SELECT name FROM t WHERE id = 4711;") == b"name\npackage-4711\n"
            if number % 10 == 0:
                assert file.ask("SELECT max(kib) FROM t;") == b"max(kib)\n99\n"
            if number % 10 == 1:
                assert len(file.ask("SELECT * FROM t;")) > 100_000
            files.append(file)
        each = (db.memory("held") - before) / count
        for file in files:
            file.close()
        for number in range(count if private else 0):
            db.remove(f"sessions/s{number}")
        assert each < 64 * 1024
        assert db.memory("held") - before < 1 * MIB
