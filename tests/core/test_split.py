# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A batch's outcome does not depend on how its bytes are split over writes."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.engine import BOTH, WRITE, Db, Engine, File

SCHEMA = "CREATE TABLE t(a, b); CREATE TABLE u(a); INSERT INTO t VALUES(1, 'one')"

TRICKY = [
    "SELECT 1",
    "SELECT 1;",
    "SELECT 1; SELECT 2",
    "SELECT 1; SELECT 2;\n\n  SELECT 3;\n",
    ";;; SELECT 1;; ;",
    "SELECT ';'; SELECT 'a;b''c;d', \"a\" FROM t; SELECT 4",
    'SELECT `a`, [b], "b" FROM t;',
    'SELECT 1 AS [a;b], 2 AS "c;d", 3 AS `e;f`; SELECT 5 AS [x]',
    "SELECT 1 -- a ; comment\n; SELECT 2 -- another ;",
    "-- only a comment",
    "-- a comment\nSELECT 1",
    "/* ; */ SELECT /* ; ' \" */ 1 /* ; */; /* SELECT 9; */",
    "/* not ended ; SELECT 1",
    "SELECT 1 /* not ended ; SELECT 2;",
    "SELECT 1 -/**/- 2; SELECT 3--4\n;SELECT 5-- 6",
    "SELECT 7/ 2, 7/*x*// 2; SELECT 1",
    "SELECT '/*'; SELECT '*/'; SELECT '--'; SELECT '-- ;'",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u VALUES(NEW.a); "
    "INSERT INTO u VALUES(';END;'); END; INSERT INTO t VALUES(2, ';'); SELECT * FROM u",
    "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; "
    "INSERT INTO u VALUES(5); END; INSERT INTO t VALUES(1, 1); SELECT * FROM u",
    "create temporary trigger if not exists r after insert on t begin select 1; end;SELECT 'after'",
    "CREATE TRIGGER\n/* ; */ r AFTER INSERT ON t BEGIN /* ;END; */ SELECT 1; -- ;END;\n END; "
    "SELECT 'after'",
    "EXPLAIN SELECT 1; SELECT 2",
    "EXPLAIN CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 3",
    "CREATE TABLE trigger_end(a); CREATE TABLE temp_(a); SELECT 1",
    'SELECT 1 AS "create"; SELECT 2',
    "SELEC 1; SELECT 2",
    "SELECT 1; SELEC 2; SELECT 3",
    "  \n\n  SELEC 1;",
    "/* a comment */ SELEC 1;",
    "SELECT 1;\n/* why */\n  SELECT nothing FROM t;",
    "SELECT 1 FROM nowhere; SELECT 1",
    "INSERT INTO u VALUES(1); INSERT INTO u VALUES(2); SELECT 1/; INSERT INTO u VALUES(3)",
    "BEGIN; INSERT INTO u VALUES(1); COMMIT; SELECT * FROM u",
    "BEGIN; INSERT INTO u VALUES(1)",
    "BEGIN; INSERT INTO u VALUES(1); SELEC; COMMIT",
    "SELECT 'not ended",
    'SELECT "not ended',
    "SELECT [not ended",
    "SELECT 'é', '日本', 'x'",
    "SELECT ?\0one\0",
    "SELECT ?;\0one\0",
    "SELECT ? ; \0one\0",
    "SELECT ?; -- a comment ;\n\0one\0",
    "SELECT ?; /* a ; comment */\0one\0",
    "SELECT 1; SELECT ?, ?2;\0one\0two\0",
    "SELECT ?; SELECT 2",
    "SELECT ?; - SELECT 2",
    "SELECT ?; / SELECT 2",
    "SELECT ?;",
    "SELECT ?",
    "SELECT 1\0",
    "SELECT 1;\0",
    "SELECT 1;\0extra\0",
    "SELECT 1\0extra\0",
    "\0one\0",
    "SELECT ?\0one",
    "SELECT ?\0one\0two\0",
    "SELECT ?\0\0",
    "SELECT ?, typeof(?2), ?3\0\x0112\0\x052\0\x04ff00\0",
    "SELECT ?, typeof(?2), ?3\0\x0112\0\x05\0\x04ff00\0",
    "SELECT 'a\0b'",
    "SELECT 1 -- comment \0 x\0",
    "INSERT INTO u VALUES(?);\0;;\0",
]


def plain(text: str) -> str:
    """A status without what is measured."""
    return re.sub(r"(?m)^usec .*$", "usec", text)


def outcome(db: Db, writes: list[bytes]) -> tuple[object, ...]:
    """All that a batch leaves, in a database of its own."""
    db.batch(SCHEMA)
    failed: list[int] = []
    with db.open("query", WRITE) as file:
        for data in writes:
            try:
                file.write(data)
            except OSError as error:
                failed.append(error.errno or 0)
        try:
            file.finish()
        except OSError as error:
            failed.append(error.errno or 0)
    try:
        result = db.cat("result.json")
    except OSError as error:
        result = str(error.errno).encode()
    error_text, status = db.text("error"), plain(db.text("status"))
    db.batch("SELECT * FROM t UNION ALL SELECT a, NULL FROM u")
    return failed[:1], result, error_text, status, db.text("result")


def in_pieces(engine: Engine, writes: list[bytes]) -> tuple[object, ...]:
    """The same, of a new database."""
    db = engine.db("pieces")
    try:
        return outcome(db, writes)
    finally:
        engine.dbs.remove(db)
        db.put()


@pytest.mark.parametrize("text", TRICKY)
def test_every_split_point(engine: Engine, text: str) -> None:
    data = text.encode()
    whole = in_pieces(engine, [data])
    for i in range(1, len(data)):
        assert in_pieces(engine, [data[:i], data[i:]]) == whole, (data[:i], data[i:])
    assert in_pieces(engine, [data[i : i + 1] for i in range(len(data))]) == whole


PIECES = [
    "SELECT ",
    "1",
    ", ",
    "'",
    '"',
    "`",
    "[",
    "]",
    ";",
    " ",
    "\n",
    "--",
    "-",
    "/*",
    "*/",
    "*",
    "/",
    "a",
    " FROM t",
    "CREATE ",
    "TEMP ",
    "TRIGGER ",
    "r AFTER INSERT ON t ",
    "BEGIN ",
    "END",
    "EXPLAIN ",
    "INSERT INTO u VALUES(1)",
    "?",
    "\0",
    "\x01",
    "é",
    "\xff",
    "x",
]


@settings(max_examples=150)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=16),
    cuts=st.lists(st.integers(0, 100), max_size=5),
)
def test_any_split_of_any_text(engine: Engine, pieces: list[str], cuts: list[int]) -> None:
    data = b"".join(p.encode("latin-1" if p == "\xff" else "utf-8") for p in pieces)
    points = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in pairwise(points)]
    assert in_pieces(engine, parts) == in_pieces(engine, [data])


@settings(max_examples=100)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12),
    cuts=st.lists(st.integers(0, 100), max_size=4),
)
def test_any_split_of_a_request(db: Db, pieces: list[str], cuts: list[int]) -> None:
    data = b"".join(p.encode("latin-1" if p == "\xff" else "utf-8") for p in pieces)
    points = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]

    def answer(file: File, parts: list[bytes]) -> bytes:
        try:
            for part in parts:
                file.write(part)
            return file.read_all()
        except OSError as error:
            return str(error.errno).encode()

    db.batch(
        "CREATE TABLE IF NOT EXISTS t(a, b); CREATE TABLE IF NOT EXISTS u(a); DELETE FROM u; "
        "DROP TRIGGER IF EXISTS r"
    )
    with db.open("query", BOTH) as file:
        whole = answer(file, [data])
    db.batch("DELETE FROM u; DROP TRIGGER IF EXISTS r")
    with db.open("query", BOTH) as file:
        parts = [data[a:b] for a, b in pairwise(points)]
        assert answer(file, parts) == whole


def test_a_large_batch_in_pieces(db: Db) -> None:
    rows = "".join(f"INSERT INTO t VALUES({i}, 'it''s; {i}');\n" for i in range(5000)).encode()
    db.batch("CREATE TABLE t(a, b)")
    for size in (7, 1000, 65536, len(rows)):
        db.batch(
            "BEGIN; DELETE FROM t;",
            *(rows[i : i + size] for i in range(0, len(rows), size)),
            "COMMIT",
        )
        assert db.value("SELECT count(*) || max(b) FROM t") == "5000it's; 999"


def test_a_string_of_megabytes(db: Db) -> None:
    data = b"SELECT length('" + b"x;" * (4 << 20) + b"')"
    for size in (131072, len(data)):
        db.batch(*(data[i : i + size] for i in range(0, len(data), size)))
        assert db.cat("value") == b"8388608\n"
