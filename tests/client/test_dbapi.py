# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""PEP 249, by its headings; no conformance suite for it is kept on PyPI."""

from __future__ import annotations

import datetime
import time

import ksqlfs
import pytest

from tests.client.conftest import Connect
from tests.interface.tree import Tree

DISKS = [("sda", 465.8), ("sdb", 931.5), ("sdc", None)]


@pytest.fixture
def disks(db: ksqlfs.Connection) -> ksqlfs.Connection:
    """A table of three rows."""
    db.execute("CREATE TABLE disk(name TEXT, gib REAL)")
    db.executemany("INSERT INTO disk VALUES(?, ?)", DISKS)
    db.commit()
    return db


# Module interface: constructors, globals, exceptions


def test_globals() -> None:
    assert ksqlfs.apilevel == "2.0"
    assert ksqlfs.threadsafety == 2
    assert ksqlfs.paramstyle == "qmark"


def test_exceptions_are_the_peps_tree() -> None:
    assert issubclass(ksqlfs.Warning, Exception)
    assert not issubclass(ksqlfs.Warning, ksqlfs.Error)
    assert issubclass(ksqlfs.Error, Exception)
    assert ksqlfs.InterfaceError.__bases__ == (ksqlfs.Error,)
    assert ksqlfs.DatabaseError.__bases__ == (ksqlfs.Error,)
    for kind in (
        ksqlfs.DataError,
        ksqlfs.OperationalError,
        ksqlfs.IntegrityError,
        ksqlfs.InternalError,
        ksqlfs.ProgrammingError,
        ksqlfs.NotSupportedError,
    ):
        assert kind.__bases__ == (ksqlfs.DatabaseError,)


def test_everything_public_is_there() -> None:
    for name in ksqlfs.__all__:
        assert getattr(ksqlfs, name) is not None


# Connection objects


def test_close_makes_the_connection_unusable(tree: Tree) -> None:
    db = ksqlfs.connect(tree.root)
    cursor = db.cursor()
    db.close()
    db.close()
    for call in (
        db.cursor,
        db.commit,
        db.rollback,
        lambda: db.execute("SELECT 1"),
        lambda: cursor.execute("SELECT 1"),
        lambda: cursor.executemany("INSERT INTO t VALUES(?)", [(1,)]),
        lambda: cursor.executescript("SELECT 1"),
        lambda: db.tables,
        db.__enter__,
    ):
        with pytest.raises(ksqlfs.ProgrammingError, match=r"^Cannot .* a closed database\.$"):
            call()
    assert "closed" in repr(db)


def test_closing_rolls_back(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("CREATE TABLE t(a)")
    first.execute("INSERT INTO t VALUES(1)")
    first.close()
    assert second.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_commit_and_rollback(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("CREATE TABLE t(a)")
    first.execute("INSERT INTO t VALUES(1)")
    assert second.execute("SELECT count(*) FROM t").fetchone() == (0,)
    first.commit()
    assert second.execute("SELECT count(*) FROM t").fetchone() == (1,)
    first.execute("DELETE FROM t")
    first.rollback()
    assert first.execute("SELECT count(*) FROM t").fetchone() == (1,)
    first.commit()
    first.rollback()


def test_exceptions_are_attributes_of_connections(db: ksqlfs.Connection) -> None:
    for name in (
        *("Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError"),
        *("IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"),
    ):
        assert getattr(db, name) is getattr(ksqlfs, name)


# Cursor objects


def test_description(disks: ksqlfs.Connection) -> None:
    cursor = disks.cursor()
    assert cursor.description is None
    cursor.execute("SELECT name, gib AS size, 1 FROM disk")
    assert cursor.description == (
        ("name", None, None, None, None, None, None),
        ("size", None, None, None, None, None, None),
        ("1", None, None, None, None, None, None),
    )
    cursor.execute("INSERT INTO disk VALUES('x', 1)")
    assert cursor.description is None


def test_description_of_no_rows(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT name FROM disk WHERE 0")
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["name"]
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []


def test_description_of_repeated_names(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT name, name, gib AS name FROM disk")
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["name", "name", "name"]
    assert cursor.fetchone() == ("sda", "sda", 465.8)


def test_rowcount(disks: ksqlfs.Connection) -> None:
    cursor = disks.cursor()
    assert cursor.rowcount == -1
    assert cursor.execute("UPDATE disk SET gib = 0 WHERE name < 'sdc'").rowcount == 2
    assert cursor.execute("SELECT * FROM disk").rowcount == -1
    assert cursor.execute("DELETE FROM disk WHERE 0").rowcount == 0
    assert cursor.execute("DELETE FROM disk").rowcount == 3
    assert cursor.execute("CREATE TABLE t(a)").rowcount == -1
    assert cursor.executemany("INSERT INTO t VALUES(?)", [(1,), (2,)]).rowcount == 2
    assert cursor.executemany("INSERT INTO t VALUES(?)", []).rowcount == 0
    assert cursor.execute("WITH x AS (SELECT 1) UPDATE t SET a = 3").rowcount == 2
    with pytest.raises(ksqlfs.ProgrammingError):
        cursor.execute("UPDATE nowhere SET a = 1")
    assert cursor.rowcount == -1


def test_rows_of_triggers_are_not_counted(disks: ksqlfs.Connection) -> None:
    disks.execute("CREATE TABLE log(name)")
    disks.execute(
        "CREATE TRIGGER note AFTER DELETE ON disk BEGIN"
        " INSERT INTO log VALUES(old.name); INSERT INTO log VALUES(old.name); END"
    )
    assert disks.execute("DELETE FROM disk").rowcount == 3
    assert disks.execute("SELECT count(*) FROM log").fetchone() == (6,)


def test_callproc_is_not_there(db: ksqlfs.Connection) -> None:
    assert not hasattr(db.cursor(), "callproc")
    assert not hasattr(db.cursor(), "nextset")


def test_a_closed_cursor_is_unusable(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT * FROM disk")
    cursor.close()
    cursor.close()
    for call in (
        lambda: cursor.execute("SELECT 1"),
        lambda: cursor.executemany("INSERT INTO disk VALUES(?, ?)", []),
        lambda: cursor.executescript("SELECT 1"),
        cursor.fetchone,
        cursor.fetchmany,
        cursor.fetchall,
        lambda: next(cursor),
    ):
        with pytest.raises(ksqlfs.ProgrammingError, match="closed cursor"):
            call()
    assert disks.execute("SELECT 1").fetchone() == (1,)


def test_execute_by_sequence_and_by_name(disks: ksqlfs.Connection) -> None:
    sql = "SELECT name FROM disk WHERE gib > ? AND gib < ?"
    assert disks.execute(sql, (900, 1000)).fetchall() == [("sdb",)]
    assert disks.execute(sql, [900, 1000]).fetchall() == [("sdb",)]
    sql = "SELECT name FROM disk WHERE gib > :low AND gib < @high AND :low = $low"
    values = {"low": 900, "high": 1000, "unused": object()}
    assert disks.execute(sql, values).fetchall() == [("sdb",)]


def test_values_are_never_sql(disks: ksqlfs.Connection) -> None:
    attack = "'); DROP TABLE disk; --"
    disks.execute("INSERT INTO disk VALUES(?, ?)", (attack, 1))
    disks.execute("INSERT INTO disk VALUES(:name, 1)", {"name": attack})
    rows = disks.execute("SELECT count(*) FROM disk WHERE name = ?", (attack,)).fetchone()
    assert rows == (2,)


def test_executemany_takes_changing_statements_only(disks: ksqlfs.Connection) -> None:
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^executemany\(\) takes INSERT"):
        disks.executemany("SELECT ?", [(1,)])


def test_executemany_by_name_and_by_generator(disks: ksqlfs.Connection) -> None:
    disks.executemany("INSERT INTO disk VALUES(:n, :g)", ({"n": str(n), "g": n} for n in range(3)))
    rows = disks.execute("SELECT * FROM disk WHERE rowid > 3").fetchall()
    assert rows == [("0", 0.0), ("1", 1.0), ("2", 2.0)]


def test_fetchone(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT * FROM disk ORDER BY name")
    assert [cursor.fetchone() for _ in range(5)] == [*DISKS, None, None]


def test_fetchmany(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT * FROM disk ORDER BY name")
    assert cursor.arraysize == 1
    assert cursor.fetchmany() == DISKS[:1]
    cursor.arraysize = 2
    assert cursor.fetchmany() == DISKS[1:]
    assert cursor.fetchmany(5) == []
    assert disks.execute("SELECT * FROM disk").fetchmany(size=0) == []


def test_fetchall(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT * FROM disk ORDER BY name")
    assert cursor.fetchone() == DISKS[0]
    assert cursor.fetchall() == DISKS[1:]
    assert cursor.fetchall() == []


@pytest.mark.parametrize("sql", ["INSERT INTO disk VALUES(1, 1)", "CREATE TABLE t(a)", ""])
def test_fetching_without_a_result_is_an_error(disks: ksqlfs.Connection, sql: str) -> None:
    unused, cursor = disks.cursor(), disks.execute(sql)
    for which, sentence in ((unused, "nothing was executed"), (cursor, "returned no columns")):
        for call in (which.fetchone, which.fetchmany, which.fetchall):
            with pytest.raises(ksqlfs.ProgrammingError, match=sentence):
                call()


def test_fetching_after_a_failure_is_an_error(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT * FROM disk")
    with pytest.raises(ksqlfs.ProgrammingError):
        cursor.execute("SELECT * FROM nowhere")
    with pytest.raises(ksqlfs.ProgrammingError):
        cursor.fetchone()
    assert cursor.description is None


def test_sizes_are_taken_and_ignored(disks: ksqlfs.Connection) -> None:
    cursor = disks.cursor()
    cursor.setinputsizes([10, None])
    cursor.setoutputsize(10)
    cursor.setoutputsize(10, 1)
    assert cursor.execute("SELECT 1").fetchone() == (1,)


# Type objects and constructors


def test_constructors() -> None:
    assert ksqlfs.Date(2026, 1, 2) == datetime.date(2026, 1, 2).isoformat()
    assert ksqlfs.Time(3, 4, 5) == datetime.time(3, 4, 5).isoformat()
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert ksqlfs.Timestamp(2026, 1, 2, 3, 4, 5) == moment.isoformat(" ")
    ticks = time.mktime(moment.timetuple())
    assert ksqlfs.DateFromTicks(ticks) == "2026-01-02"
    assert ksqlfs.TimeFromTicks(ticks) == "03:04:05"
    assert ksqlfs.TimestampFromTicks(ticks) == "2026-01-02 03:04:05"
    assert ksqlfs.Binary(b"\0x") == b"\0x"


def test_sqlite_understands_the_constructors(db: ksqlfs.Connection) -> None:
    row = db.execute(
        "SELECT date(?1), time(?2), datetime(?3)",
        (ksqlfs.Date(2026, 1, 2), ksqlfs.Time(3, 4, 5), ksqlfs.Timestamp(2026, 1, 2, 3, 4, 5)),
    ).fetchone()
    assert row == ("2026-01-02", "03:04:05", "2026-01-02 03:04:05")


def test_type_objects() -> None:
    kinds = [ksqlfs.STRING, ksqlfs.BINARY, ksqlfs.NUMBER, ksqlfs.DATETIME, ksqlfs.ROWID]
    assert len(set(kinds)) == 5
    assert repr(ksqlfs.ROWID) == "ksqlfs.ROWID"


# Optional extensions


def test_connection_and_iteration(disks: ksqlfs.Connection) -> None:
    cursor = disks.cursor()
    assert cursor.connection is disks
    assert iter(cursor) is cursor
    cursor.execute("SELECT name FROM disk ORDER BY name")
    assert next(cursor) == ("sda",)
    assert list(cursor) == [("sdb",), ("sdc",)]
    with pytest.raises(StopIteration):
        next(cursor)


def test_lastrowid(disks: ksqlfs.Connection) -> None:
    cursor = disks.cursor()
    assert cursor.lastrowid is None
    cursor.execute("INSERT INTO disk VALUES('sdd', 1)")
    assert cursor.lastrowid == 4
    cursor.execute("UPDATE disk SET gib = 0")
    cursor.executemany("INSERT INTO disk VALUES(?, 1)", [("sde",), ("sdf",)])
    cursor.execute("SELECT * FROM disk")
    assert cursor.lastrowid == 4
    cursor.execute("REPLACE INTO disk(rowid, name) VALUES(9223372036854775807, 'last')")
    assert cursor.lastrowid == 2**63 - 1


# As sqlite3 has it


def test_connections_execute_too(db: ksqlfs.Connection) -> None:
    db.executescript("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    db.executemany("INSERT INTO t VALUES(?)", [(2,), (3,)])
    assert db.execute("SELECT sum(a) FROM t").fetchone() == (6,)
    assert db.total_changes == 3


def test_row(disks: ksqlfs.Connection) -> None:
    disks.row_factory = ksqlfs.Row
    row = disks.execute("SELECT name, gib AS Size, 1 AS name FROM disk").fetchone()
    assert isinstance(row, ksqlfs.Row)
    assert row["name"] == row["NAME"] == row[0] == "sda"
    assert row["size"] == row[-2] == 465.8
    assert row[1:] == (465.8, 1)
    assert row.keys() == ["name", "Size", "name"]
    assert tuple(row) == ("sda", 465.8, 1)
    assert len(row) == 3
    assert repr(row) == "<ksqlfs.Row name='sda', Size=465.8, name=1>"
    again = disks.execute("SELECT name, gib AS Size, 1 AS name FROM disk").fetchone()
    assert row == again
    assert hash(row) == hash(again)
    assert row != disks.execute("SELECT name, gib, 1 AS name FROM disk").fetchone()
    assert row != ("sda", 465.8, 1)
    for wrong in ("nope", 3):
        with pytest.raises(IndexError):
            row[wrong]


def test_a_row_factory_of_a_cursor_counts_from_then_on(disks: ksqlfs.Connection) -> None:
    cursor = disks.execute("SELECT name FROM disk ORDER BY name")
    assert cursor.fetchone() == ("sda",)
    cursor.row_factory = lambda _cursor, row: {"name": row[0]}
    assert cursor.fetchall() == [{"name": "sdb"}, {"name": "sdc"}]
    cursor.execute("SELECT name FROM disk ORDER BY name")
    assert cursor.fetchone() == {"name": "sda"}
    cursor.row_factory = None
    assert cursor.fetchone() == ("sdb",)
    assert disks.execute("SELECT 1").fetchone() == (1,)


def test_a_script(db: ksqlfs.Connection) -> None:
    db.executescript(
        """
        CREATE TABLE t(a); -- one; two
        CREATE TRIGGER twice AFTER INSERT ON t WHEN new.a < 4 BEGIN
            INSERT INTO t VALUES(new.a * 2);
        END;
        INSERT INTO t VALUES(3); SELECT * FROM t; /* ; */
        INSERT INTO t VALUES(';')
        """
    )
    assert db.execute("SELECT * FROM t").fetchall() == [(3,), (6,), (";",)]


def test_a_script_commits_before_and_ends_at_its_failure(connect: Connect) -> None:
    db, other = connect(), connect()
    db.execute("CREATE TABLE t(a)")
    db.execute("INSERT INTO t VALUES(1)")
    with pytest.raises(ksqlfs.ProgrammingError) as caught:
        db.executescript("INSERT INTO t VALUES(2);\nSELECT nope FROM t;\nINSERT INTO t VALUES(3)")
    assert caught.value.statement is not None
    assert caught.value.statement.strip() == "SELECT nope FROM t;"
    assert caught.value.caret().splitlines()[-1] == "       ^"
    assert other.execute("SELECT a FROM t").fetchall() == [(1,), (2,)]


def test_the_first_statement_of_a_script_fails_as_any(db: ksqlfs.Connection) -> None:
    with pytest.raises(ksqlfs.ProgrammingError) as caught:
        db.executescript("SELEC 1; SELECT 2")
    assert str(caught.value) == 'near "SELEC": syntax error'
    assert caught.value.statement == "SELEC 1;"
    assert caught.value.offset == 0
    assert caught.value.caret() == "SELEC 1;\n^"


def test_a_script_longer_than_a_host_takes_at_once(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    insert = f"INSERT INTO t VALUES('{'x' * 1000}');\n"
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^no such column: nope$") as caught:
        db.executescript(insert * 2500 + "SELECT nope;\n" + insert * 500)
    assert caught.value.statement is not None
    assert caught.value.statement.strip() == "SELECT nope;"
    assert db.execute("SELECT count(*) FROM t").fetchone() == (2500,)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("SELECT 1; \0", ksqlfs.ProgrammingError),
        (5, ksqlfs.ProgrammingError),
        ("'\ud800'", ksqlfs.DataError),
    ],
)
def test_what_is_no_script(db: ksqlfs.Connection, script: str, kind: type[ksqlfs.Error]) -> None:
    with pytest.raises(kind):
        db.executescript(script)
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_an_empty_script_is_nothing(db: ksqlfs.Connection) -> None:
    for script in ("", " ;; ", "-- nothing"):
        db.executescript(script)
    assert db.execute("SELECT 1").fetchone() == (1,)
