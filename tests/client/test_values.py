# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Values come back as they were given."""

from __future__ import annotations

import enum
import math
import struct
from typing import Any

import ksqlfs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interface.tree import Tree

TYPED = "SELECT ?1, typeof(?1)"


class Size(enum.IntEnum):
    """An int of another type."""

    BIG = 3


class Name(str):
    """A str of another type."""


class Ratio(float):
    """A float of another type."""


class Index:
    """As good as an int."""

    def __index__(self) -> int:
        return 12


@pytest.mark.parametrize(
    ("value", "back", "kind"),
    [
        (None, None, "null"),
        (0, 0, "integer"),
        (2**63 - 1, 2**63 - 1, "integer"),
        (-(2**63), -(2**63), "integer"),
        (True, 1, "integer"),
        (False, 0, "integer"),
        (1.0, 1.0, "real"),
        (0.1, 0.1, "real"),
        (5e-324, 5e-324, "real"),
        (1.7976931348623157e308, 1.7976931348623157e308, "real"),
        (2.2250738585072014e-308, 2.2250738585072014e-308, "real"),
        (1e16, 1e16, "real"),
        (math.inf, math.inf, "real"),
        (-math.inf, -math.inf, "real"),
        (math.nan, None, "null"),
        ("", "", "text"),
        ("x", "x", "text"),
        ("\x05", "\x05", "text"),
        ("a\0b\0", "a\0b\0", "text"),
        ("größe 表 😀 \u2028 \ufeff \ufffe", "größe 表 😀 \u2028 \ufeff \ufffe", "text"),
        ("\r\n\t\\\"'\x1b\x7f", "\r\n\t\\\"'\x1b\x7f", "text"),
        ('{"$base64":"AA=="}', '{"$base64":"AA=="}', "text"),
        (b"", b"", "blob"),
        (b"\0\xff\n", b"\0\xff\n", "blob"),
        (bytes(range(256)), bytes(range(256)), "blob"),
        (bytearray(b"ab"), b"ab", "blob"),
        (memoryview(b"abcd")[::2], b"ac", "blob"),
        (Size.BIG, 3, "integer"),
        (Name("x\0"), "x\0", "text"),
        (Ratio(0.5), 0.5, "real"),
        (Index(), 12, "integer"),
    ],
)
def test_values(db: ksqlfs.Connection, value: object, back: object, kind: str) -> None:
    row = db.execute(TYPED, (value,)).fetchone()
    assert row == (back, kind)
    assert type(row[0]) is type(back)
    assert db.execute("SELECT typeof(:v), :v", {"v": value}).fetchone() == (kind, back)


def test_minus_zero_keeps_its_sign(db: ksqlfs.Connection) -> None:
    (back,) = db.execute("SELECT ?", (-0.0,)).fetchone()
    assert math.copysign(1, back) == -1


def test_text_that_is_not_utf8_is_shown_with_replacements(db: ksqlfs.Connection) -> None:
    assert db.execute("SELECT CAST(x'61ff62' AS TEXT)").fetchone() == ("a\ufffdb",)


def test_blobs_in_a_long_answer(db: ksqlfs.Connection) -> None:
    sql = (
        "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)"
        " SELECT n, unhex(printf('%08x', n)), '{\"$base64\":\"x\"}' FROM c"
    )
    for n, blob, text in db.execute(sql):
        assert blob == n.to_bytes(4, "big")
        assert text == '{"$base64":"x"}'


def test_a_value_longer_than_many_reads(db: ksqlfs.Connection) -> None:
    long = "größe" * 200_000
    rows = db.execute("SELECT ?1, 1 UNION ALL SELECT ?2, 2", (long, long.encode())).fetchall()
    assert rows == [(long, 1), (long.encode(), 2)]


def test_many_parameters(db: ksqlfs.Connection) -> None:
    sql = f"SELECT {', '.join('?' * 1000)}"
    assert db.execute(sql, range(1000)).fetchone() == tuple(range(1000))


texts = st.text(st.characters(blacklist_categories=["Cs"]))
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    texts,
    st.text("\0\x01\x05\x06'\";\n", max_size=8),
    st.binary(),
)


def bits(value: Any) -> object:
    """Tells floats apart that `==` does not, and ints from them."""
    return struct.pack(">d", value) if isinstance(value, float) else (type(value), value)


@given(st.lists(values, min_size=1, max_size=60))
@settings(max_examples=30)
def test_every_value_comes_back(shared_tree: Tree, given_values: list[Any]) -> None:
    db = ksqlfs.connect(shared_tree.root)
    (back,) = db.execute(f"SELECT {', '.join('?' * len(given_values))}", given_values)
    db.close()
    expected = [int(value) if isinstance(value, bool) else value for value in given_values]
    assert list(map(bits, back)) == list(map(bits, expected))


@given(st.lists(st.tuples(texts, st.integers(-(2**63), 2**63 - 1), st.binary()), max_size=40))
def test_every_row_comes_back_from_a_table(
    shared_tree: Tree, rows: list[tuple[str, int, bytes]]
) -> None:
    with ksqlfs.connect(shared_tree.root) as db:
        db.execute("CREATE TEMP TABLE t(a, b, c)")
        db.executemany("INSERT INTO t VALUES(?, ?, ?)", rows)
        assert db.execute("SELECT * FROM t ORDER BY rowid").fetchall() == rows
    db.close()


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400, "\ud800"])
def test_what_cannot_be_stored_is_refused_before_it_is_sent(
    db: ksqlfs.Connection, value: int | str
) -> None:
    db.execute("CREATE TABLE t(a)")
    with pytest.raises(ksqlfs.DataError):
        db.execute("INSERT INTO t VALUES(?)", (value,))
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)
