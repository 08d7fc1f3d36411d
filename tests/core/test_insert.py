# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""insert.csv and insert.ndjson: rows that are written, and what becomes of them."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.engine import BOTH, MIB, WRITE, Db, Engine, Flag, running
from tests.core.loads import ENDLESS, insert, make, refused, rows, types, unmade
from tests.core.test_api import errno_of

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


def test_it_is_empty_to_read(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    for name in ("insert.csv", "insert.ndjson"):
        assert db.cat(f"tables/t/{name}") == b""
        assert errno_of(db.open, f"tables/t/{name}", BOTH) == errno.EPERM
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
