# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""How long does the engine keep a processor at a stretch, whatever SQL it is given?

Everything of SQLite that can take long inside one step of its machine, on values as large as the
limits let them be, one after another in a process of this machine.  Prints a table: the longest
section of each, how long it took, and, as it was run once more with half of that for a time limit,
how late that was.

    python -m tests.bench.latency [--mib 60] [--only PART-OF-NAME]

A kernel's sections cannot be preempted and this thread can: they are measured by its processor
time, in which the host's work for it (interrupts, page faults) is included.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tabulate import tabulate

from tests.core.engine import MIB, Db, load, running

CELL = "(SELECT x FROM v WHERE k = '{}')"
ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
LIMIT_MS = 5000


@dataclass
class Item:
    """One thing that may take long."""

    name: str
    run: str | Callable[[Db], object]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass
class Figures:
    """What came of it, in ms, the longest section in us."""

    name: str
    longest: float
    took: float
    ended: str
    late: float | None = None
    counts: dict[str, str] = field(default_factory=dict)


def cell(sql: str) -> str:
    """An expression with {names} of large values."""
    names = {word.split("}")[0] for word in sql.split("{")[1:]}
    return sql.format(**{name: CELL.format(name) for name in names})


def value(name: str, sql: str) -> Item:
    """A query of one small value of large ones."""
    return Item(name, "SELECT " + cell(sql))


def values(mib: int) -> dict[str, str]:
    """The large values, by name: of about so many MiB each."""
    n = mib * MIB
    return {
        "text": f"printf('%.*c', {n}, 'a')",
        "tex2": f"printf('%.*c', {n - 1}, 'a') || 'b'",
        "blob": f"zeroblob({n})",
        "digits": f"printf('%.*c', {n}, '7')",
        "zeros": f"printf('%.*c', {n}, '0')",
        "spaces": f"printf('%.*c', {n}, ' ')",
        "quotes": f"printf('%.*c', {n // 3}, '''')",
        "points": f"printf('%.*c', {n // 3}, '.')",
        "wide": f"replace(printf('%.*c', {n // 2}, '.'), '.', 'ä')",
        "words": f"replace(printf('%.*c', {n // 5}, '.'), '.', 'abcd ')",
        "word_set": "(SELECT group_concat(char(i + 300), '') FROM "
        f"({ROWS.format(60000)} SELECT i FROM n))",
        "times": f"replace(printf('%.*c', {n // 4}, '.'), '.', '%Y')",
        "formats": f"replace(printf('%.*c', {n // 4}, '.'), '.', '%d')",
        "strings": f"replace(printf('%.*c', {n // 4}, '.'), '.', '%s')",
        "array": f"'[0' || replace(printf('%.*c', {n // 2 - 8}, '.'), '.', ',1') || ']'",
        "string": f"'\"' || printf('%.*c', {n - 8}, 'x') || '\"'",
        "escapes": f"'\"' || replace(printf('%.*c', {n // 2 - 8}, '.'), '.', '\\n') || '\"'",
        "object": "(SELECT json_group_object('key' || i, i) FROM "
        f"({ROWS.format(mib * 20000)} SELECT i FROM n))",
        "patch": "(SELECT json_group_object('k' || i, i) FROM "
        f"({ROWS.format(60000)} SELECT i FROM n))",
        "polygon": "(SELECT json_group_array(json_array(cos((i % {0}) * 6.28 / {0}), "
        "sin((i % {0}) * 6.28 / {0}))) FROM ({1} SELECT i FROM n))".format(
            mib * 10000, ROWS.format(mib * 10000 + 1)
        ),
    }


FUNCTIONS = [
    # what it is called: an expression whose value is small
    ("length", "length({text})"),
    ("length of wide characters", "length({wide})"),
    ("octet_length", "octet_length({text})"),
    ("substr from the end", "length(substr({text}, -10))"),
    ("substr of the middle", "length(substr({wide}, 5, 20000000))"),
    ("substr of a blob", "length(substr({blob}, 5))"),
    ("instr", "instr({text}, 'ab')"),
    ("replace", "length(replace({text}, 'a', 'b'))"),
    ("like", "{text} LIKE '%b'"),
    ("like, a long pattern", "{text} LIKE printf('%%%.*c%%', 40000, '_') || 'b'"),
    ("glob", "{text} GLOB '*[b-z]'"),
    ("upper", "length(upper({text}))"),
    ("lower", "length(lower({text}))"),
    ("trim", "length(trim({spaces}))"),
    ("trim, a set", "length(trim({wide}, 'bcdefghijklmnopqrstuvwxyzä'))"),
    ("trim, a large set", "length(trim({wide}, {word_set} || 'ä'))"),
    ("rtrim, a set as large as the text", "length(rtrim({text}, {wide} || 'a'))"),
    ("hex", "length(hex(substr({blob}, 1, 33000000)))"),
    ("unhex", "length(unhex({zeros}))"),
    ("unhex, much ignored", "length(unhex({points}, {quotes} || '.'))"),
    ("quote of text", "length(quote({text}))"),
    ("quote of quotes", "length(quote({quotes}))"),
    ("quote of a blob", "length(quote(substr({blob}, 1, 33000000)))"),
    ("printf, a width", "length(printf('%60000000d', 1))"),
    ("printf, commas", "length(printf('%,.100d', 1))"),
    ("printf, digits", "length(printf('%.60000000f', 1.5))"),
    ("printf, exact digits", "length(printf('%!.60000000f', 1.5))"),
    ("printf, %g", "length(printf('%#.60000000g', 1.5))"),
    ("printf, zeros", "length(printf('%.60000000d', 1))"),
    ("printf, characters", "length(printf('%.*c', 60000000, 'ä'))"),
    ("printf, %s", "length(printf('%s', {text}))"),
    ("printf, %!s", "length(printf('%!.30000000s', {wide}))"),
    ("printf, %q", "length(printf('%q', {quotes}))"),
    ("printf, %w", "length(printf('%w', {text}))"),
    ("printf, %j", "length(printf('%j', {quotes}))"),
    ("printf, many conversions", "length(printf({formats}))"),
    ("printf, many empty strings", "length(printf({strings}))"),
    ("printf, much text", "length(printf({text}))"),
    ("char", "char(64, 65, 66)"),
    ("concat", "length(concat({text}, ''))"),
    ("concat_ws", "length(concat_ws(',', {text}, 'a'))"),
    ("||", "length({text} || 'a')"),
    ("zeroblob", "length(zeroblob(67000000) || x'00')"),
    ("randomblob", "length(randomblob(67000000))"),
    ("unicode", "unicode({text})"),
    ("unistr", "length(unistr({text}))"),
    ("unistr_quote", "length(unistr_quote({text}))"),
    ("round", "round(12345.678, 30)"),
    ("CAST of digits to INTEGER", "CAST({digits} AS INTEGER)"),
    ("CAST of digits to REAL", "CAST({digits} AS REAL)"),
    ("CAST of zeros to NUMERIC", "CAST({zeros} AS NUMERIC)"),
    ("CAST of spaces to INTEGER", "CAST({spaces} AS INTEGER)"),
    ("CAST of a blob to TEXT", "length(CAST({blob} AS TEXT))"),
    ("text as a number", "{digits} + 1"),
    ("text in a comparison with a number", "{digits} = 1.5"),
    ("comparison", "{text} = {tex2}"),
    ("comparison of blobs", "{blob} < zeroblob(60000000)"),
    ("NOCASE", "{text} = {tex2} COLLATE NOCASE"),
    ("RTRIM", "{spaces} = ' ' COLLATE RTRIM"),
    ("RTRIM of two", "{spaces} < {spaces} || 'a' COLLATE RTRIM"),
    ("min, max", "length(min({text}, {tex2}))"),
    ("nullif", "length(nullif({text}, {tex2}))"),
    ("typeof, coalesce, iif", "typeof(coalesce(NULL, iif(1, {text}, 2)))"),
    ("strftime", "length(strftime({times}))"),
    ("date", "date({text})"),
    ("date with modifiers", "date('now', {text})"),
    ("timediff", "timediff({digits}, {text})"),
    ("IN", "{text} IN ({tex2}, 'a')"),
    ("IN a subquery", "{text} IN (SELECT x FROM v)"),
    ("subtype, hidden", "likely({text}) IS NULL"),
    ("json", "length(json({array}))"),
    ("jsonb", "length(jsonb({array}))"),
    ("json of jsonb", "length(json(jsonb({array})))"),
    ("json_valid", "json_valid({array})"),
    ("json_valid, JSON5", "json_valid({array}, 2)"),
    ("json_valid, strict JSONB", "json_valid(jsonb({array}), 8)"),
    ("json_error_position", "json_error_position({array} || 'x')"),
    ("json_array_length", "json_array_length({array})"),
    ("json_extract, the last", "json_extract({array}, '$[#-1]')"),
    ("-> of an object", "{object} ->> 'key1000000'"),
    ("json_set at the end", "length(json_set({array}, '$[#]', 2))"),
    ("json_insert", "length(json_insert({object}, '$.new', 2))"),
    ("json_array_insert", "length(json_array_insert({array}, '$[1]', 2))"),
    ("json_remove", "length(json_remove({array}, '$[0]', '$[0]', '$[0]', '$[0]'))"),
    ("json_patch", "length(json_patch({object}, {patch}))"),
    ("json_pretty", "length(json_pretty({array}))"),
    ("json_quote", "length(json_quote({quotes}))"),
    ("json_array", "length(json_array({text}, 1))"),
    ("json_object", "length(json_object('a', {text}))"),
    ("json of a string", "length(json({string}))"),
    ("json of escapes", "length(json_extract({escapes}, '$'))"),
    ("json_type", "json_type({string})"),
    ("json_each of a large array", "(SELECT sum(value) FROM json_each({array}))"),
    ("json_tree of a large object", "(SELECT count(*) FROM json_tree({object}))"),
    ("geopoly_area", "geopoly_area({polygon})"),
    ("geopoly_json", "length(geopoly_json({polygon}))"),
    ("geopoly_svg", "length(geopoly_svg({polygon}))"),
    ("geopoly_overlap", "geopoly_overlap({polygon}, {polygon})"),
    ("geopoly_within", "geopoly_within({polygon}, {polygon})"),
    ("geopoly_contains_point", "geopoly_contains_point({polygon}, 0, 0)"),
    ("geopoly_bbox", "length(geopoly_bbox({polygon}))"),
    ("geopoly_ccw", "length(geopoly_ccw({polygon}))"),
    ("geopoly_xform", "length(geopoly_xform({polygon}, 1, 0, 0, 1, 0, 0))"),
]

MANY = ROWS.format(1000000) + " "

QUERIES = [
    ("group_concat", MANY + "SELECT length(group_concat(i)) FROM n"),
    (
        "group_concat in a moving window",
        ROWS.format(3000)
        + " SELECT sum(length(g)) FROM (SELECT group_concat(printf('%10000d', i)) "
        "OVER (ORDER BY i ROWS 2000 PRECEDING) AS g FROM n)",
    ),
    ("json_group_array", MANY + "SELECT length(json_group_array(i)) FROM n"),
    ("json_group_object", MANY + "SELECT length(json_group_object(i, i)) FROM n"),
    ("median", MANY + "SELECT median(i * 7919 % 1000003) FROM n"),
    ("median of what is sorted", MANY + "SELECT median(i) FROM n"),
    ("median of two values", MANY + "SELECT median(i % 2) FROM n"),
    ("median of an organ pipe", MANY + "SELECT median(abs(500000 - i)) FROM n"),
    (
        "median in a moving window",
        ROWS.format(20000) + " SELECT sum(m) FROM (SELECT median(i * 7919 % 10007) "
        "OVER (ORDER BY i ROWS 10000 PRECEDING) AS m FROM n)",
    ),
    ("sum, avg, total, count", MANY + "SELECT sum(i), avg(i), total(i), count(i) FROM n"),
    (
        "window functions",
        ROWS.format(200000) + " SELECT max(a + b + c) FROM (SELECT ntile(7) OVER w AS a, "
        "lag(i, 3, 0) OVER w AS b, rank() OVER w AS c FROM n WINDOW w AS (ORDER BY i % 1000))",
    ),
    ("ORDER BY, narrow rows", MANY + "SELECT i FROM n ORDER BY i * 7919 % 1000003 LIMIT 1"),
    (
        "ORDER BY, wide rows",
        ROWS.format(300) + " SELECT length(s) FROM (SELECT i, zeroblob(200000) || i AS s FROM n) "
        "ORDER BY s, i LIMIT 1",
    ),
    (
        "ORDER BY, all rows, wide",
        ROWS.format(300) + " SELECT max(length(s)) FROM (SELECT * FROM (SELECT i, "
        "zeroblob(200000) || (i * 7 % 300) AS s FROM n) ORDER BY s, i LIMIT -1 OFFSET 1)",
    ),
    ("ORDER BY, large values", "SELECT length(x) FROM v ORDER BY x || k"),
    ("DISTINCT, large values", "SELECT count(*) FROM (SELECT DISTINCT x || 'a' FROM v)"),
    ("GROUP BY, large values", "SELECT max(length(x)) FROM v GROUP BY x || 'a'"),
    ("UNION, large values", "SELECT count(*) FROM (SELECT x FROM v UNION SELECT x || '' FROM v)"),
    ("max of large values", "SELECT length(max(x)) FROM v"),
    (
        "a self-join by an automatic index",
        ROWS.format(100000) + " SELECT count(*) FROM n AS a, n AS b ON a.i = b.i",
    ),
    ("a cross join", ROWS.format(3000) + " SELECT count(*) FROM n AS a, n AS b"),
    ("SELECT of large values", "SELECT x FROM v WHERE k IN ('text', 'blob', 'quotes')"),
    ("count of a large table", "SELECT count(*) FROM big"),
    ("PRAGMA integrity_check", "PRAGMA integrity_check"),
    ("PRAGMA quick_check", "PRAGMA quick_check"),
    ("PRAGMA foreign_key_check", "PRAGMA foreign_key_check"),
    ("PRAGMA optimize", "PRAGMA optimize=0x10002"),
    ("ANALYZE", "ANALYZE"),
    ("dbstat", "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 0"),
    ("dbstat, aggregate", "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1"),
    ("VACUUM", "VACUUM"),
    ("fts5: MATCH", "SELECT count(*) FROM f WHERE f MATCH 'abcd'"),
    ("fts5: snippet", "SELECT length(snippet(f, 0, '', '', '', 20)) FROM f WHERE f MATCH 'abcd'"),
    ("fts5: highlight", "SELECT length(highlight(f, 0, '', '')) FROM f WHERE f MATCH 'abcd'"),
    ("fts5: bm25", "SELECT bm25(f) FROM f WHERE f MATCH 'abcd'"),
    ("fts5: a phrase", "SELECT count(*) FROM f WHERE f MATCH '\"abcd abcd abcd\"'"),
    ("fts5: NEAR", "SELECT count(*) FROM f WHERE f MATCH 'NEAR(abcd abcd, 5)'"),
    ("fts5: a prefix", "SELECT count(*) FROM f WHERE f MATCH 'a*'"),
    ("fts5: optimize", "INSERT INTO f(f) VALUES('optimize')"),
    ("fts5: integrity-check", "INSERT INTO f(f) VALUES('integrity-check')"),
    ("fts5: rebuild", "INSERT INTO f(f) VALUES('rebuild')"),
    ("rtree: a query", "SELECT count(*) FROM r WHERE a < 500 AND b > 300"),
    ("rtree: rtreecheck", "SELECT rtreecheck('r')"),
]

CHANGES = [
    ("CREATE INDEX", "CREATE INDEX i1 ON big(a, b)", (), ("DROP INDEX i1",)),
    ("CREATE INDEX, an expression", "CREATE INDEX i2 ON big(b || a)", (), ("DROP INDEX i2",)),
    ("UPDATE of all rows", "UPDATE big SET b = b || 'x'", (), ()),
    ("ALTER TABLE ADD COLUMN", "ALTER TABLE big ADD COLUMN c DEFAULT 5", (), ()),
    ("ALTER TABLE DROP COLUMN", "ALTER TABLE big DROP COLUMN c", (), ()),
    ("ALTER TABLE RENAME COLUMN", "ALTER TABLE big RENAME COLUMN a TO z", (), ()),
    (
        "DELETE of all rows",
        "DELETE FROM copy",
        ("CREATE TABLE copy AS SELECT * FROM big",),
        ("DROP TABLE copy",),
    ),
    (
        "DELETE of all rows, with a condition",
        "DELETE FROM copy WHERE z > 0",
        ("CREATE TABLE copy AS SELECT * FROM big",),
        ("DROP TABLE copy",),
    ),
    ("DROP TABLE", "DROP TABLE copy", ("CREATE TABLE copy AS SELECT * FROM big",), ()),
    (
        "DELETE of all rows, secure_delete",
        "PRAGMA secure_delete=1; DELETE FROM copy",
        ("CREATE TABLE copy AS SELECT * FROM big",),
        ("DROP TABLE copy",),
    ),
    (
        "DROP TABLE of a large value",
        "DROP TABLE copy",
        ("CREATE TABLE copy AS SELECT * FROM v",),
        (),
    ),
    (
        "INSERT of large values",
        "INSERT INTO copy SELECT * FROM v",
        ("CREATE TABLE copy(k, x)",),
        ("DROP TABLE copy",),
    ),
    (
        "fts5: a large document",
        "INSERT INTO g SELECT x FROM v WHERE k = 'words'",
        ("CREATE VIRTUAL TABLE g USING fts5(t)",),
        ("DROP TABLE g",),
    ),
    (
        "fts5: a large document, trigrams",
        "INSERT INTO g SELECT x FROM v WHERE k = 'object'",
        ("CREATE VIRTUAL TABLE g USING fts5(t, tokenize = trigram)",),
        ("DROP TABLE g",),
    ),
    (
        "fts5: a large document of different words",
        "INSERT INTO g SELECT x FROM v WHERE k = 'object'",
        ("CREATE VIRTUAL TABLE g USING fts5(t)",),
        ("DROP TABLE g",),
    ),
    (
        "fts5: one word of all",
        "INSERT INTO g SELECT x FROM v WHERE k = 'text'",
        ("CREATE VIRTUAL TABLE g USING fts5(t)",),
        ("DROP TABLE g",),
    ),
]


def texts(mib: int) -> Iterator[tuple[str, str]]:
    """Statements that are long themselves."""
    n = mib * MIB
    yield "SQL: a long string", "SELECT length('" + "a" * (n - 100) + "')"
    yield "SQL: spaces", "SELECT 1" + " " * (n - 100)
    yield "SQL: a comment", "SELECT 1 /*" + "x" * (n - 100) + "*/"
    yield "SQL: a blob", "SELECT length(x'" + "00" * (n // 2 - 50) + "')"
    yield "SQL: a number", "SELECT " + "7" * (n - 100)
    yield "SQL: a long name", "SELECT 1 AS " + "a" * (n - 100)
    yield "SQL: an IN list", "SELECT 1 IN (" + ",".join(["1"] * (n // 2 - 50)) + ")"
    yield (
        "SQL: an IN list of strings",
        "SELECT 'x' IN (" + ",".join(f"'{i}'" for i in range(n // 12)) + ")",
    )
    yield "SQL: VALUES", "VALUES" + ",".join(["(1)"] * (n // 4 - 50))
    yield (
        "SQL: VALUES into a table",
        "CREATE TEMP TABLE w(a); INSERT INTO w VALUES" + ",".join(["(1)"] * (n // 4 - 50)),
    )
    nested = ",".join(["max(" + ",".join(["i"] * 120) + ")"] * (n // 260))
    yield "SQL: many columns", "SELECT " + ",".join(["1"] * (n // 2 - 50))
    few = ",".join(
        ["max(" + ",".join(["max(" + ",".join(["i"] * 60) + ")"] * 60) + ")"] * min(1900, n // 7600)
    )
    yield "SQL: too many expressions", ROWS.format(3) + " SELECT " + nested + " FROM n"
    yield "SQL: very many expressions", ROWS.format(3) + " SELECT " + few + " FROM n"
    yield "SQL: a syntax error at the end", "SELECT (" + "1+" * 100 + " " * (n - 900) + ")"
    yield "SQL: semicolons", ";" * (n - 100)
    yield "SQL: not UTF-8 at the end", "SELECT '" + "ä" * (n // 2 - 100) + "'"


def fill(db: Db, mib: int) -> None:
    """The tables that the items ask."""
    db.batch("CREATE TABLE v(k TEXT PRIMARY KEY, x);")
    for name, sql in values(mib).items():
        db.batch(f"INSERT INTO v VALUES('{name}', {sql})")
    db.batch(
        "CREATE TABLE big(a, b);"
        + ROWS.format(1000000)
        + " INSERT INTO big SELECT i * 7919 % 1000003, printf('%060d', i) FROM n;"
    )
    db.batch(
        "CREATE VIRTUAL TABLE f USING fts5(t);"
        "INSERT INTO f SELECT substr(x, 1, 5000000) FROM v WHERE k = 'words';"
        + ROWS.format(100000)
        + " INSERT INTO f SELECT 'abcd ab' || i FROM n;"
    )
    db.batch(
        "CREATE VIRTUAL TABLE r USING rtree(id, a, b, c, d);"
        + ROWS.format(100000)
        + " INSERT INTO r SELECT i, i % 1000, i % 1000 + 1, i % 777, i % 777 + 3 FROM n;"
    )


def render(path: str) -> Callable[[Db], object]:
    """A result, rendered."""

    def run(db: Db) -> object:
        return len(db.cat(path, size=MIB))

    return run


def write(path: str, *parts: bytes) -> Callable[[Db], object]:
    """A file, written."""

    def run(db: Db) -> object:
        with db.create(path) if path.startswith("import/") else db.open(path, 2) as file:
            for part in parts:
                for at in range(0, len(part), MIB):
                    file.write(part[at : at + MIB])
            file.close()
        return None

    return run


def parameters(n: int) -> bytes:
    """A statement with parameters."""
    return (
        b"SELECT length(?), length(?)\0"
        + b"\xc3\xa4" * (n // 3)
        + b"\0"
        + b"\4"
        + b"00" * (n // 8)
        + b"\0"
    )


def files(mib: int) -> Iterator[Item]:
    """What is written and read otherwise than by SQL."""
    n = mib * MIB
    large = "SELECT x FROM v WHERE k IN ('text', 'wide', 'quotes')"
    for name in ("result", "result.json", "result.ndjson", "result.tsv", "value"):
        yield Item(f"{name} of large values", render(name), (large,))
    blob = "SELECT x FROM v WHERE k = 'blob'"
    yield Item("result.json of a large blob", render("result.json"), (blob,))
    yield Item("a result of a million rows", render("result"), (MANY + "SELECT i, i FROM n",))
    yield Item("tables/v/data.json", render("tables/v/data.json"))
    yield Item("tables/big/count", render("tables/big/count"))
    make = ("CREATE TABLE c(a, b);",)
    drop = ("DROP TABLE c;",)
    row = b"a,b\n" + b'"' + b"x" * (n // 2) + b"\n" + b'""' * (n // 8) + b'",1\n'
    yield Item("insert.csv, a large row", write("tables/c/insert.csv", row), make, drop)
    rows = b"a,b\n" + b"12345,abc\n" * (n // 20)
    yield Item("insert.csv, many rows", write("tables/c/insert.csv", rows), make, drop)
    line = b'{"a":"' + b"x" * (n // 2) + b"\\n" * (n // 8) + b'","b":1}\n'
    yield Item("insert.ndjson, a large row", write("tables/c/insert.ndjson", line), make, drop)
    yield Item("import/, many rows", write("import/c.csv", rows), (), drop)
    yield Item("import/, a large row", write("import/c.csv", row), (), drop)
    sql = parameters(n)
    yield Item("large parameters", write("query", sql))


def items(mib: int, mib_sql: int) -> Iterator[Item]:
    """All that may take long."""
    yield from (value(name, sql) for name, sql in FUNCTIONS)
    yield from (Item(name, sql) for name, sql in QUERIES)
    yield from (Item(*change) for change in CHANGES)
    yield from (Item(name, sql) for name, sql in texts(mib_sql))
    yield from files(mib_sql)


def run(db: Db, item: Item) -> str:
    """Run it: how it ended."""
    try:
        if callable(item.run):
            item.run(db)
        else:
            with db.open("query", 2) as file:
                data = item.run.encode()
                for at in range(0, len(data), MIB):
                    file.write(data[at : at + MIB])
                file.close()
    except OSError as error:
        return str(error.errno and error.strerror)
    return ""


def undo(db: Db, item: Item) -> None:
    """Away with what it made; of what was stopped there is none."""
    for sql in item.after:
        with contextlib.suppress(FileNotFoundError):
            db.batch(sql)


def measure(lib: ctypes.CDLL, db: Db, item: Item, lateness: bool) -> Figures:
    """Run it once, and once more with half of its time."""
    undo(db, item)  # an earlier one may have left what this one makes
    for sql in item.before:
        db.batch(sql)
    lib.ksql_latency_reset()
    began = time.monotonic()
    ended = run(db, item)
    took = (time.monotonic() - began) * 1000
    facts = db.facts("info/latency")
    late = None
    if lateness and took > 20 and not callable(item.run):
        limit = max(1, int(min(took, LIMIT_MS) / 2))
        undo(db, item)
        for sql in item.before:
            db.batch(sql)
        db.configure(timeout_ms=limit)
        began = time.monotonic()
        if run(db, item) == "Connection timed out":
            late = (time.monotonic() - began) * 1000 - limit
        db.configure(timeout_ms=LIMIT_MS)
    undo(db, item)
    return Figures(item.name, int(facts.pop("longest")) / 1000, took, ended, late, facts)


def workloads(rows: int, operations: int, rounds: int) -> float:
    """The longest section of what bench.c does with the engine, in us: the median of some runs."""
    longest = []
    for _ in range(rounds):
        with running(load(), measure=True) as engine:
            db = engine.db()
            db.batch("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER, ratio REAL);")
            db.batch(
                f"INSERT INTO t {ROWS.format(rows)} SELECT i, printf('package-%06d', i), "
                "i * 37 % 100003, i / 7.0 FROM n"
            )
            with db.session() as session:
                for i in range(operations):
                    session.ask(f"SELECT name, kib FROM t WHERE id = {rows // 2};")
                    session.ask(f"SELECT name, kib FROM t WHERE id = {i * 37 % rows + 1};")
                    session.ask(f"UPDATE t SET kib = kib + 1 WHERE id = {i * 41 % rows + 1};")
                session.ask("SELECT * FROM t;")
            longest.append(int(db.facts("info/latency")["longest"]) / 1000)
    return statistics.median(longest)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=60, help="of a value")
    parser.add_argument("--sql", type=int, default=16, help="MiB of a statement")
    parser.add_argument("--only", default="", help="what has this in its name")
    parser.add_argument("--lateness", action="store_true", help="run with a time limit, too")
    args = parser.parse_args()
    lib = load()
    found = []
    with running(lib, mem_limit=6 << 30, measure=True) as engine:
        db = engine.db(size=4 << 30, timeout_ms=0, max_sql=64 * MIB, max_result=512 * MIB)
        fill(db, args.mib)
        db.configure(timeout_ms=LIMIT_MS)
        for item in items(args.mib, args.sql):
            if args.only in item.name:
                figures = measure(lib, db, item, args.lateness)
                found.append(figures)
                print(f"{figures.longest:10.0f} us  {item.name}", file=sys.stderr, flush=True)
    found.sort(key=lambda f: -f.longest)
    rows = [
        [
            f.name,
            f"{f.longest:,.0f} µs",
            f"{f.took:,.0f} ms",
            "" if f.late is None else f"{f.late:,.0f} ms",
            f.ended,
        ]
        for f in found
    ]
    headers = ["what", "longest section", "took", "limit late by", "ended"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
