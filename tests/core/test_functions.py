# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""like(), glob(), instr() and replace() are the engine's own: they must agree with SQLite's.

The reference is the pristine amalgamation, compiled once into build/stock.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.engine import MIB, ROOT, Db, Engine
from tests.core.test_api import errno_of

PRISTINE = ROOT / "build/sqlite/pristine"


class Stock:
    """SQLite as it is."""

    def __init__(self, library: Path) -> None:
        self.lib = ctypes.CDLL(str(library), mode=os.RTLD_LOCAL | os.RTLD_NOW)
        self.lib.sqlite3_column_blob.restype = ctypes.c_void_p
        self.lib.sqlite3_errmsg.restype = ctypes.c_char_p
        self.db = ctypes.c_void_p()
        assert self.lib.sqlite3_open(b":memory:", ctypes.byref(self.db)) == 0

    def value(self, sql: str) -> str:
        """The first value of the last of some statements."""
        found, data = "", sql.encode()
        buffer = ctypes.create_string_buffer(data)
        at, end = ctypes.addressof(buffer), ctypes.addressof(buffer) + len(data)
        while at < end:
            statement, tail = ctypes.c_void_p(), ctypes.c_void_p()
            ret = self.lib.sqlite3_prepare_v2(
                self.db, ctypes.c_void_p(at), -1, ctypes.byref(statement), ctypes.byref(tail)
            )
            assert ret == 0, self.lib.sqlite3_errmsg(self.db)
            at = tail.value or end
            while statement and self.lib.sqlite3_step(statement) == 100:
                blob = self.lib.sqlite3_column_blob(statement, 0)
                size = self.lib.sqlite3_column_bytes(statement, 0)
                found = ctypes.string_at(blob, size).decode() if size else ""
            self.lib.sqlite3_finalize(statement)
        return found


@pytest.fixture(scope="session")
def stock_library() -> Path:
    """The reference, compiled once."""
    source = PRISTINE / "sqlite3.c"
    library = ROOT / "build/stock/libsqlite3.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        library.parent.mkdir(parents=True, exist_ok=True)
        made = library.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [
                "cc",
                "-O1",
                "-w",
                "-shared",
                "-fPIC",
                "-DSQLITE_LIKE_DOESNT_MATCH_BLOBS",
                "-DSQLITE_OMIT_LOAD_EXTENSION",
                "-DSQLITE_THREADSAFE=0",
                "-o",
                made,
                source,
            ],
            check=True,
            env={**os.environ, "LD_PRELOAD": ""},
        )
        made.rename(library)
    return library


@pytest.fixture
def stock(stock_library: Path) -> Iterator[Stock]:
    """An empty database of the reference."""
    stock = Stock(stock_library)
    yield stock
    stock.lib.sqlite3_close(stock.db)


def words(table: str, symbols: list[str], length: int) -> str:
    """Fill a table with every word of at most so many symbols (in hex), as text."""
    letters = " UNION ALL ".join(f"SELECT x'{symbol}' AS s" for symbol in symbols)
    return (
        f"CREATE TABLE {table}(w TEXT); INSERT INTO {table} "
        f"WITH RECURSIVE s AS MATERIALIZED ({letters}), "
        "n(h, l) AS (SELECT '', 0 UNION ALL SELECT h || hex(s), l + 1 FROM n, s "
        f"WHERE l < {length}) SELECT CAST(unhex(h) AS TEXT) FROM n;"
    )


def pairs(sanitized: bool, symbols: list[str], length: int, of: list[str], length_of: int) -> str:
    """Fill p and t with words; under the sanitizers, which take long, with shorter ones."""
    less = 1 if sanitized else 0
    return words("p", symbols, length - less) + words("t", of, length_of - less)


def agree(db: Db, stock: Stock, setup: str, expression: str, by: str) -> None:
    """Compare an expression over all of p and t, one row of p at a time."""
    sql = f"SELECT group_concat({expression}, '' ORDER BY t.rowid) FROM t"
    for statement in (s + ";" for s in setup.split(";") if s.strip()):
        db.batch(statement)
        stock.value(statement)
    # One number for each row of p first: most runs end here.
    whole = (
        f"SELECT group_concat(h, ',') FROM (SELECT p.rowid || ':' || "
        f"group_concat({expression}, '' ORDER BY t.rowid) AS h FROM p, t GROUP BY p.rowid)"
    )
    ours, theirs = db.value(whole), stock.value(whole)
    if ours != theirs:
        one, other = ours.split(","), theirs.split(",")
        row = next(a for a, b in zip(one, other, strict=True) if a != b).split(":")[0]
        wrong = f"SELECT hex(w) FROM p WHERE rowid = {row}"
        assert db.value(f"{sql}, p WHERE p.rowid = {row}") == stock.value(
            f"{sql}, p WHERE p.rowid = {row}"
        ), f"{by} {stock.value(wrong)}"


A, B, UPPER, PERCENT, UNDER, BACK = "61", "62", "41", "25", "5f", "5c"
STAR, ANY, OPEN, CLOSE, CARET, DASH = "2a", "3f", "5b", "5d", "5e", "2d"
E_ACUTE, EURO, BAD, LEAD, CONT, FE = "c3a9", "e282ac", "ff", "c3", "80", "c080"


@pytest.mark.parametrize(
    ("symbols", "length", "of", "length_of"),
    [
        ([A, B, PERCENT, UNDER], 5, [A, B], 8),
        ([A, UPPER, PERCENT, UNDER, BACK], 4, [A, UPPER, PERCENT, UNDER, BACK], 4),
        ([A, E_ACUTE, EURO, PERCENT, UNDER], 4, [A, E_ACUTE, EURO, "c389"], 4),
        ([A, BAD, LEAD, CONT, FE, PERCENT, UNDER], 3, [A, BAD, LEAD, CONT, FE, "fe", "f880"], 3),
        (
            [PERCENT, UNDER, "eda080", "efbfbe", "efbfbd", "c1a1"],
            3,
            ["eda080", "efbfbe", "efbfbd", "c1a1", A, "f48fbfbf"],
            3,
        ),
        (["4b", "6b", "e284aa", "c4b0", "69", PERCENT], 3, ["4b", "6b", "e284aa", "49", "c4b1"], 4),
    ],
)
def test_like(
    db: Db,
    stock: Stock,
    sanitized: bool,
    symbols: list[str],
    length: int,
    of: list[str],
    length_of: int,
) -> None:
    setup = pairs(sanitized, symbols, length, of, length_of)
    agree(db, stock, setup, "t.w LIKE p.w", "LIKE")
    for escape in ("\\", "a", "%", "_", "é"):
        agree(db, stock, "", f"t.w LIKE p.w ESCAPE '{escape}'", f"ESCAPE {escape}")


@pytest.mark.parametrize(
    ("symbols", "length", "of", "length_of"),
    [
        ([A, B, STAR, ANY], 5, [A, B], 8),
        ([A, STAR, OPEN, CLOSE, CARET, DASH], 5, [A, CLOSE, CARET, DASH, B], 3),
        ([A, "63", OPEN, CLOSE, DASH], 5, [A, B, "63", DASH, OPEN], 3),
        ([E_ACUTE, EURO, OPEN, CLOSE, DASH, STAR], 4, [A, E_ACUTE, EURO], 4),
        ([A, BAD, LEAD, CONT, FE, STAR, OPEN, CLOSE], 3, [A, BAD, LEAD, CONT, FE, OPEN], 3),
    ],
)
def test_glob(
    db: Db,
    stock: Stock,
    sanitized: bool,
    symbols: list[str],
    length: int,
    of: list[str],
    length_of: int,
) -> None:
    setup = pairs(sanitized, symbols, length, of, length_of)
    agree(db, stock, setup, "t.w GLOB p.w", "GLOB")


@pytest.mark.parametrize(
    ("symbols", "length", "of", "length_of"),
    [
        ([A, B], 4, [A, B], 9),
        ([A, E_ACUTE, EURO], 3, [A, E_ACUTE, EURO, "c3"], 5),
        ([A, BAD, LEAD, CONT, "00"], 3, [A, BAD, LEAD, CONT, "00"], 4),
    ],
)
def test_instr_and_replace(
    db: Db, stock: Stock, symbols: list[str], length: int, of: list[str], length_of: int
) -> None:
    agree(
        db,
        stock,
        words("p", symbols, length) + words("t", of, length_of),
        "hex(instr(t.w, p.w)) || ' '",
        "instr",
    )
    for value in (
        "CAST(t.w AS BLOB), p.w",
        "t.w, CAST(p.w AS BLOB)",
        "CAST(t.w AS BLOB), CAST(p.w AS BLOB)",
    ):
        agree(db, stock, "", f"instr({value}) || ' '", f"instr({value})")
    for to in ("''", "'x'", "'aa'", "p.w || p.w"):
        agree(db, stock, "", f"hex(replace(t.w, p.w, {to})) || ' '", f"replace by {to}")


VALUES = [
    "NULL",
    "''",
    "'a'",
    "'1'",
    "'A%'",
    "1",
    "-1.5",
    "0",
    "1e300",
    "x''",
    "x'61'",
    "x'00'",
    "'%'",
    "'_'",
    "'*'",
    "'a' || char(0) || 'b'",
    "char(0)",
]


@pytest.mark.parametrize("function", ["like", "glob", "instr"])
def test_values_of_every_type(db: Db, stock: Stock, function: str) -> None:
    for a in VALUES:
        for b in VALUES:
            sql = f"SELECT typeof({function}({a}, {b})) || ' ' || quote({function}({a}, {b}))"
            assert db.value(sql) == stock.value(sql), sql


def test_replace_of_every_type(db: Db, stock: Stock) -> None:
    for a in VALUES:
        for b in VALUES:
            for c in ("NULL", "''", "'a'", "1", "x'61'"):
                sql = f"SELECT typeof(replace({a}, {b}, {c})) || hex(replace({a}, {b}, {c}))"
                assert db.value(sql) == stock.value(sql), sql


def test_arguments_are_not_changed(db: Db, stock: Stock) -> None:
    for call in ("instr(a, 'b')", "instr('ab', a)", "replace(a, 'a', 'b')", "a LIKE 'a'"):
        sql = (
            f"SELECT {call} || typeof(a) || quote(a) FROM (SELECT x'6162' AS a UNION ALL "
            "SELECT 12 UNION ALL SELECT 1.5) ORDER BY 1 LIMIT 1"
        )
        assert db.value(sql) == stock.value(sql), sql


def test_errors(db: Db) -> None:
    for sql in (
        "SELECT 'a' LIKE 'a' ESCAPE ''",
        "SELECT 'a' LIKE 'a' ESCAPE 'ab'",
        "SELECT 'a' LIKE printf('%.*c', 50001, 'a')",
        "SELECT instr(1)",
    ):
        with pytest.raises(OSError):
            db.batch(sql)
    assert db.value("SELECT quote('a' LIKE 'a' ESCAPE NULL)") == "NULL"


def test_like_uses_indexes(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a TEXT COLLATE NOCASE, b TEXT); CREATE INDEX ta ON t(a); "
        "CREATE INDEX tb ON t(b)"
    )
    for sql in ("SELECT a FROM t WHERE a LIKE 'x%'", "SELECT b FROM t WHERE b GLOB 'x*'"):
        db.batch("EXPLAIN QUERY PLAN " + sql)
        assert "SEARCH t USING COVERING INDEX" in db.text("result")


def test_replace_over_the_length_limit(db: Db) -> None:
    with pytest.raises(OSError) as raised:
        db.batch(
            "SELECT length(replace(printf('%.*c', 1000000, 'a'), 'a', printf('%.*c', 100, 'b')))"
        )
    assert raised.value.errno == 27


def test_a_time_limit_ends_what_has_no_steps(engine: Engine) -> None:
    """SQLite as it is would be at it for hours."""
    db = engine.db(timeout_ms=50)
    sql = (
        f"SELECT length(trim(printf('%.*c', {4 * MIB}, 'a'), "
        f"replace(printf('%.*c', {MIB}, '.'), '.', 'ä') || 'a'))"
    )
    assert errno_of(db.batch, sql) == errno.ETIMEDOUT
    assert "time limit" in db.text("error")
