# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The errno table, row by row, on batches and on connections alike."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails

SCHEMA = """
CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK(c > 0));
INSERT INTO t VALUES(1, 'one', 1, 1);
CREATE TABLE pair(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID;
INSERT INTO pair VALUES(1, 2);
CREATE TABLE parent(id INTEGER PRIMARY KEY);
CREATE TABLE child(p REFERENCES parent(id));
CREATE TABLE strict(i INTEGER, r REAL, b BLOB) STRICT;
CREATE TABLE twice(a); INSERT INTO twice VALUES(1), (1);
CREATE INDEX ix ON twice(a);
CREATE VIEW v AS SELECT * FROM t;
CREATE VIEW broken AS SELECT * FROM gone;
CREATE TRIGGER refuse BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'rows stay'); END;
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);
"""

# By errno, statements of which each must fail so and change nothing.
TABLE = {
    "EINVAL": [
        "SELEC 1",
        "SELECT",
        "SELECT 1 FROM",
        "SELECT * FROM t WHERE",
        "INSERT INTO t",
        ")",
        "@",
        "SELECT nope FROM t",
        "SELECT t.nope FROM t",
        "UPDATE t SET nope = 1",
        "INSERT INTO t(nope) VALUES(1)",
        "CREATE INDEX i2 ON t(nope)",
        'SELECT "nope"',
        "SELECT nosuch(1)",
        "SELECT abs()",
        "SELECT abs(1, 2)",
        "SELECT count(count(*)) FROM t",
        "SELECT id FROM t, t AS t2",
        "SELECT * FROM t WHERE count(*) > 1",
        "INSERT INTO t VALUES(1)",
        "SELECT 1 UNION SELECT 1, 2",
        "SELECT (SELECT 1, 2)",
        "CREATE TABLE x(a, a)",
        "CREATE TABLE x()",
        "CREATE TABLE sqlite_x(a)",
        "CREATE VIRTUAL TABLE x USING nosuch(a)",
        "COMMIT",
        "ROLLBACK",
        "RELEASE nope",
        "SELECT abs(-9223372036854775807 - 1)",
        "SELECT sum(c) FROM (SELECT 9223372036854775807 AS c UNION ALL SELECT 1)",
        "SELECT json('{')",
        "SELECT * FROM t ORDER BY 9",
        "UPDATE v SET id = 1",
    ],
    "ENOENT": [
        "SELECT * FROM nope",
        "INSERT INTO nope VALUES(1)",
        "UPDATE nope SET a = 1",
        "DELETE FROM nope",
        "DROP TABLE nope",
        "DROP VIEW nope",
        "DROP INDEX nope",
        "ALTER TABLE nope RENAME TO x",
        "CREATE INDEX i2 ON nope(a)",
        "CREATE TRIGGER tr AFTER INSERT ON nope BEGIN SELECT 1; END",
        "SELECT * FROM twice INDEXED BY nope",
        "SELECT * FROM broken",
        "SELECT * FROM main.nope",
    ],
    "EEXIST": [
        "INSERT INTO t VALUES(1, 'two', 1, 1)",
        "INSERT INTO t VALUES(2, 'one', 1, 1)",
        "INSERT INTO t VALUES(2, 'two', 1, 1), (3, 'two', 1, 1)",
        "INSERT INTO pair VALUES(1, 2)",
        "CREATE UNIQUE INDEX i2 ON twice(a)",
        "CREATE TABLE t(a)",
        "CREATE TABLE T(a)",
        "CREATE VIEW t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX ix ON t(c)",
        "CREATE TRIGGER refuse AFTER INSERT ON t BEGIN SELECT 1; END",
    ],
    "EDOM": [
        "INSERT INTO t VALUES(2, 'two', NULL, 1)",
        "INSERT INTO t VALUES(2, 'two', 1, 0)",
        "UPDATE t SET n = NULL",
        "UPDATE t SET c = -1",
        "INSERT INTO child VALUES(7)",
        "DELETE FROM t",
        "INSERT INTO strict(i) VALUES('x')",
        "INSERT INTO strict(r) VALUES('x')",
        "INSERT INTO strict(b) VALUES(1)",
        "INSERT INTO t VALUES('x', 'two', 1, 1)",
        "UPDATE t SET id = 'x'",
        "SELECT 1 LIMIT 'x'",
        "INSERT INTO box VALUES(1, 9.0, 1.0)",
    ],
    "EPERM": [
        "ATTACH '/tmp/ksqlfs-test.db' AS other",
        "ATTACH 'other.db' AS other",
        "ATTACH 'file:/tmp/ksqlfs-test.db?mode=memory' AS other",
        "VACUUM INTO '/tmp/ksqlfs-test.db'",
    ],
}


def by_batch(tree: Tree, sql: str) -> None:
    tree.run(sql)


def by_connection(tree: Tree, sql: str) -> None:
    with tree.connect() as connection:
        connection.ask(sql)


def count_all(tree: Tree) -> str:
    with tree.connect() as connection:
        return connection.ask(
            "SELECT (SELECT count(*) FROM sqlite_schema), (SELECT group_concat(id || u || n || c)"
            " FROM t), (SELECT count(*) FROM pair), (SELECT count(*) FROM child),"
            " (SELECT count(*) FROM strict), (SELECT count(*) FROM box)"
        )


@pytest.mark.parametrize("way", [by_batch, by_connection])
@pytest.mark.parametrize("name", TABLE)
def test_every_row_of_the_table(tree: Tree, way: Callable[[Tree, str], None], name: str) -> None:
    tree.run(SCHEMA)
    before = count_all(tree)
    wrong = []
    for sql in TABLE[name]:
        for end in ("", ";"):
            try:
                way(tree, sql + end)
                wrong.append(f"no error: {sql}{end}")
            except OSError as error:
                got = errno.errorcode.get(error.errno or 0)
                if got != name:
                    wrong.append(f"{got}: {sql}{end}")
    assert wrong == []
    assert count_all(tree) == before


def test_query_only_is_erofs(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.ask("PRAGMA query_only = ON")
        with fails("EROFS"):
            connection.write("INSERT INTO t VALUES(1);")
        assert connection.ask("SELECT count(*) AS n FROM t") == "n\n0\n"


def test_writing_on_a_read_only_mount_is_erofs(mount: Mounter) -> None:
    tree = mount(ro="")
    with fails("EROFS"):
        tree.run("CREATE TABLE t(a);")
    assert tree.tables() == []
    assert tree.text("info/sqlite_version").startswith("3.")


def test_a_failing_statement_tells_the_same_errno_everywhere(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)")
    with pytest.raises(OSError) as written:
        tree.run("INSERT INTO t VALUES(1);")
    batch = tree.batch()
    batch.write("INSERT INTO t VALUES(1)")
    with pytest.raises(OSError) as closed:
        batch.close()
    with pytest.raises(OSError) as opened:
        tree.result()
    with tree.connect() as connection:
        with pytest.raises(OSError) as requested:
            connection.write("INSERT INTO t VALUES(1);")
        connection.write("INSERT INTO t VALUES(1)")
        with pytest.raises(OSError) as answered:
            connection.read()
    numbers = {error.value.errno for error in (written, closed, opened, requested, answered)}
    assert len(numbers) == 1
    assert f"errno EEXIST ({numbers.pop()})" in tree.text("error")
