# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Sizes and times that stat() shows of a table's files."""

from __future__ import annotations

import errno

import pytest

from tests.core.engine import Db, Engine
from tests.core.test_api import errno_of

DATA = ["data.csv", "data.json", "data.ndjson", "data.tsv"]
FILES = [*DATA, "schema", "columns", "count"]


def assert_exact(db: Db, table: str, files: list[str] = FILES) -> None:
    """What stat() says is what a reader gets, and says so again from what was kept."""
    for file in files * 2:
        path = f"tables/{table}/{file}"
        assert db.attr(path).size == len(db.cat(path)), path


COMMITS = {
    "nothing yet": ";",
    "insert": "INSERT INTO t VALUES(2, 'two')",
    "update": "UPDATE t SET b = 'longer than before'",
    "delete": "DELETE FROM t",
    "transaction": "BEGIN; INSERT INTO t VALUES(2, 2); INSERT INTO u VALUES(2); COMMIT",
    "rollback": "BEGIN; DELETE FROM t; ROLLBACK",
    "savepoint": "SAVEPOINT s; INSERT INTO t VALUES(2, 2); ROLLBACK TO s;"
    "INSERT INTO t VALUES(3, 333); RELEASE s",
    "trigger": "INSERT INTO u VALUES(1)",
    "cascade": "DELETE FROM parent",
    "index": "CREATE INDEX t_b ON t(b)",
    "new trigger": "CREATE TRIGGER more AFTER DELETE ON t BEGIN SELECT 1; END",
    "new column": "ALTER TABLE t ADD COLUMN more DEFAULT 'x'",
    "column renamed": "ALTER TABLE t RENAME COLUMN b TO with_a_longer_name",
    "made again": "DROP TABLE t; CREATE TABLE t(a, b, c)",
    "replace": "REPLACE INTO t VALUES(1, 'one after the other')",
    "returning": "INSERT INTO t VALUES(2, 2) RETURNING *",
    "vacuum": "VACUUM",
}


@pytest.mark.parametrize("sql", COMMITS.values(), ids=COMMITS)
def test_sizes_follow_commits(db: Db, sql: str) -> None:
    db.batch(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE TABLE u(x);"
        "CREATE TABLE parent(a INTEGER PRIMARY KEY); INSERT INTO parent VALUES(1);"
        "CREATE TABLE child(a REFERENCES parent ON DELETE CASCADE); INSERT INTO child VALUES(1);"
        "CREATE TRIGGER r AFTER INSERT ON u BEGIN INSERT INTO t VALUES(100, 'by trigger'); END;"
        "INSERT INTO t VALUES(1, 'one');"
    )
    tables = ("t", "u", "parent", "child")
    for table in tables:
        assert_exact(db, table)
    db.batch(sql)
    for table in tables:
        assert_exact(db, table)


def test_a_kept_statement_whose_trigger_is_new(db: Db) -> None:
    """It is prepared again while it runs, and writes to one table more than before."""
    db.batch("CREATE TABLE t(a); CREATE TABLE u(a)")
    with db.session() as writer:
        for _ in range(3):
            writer.ask("INSERT INTO t VALUES(1);")
        assert_exact(db, "u")
        db.batch("CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u VALUES(1); END")
        assert_exact(db, "u")
        writer.ask("INSERT INTO t VALUES(1);")
        assert db.cat("tables/u/data.csv") == b"a\n1\n"
        assert_exact(db, "u")


def test_after_the_database_was_replaced(db: Db) -> None:
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('first');")
    image = db.cat("image")
    db.batch("UPDATE t SET a = 'another'")
    assert_exact(db, "t")
    with db.open("image", 2) as sink:
        sink.write(image)
        sink.close()
    assert_exact(db, "t")


def test_large_tables(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a, b); CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
        " INSERT INTO t SELECT i, hex(randomblob(20)) FROM n;"
        "INSERT INTO w SELECT * FROM t;"
    )
    assert_exact(db, "t")
    assert_exact(db, "w")
    db.configure(exact=1 << 20)
    db.batch("DELETE FROM t WHERE a = 1; DELETE FROM w WHERE a = 1;")
    for table in ("t", "w"):
        for file in DATA:
            assert db.attr(f"tables/{table}/{file}").size == 0
        assert_exact(db, table, FILES[len(DATA) :])
    db.configure(exact=0)
    db.batch("DELETE FROM t WHERE a > 2")
    assert db.attr("tables/t/data.csv").size == 0


def test_few_rows_of_many_bytes(db: Db) -> None:
    """They are in overflow pages, which are not counted."""
    db.batch(
        "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(5000000)), ('x'), (zeroblob(70000))"
    )
    assert_exact(db, "t")


def test_a_change_of_the_option_counts_at_once(engine: Engine) -> None:
    db = engine.db(exact=0)
    db.batch("CREATE TABLE t(a)")
    assert db.attr("tables/t/data.csv").size == 0
    db.configure(exact=1 << 20)
    assert_exact(db, "t")


def test_virtual_tables_and_views_have_none(db: Db) -> None:
    db.batch(
        "CREATE TABLE docs(a); CREATE VIRTUAL TABLE f USING fts5(a, content='docs');"
        "CREATE VIEW v AS SELECT 1;"
    )
    for _ in range(2):
        db.batch(
            "INSERT INTO docs VALUES('x'); INSERT INTO f(rowid, a) VALUES(last_insert_rowid(), 'x')"
        )
        assert_exact(db, "f", FILES[len(DATA) :])
        for file in DATA:
            assert db.attr(f"tables/f/{file}").size == 0
            assert db.attr(f"views/v/{file}").size == 0


def test_what_cannot_be_read_is_no_error_of_stat(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); INSERT INTO t VALUES(-9223372036854775807 - 1);"
        "ALTER TABLE t ADD COLUMN b AS (abs(a));"
    )
    assert errno_of(db.cat, "tables/t/data.csv") == errno.EINVAL
    assert db.attr("tables/t/data.csv").size == 0


def test_times_are_the_tables_own(db: Db) -> None:
    db.batch("CREATE TABLE t(a); CREATE TABLE u(a)")
    times = [db.attr(f"tables/{path}").mtime_ns for path in ("t", "t/data.csv", "u")]
    assert times[0] == times[1]
    db.batch("INSERT INTO t VALUES(1)")
    later = db.attr("tables/t").mtime_ns
    assert later > times[0]
    assert db.attr("tables/t/data.csv").mtime_ns == later
    assert db.attr("tables/u").mtime_ns == times[2]
    assert db.attr("").mtime_ns == later
    db.batch("BEGIN; INSERT INTO u VALUES(1); ROLLBACK")
    assert db.attr("tables/u").mtime_ns == times[2]


def test_tables_that_come_and_go_leave_nothing(db: Db) -> None:
    before = None
    for number in range(1500):
        db.batch(f"CREATE TABLE x{number}(a)")
        assert db.attr(f"tables/x{number}/count").size == 2
        db.batch(f"DROP TABLE x{number}")
        if number % 500 == 499:
            now = db.memory("blocks")
            assert before is None or now < before + 20_000
            before = now


def versions(db: Db, *paths: str) -> list[int]:
    """ksql_node_version() of each."""
    found = []
    for path in paths:
        with db.node(path) as node:
            found.append(int(db.lib.ksql_node_version(db.handle, node)))
    return found


def test_versions_of_nodes(db: Db) -> None:
    db.batch("CREATE TABLE t(a); CREATE TABLE u(a); CREATE VIEW v AS SELECT 1")
    paths = ("tables/t", "tables/t/data.csv", "tables/u", "events", "views/v/data.csv", "query")
    before = versions(db, *paths)
    db.batch("INSERT INTO t VALUES(1)")
    after = versions(db, *paths)
    commit = int(db.facts("events")["data_version"])
    assert after == [commit, commit, before[2], commit, 0, 0]
    for path, known in zip(paths, (True, True, True, True, False, False), strict=True):
        with db.node(path) as node:
            assert db.lib.ksql_node_has_version(node) is known


def test_same_nodes(db: Db) -> None:
    db.batch("CREATE TABLE t(a); CREATE TABLE u(a)")
    paths = ["", "query", "tables", "tables/t", "tables/u", "tables/t/count", "tables/u/count"]
    for one in paths:
        for other in paths:
            with db.node(one) as a, db.node(other) as b:
                assert db.lib.ksql_node_same(a, b) is (one == other)
