# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A statement that a cursor executes again goes a shorter way, and nobody can tell."""

from __future__ import annotations

import struct
from typing import Any

import ksqlfs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.conftest import Connect
from tests.interface.tree import Tree

SQL = "SELECT ? AS v"


@pytest.fixture
def again(db: ksqlfs.Connection) -> ksqlfs.Cursor:
    """A cursor that has executed SQL."""
    cursor = db.execute(SQL, (1,))
    assert cursor.fetchone() == (1,)
    return cursor


def test_wrong_counts(again: ksqlfs.Cursor) -> None:
    wrong: tuple[Any, ...]
    for wrong in ((), (1, 2), ("x", "y"), (1, "x", None)):
        with pytest.raises(ksqlfs.ProgrammingError, match=r"parameters?, [023] given"):
            again.execute(SQL, wrong)
        with pytest.raises(ksqlfs.ProgrammingError):
            again.fetchone()
        assert again.execute(SQL, (2,)).fetchone() == (2,)
        assert again.execute(SQL, (3,)).fetchone() == (3,)


def test_a_parameter_for_a_statement_that_has_none(db: ksqlfs.Connection) -> None:
    cursor = db.cursor()
    for _ in range(3):
        assert cursor.execute("SELECT 5").fetchone() == (5,)
        with pytest.raises(ksqlfs.ProgrammingError, match="0 parameters, 1 given"):
            cursor.execute("SELECT 5", (1,))
        assert cursor.execute("SELECT 5").fetchone() == (5,)
        assert cursor.execute("SELECT 5", ()).fetchone() == (5,)


def test_every_way_to_give_parameters(again: ksqlfs.Cursor) -> None:
    for given_values in ([2], (2,), range(2, 3)):
        assert again.execute(SQL, given_values).fetchone() == (2,)
    named = "SELECT :v AS v"
    for _ in range(3):
        assert again.execute(named, {"v": 4}).fetchone() == (4,)
        assert again.execute(named, (5,)).fetchone() == (5,)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**4000, "\ud800", "a\0\ud800"], ids=ascii)
def test_what_cannot_be_stored(again: ksqlfs.Cursor, value: int | str) -> None:
    with pytest.raises(ksqlfs.DataError):
        again.execute(SQL, (value,))
    with pytest.raises(ksqlfs.ProgrammingError):
        again.fetchone()
    assert again.execute(SQL, (1,)).fetchone() == (1,)


def test_an_int_too_long_to_write(again: ksqlfs.Cursor) -> None:
    with pytest.raises(ksqlfs.DataError):
        again.execute(SQL, (10**5000,))
    assert again.execute(SQL, (1,)).fetchone() == (1,)


def test_what_has_no_type(again: ksqlfs.Cursor) -> None:
    with pytest.raises(ksqlfs.ProgrammingError, match="type object cannot be a parameter"):
        again.execute(SQL, (object(),))
    assert again.execute(SQL, (1,)).fetchone() == (1,)


def test_rows_that_were_not_fetched_are_gone(again: ksqlfs.Cursor) -> None:
    again.execute(SQL, (2,))
    again.execute(SQL, (3,))
    assert again.fetchall() == [(3,)]


def test_answers_of_all_lengths(db: ksqlfs.Connection) -> None:
    sql = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
        " SELECT n, printf('%050d', n) AS t FROM c LIMIT ?"
    )
    cursor = db.cursor()
    for count in (1, 1, 0, 1, 2, 1, 5000, 1, 1, 0, 0, 2, 2, 70_000, 1):
        cursor.execute(sql, (count,))
        assert cursor.description is not None
        assert [row[0] for row in cursor] == list(range(1, count + 1))
        assert cursor.rowcount == -1


def test_columns_that_another_has_changed(connect: Connect) -> None:
    db, other = connect(None), connect(None)
    other.executescript("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    sql = "SELECT * FROM t"
    first, second = db.execute(sql), db.execute(sql)
    other.execute("ALTER TABLE t ADD COLUMN b DEFAULT 2")
    assert second.execute(sql).fetchone() == (1, 2)
    assert first.execute(sql).fetchone() == (1, 2)
    other.execute("ALTER TABLE t RENAME COLUMN a TO c")
    assert second.execute(sql).fetchone() == (1, 2)
    assert first.execute(sql).fetchone() == (1, 2)
    for cursor in (first, second):
        assert cursor.description is not None
        assert [column[0] for column in cursor.description] == ["c", "b"]


def test_transactions_around_it(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    cursor = db.cursor()
    for turn in range(4):
        assert cursor.execute(SQL, (turn,)).fetchone() == (turn,)
        assert not db.in_transaction
        db.execute("INSERT INTO t VALUES(1)")
        assert cursor.execute(SQL, (turn,)).fetchone() == (turn,)
        assert db.in_transaction
        assert cursor.execute(SQL, (turn,)).fetchone() == (turn,)
        db.commit()
        assert cursor.execute(SQL, (turn,)).fetchone() == (turn,)
        assert not db.in_transaction


def test_a_failure_and_a_row_in_turn(db: ksqlfs.Connection) -> None:
    sql = "SELECT abs(?) AS v"
    cursor = db.cursor()
    for _ in range(3):
        assert cursor.execute(sql, (-1,)).fetchone() == (1,)
        with pytest.raises(ksqlfs.ProgrammingError, match="integer overflow"):
            cursor.execute(sql, (-(2**63),))
        assert cursor.description is None


def test_a_row_factory_in_between(again: ksqlfs.Cursor) -> None:
    again.row_factory = ksqlfs.Row
    assert again.execute(SQL, (2,)).fetchone()["v"] == 2
    again.row_factory = None
    assert again.execute(SQL, (3,)).fetchone() == (3,)
    again.execute(SQL, (4,))
    again.row_factory = ksqlfs.Row
    assert again.fetchone()["v"] == 4


def test_closing(again: ksqlfs.Cursor) -> None:
    other = again.connection.execute(SQL, (1,))
    again.close()
    with pytest.raises(ksqlfs.ProgrammingError, match="closed cursor"):
        again.execute(SQL, (1,))
    other.connection.close()
    with pytest.raises(ksqlfs.ProgrammingError, match="closed database"):
        other.execute(SQL, (1,))


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(blacklist_categories=["Cs"])),
    st.text("\0\x01\n\"'", max_size=5),
    st.binary(),
)


def bits(value: Any) -> object:
    """Tells floats apart that `==` does not, and ints from them."""
    return struct.pack(">d", value) if isinstance(value, float) else (type(value), value)


@given(st.lists(st.tuples(values, values), min_size=20, max_size=60))
@settings(max_examples=20)
def test_every_value_comes_back_again_and_again(
    shared_tree: Tree, rows: list[tuple[Any, Any]]
) -> None:
    db = ksqlfs.connect(shared_tree.root)
    cursor = db.cursor()
    sql = "SELECT ? AS a, ? AS b"
    for row in rows:
        (back,) = cursor.execute(sql, row).fetchall()
        expected = [int(value) if isinstance(value, bool) else value for value in row]
        assert list(map(bits, back)) == list(map(bits, expected))
    db.close()
