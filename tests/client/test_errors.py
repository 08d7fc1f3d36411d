# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Failures: which exception, what it carries, and that docs/errors.md says the same."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import ksqlfs
import pytest
from ksqlfs import errors

from tests.client.conftest import Connect, ConnectTo
from tests.interface.tree import ENDLESS, Tree

PROJECT = Path(__file__).resolve().parents[2]


def table(heading: str) -> list[list[str]]:
    """The first table below a heading of docs/errors.md, without its head."""
    text = (PROJECT / "docs/errors.md").read_text().partition(f"## {heading}\n")[2]
    rows = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert rows is not None
    lines = rows[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_every_documented_errno_has_an_exception() -> None:
    documented = {row[0] for row in table("Words of an errno")}
    assert documented == set(errors.BY_ERRNO)


def test_every_constraint_is_an_integrity_error() -> None:
    for code, name in table("From SQLite's code to errno"):
        kind = errors.error_class(name, code)
        assert (kind is ksqlfs.IntegrityError) == (
            code.startswith("SQLITE_CONSTRAINT") or code == "SQLITE_MISMATCH"
        )


def test_what_is_not_known_is_operational() -> None:
    assert errors.error_class("EXDEV", None) is ksqlfs.OperationalError
    assert errors.error_class(None, None) is ksqlfs.OperationalError


SETUP = """
    CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL UNIQUE CHECK(b <> 'bad'));
    CREATE TABLE strict(a INTEGER) STRICT;
    CREATE TABLE child(a REFERENCES t);
    INSERT INTO t VALUES(1, 'one');
"""


@pytest.mark.parametrize(
    ("sql", "kind", "name", "sqlite", "message"),
    [
        ("SELEC 1", "ProgrammingError", "EINVAL", "SQLITE_ERROR", 'near "SELEC": syntax error'),
        ("SELECT nope", "ProgrammingError", "EINVAL", "SQLITE_ERROR", "no such column: nope"),
        ("SELECT f()", "ProgrammingError", "EINVAL", "SQLITE_ERROR", "no such function: f"),
        ("SELECT * FROM x", "ProgrammingError", "ENOENT", "SQLITE_ERROR", "no such table: x"),
        ("CREATE TABLE t(a)", "ProgrammingError", "EEXIST", "SQLITE_ERROR", "already exists"),
        ("COMMIT", "ProgrammingError", "EINVAL", "SQLITE_ERROR", "no transaction is active"),
        ("INSERT INTO t VALUES(1, 'x')", "IntegrityError", "EEXIST", "CONSTRAINT", "UNIQUE"),
        ("INSERT INTO t VALUES(2, 'one')", "IntegrityError", "EEXIST", "CONSTRAINT", "UNIQUE"),
        ("INSERT INTO t VALUES(2, NULL)", "IntegrityError", "EDOM", "CONSTRAINT", "NOT NULL"),
        ("INSERT INTO t VALUES(2, 'bad')", "IntegrityError", "EDOM", "CONSTRAINT", "CHECK"),
        ("INSERT INTO child VALUES(7)", "IntegrityError", "EDOM", "CONSTRAINT", "FOREIGN KEY"),
        ("INSERT INTO strict VALUES('x')", "IntegrityError", "EDOM", "CONSTRAINT", "store TEXT"),
        ("INSERT INTO t VALUES('x', 'y')", "IntegrityError", "EDOM", "MISMATCH", "mismatch"),
        ("ATTACH '/x' AS x", "OperationalError", "EPERM", "SQLITE_AUTH", ""),
        ("PRAGMA journal_mode = DELETE", "OperationalError", "EPERM", "AUTH", "not authorized"),
        ("SELECT zeroblob(1e9)", "DataError", "EFBIG", "SQLITE_TOOBIG", "too big"),
    ],
)
def test_failures(
    db: ksqlfs.Connection, sql: str, kind: str, name: str, sqlite: str, message: str
) -> None:
    db.executescript(SETUP)
    with pytest.raises(ksqlfs.Error) as caught:
        db.execute(sql)
    error = caught.value
    assert type(error).__name__ == kind
    assert error.errno_name == name
    assert error.errno == getattr(errno, name)
    assert error.sqlite is not None
    assert sqlite in error.sqlite
    assert message in str(error)
    assert error.statement == sql
    db.rollback()
    assert db.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nope",
        "SELECT 1 +\n  nope +\n 3",
        "SELECT 'größe', nope",
        "SELECT\t\t'x',\tnope FROM\n t",
        "SELECT * FROM nowhere WHERE 1\n",
        "SELECT 'ends too early",
        "SELECT (",
        "INSERT INTO t VALUES(1, 'one')",
    ],
)
def test_the_caret_is_that_of_the_file(db: ksqlfs.Connection, tree: Tree, sql: str) -> None:
    db.executescript(SETUP)
    with pytest.raises(ksqlfs.Error) as caught:
        db.execute(sql)
    message, _numbers, shown = tree.text("error").split("\n", 2)
    assert str(caught.value) == message
    assert caught.value.caret() + "\n" == shown


def test_a_failure_without_a_statement_has_no_caret() -> None:
    assert ksqlfs.ProgrammingError("x").caret() == ""
    error = ksqlfs.ProgrammingError("x", "EINVAL", None, "SELECT 1", None)
    assert error.caret() == "SELECT 1"


def test_the_time_limit(mount: Any, connect_to: ConnectTo) -> None:
    db = connect_to(mount(timeout=100))
    with pytest.raises(ksqlfs.OperationalError) as caught:
        db.execute(ENDLESS)
    assert caught.value.errno_name == "ETIMEDOUT"
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_the_size_of_the_database(mount: Any, connect_to: ConnectTo) -> None:
    db = connect_to(mount(size=262144))
    db.execute("CREATE TABLE t(a)")
    with pytest.raises(ksqlfs.OperationalError) as caught:
        db.execute("INSERT INTO t VALUES(zeroblob(1000000))")
    assert caught.value.errno_name == "ENOSPC"
    db.rollback()
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_statement_that_is_too_long(mount: Any, connect_to: ConnectTo) -> None:
    db = connect_to(mount(max_sql=4096))
    with pytest.raises(ksqlfs.DataError) as caught:
        db.execute("SELECT ?", ("x" * 5000,))
    assert caught.value.errno_name == "EFBIG"
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_read_only_mount(mount: Any) -> None:
    tree = mount(ro="")
    with pytest.raises(ksqlfs.OperationalError, match="mounted read-only") as caught:
        ksqlfs.connect(tree.root)
    assert caught.value.errno_name == "EROFS"


def test_failures_of_two_connections_do_not_mix(connect: Connect) -> None:
    first, second = connect(), connect()
    for _ in range(3):
        with pytest.raises(ksqlfs.ProgrammingError, match=r"^no such table: a$"):
            first.execute("SELECT * FROM a")
        with pytest.raises(ksqlfs.ProgrammingError, match=r"^no such table: b$"):
            second.execute("SELECT * FROM b")
