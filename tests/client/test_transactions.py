# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Transactions that begin by themselves: side by side with Python's sqlite3."""

from __future__ import annotations

import sqlite3
from typing import Any

import ksqlfs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.conftest import Connect, ConnectTo
from tests.interface.tree import Tree

STEPS = [
    "SELECT * FROM t ORDER BY a",
    "INSERT INTO t VALUES(1, 'one')",
    "INSERT INTO t(b) VALUES('next')",
    "REPLACE INTO t VALUES(1, 'again')",
    "UPDATE t SET b = b || '!'",
    "DELETE FROM t WHERE a = 1",
    "INSERT INTO t SELECT a + 100, b FROM t WHERE a < 100",
    "INSERT INTO t(b) VALUES('r') RETURNING a, b",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "CREATE TABLE u(x)",
    "DROP TABLE u",
    "INSERT INTO nowhere VALUES(1)",
    "nonsense",
    "/* nothing */",
    ".commit",
    ".rollback",
    ".many",
    ".script",
    ".none",
    ".deferred",
    ".fails",
]


def run(db: Any, cursor: Any, step: str) -> None:
    """One step on either kind of connection."""
    if step == ".commit":
        db.commit()
    elif step == ".rollback":
        db.rollback()
    elif step == ".many":
        cursor.executemany("INSERT OR IGNORE INTO t VALUES(?, ?)", [(7, "x"), (8, "y"), (7, "z")])
    elif step == ".script":
        cursor.executescript("INSERT INTO t(b) VALUES('s1'); INSERT INTO t(b) VALUES('s2');")
    elif step in (".none", ".deferred"):
        db.isolation_level = None if step == ".none" else "DEFERRED"
    elif step == ".fails":
        with db:
            cursor.execute("INSERT INTO t VALUES(50, 'in the block')")
            raise KeyError
    else:
        cursor.execute(step)


def outcome(db: Any, cursor: Any, step: str, errors: tuple[type[Exception], ...]) -> object:
    """What a program sees of a step."""
    try:
        run(db, cursor, step)
    except errors:
        return "failed", db.in_transaction
    rows = [] if cursor.description is None else cursor.fetchall()
    # sqlite3 keeps that of the statement before.
    count = cursor.rowcount if step[0] != "." else None
    return db.in_transaction, rows, count, db.total_changes


def prepare(db: Any) -> None:
    db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")


@given(st.lists(st.sampled_from(STEPS), max_size=25))
@settings(max_examples=40)
def test_any_steps_do_as_sqlite3_does(tree: Tree, steps: list[str]) -> None:
    tree.clean()
    ours, theirs = ksqlfs.connect(tree.root), sqlite3.connect(":memory:")
    prepare(ours)
    prepare(theirs)
    our_cursor, their_cursor = ours.cursor(), theirs.cursor()
    try:
        for number, step in enumerate(steps):
            got = outcome(ours, our_cursor, step, (ksqlfs.Error, KeyError))
            expected = outcome(theirs, their_cursor, step, (sqlite3.Error, KeyError))
            assert got == expected, f"step {number}: {step}"
    finally:
        ours.close()
        theirs.close()


@pytest.mark.parametrize("level", ["", "DEFERRED", "IMMEDIATE", "EXCLUSIVE", "immediate"])
def test_levels(connect: Connect, level: str) -> None:
    db, other = connect(level), connect(None)
    assert db.isolation_level == level.upper()
    db.execute("CREATE TABLE t(a)")
    assert not db.in_transaction
    db.execute("INSERT INTO t VALUES(1)")
    assert db.in_transaction
    assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
    db.commit()
    assert not db.in_transaction
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_none_commits_each_statement(connect: Connect) -> None:
    db, other = connect(None), connect(None)
    db.execute("CREATE TABLE t(a)")
    db.execute("INSERT INTO t VALUES(1)")
    assert not db.in_transaction
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)


@pytest.mark.parametrize("level", ["SERIALIZABLE", "DEFERRED; DROP TABLE t", 5])
def test_no_such_level(connect: Connect, level: str) -> None:
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^isolation_level must be None, ''"):
        connect(level)
    db = connect()
    with pytest.raises(ksqlfs.ProgrammingError):
        db.isolation_level = level
    assert db.isolation_level == "DEFERRED"


def test_setting_none_commits(connect: Connect) -> None:
    db, other = connect(), connect()
    db.execute("CREATE TABLE t(a)")
    db.execute("INSERT INTO t VALUES(1)")
    db.isolation_level = None
    assert not db.in_transaction
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_a_block_commits(connect: Connect) -> None:
    db, other = connect(), connect()
    with db as entered:
        assert entered is db
        db.execute("CREATE TABLE t(a)")
        db.execute("INSERT INTO t VALUES(1)")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_block_that_raises_rolls_back(connect: Connect) -> None:
    db = connect()
    db.execute("CREATE TABLE t(a UNIQUE)")
    with pytest.raises(ksqlfs.IntegrityError), db:
        db.executemany("INSERT INTO t VALUES(?)", [(1,), (1,)])
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_block_whose_commit_fails_rolls_back(connect: Connect) -> None:
    db = connect()
    db.executescript(
        "CREATE TABLE p(a PRIMARY KEY);CREATE TABLE c(a REFERENCES p DEFERRABLE INITIALLY DEFERRED)"
    )
    with pytest.raises(ksqlfs.IntegrityError, match="FOREIGN KEY"), db:
        db.execute("INSERT INTO c VALUES(1)")
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM c").fetchone() == (0,)


def test_executemany_is_one_transaction(connect: Connect) -> None:
    db, other = connect(None), connect(None)
    db.execute("CREATE TABLE t(a UNIQUE)")

    def values() -> Any:
        yield (1,)
        yield (2,)
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)

    db.executemany("INSERT INTO t VALUES(?)", values())
    assert not db.in_transaction
    assert other.execute("SELECT count(*) FROM t").fetchone() == (2,)


@pytest.mark.parametrize("wrong", [(1,), (1, 2), (object(),)])
def test_executemany_that_fails_leaves_nothing(connect: Connect, wrong: tuple[object]) -> None:
    db = connect(None)
    db.execute("CREATE TABLE t(a UNIQUE)")
    with pytest.raises(ksqlfs.Error):
        db.executemany("INSERT INTO t VALUES(?)", [(1,), (2,), wrong, (3,)])
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_executemany_that_fails_in_an_implicit_transaction_can_be_rolled_back(
    db: ksqlfs.Connection,
) -> None:
    db.execute("CREATE TABLE t(a UNIQUE)")
    with pytest.raises(ksqlfs.IntegrityError):
        db.executemany("INSERT INTO t VALUES(?)", [(1,), (1,)])
    assert db.in_transaction
    db.rollback()
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_transaction_that_the_engine_ends_is_known_to_be_over(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a UNIQUE ON CONFLICT ROLLBACK)")
    db.execute("INSERT INTO t VALUES(1)")
    assert db.in_transaction
    with pytest.raises(ksqlfs.IntegrityError):
        db.execute("INSERT INTO t VALUES(1)")
    assert not db.in_transaction
    db.commit()
    db.rollback()


def test_a_writer_in_the_way(mount: Any, connect_to: ConnectTo) -> None:
    tree = mount(busy=1)
    first, second = connect_to(tree), connect_to(tree)
    first.execute("CREATE TABLE t(a)")
    first.execute("INSERT INTO t VALUES(1)")
    with pytest.raises(ksqlfs.OperationalError) as caught:
        second.execute("INSERT INTO t VALUES(2)")
    assert caught.value.errno_name == "EBUSY"
    first.commit()
    second.rollback()
    second.execute("INSERT INTO t VALUES(2)")
    second.commit()
    assert first.execute("SELECT count(*) FROM t").fetchone() == (2,)
