# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""insert.csv, insert.ndjson and import/: rows that are written, and what becomes of them."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import math
import re
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.engine import BOTH, MIB, READ, WRITE, Db, Engine, File, Flag, caller, running
from tests.core.test_api import errno_of

# A table into which the row "x" is never inserted to its end.
ENDLESS = (
    "CREATE TABLE t(a); CREATE TRIGGER tr AFTER INSERT ON t WHEN new.a = 'x' BEGIN WITH RECURSIVE"
    " c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c; END"
)


def feed(file: File, data: bytes | str, size: int = 1 << 17) -> None:
    """Write all of it and close; a write that fails is raised after the close."""
    data = data.encode() if isinstance(data, str) else data
    with file:
        try:
            for at in range(0, len(data), size):
                file.write(data[at : at + size])
        finally:
            file.close()


def insert(db: Db, data: bytes | str, table: str = "t", form: str = "csv", size: int = 99) -> None:
    feed(db.open(f"tables/{table}/insert.{form}", WRITE), data, size)


def make(db: Db, data: bytes | str, name: str = "t.csv", size: int = 1 << 17) -> None:
    feed(db.create(f"import/{name}"), data, size)


def refused(db: Db, data: bytes | str, table: str = "t", form: str = "csv") -> tuple[str, str]:
    """The errno of what must fail, and what `error` says; nothing is changed."""
    before, version = db.cat("tables/t/data.json"), db.facts("events")["data_version"]
    code = errno_of(insert, db, data, table, form)
    assert db.cat("tables/t/data.json") == before
    assert db.facts("events")["data_version"] == version
    assert db.facts("status")["state"] == "error"
    assert db.facts("status")["changes"] == "0"
    return errno.errorcode[code], db.text("error").splitlines()[0]


def unmade(db: Db, data: bytes | str, name: str = "t.csv") -> tuple[str, str]:
    """Likewise of what makes a table."""
    tables, version = db.names("tables"), db.facts("events")["data_version"]
    code = errno_of(make, db, data, name)
    assert db.names("tables") == tables
    assert db.names("import") == []
    assert db.facts("events")["data_version"] == version
    return errno.errorcode[code], db.text("error").splitlines()[0]


def rows(db: Db, sql: str) -> list[dict[str, Any]]:
    db.batch(sql)
    return [
        {key: plain(value) for key, value in row.items()}
        for row in json.loads(db.cat("result.json"))
    ]


def plain(value: Any) -> Any:
    return base64.b64decode(value["$base64"]) if isinstance(value, dict) else value


def types(db: Db, table: str = "t") -> dict[str, str]:
    """The columns and their declared types."""
    return {row["name"]: row["type"] for row in rows(db, f"PRAGMA table_info({table})")}


# What CSV is


CSV: dict[str, tuple[str, list[tuple[str | None, ...]]]] = {
    "plain": ("a,b\n1,2\n", [("1", "2")]),
    "no newline at the end": ("a,b\n1,2", [("1", "2")]),
    "CRLF": ("a,b\r\n1,2\r\n", [("1", "2")]),
    "CRLF and LF": ("a,b\r\n1,2\n3,4\r\n", [("1", "2"), ("3", "4")]),
    "mark": ("\ufeffa,b\n1,2\n", [("1", "2")]),
    "mark and quotes": ('\ufeff"a","b"\n1,2\n', [("1", "2")]),
    "NULL and empty": ('a,b\n,""\n"",\n', [(None, ""), ("", None)]),
    "quoted": ('a,b\n"1","2"\n', [("1", "2")]),
    "comma": ('a,b\n"1,2",3\n', [("1,2", "3")]),
    "newlines": ('a,b\n"1\n2\r\n3",4\n5,6\n', [("1\n2\r\n3", "4"), ("5", "6")]),
    "quotes": ('a,b\n"""1""2",""""\n', [('"1"2', '"')]),
    "quotes twice in a row": ('a,b\n"x""y","z""""w"\n', [('x"y', 'z""w')]),
    "bare quotes within": ('a,b\n5" pipe,x"y"\n', [('5" pipe', 'x"y"')]),
    "spaces": ("a,b\n 1 ,\t2\n", [(" 1 ", "\t2")]),
    "empty lines": ("a,b\n\n1,2\n\n\r\n3,4\n\n", [("1", "2"), ("3", "4")]),
    "UTF-8": ("a,b\nä€,😀\n", [("ä€", "😀")]),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("name", CSV)
def test_csv(db: Db, name: str, size: int) -> None:
    text, expected = CSV[name]
    db.batch("CREATE TABLE t(a TEXT, b TEXT)")
    insert(db, text, size=size)
    assert db.text("error") == "ok\n"
    assert db.facts("status")["changes"] == str(len(expected))
    assert [tuple(row.values()) for row in rows(db, "SELECT * FROM t")] == expected


FIELDS = st.text(alphabet='ab,"\n\r \\ä0', max_size=6)


@given(
    st.lists(st.lists(FIELDS, min_size=2, max_size=2), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.integers(1, 40),
)
def test_what_python_writes(
    lib: Any, table: list[list[str]], end: str, quoting: Any, size: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL and end == "\n":  # it leaves a carriage return bare then
        table = [[field.replace("\r", "") for field in row] for row in table]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end, quoting=quoting)
    writer.writerow(["a", "b"])
    writer.writerows(table)
    with running(lib) as engine:
        db = engine.db()
        db.batch("CREATE TABLE t(a TEXT, b TEXT)")
        insert(db, out.getvalue(), size=size)
        found = [[row["a"] or "", row["b"] or ""] for row in rows(db, "SELECT * FROM t")]
        assert found == table
        make(db, out.getvalue(), "u.csv", size)
        found = [[row["a"] or "", row["b"] or ""] for row in rows(db, "SELECT * FROM u")]
        if all(typed in ("TEXT", "") for typed in types(db, "u").values()):
            assert found == table


def test_an_empty_line_is_the_null_of_one_column(db: Db) -> None:
    db.batch("CREATE TABLE t(a TEXT)")
    insert(db, 'a\n\n""\nx\n\n')
    assert [row["a"] for row in rows(db, "SELECT a FROM t")] == [None, "", "x", None]


BAD_CSV: dict[str, tuple[str | bytes, str]] = {
    "too few": ("a,b\n1,2\n3\n", "line 3: 1 field instead of 2"),
    "too many": ("a,b\n1,2\n3,4,5\n", "line 3: 3 fields instead of 2"),
    "too many, quoted newlines before": (
        'a,b\n"1\n\n",2\n3,4,5\n',
        "line 5: 3 fields instead of 2",
    ),
    "too few in the last line": ("a,b\n1,2\n3", "line 3: 1 field instead of 2"),
    "unknown column": ("a,x\n1,2\n", "line 1: table t has no column named x"),
    "twice a name": ("a,b,A\n1,2,3\n", "line 1: two columns are named A"),
    "no name": ("a,,b\n1,2,3\n", "line 1: column 2 has no name"),
    "blank name": ("a, \t\n1,2\n", "line 1: column 2 has no name"),
    "no name, quoted": ('a,""\n1,2\n', "line 1: column 2 has no name"),
    "empty header": ("\na,b\n", "line 1: column 1 has no name"),
    "behind a quote": ('a,b\n1,2\n"3"x,4\n', "line 3: text behind a closing quote"),
    "behind a quote, space": ('a,b\n"3" ,4\n', "line 2: text behind a closing quote"),
    "unclosed": ('a,b\n1,2\n3,"4\n5,6\n', "line 3: a quote that is not closed"),
    "unclosed, later": ('a,b\n1,2\n"3\n3","4\n5,6\n', "line 4: a quote that is not closed"),
    "carriage return": ("a,b\n1\r,2\n", "line 2: a carriage return outside of quotes"),
    "old Mac": ("a,b\r1,2\r", "line 1: a carriage return outside of quotes"),
    "NUL": ("a,b\n1,\0\n", "line 2: a NUL byte"),
    "NUL in quotes": ('a,b\n1,"\n\0"\n', "line 3: a NUL byte"),
    "not UTF-8": (b"a,b\n1,2\n3,\xff\n", "line 3: text that is not UTF-8"),
    "not UTF-8, cut": (b"a,b\n1,2\n3,\xe2\x82\n", "line 3: text that is not UTF-8"),
    "not UTF-8 in the header": (b"a,\xc3\n1,2\n", "line 1: text that is not UTF-8"),
    "not UTF-8, two marks": (b"\xef\xbba,b\n", "line 1: text that is not UTF-8"),
    "generated": ("a,g\n1,2\n", 'line 1: cannot INSERT into generated column "g"'),
}


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv(db: Db, name: str, size: int) -> None:
    text, message = BAD_CSV[name]
    db.batch("CREATE TABLE t(a, b, g AS (a)); INSERT INTO t VALUES('was', 'here')")
    assert refused(db, text) == ("EINVAL", message)


ROWS = {
    "NOT NULL": ("a,b\n1,2\n,2\n", "EDOM", "line 3: NOT NULL constraint failed: t.a"),
    "UNIQUE": ("a,b\n1,2\n2,2\n", "EEXIST", "line 3: UNIQUE constraint failed: t.b"),
    "PRIMARY KEY": ("a,b\n1,2\n1,3\n", "EEXIST", "line 3: UNIQUE constraint failed: t.a"),
    "CHECK": ("a,b\n1,2\n3,666\n", "EDOM", "line 3: CHECK constraint failed: b <> 666"),
    "foreign key": ("a,b,c\n1,2,\n2,3,7\n", "EDOM", "line 3: FOREIGN KEY constraint failed"),
    "trigger": ("a,b\n1,2\n2,13\n", "EDOM", "line 3: no 13 here"),
    "STRICT": (
        "a,b\n1,2\n2,two\n",
        "EDOM",
        "line 3: cannot store TEXT value in INTEGER column t.b",
    ),
}


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("name", ROWS)
def test_rows_that_the_table_refuses(db: Db, name: str, size: int) -> None:
    text, code, message = ROWS[name]
    db.batch(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);"
        "CREATE TABLE t(a INTEGER NOT NULL, b INTEGER UNIQUE CHECK(b <> 666),"
        " c INTEGER REFERENCES p, PRIMARY KEY(a)) STRICT, WITHOUT ROWID;"
        "CREATE TRIGGER tr BEFORE INSERT ON t WHEN new.b = 13"
        " BEGIN SELECT RAISE(ABORT, 'no 13 here'); END"
    )
    assert refused(db, text) == (code, message)


def test_a_foreign_key_may_wait_until_the_close(db: Db) -> None:
    db.batch("CREATE TABLE t(a PRIMARY KEY, b REFERENCES t DEFERRABLE INITIALLY DEFERRED);")
    insert(db, "a,b\n1,2\n2,1\n")
    with db.open("tables/t/insert.csv", WRITE) as file:
        file.write("a,b\n3,4\n")
        assert errno_of(file.finish) == errno.EDOM
    assert db.text("error").startswith("FOREIGN KEY constraint failed\nerrno EDOM")
    assert db.text("tables/t/count") == "2\n"


# insert.csv


def test_the_write_that_brings_the_row_fails_and_later_ones_are_canceled(db: Db) -> None:
    db.batch("CREATE TABLE t(a NOT NULL, b)")
    with db.open("tables/t/insert.csv", WRITE) as file:
        file.write("a,b\n1,2\n,")
        assert db.text("error") == "ok\n"
        assert errno_of(file.write, "3\n4,5\n") == errno.EDOM
        assert errno_of(file.write, "6,7\n") == errno.ECANCELED
        db.batch("INSERT INTO t VALUES('not', 'locked')")
        file.finish()
        assert db.text("error").startswith("line 3: NOT NULL")
        # After the close it takes another file.
        file.write("b,a\n1,2\n")
        file.finish()
    assert db.text("tables/t/data.csv") == "a,b\nnot,locked\n2,1\n"


def test_names_are_matched_as_sqlite_does_and_the_rest_are_defaults(db: Db) -> None:
    db.batch("CREATE TABLE t(a, \"B b\", c DEFAULT 'x', d DEFAULT (1 + 1), g AS (a || '!'))")
    insert(db, "b b,A\n1,2\n")
    assert rows(db, "SELECT * FROM t") == [{"a": "2", "B b": "1", "c": "x", "d": 2, "g": "2!"}]


def test_rowid_may_be_named(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    insert(db, "rowid,a\n7,x\n")
    assert db.value("SELECT rowid || a FROM t") == "7x"


def test_columns_convert_text_by_their_affinity(db: Db) -> None:
    db.batch("CREATE TABLE t(i INTEGER, r REAL, n NUMERIC, t TEXT, b BLOB, x)")
    insert(db, "i,r,n,t,b,x\n12,12,1.50,1.50,12,12\nx,1e2,007,\\x41,\\x4142,\\xff\n")
    assert rows(db, "SELECT * FROM t") == [
        {"i": 12, "r": 12.0, "n": 1.5, "t": "1.50", "b": "12", "x": "12"},
        {"i": "x", "r": 100.0, "n": 7, "t": "\\x41", "b": b"AB", "x": b"\xff"},
    ]


def test_blobs_are_even_digits_in_either_case(db: Db) -> None:
    db.batch("CREATE TABLE t(b VARBLOB)")
    insert(db, "b\n\\x\n\\xAb\n\\xabc\n\\xag\n\\X00\nx00\n\\\n")
    assert [row["b"] for row in rows(db, "SELECT b FROM t")] == [
        b"", b"\xab", "\\xabc", "\\xag", "\\X00", "x00", "\\",
    ]  # fmt: skip


def test_infinity_goes_into_reals(db: Db) -> None:
    db.batch("CREATE TABLE t(r DOUBLE, s FLOAT, n NUMERIC)")
    insert(db, "r,s,n\nInf,-Inf,Inf\ninf,+Inf,-Inf\n")
    assert db.text("tables/t/data.csv") == "r,s,n\nInf,-Inf,Inf\ninf,+Inf,-Inf\n"
    assert rows(db, "SELECT typeof(r) AS r, typeof(s) AS s, typeof(n) AS n FROM t") == [
        {"r": "real", "s": "real", "n": "text"},
        {"r": "text", "s": "text", "n": "text"},
    ]


def test_a_table_of_every_type_goes_back_in(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(i INTEGER, r REAL, t TEXT, b BLOB);"
        "INSERT INTO t VALUES(1, 0.1, 'x', x'00ff'), (-9223372036854775808, 1e308, '', x''),"
        "(NULL, -1e999, 'a\"b', NULL), (9223372036854775807, 5e-324, char(10, 44), zeroblob(99)),"
        "(0, 1e999, NULL, x'22');"
        "CREATE TABLE u AS SELECT * FROM t LIMIT 0;"
        "CREATE TABLE v(i INTEGER, r REAL, t TEXT, b BLOB);"
    )
    for form in ("csv", "ndjson"):
        data = db.cat(f"tables/t/data.{form}")
        db.batch("DELETE FROM v")
        insert(db, data, "v", form)
        assert db.cat(f"tables/v/data.{form}") == data
        assert db.value("SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM v)") == "0"
        make(db, data, f"w.{form}")
        assert db.cat(f"tables/w/data.{form}") == data
        assert db.value("SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM w)") == "0"
        assert list(types(db, "w").values()) == ["INTEGER", "REAL", "TEXT", "BLOB"]
        db.batch("DROP TABLE w")


@pytest.mark.parametrize("text", ["", "a,b", "a,b\n", "\ufeff", "a,b\n\n\n"])
def test_nothing_adds_nothing(db: Db, text: str) -> None:
    db.batch("CREATE TABLE t(a, b)")
    version = db.facts("events")["data_version"]
    if text == "\ufeff":
        insert(db, text, form="ndjson")
    else:
        insert(db, text)
    assert db.text("tables/t/count") == "0\n"
    assert db.text("error") == "ok\n"
    assert db.facts("events")["data_version"] == version


def test_an_empty_file_leaves_the_last_outcome(db: Db) -> None:
    db.batch("CREATE TABLE t(a); SELECT 5 AS five")
    assert errno_of(db.batch, "wrong") == errno.EINVAL
    insert(db, "")
    assert db.facts("status")["errno"] == "EINVAL"
    insert(db, "a\n1\n")
    assert db.facts("status") == {
        "state": "ok", "errno": "0", "sqlite": "0", "rows": "1", "changes": "1",
        "last_insert_rowid": "1", "usec": db.facts("status")["usec"], "truncated": "0",
    }  # fmt: skip


def test_results_stay(db: Db) -> None:
    db.batch("CREATE TABLE t(a); SELECT 5 AS five")
    insert(db, "a\n1\n")
    assert db.text("result") == "five\n5\n"
    assert errno_of(insert, db, "b\n1\n") == errno.EINVAL
    assert db.text("result") == "five\n5\n"


def test_triggers_run_and_count(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); CREATE TABLE log(a);"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.a || '!'); END"
    )
    insert(db, "a\n1\n2\n")
    assert db.text("tables/log/data.csv") == "a\n1!\n2!\n"
    assert db.facts("status")["changes"] == "4"
    assert db.facts("status")["rows"] == "2"


def test_it_cannot_be_read(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    for name in ("insert.csv", "insert.ndjson"):
        for flags in (READ, BOTH):
            assert errno_of(db.open, f"tables/t/{name}", flags) == errno.EPERM
        assert db.attr(f"tables/t/{name}").size == 0
        assert db.mode(f"tables/t/{name}", 0o755) == 0o664
        with db.node(f"tables/t/{name}") as node:
            assert not db.lib.ksql_node_is_stream(node)
    assert errno_of(db.open, "tables/u/insert.csv", WRITE) == errno.ENOENT


def test_views_have_none(db: Db) -> None:
    db.batch("CREATE VIEW v AS SELECT 1 AS a")
    assert errno_of(db.open, "views/v/insert.csv", WRITE) == errno.ENOENT


def test_a_table_that_goes_meanwhile(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    with db.open("tables/t/insert.csv", WRITE) as file:
        db.batch("DROP TABLE t")
        assert errno_of(file.write, "a\n1\n") == errno.ENOENT
        file.finish()
        assert db.text("error").startswith("line 1: no such table: t\nerrno ENOENT")
    db.batch("CREATE TABLE t(a)")
    with db.open("tables/t/insert.csv", WRITE) as file:
        file.write("a\n")
        db.batch("DROP TABLE t; CREATE TABLE t(x, a)")
        file.write("1\n")
        file.finish()
    assert db.text("tables/t/data.csv") == "x,a\n,1\n"


def test_virtual_tables_take_rows(db: Db) -> None:
    db.batch("CREATE VIRTUAL TABLE f USING fts5(x, y)")
    insert(db, "y,x\none two,three\n", "f")
    assert db.value("SELECT x FROM f('two')") == "three"


# One transaction


def test_nobody_sees_a_part_and_one_commit_shows_all(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    version = int(db.facts("events")["data_version"])
    with db.open("tables/t/insert.csv", WRITE) as file:
        for i in range(100):
            file.write(f"{i}\n" if i else "a\n")
            assert db.text("tables/t/count") == "0\n"
        file.finish()
    assert db.text("tables/t/count") == "99\n"
    assert int(db.facts("events")["data_version"]) == version + 1


def test_the_lock_is_held_from_the_first_row_to_the_close(engine: Engine) -> None:
    db = engine.db(busy_ms=1)
    db.batch("CREATE TABLE t(a)")
    with db.open("tables/t/insert.csv", WRITE) as file:
        file.write("a\n")
        db.batch("INSERT INTO t VALUES('free')")
        file.write("1\n")
        assert errno_of(db.batch, "INSERT INTO t VALUES('held')") == errno.EBUSY
        assert errno_of(make, db, "a\n1\n", "u.csv") == errno.EBUSY
        with db.open("tables/t/insert.ndjson", WRITE) as other:
            assert errno_of(other.write, '{"a":1}\n') == errno.EBUSY
        file.finish()
        db.batch("INSERT INTO t VALUES('free')")
    assert db.text("tables/t/data.csv") == "a\nfree\n1\nfree\n"


@pytest.mark.parametrize("path", ["tables/t/insert.csv", "import/u.csv"])
def test_a_killed_writer_leaves_nothing(db: Db, path: str) -> None:
    db.batch("CREATE TABLE t(a); SELECT 1")
    file = db.create(path) if path.startswith("import") else db.open(path, WRITE)
    file.write("a\n1\n2\n3")
    file.release(abandon=True)
    assert db.names("tables") == ["t"]
    assert db.text("tables/t/count") == "0\n"
    assert db.text("result") == "1\n1\n"
    db.batch("INSERT INTO t VALUES('not locked')")


@pytest.mark.parametrize("path", ["tables/t/insert.csv", "import/u.csv"])
def test_the_last_descriptor_closes_as_well(db: Db, path: str) -> None:
    db.batch("CREATE TABLE t(a)")
    file = db.create(path) if path.startswith("import") else db.open(path, WRITE)
    file.write("a\n1")
    file.release()
    name = "u" if path.startswith("import") else "t"
    assert db.text(f"tables/{name}/data.csv") == "a\n1\n"


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_signal_ends_it(db: Db, form: str) -> None:
    db.batch(ENDLESS)
    flag = Flag()
    with db.open(f"tables/t/insert.{form}", WRITE, cancel=flag) as file:
        file.write("a\n1\n" if form == "csv" else '{"a":1}\n')
        flag.set()
        assert errno_of(file.write, "2\n" * 9 if form == "csv" else '{"a":1}\n') == errno.EINTR
        flag.set(False)
        assert errno_of(file.write, "2\n") == errno.ECANCELED
        file.finish()
    assert db.text("error").startswith(f"line {3 if form == 'csv' else 2}: interrupted")
    assert db.text("tables/t/count") == "0\n"


def test_a_schema_may_be_longer_than_a_statement(engine: Engine) -> None:
    """Names that came in several rows, or a max_sql= that is less by now, are no damage."""
    db = engine.db(max_sql=4096)
    names = ["n" * 3000 + str(i) for i in range(3)]
    make(db, "".join(json.dumps({name: 1}) + "\n" for name in names), "t.ndjson")
    assert db.names("tables") == ["t"]
    assert len(db.cat("tables/t/schema")) > 9000
    insert(db, json.dumps({names[2]: 2}), form="ndjson")
    assert db.value("SELECT count(*) FROM t") == "4"
    db.configure(max_sql=1024)
    assert db.value("SELECT count(*) FROM t") == "4"
    db.batch("ALTER TABLE t ADD COLUMN one_more; DROP TABLE t")
    assert db.names("tables") == []


def test_the_time_limit_is_that_of_one_write(engine: Engine) -> None:
    db = engine.db(timeout_ms=100)
    db.batch(ENDLESS)
    assert refused(db, "a\n1\nx\n") == (
        "ETIMEDOUT",
        "line 3: the time limit (timeout=) is reached",
    )


def test_limits(engine: Engine) -> None:
    db = engine.db(max_sql=2000, size=1 * MIB)
    db.batch("CREATE TABLE t(a, b)")
    insert(db, f"a,b\n1,{'x' * 1998}\n")
    message = "line 2: a row may have max_sql= (2000) bytes at most"
    assert refused(db, f"a,b\n1,{'x' * 1999}\n") == ("EFBIG", message)
    assert refused(db, f'a,b\n1,"{chr(10) * 5000}') == ("EFBIG", message)
    with db.open("tables/t/insert.csv", WRITE) as file:
        file.write("a,b\n1,")
        for _ in range(19):
            file.write("x" * 105)
        assert errno_of(file.write, "x" * 105) == errno.EFBIG
    assert refused(db, '{"a":"' + "x" * 2000 + '"}\n', form="ndjson")[0] == "EFBIG"
    code, message = refused(db, "a,b\n" + f"1,{'x' * 1990}\n" * 1000)
    assert code == "ENOSPC"
    assert re.fullmatch(r"line \d+: database or disk is full", message)
    db.batch("DROP TABLE t")
    assert unmade(db, "a,b\n" + f"1,{'x' * 1990}\n" * 1000)[0] == "ENOSPC"


def test_a_row_of_many_megabytes(db: Db) -> None:
    db.batch("CREATE TABLE t(a, b)")
    field = "äb" * (5 << 20)
    insert(db, f'a,b\n"{field[:7]}""{field}",x\n', size=100_000)
    assert rows(db, "SELECT length(a) AS a, b FROM t") == [{"a": len(field) + 8, "b": "x"}]


# NDJSON


def test_values_of_ndjson(db: Db) -> None:
    db.batch("CREATE TABLE t(v, d DEFAULT 'd')")
    values: list[Any] = [
        1, -(2**63), 2**63 - 1, 1.5, 1e300, "", "x", "ä\n\"\0\\", True, False, None,
        [1, "2", None], {"x": {"y": []}}, {"$base64": "AP8="}, {"$base64": ""},
        {"$base64": "AP8=", "more": 1}, {"$base64": 7},
    ]  # fmt: skip
    text = "".join(json.dumps({"v": value}) + "\n" for value in values)
    for size in (1, 1000):
        db.batch("DELETE FROM t")
        insert(db, text, form="ndjson", size=size)
        found = [row["v"] for row in rows(db, "SELECT v FROM t")]
        assert found[:11] == [*values[:8], 1, 0, None]
        assert found[11:15] == ['[1,"2",null]', '{"x":{"y":[]}}', b"\x00\xff", b""]
        assert [json.loads(v) for v in found[15:]] == values[15:]
        assert {row["d"] for row in rows(db, "SELECT d FROM t")} == {"d"}


def test_numbers_of_ndjson(db: Db) -> None:
    db.batch("CREATE TABLE t(v)")
    insert(db, '{"v":9223372036854775808}\n{"v":1.0}\n{"v":9e999}\n{"v":-0.0}\n', form="ndjson")
    assert db.text("tables/t/data.csv").splitlines()[2:] == ["1.0", "Inf", "-0.0"]
    assert rows(db, "SELECT v FROM t")[0] == {"v": float(2**63)}


def test_keys_name_columns_and_missing_ones_are_defaults(db: Db) -> None:
    db.batch("CREATE TABLE t(a DEFAULT 'a', b DEFAULT 'b')")
    insert(
        db, '{"A":1}\n\n{"b":2,"a":3}\r\n {} \n \t\r\n{"b":null}\n{"a":5}', form="ndjson", size=3
    )
    assert rows(db, "SELECT a, b FROM t") == [
        {"a": 1, "b": "b"},
        {"a": 3, "b": 2},
        {"a": "a", "b": "b"},
        {"a": "a", "b": None},
        {"a": 5, "b": "b"},
    ]


def test_base64(db: Db) -> None:
    db.batch("CREATE TABLE t(v)")
    for n in range(70):
        data = bytes(range(200, 200 + n % 56)) + bytes(n)
        insert(db, json.dumps({"v": {"$base64": base64.b64encode(data).decode()}}), form="ndjson")
        assert db.value("SELECT hex(v) FROM t ORDER BY rowid DESC LIMIT 1") == data.hex().upper()
    insert(db, '{"v" : {"$base64" : "\\/\\/8="}}', form="ndjson")
    assert db.value("SELECT hex(v) FROM t ORDER BY rowid DESC LIMIT 1") == "FFFF"


BAD_NDJSON: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ('{"a":1}\n{"a":}\n', "line 2: not JSON"),
    "JSON5 key": ("{a:1}\n", "line 1: not JSON"),
    "JSON5 quotes": ("{'a':1}\n", "line 1: not JSON"),
    "JSON5 comma": ('{"a":1,}\n', "line 1: not JSON"),
    "JSON5 comment": ('{"a":1}/**/\n', "line 1: not JSON"),
    "JSON5 number": ('{"a":+1}\n', "line 1: not JSON"),
    "NaN": ('{"a":NaN}\n', "line 1: not JSON"),
    "leading zero": ('{"a":01}\n', "line 1: not JSON"),
    "two objects": ('{"a":1}{"a":2}\n', "line 1: not JSON"),
    "cut off": ('{"a":1}\n{"a":1', "line 2: not JSON"),
    "over two lines": ('{"a":\n1}\n', "line 1: not JSON"),
    "array": ("[1]\n", "line 1: not a JSON object"),
    "number": ('{"a":1}\n5\n', "line 2: not a JSON object"),
    "null": ("null\n", "line 1: not a JSON object"),
    "twice a key": ('{"a":1,"A":2}\n', "line 1: two columns are named A"),
    "empty key": ('{"":1}\n', "line 1: a key is empty"),
    "NUL in a key": ('{"a\\u0000":1}\n', "line 1: a NUL in a key"),
    "unknown": ('{"a":1}\n{"x":1}\n', "line 2: table t has no column named x"),
    "bad base64": ('{"a":{"$base64":"A"}}\n', 'line 1: a "$base64" that is none'),
    "bad base64, padding": ('{"a":{"$base64":"AAA"}}\n', 'line 1: a "$base64" that is none'),
    "bad base64, character": ('{"a":{"$base64":"AA-="}}\n', 'line 1: a "$base64" that is none'),
    "bad base64, middle": ('{"a":{"$base64":"A=AA"}}\n', 'line 1: a "$base64" that is none'),
    "NUL": ('{"a":1}\n{"a":"\0"}\n', "line 2: a NUL byte"),
    "NUL behind": ('{"a":1}\0\n', "line 1: a NUL byte"),
    "not UTF-8": (b'{"a":1}\n\n{"a":"\xff"}\n', "line 3: text that is not UTF-8"),
    "too deep": ('{"a":' + "[" * 500 + "]" * 500 + "}\n", "line 1: not JSON"),
}


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("name", BAD_NDJSON)
def test_bad_ndjson(db: Db, name: str, size: int) -> None:
    text, message = BAD_NDJSON[name]
    db.batch("CREATE TABLE t(a, b); INSERT INTO t VALUES('was', 'here')")
    assert refused(db, text, form="ndjson") == ("EINVAL", message)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON), max_size=6), st.integers(1, 99))
def test_what_python_dumps(lib: Any, objects: list[dict[str, Any]], size: int) -> None:
    text = "".join(json.dumps(one) + "\n" for one in objects)
    with running(lib) as engine:
        db = engine.db()
        db.batch("CREATE TABLE t(a, b, c)")
        insert(db, text, form="ndjson", size=size)
        for row, one in zip(rows(db, "SELECT * FROM t"), objects, strict=True):
            for key in "abc":
                value = one.get(key)
                if isinstance(value, list | dict):
                    assert json.loads(row[key]) == value
                else:
                    assert row[key] == value
                    assert isinstance(value, bool) or type(row[key]) is type(value)


# Whatever comes, in pieces of whatever size


PIECES = [
    b"a", b"b", b"c", b"0", b"1", b"1.5", b"-", b".", b",", b",", b'"', b'"', b'""', b"\r", b"\n",
    b"\n", b"\r\n", b"\\x", b"\0", b"\xff", b"\xe2\x82\xac", b"\xef\xbb\xbf", b"Inf", b" ",
    b"a,b\n", b"c,b,a\n", b"{", b"}", b'{"a":', b'"b":', b"[", b"]", b"null", b"true", b"e5",
    b'{"a":1}\n', b'{"$base64":"', b"AA==", b'"}', b"\\u0000",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=30).map(b"".join),
    st.sampled_from(["", "a,b\n", "a\n", '{"a":1}\n']),
    st.integers(1, 9),
    st.sampled_from(["csv", "ndjson"]),
)
@settings(max_examples=300)
def test_pieces_make_no_difference(lib: Any, data: bytes, head: str, size: int, form: str) -> None:
    data = head.encode() + data
    with running(lib) as engine:
        db = engine.db()
        db.batch("CREATE TABLE t(a, b BLOB, c REAL UNIQUE)")
        found = []
        for step in (size, len(data) + 1):
            db.batch("DELETE FROM t; DROP TABLE IF EXISTS v")
            codes = (
                errno_of(insert, db, data, "t", form, step),
                db.text("error"),
                errno_of(make, db, data, f"v.{form}", step),
                db.text("error"),
            )
            assert db.value("PRAGMA integrity_check") == "ok"
            assert codes[0] in (0, errno.EINVAL, errno.EEXIST)
            assert codes[2] in (0, errno.EINVAL)
            assert ("v" in db.names("tables")) == (not codes[2])
            made = db.cat("tables/v/data.csv") if not codes[2] else b""
            found.append((codes, db.cat("tables/t/data.csv"), made))
        assert found[0] == found[1]


# import/: types


def test_types_are_found_from_all_the_data(db: Db) -> None:
    make(
        db,
        "i,big,r,mixed,t,zip,plus,blob,none,exp,word,text,minus\n"
        "1,9223372036854775807,1.5,1,a,007,1,\\x00ff,,1e3,1,1,-0\n"
        "-2,-9223372036854775808,0.50,2.5,,010,+2,\\x,,2,x,1.50,1\n",
    )
    assert types(db) == {
        "i": "INTEGER", "big": "INTEGER", "r": "REAL", "mixed": "REAL", "t": "TEXT",
        "zip": "TEXT", "plus": "TEXT", "blob": "BLOB", "none": "TEXT", "exp": "REAL",
        "word": "TEXT", "text": "REAL", "minus": "REAL",
    }  # fmt: skip
    assert rows(db, "SELECT * FROM t") == [
        {
            "i": 1, "big": 2**63 - 1, "r": 1.5, "mixed": 1.0, "t": "a", "zip": "007", "plus": "1",
            "blob": b"\x00\xff", "none": None, "exp": 1000.0, "word": "1", "text": 1.0,
            "minus": 0.0,
        },
        {
            "i": -2, "big": -(2**63), "r": 0.5, "mixed": 2.5, "t": None, "zip": "010",
            "plus": "+2", "blob": b"", "none": None, "exp": 2.0, "word": "x", "text": 1.5,
            "minus": 1.0,
        },
    ]  # fmt: skip
    assert db.value("PRAGMA integrity_check") == "ok"


TEXTS = [
    "007", "00", "+1", "1.", ".5", "-.5", "1e", "1e+", "e1", "0x10", "1_000", "1,5", " 1", "1 ",
    "-", "--1", "1-", "NaN", "inf", "INF", "+Inf", "Infinity", "9223372036854775808",
    "-9223372036854775809", "12345678901234567890123", "\\xabc", "\\X00", "\\x0g", "01.5", "-01",
    "1.5.2", "1e5.0", "",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_number_stays_text(db: Db, text: str) -> None:
    make(db, f'a,b\n"{text}",\n')
    assert types(db)["a"] == "TEXT"
    assert rows(db, "SELECT a FROM t") == [{"a": text}]


NUMBERS = [
    "0", "-1", "1.0", "1.50", "0.1", "-0.0", "-0", "1e5", "1E-7", "1.5e+300", "1e999", "0.00001",
    "123456789012345.0", "1234567890123456.5", "0.1234567890123456789", "Inf", "-Inf", "0.0",
    "999999999999999.9", "100000000000000", "9007199254740993", "140737488355328",
    "-9223372036854775808", "0.0001", "0.00010", "12345678.123456789", "-0.5", "1.7e308", "5e-324",
]  # fmt: skip
KINDS = {
    "integer": re.compile(r"-?(0|[1-9][0-9]*)"),
    "real": re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|-?Inf"),
    "blob": re.compile(r"\\x([0-9a-fA-F]{2})*"),
}


def expected_type(fields: list[str]) -> str:
    """What the page says."""
    given = [field for field in fields if field]
    if not given:
        return "TEXT"
    if all(
        KINDS["integer"].fullmatch(f) and f != "-0" and -(2**63) <= int(f) < 2**63 for f in given
    ):
        return "INTEGER"
    if all(
        KINDS["real"].fullmatch(f)
        and not (KINDS["integer"].fullmatch(f) and not -(2**63) <= int(f) < 2**63)
        for f in given
    ):
        return "REAL"
    return "BLOB" if all(KINDS["blob"].fullmatch(f) for f in given) else "TEXT"


def expected_value(field: str, kind: str) -> Any:
    if not field:
        return None
    if kind == "INTEGER":
        return int(field)
    if kind == "REAL":
        return float(field)
    return bytes.fromhex(field[2:]) if kind == "BLOB" else field


FIELD = (
    st.sampled_from([*NUMBERS, "", "x", "007", "\\x00", "\\xAB", "\\xab"])
    | st.integers(-(2**63), 2**63 - 1).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(-(10**6), 10**6, places=2).map(str)
)


@given(
    st.lists(FIELD, min_size=1, max_size=12),
    st.sampled_from(["x", "", "1.5", "\\xff", "1.50", "7"]),
)
@example(["140737488355328", "-140737488355328", "140737488355327"], "1.5")
@example(["9007199254740993"], "1.5")
@example(["\\xAB", "\\xab"], "x")
@example(["\\xAB", "\\xab"], "\\x")
@example(["1.50", "2.5", "3"], "x")
def test_any_column(lib: Any, fields: list[str], last: str) -> None:
    fields = [*fields, last]
    kind = expected_type(fields)
    text = "n,v\n" + "".join(f"{i},{field}\n" for i, field in enumerate(fields))
    with running(lib) as engine:
        db = engine.db()
        make(db, text)
        assert types(db)["v"] == kind
        found = [row["v"] for row in rows(db, "SELECT v FROM t ORDER BY n")]
        wanted = [expected_value(field, kind) for field in fields]
        if kind == "REAL":
            assert [bits(value) for value in found] == [bits(value) for value in wanted]
        assert found == wanted
        assert {row["k"] for row in rows(db, "SELECT typeof(v) AS k FROM t")} <= {
            kind.lower(),
            "null",
        }
        assert db.value("PRAGMA integrity_check") == "ok"
        # What SQLite stores itself: an index finds each value, and no UPDATE moves one.
        db.batch("CREATE INDEX tv ON t(v); CREATE TABLE u AS SELECT * FROM t")
        assert db.value("PRAGMA integrity_check") == "ok"
        lost = (
            "SELECT count(*) FROM u WHERE v NOTNULL AND n NOT IN (SELECT n FROM t WHERE t.v = u.v)"
        )
        assert db.value(lost) == "0"


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value + 0.0 if value else 0.0)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 15))
def test_reals_that_turn_out_to_be_text(lib: Any, real: float, places: int) -> None:
    fields = [repr(real), f"{real:.{places}g}", f"{math.fmod(real, 1e6):.{places}f}"]
    with running(lib) as engine:
        db = engine.db()
        make(db, "v\n" + "".join(f"{field}\n" for field in fields) + "x\n")
        assert [row["v"] for row in rows(db, "SELECT v FROM t")] == [*fields, "x"]


def test_a_late_contradiction_keeps_every_text(db: Db) -> None:
    lines = [f"{i},{i}.50,{i / 4},\\x{i % 256:02X},{i}" for i in range(30_000)]
    make(db, "i,r,q,b,k\n" + "\n".join(lines) + "\nx,x,x,x,5\n")
    assert list(types(db).values()) == ["TEXT", "TEXT", "TEXT", "TEXT", "INTEGER"]
    assert db.text("tables/t/data.csv").splitlines()[1:] == [*lines, "x,x,x,x,5"]
    assert db.value("SELECT count(*) FROM t WHERE typeof(i) || typeof(r) || typeof(q) || typeof(b)"
                    " = 'texttexttexttext'") == "30001"  # fmt: skip


def test_a_table_takes_its_own_memory_and_little_more(db: Db) -> None:
    # Reals whose text is not their shortest, and integers that turn out to be text: every row
    # is converted at the end.
    lines = (f"{i},{i}.500,{i % 97},{'text ' * 20}" for i in range(100_000))
    make(db, "a,b,c,d\n" + "\n".join(lines) + "\n100000,0.5,007,x\n", "t.csv")
    assert types(db) == {"a": "INTEGER", "b": "REAL", "c": "TEXT", "d": "TEXT"}
    assert db.value("SELECT count(*) FROM t WHERE typeof(b) = 'real' AND typeof(c) = 'text'") == (
        "100001"
    )
    assert db.usage()[0] * 4096 > 12 * MIB
    assert db.memory("peak") - db.memory("held") < 4 * MIB


def test_columns_may_have_the_names_of_rowids(db: Db) -> None:
    make(db, "rowid,oid,_rowid_\n1,1.50,\\xAB\nx,2,\\x00\n")
    assert list(types(db).values()) == ["TEXT", "REAL", "BLOB"]
    assert db.text("tables/t/data.csv") == "rowid,oid,_rowid_\n1,1.5,\\xab\nx,2.0,\\x00\n"
    make(db, "rowid,oid\n1,1.50\nx,2\n", "u.csv")
    assert db.text("tables/u/data.csv") == "rowid,oid\n1,1.5\nx,2.0\n"


def test_many_columns_change_their_minds(db: Db) -> None:
    n = 300
    header = ",".join(f'"c{i}""@"' for i in range(n))
    make(db, f"{header}\n{','.join(['1'] * n)}\n{','.join(['x'] * n)}\n")
    assert set(types(db).values()) == {"TEXT"}
    assert db.cat("tables/t/data.csv").splitlines()[1:] == [
        b",".join([b"1"] * n),
        b",".join([b"x"] * n),
    ]


def test_two_thousand_columns_and_no_more(db: Db) -> None:
    header = ",".join(f"c{i}" for i in range(2000))
    make(db, f"{header}\n{'1,' * 1999}2\n")
    assert db.value("SELECT c1999 FROM t") == "2"
    assert unmade(db, f"{header},more\n", "u.csv") == ("EINVAL", "line 1: more than 2000 columns")


def test_a_header_alone_makes_an_empty_table(db: Db) -> None:
    make(db, 'a,"b ""c"', "t.csv")
    assert db.text("tables/t/schema") == 'CREATE TABLE "t"("a" TEXT, "b ""c" TEXT);\n'
    assert db.text("tables/t/count") == "0\n"
    assert db.facts("status")["changes"] == "0"


@pytest.mark.parametrize("text", ["", "\ufeff"])
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_nothing_at_all_makes_no_table(db: Db, text: str, form: str) -> None:
    assert unmade(db, text, f"t.{form}") == ("EINVAL", "no line names a column")


def test_bad_rows_make_no_table(db: Db) -> None:
    for text, message in BAD_CSV.values():
        if "named x" in message or "generated" in message:
            continue
        assert unmade(db, text) == ("EINVAL", message)
    for text, message in BAD_NDJSON.values():
        if "named x" not in message:
            assert unmade(db, text, "t.ndjson") == ("EINVAL", message)
    assert unmade(db, "{}\n", "t.ndjson") == ("EINVAL", "line 1: no key names a column")


def test_ndjson_brings_types_and_columns(db: Db) -> None:
    lines = [
        {"a": 1, "b": "x"},
        {"a": 1.5, "c": None},
        {"a": None, "c": True, "d": {"$base64": "AP8="}, "e": [1, {"f": 2}], "g": 1},
        {"G": "x", "A": 2**60},
        {"h": None},
    ]
    make(db, "".join(json.dumps(line) + "\n" for line in lines), "t.ndjson", 7)
    assert types(db) == {
        "a": "REAL", "b": "TEXT", "c": "INTEGER", "d": "BLOB", "e": "TEXT", "g": "", "h": "TEXT",
    }  # fmt: skip
    found = rows(db, "SELECT * FROM t")
    assert [row["a"] for row in found] == [1.0, 1.5, None, float(2**60), None]
    assert [row["g"] for row in found] == [None, None, 1, "x", None]
    assert found[2]["d"] == b"\x00\xff"
    assert found[2]["e"] == '[1,{"f":2}]'
    assert db.value("SELECT group_concat(typeof(a)) FROM t") == "real,real,null,real,null"
    assert db.value("PRAGMA integrity_check") == "ok"


# import/: names


def test_the_folder_lists_nothing_and_takes_files_only(db: Db) -> None:
    assert db.names("import") == []
    assert errno_of(db.make_node, "import/t.csv", True) == errno.EPERM
    assert errno_of(db.make_node, "tables/t.csv") == errno.EPERM
    for name in ("t", "t.tsv", ".csv", "t.CSV", "t.csv.gz", "csv", "t.json"):
        assert errno_of(db.make_node, f"import/{name}") == errno.EINVAL, name
    assert errno_of(db.make_node, f"import/{'x' * 252}.csv") == errno.ENAMETOOLONG
    assert errno_of(db.get_node, "import/t.csv") == errno.ENOENT
    assert db.mode("import", 0o750) == 0o770


def test_names_that_are_taken(db: Db) -> None:
    db.batch("CREATE TABLE Tab(a); CREATE VIEW vie AS SELECT 1; CREATE INDEX ind ON tab(a);"
             "CREATE TRIGGER tri AFTER INSERT ON tab BEGIN SELECT 1; END")  # fmt: skip
    for name in ("Tab", "tab", "vie", "VIE", "ind"):
        assert errno_of(db.make_node, f"import/{name}.csv") == errno.EEXIST
    assert errno_of(db.make_node, "import/sqlite_x.csv") == errno.EPERM
    assert errno_of(db.make_node, "import/SQLITE_schema.ndjson") == errno.EPERM
    make(db, "a\n1\n", "tri.csv")


AWKWARD = ["a b", 'qu"ote', "it's", "%2F", "%2Ehidden", "ä", "%25", "a.csv", "select", "a@", "%0A"]


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names(db: Db, name: str) -> None:
    make(db, "a,b\n1,x\ny,1.50\n", f"{name}.csv")
    assert db.names("tables") == [name]
    assert db.text(f"tables/{name}/data.csv") == "a,b\n1,x\ny,1.50\n"
    make_again = f"import/{name}.csv"
    assert errno_of(db.make_node, make_again) == errno.EEXIST
    insert(db, "b,a\n5,6\n", name)
    assert db.text(f"tables/{name}/count") == "3\n"


@pytest.mark.parametrize("name", ["%41", "%2f", "%", "a\x01", ".hidden"])
def test_names_that_are_none_of_the_tree(db: Db, name: str) -> None:
    assert errno_of(db.make_node, f"import/{name}.csv") == errno.EINVAL


def test_a_name_lives_as_long_as_it_is_open(db: Db) -> None:
    node = db.make_node("import/t.csv")
    assert db.lib.ksql_node_exists(db.handle, node) == 1
    one = File(db, "import/t.csv", WRITE, caller(), node)
    two = File(db, "import/t.csv", WRITE, one.who, node)
    one.write("a\n1\n")
    assert db.lib.ksql_node_exists(db.handle, node) == 1
    one.close()
    assert db.lib.ksql_node_exists(db.handle, node) == 1
    assert errno_of(two.write, "a\n1\n") == errno.EEXIST
    two.release()
    assert db.lib.ksql_node_exists(db.handle, node) == 0
    assert errno_of(File, db, "import/t.csv", WRITE, one.who, node) == errno.ENOENT
    db.lib.ksql_node_put(node)


def test_it_cannot_be_opened_to_read(db: Db) -> None:
    assert errno_of(db.create, "import/t.csv", BOTH) == errno.EPERM
    assert errno_of(db.create, "import/t.csv", READ) == errno.EPERM
    assert db.names("tables") == []


def test_a_table_that_came_meanwhile(db: Db) -> None:
    for sql in (
        "CREATE TABLE t(a)",
        "CREATE VIEW t AS SELECT 1",
        "CREATE TABLE x(a); CREATE INDEX t ON x(a)",
    ):
        with db.create("import/t.csv") as file:
            file.write("a\n")
            db.batch(sql)
            assert errno_of(file.write, "1\n") == errno.EEXIST
            assert errno_of(file.write, "1\n") == errno.ECANCELED
            file.finish()
        assert db.text("error").startswith("line 2: ")
        db.batch("DROP INDEX IF EXISTS t; DROP TABLE IF EXISTS x;"
                 f"DROP {'VIEW' if 'VIEW' in sql else 'TABLE'} IF EXISTS t")  # fmt: skip
    with db.create("import/t.csv") as file:
        file.write("a\n")
        db.batch("CREATE TABLE t(a)")
        assert errno_of(file.finish) == errno.EEXIST


def test_two_at_once(engine: Engine) -> None:
    db = engine.db(busy_ms=1)
    one, two = db.create("import/t.csv"), db.create("import/t.csv")
    one.write("a\n")
    two.write("b\n")
    one.write("1\n")
    assert errno_of(two.write, "2\n") == errno.EBUSY
    one.close()
    two.close()
    assert db.text("tables/t/data.csv") == "a\n1\n"


def test_one_commit(db: Db) -> None:
    version = int(db.facts("events")["data_version"])
    make(db, "a,b\n" + "1,1.50\n" * 50_000 + "x,1\n")
    assert int(db.facts("events")["data_version"]) == version + 1
    assert db.facts("status")["changes"] == "50001"
    assert db.facts("status")["last_insert_rowid"] == "50001"


def test_the_schema_cannot_be_written_afterwards(db: Db) -> None:
    for i in range(6):
        make(db, "a\n1\n", f"t{i}.csv")
        assert errno_of(db.batch, "UPDATE sqlite_schema SET sql = ''") == errno.EINVAL
        assert db.value("PRAGMA integrity_check") == "ok"


def test_a_table_that_was_made_is_one_like_others(db: Db) -> None:
    make(db, "id,v,w\n1,1.50,x\n2,3,y\n")
    db.batch("ALTER TABLE t ADD COLUMN more; CREATE UNIQUE INDEX i ON t(id); VACUUM")
    insert(db, "id,v\n3,4\n")
    assert db.text("tables/t/data.csv") == "id,v,w,more\n1,1.5,x,\n2,3.0,y,\n3,4.0,,\n"
    assert errno_of(insert, db, "id\n3\n") == errno.EEXIST


def test_memory_beside_the_table(engine: Engine, sanitized: bool) -> None:
    db = engine.db()
    chunk = "".join(f"{i},{i / 7},name {i},{i}.50\n" for i in range(20_000)).encode()
    most = 0
    with db.create("import/t.csv") as file:
        file.write("i,r,t,d\n")
        for _ in range(5 if sanitized else 50):
            file.write(chunk)
            most = max(most, db.memory("blocks"))
        file.write("x,x,x,x\n")
        file.finish()
    assert most < 16 * MIB
    assert db.value("SELECT count(*) FROM t WHERE typeof(i) = 'text'").endswith("00001")


def test_the_file_changes_tells_of_rows(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    with db.open("tables/t/changes") as changes:
        insert(db, "a\n1\n2\n")
        lines = [json.loads(line) for line in changes.read().splitlines()]
    assert [(line["op"], line["rowid"]) for line in lines] == [("insert", 1), ("insert", 2)]
