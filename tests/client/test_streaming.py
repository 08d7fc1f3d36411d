# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Long answers: rows as they come, and several cursors on one connection."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import islice

import ksqlfs
import pytest
from ksqlfs import answer

from tests.client.conftest import Connect
from tests.interface.tree import ENDLESS_ROWS, rows_sql

LONG = rows_sql(60_000, "n, 'row ' || n AS name")
LAST = (60_000, "row 60000")


def test_rows_of_an_endless_answer_come_at_once(db: ksqlfs.Connection) -> None:
    cursor = db.execute(ENDLESS_ROWS)
    assert cursor.description is not None
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany(3) == [(2,), (3,), (4,)]
    assert list(islice(cursor, 50_000))[-1] == (50_004,)


def test_iteration_holds_no_more_than_a_read_brings(db: ksqlfs.Connection) -> None:
    cursor = db.execute(rows_sql(50_000, "n, printf('%050d', n) AS text"))
    next(cursor)
    gc.collect()
    tracemalloc.start()
    try:
        for row in cursor:
            last = row
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert last[0] == 50_000
    # The answer has 3 MB, and as Python's objects several times that. A read brings 64 KiB.
    assert peak < 1 << 20


@pytest.mark.parametrize("size", [1, 7, 1000, 59_999, 60_000, 70_000])
def test_fetchmany_over_many_reads(db: ksqlfs.Connection, size: int) -> None:
    cursor = db.execute(LONG)
    rows: list[tuple[int, str]] = []
    while part := cursor.fetchmany(size):
        assert len(part) == size or part[-1] == LAST
        rows += part
        if size == 1 and len(rows) == 5000:
            return
    assert rows == db.execute(LONG).fetchall()
    assert len(rows) == 60_000


def test_a_long_answer_has_its_description_and_no_count(db: ksqlfs.Connection) -> None:
    cursor = db.execute(LONG)
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["n", "name"]
    cursor.fetchall()
    assert cursor.rowcount == -1
    assert cursor.fetchone() is None


def test_returning_in_a_long_answer(connect: Connect) -> None:
    db, other = connect(), connect()
    db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, name)")
    cursor = db.execute(f"INSERT INTO t {LONG} RETURNING a, name")
    assert db.in_transaction
    assert cursor.rowcount == -1
    assert cursor.fetchall()[-1] == LAST
    assert cursor.rowcount == 60_000
    assert cursor.lastrowid == 60_000
    assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
    db.commit()
    assert other.execute("SELECT count(*) FROM t").fetchone() == (60_000,)


def test_returning_that_is_not_read_is_done_all_the_same(connect: Connect) -> None:
    db = connect(isolation_level=None)
    db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, name)")
    cursor = db.execute(f"INSERT INTO t {LONG} RETURNING a")
    assert cursor.fetchone() == (1,)
    cursor.close()
    assert db.execute("SELECT count(*) FROM t").fetchone() == (60_000,)


def test_a_second_cursor_while_one_is_read(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    seen = []
    for n, _name in db.execute(LONG):
        if n % 20_000 == 1:
            db.execute("INSERT INTO t VALUES(?)", (n,))
            db.commit()
        seen.append(n)
    assert seen == list(range(1, 60_001))
    assert db.execute("SELECT a FROM t").fetchall() == [(1,), (20_001,), (40_001,)]


def test_three_long_answers_at_once(db: ksqlfs.Connection) -> None:
    cursors = [db.execute(LONG) for _ in range(3)]
    for rows in zip(*cursors, strict=True):
        assert rows[0] == rows[1] == rows[2]
    assert rows[0] == LAST


def test_a_row_cut_by_the_switch_to_another_cursor(db: ksqlfs.Connection) -> None:
    wide = "SELECT n, replace(hex(zeroblob(100000)), '00', 'ab') || n FROM (" + rows_sql(9) + ")"
    cursor = db.execute(wide)
    assert db.execute("SELECT 1").fetchone() == (1,)
    rows = cursor.fetchall()
    assert [row[0] for row in rows] == list(range(1, 10))
    assert all(row[1] == "ab" * 100_000 + str(row[0]) for row in rows)


def test_what_is_kept_for_a_cursor_is_bounded(
    db: ksqlfs.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "KEEP_LIMIT", 300_000)
    cursor = db.execute(ENDLESS_ROWS)
    assert cursor.fetchone() == (1,)
    assert db.execute("SELECT 'other'").fetchone() == ("other",)
    read: list[tuple[int]] = []
    with pytest.raises(ksqlfs.OperationalError, match=r"^The rest of these rows was dropped"):
        read.extend(cursor)
    assert 300_000 / 10 < len(read) < 500_000
    assert db.execute("SELECT 'fine'").fetchone() == ("fine",)


def test_a_cursor_that_is_closed_or_gone_keeps_nothing(
    db: ksqlfs.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_stream: answer.Stream) -> None:
        pytest.fail("rows were kept that nobody can ask for")

    monkeypatch.setattr(answer.Stream, "keep", refuse)
    closed = db.execute(ENDLESS_ROWS)
    closed.close()
    assert db.execute(ENDLESS_ROWS).fetchone() == (1,)
    gc.collect()
    again = db.execute(ENDLESS_ROWS)
    again.execute(ENDLESS_ROWS)
    assert again.fetchone() == (1,)


FAILING = (
    "SELECT CASE WHEN n < 50000 THEN n ELSE abs(-9223372036854775807 - 1) END AS n FROM ("
    + rows_sql(60_000)
    + ")"
)


def test_a_failure_in_the_middle_comes_after_the_rows_before_it(db: ksqlfs.Connection) -> None:
    cursor = db.execute(FAILING)
    seen: list[tuple[int]] = []
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^integer overflow$") as caught:
        seen.extend(cursor)
    assert 0 < len(seen) < 50_000
    assert caught.value.errno_name == "EINVAL"
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_failure_in_what_is_kept(db: ksqlfs.Connection) -> None:
    cursor = db.execute(FAILING)
    assert db.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^integer overflow$"):
        cursor.fetchall()
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_half_read_answer_sees_one_state(connect: Connect) -> None:
    reader, writer = connect(), connect()
    writer.executescript(f"CREATE TABLE t(a); INSERT INTO t {rows_sql(30_000, 'n - 1')}")
    cursor = reader.execute("SELECT a, printf('%020d', a) FROM t")
    assert cursor.fetchone()[0] == 0
    writer.execute("DELETE FROM t")
    writer.commit()
    assert len(cursor.fetchall()) == 29_999
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
