# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What takes long pauses as it goes, and ends when it is told to, inside one step of SQLite too.

No clock decides here.  The library's test hooks count the pauses and have one of them say stop: so
many bytes looked at must have made so many pauses, and a stop at one of them must end it all.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator

import pytest

from tests.core.engine import MIB, Db, load, running
from tests.core.faults import faulty_library
from tests.core.test_api import errno_of

SIZE = 2 * MIB
PAUSE = 1 << 16  # work.h: WORK_PAUSE
CELL = "(SELECT x FROM v WHERE k = '{}')"

VALUES = {
    "text": f"printf('%.*c', {SIZE}, 'a')",
    "tex2": f"printf('%.*c', {SIZE - 1}, 'a') || 'b'",
    "blob": f"zeroblob({SIZE})",
    "digits": f"printf('%.*c', {SIZE}, '7')",
    "spaces": f"printf('%.*c', {SIZE}, ' ')",
    "quotes": f"printf('%.*c', {SIZE}, '''')",
    "wide": f"replace(printf('%.*c', {SIZE // 2}, '.'), '.', 'ä')",
    "array": f"'[0' || replace(printf('%.*c', {SIZE // 2 - 8}, '.'), '.', ',1') || ']'",
    "words": f"replace(printf('%.*c', {SIZE // 5}, '.'), '.', 'abcd ')",
    "formats": f"replace(printf('%.*c', {SIZE // 4}, '.'), '.', '%d')",
    "times": f"replace(printf('%.*c', {SIZE // 4}, '.'), '.', '%Y')",
}

# An expression, and how many times the pauses of reading its values it makes beside those.
LONG = [
    ("length({text})", 1),
    ("length({wide})", 0.5),
    ("length(substr({text}, -10))", 2),
    ("instr({text}, 'ab')", 1),
    ("length(replace({text}, 'a', 'b'))", 1),
    ("{text} LIKE '%b'", 1),
    ("{text} GLOB '*[b-z]'", 1),
    ("length(upper({text}))", 1),
    ("length(lower({text}))", 1),
    ("length(trim({spaces}))", 1),
    ("length(trim({text}, 'bcdefghijklmnopqrstuvwxyza'))", 1),
    ("length(hex({blob}))", 1),
    ("length(unhex({digits}))", 0.5),
    ("unhex(substr({spaces}, 1, 10), {wide} || ' ')", 10),
    ("length(quote({blob}))", 1),
    ("length(quote({quotes}))", 2),
    (f"length(printf('%{SIZE}d', 1))", 1),
    (f"length(printf('%.{SIZE}f', 1.5))", 1),
    (f"length(printf('%.{SIZE}d', 1))", 1),
    ("length(printf('%!.2000000s', {text}))", 1),
    ("length(printf({formats}))", 1),
    ("length({text} || 'a')", 1),
    (f"length(randomblob({SIZE}))", 1),
    ("CAST({digits} AS INTEGER)", 1),
    ("CAST({digits} AS REAL)", 1),
    ("{digits} + 1", 1),
    ("{text} = {tex2}", 0.5),
    (f"{{blob}} < zeroblob({SIZE + 1})", 0.9),
    ("{text} = {tex2} COLLATE NOCASE", 0.5),
    ("{spaces} = ' ' COLLATE RTRIM", 0.9),
    ("length(strftime({times}))", 1),
    ("length(json({array}))", 1),
    ("json_valid(jsonb({array}), 8)", 1),
    ("json_array_length({array})", 1),
    ("json_extract({array}, '$[#-1]')", 1),
    ("length(json_quote({quotes}))", 1),
    ("json_error_position({array} || 'x')", 1),
]

ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "

# Statements that are stopped, and changes that leave nothing then.
STATEMENTS = [
    ROWS.format(40000) + "SELECT median(i * 7919 % 10007) FROM n",
    ROWS.format(20000) + "SELECT i FROM n ORDER BY i * 7919 % 10007",
    "SELECT 1 IN (" + ",".join(["1"] * 100000) + ")",
    "SELECT 1" + " " * SIZE,
    "SELECT max(1" + ",max(1, 2)" * 100 + ")" + ",1" * 1000,
    "INSERT INTO f SELECT x FROM v WHERE k = 'words'",
    "DELETE FROM big",
    "DROP TABLE big",
    "VACUUM",
    "PRAGMA integrity_check",
    "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1",
    "UPDATE big SET b = upper(b)",
    "ALTER TABLE big RENAME COLUMN a TO z",
]


class Pauses:
    """The library's test hooks."""

    def __init__(self) -> None:
        self.lib = load(faulty_library())
        self.lib.ksql_pauses.restype = ctypes.c_long
        self.lib.ksql_stop_in.argtypes = (ctypes.c_long,)

    def of(self, db: Db, sql: str) -> int:
        """How many a statement makes."""
        before = int(self.lib.ksql_pauses())
        db.batch(sql)
        return int(self.lib.ksql_pauses()) - before

    def stopped_at(self, db: Db, sql: str, pause: int) -> int:
        """The errno of a statement that is stopped at this pause."""
        self.lib.ksql_stop_in(pause)
        try:
            return errno_of(db.batch, sql)
        finally:
            self.lib.ksql_stop_in(-1)


@pytest.fixture(scope="module")
def pauses() -> Pauses:
    """The hooks."""
    return Pauses()


@pytest.fixture(scope="module")
def large(pauses: Pauses) -> Iterator[Db]:
    """A database of large values."""
    with running(pauses.lib) as engine:
        db = engine.db(timeout_ms=0)
        db.batch("CREATE TABLE v(k TEXT PRIMARY KEY, x);")
        for name, sql in VALUES.items():
            db.batch(f"INSERT INTO v VALUES('{name}', {sql})")
        db.batch("CREATE TABLE big(a, b);")
        db.batch(ROWS.format(20000) + "INSERT INTO big SELECT i, printf('%060d', i) FROM n")
        db.batch("CREATE VIRTUAL TABLE f USING fts5(t)")
        yield db


def loads(expression: str) -> tuple[str, int]:
    """The query of an expression, and how many values it reads."""
    names = [word.split("}")[0] for word in expression.split("{")[1:]]
    cells = {name: CELL.format(name) for name in names}
    return "SELECT " + expression.format(**cells), len(names)


@pytest.mark.parametrize(("expression", "passes"), LONG, ids=[item[0] for item in LONG])
def test_so_many_bytes_make_so_many_pauses(
    pauses: Pauses, large: Db, expression: str, passes: float
) -> None:
    sql, values = loads(expression)
    reading = pauses.of(large, f"SELECT unicode({CELL.format('text')})")
    made = pauses.of(large, sql)
    assert made - values * reading >= 0.9 * passes * SIZE / PAUSE, (made, reading)


@pytest.mark.parametrize("expression", [item[0] for item in LONG])
def test_a_stop_ends_a_function(pauses: Pauses, large: Db, expression: str) -> None:
    sql, _ = loads(expression)
    made = pauses.of(large, sql)
    # The rest of what is done when the statement has ended makes some, too.
    for pause in (1, made // 3, made // 2):
        assert pauses.stopped_at(large, sql, pause) == errno.EINTR, (pause, made)
        assert "interrupted" in large.text("error")
    assert large.value("SELECT count(*) FROM v") == str(len(VALUES))


@pytest.mark.parametrize("sql", STATEMENTS, ids=[sql[:60] for sql in STATEMENTS])
def test_a_stop_ends_a_statement_and_leaves_nothing_of_it(
    pauses: Pauses, large: Db, sql: str
) -> None:
    changes = not sql.startswith(("SELECT", "WITH", "PRAGMA"))
    before = large.value("SELECT count(*), sum(length(b)) FROM big")
    with large.session() as session:
        session.write("BEGIN;" if changes and sql != "VACUUM" else ";")
        start = int(pauses.lib.ksql_pauses())
        session.ask(sql)
        made = int(pauses.lib.ksql_pauses()) - start
    assert made >= 4
    for pause in (1, made // 3, made // 2):
        assert pauses.stopped_at(large, sql, pause) == errno.EINTR, (pause, made)
    assert large.value("SELECT count(*), sum(length(b)) FROM big") == before
    assert large.value("SELECT count(*) FROM f") == "0"
    assert large.value("PRAGMA integrity_check") == "ok"
