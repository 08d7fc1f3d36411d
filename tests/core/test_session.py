# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Batches and sessions: parameters, error text, status, outcomes, transactions, what is left."""

from __future__ import annotations

import errno
import math
import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.engine import BOTH, MIB, WRITE, Db, Engine, Flag
from tests.core.test_api import errno_of

# Parameters ---------------------------------------------------------------------------------------


def bound(db: Db, *parameters: bytes) -> list[str]:
    """Type and quoted value of each parameter."""
    columns = ", ".join(
        f"typeof(?{i + 1}) || ' ' || quote(?{i + 1})" for i in range(len(parameters))
    )
    db.batch(
        f"SELECT json_array({columns})".encode() + b"\0" + b"".join(p + b"\0" for p in parameters)
    )
    found = db.text("value")
    import json

    values: list[str] = json.loads(found)
    return values


PARAMETERS = [
    (b"text", "text 'text'"),
    (b"", "text ''"),
    (b"12", "text '12'"),
    (b"it's", "text 'it''s'"),
    (b"\x0112", "integer 12"),
    (b"\x01-9223372036854775808", "integer -9223372036854775808"),
    (b"\x01+7", "integer 7"),
    (b"\x021.5", "real 1.5"),
    (b"\x021e3", "real 1000.0"),
    (b"\x02Inf", "real 9.0e+999"),
    (b"\x02-Inf", "real -9.0e+999"),
    (b"\x03\x01", "text '\x01'"),
    (b"\x03", "text ''"),
    (b"\x04", "blob X''"),
    (b"\x0400fF", "blob X'00FF'"),
    (b"\x05", "null NULL"),
    ("é日".encode(), "text 'é日'"),
    (b"\x06", "text ''"),
    (b"\x06c3a9", "text 'é'"),
    (b"\x07", "text '\x07'"),
]


@pytest.mark.parametrize(("parameter", "expected"), PARAMETERS)
def test_parameter(db: Db, parameter: bytes, expected: str) -> None:
    if "\x01" in expected or "\x07" in expected:
        expected = expected.replace("'\x01'", "unistr('\\u0001')").replace(
            "'\x07'", "unistr('\\u0007')"
        )
        found = bound(db, parameter)[0]
        assert found in (expected, "text '" + parameter[-1:].decode() + "'")
    else:
        assert bound(db, parameter) == [expected]


BAD_PARAMETERS = [
    b"\x01",
    b"\x01x",
    b"\x011x",
    b"\x011.5",
    b"\x01 1",
    b"\x019223372036854775808",
    b"\x01-9223372036854775809",
    b"\x02",
    b"\x02x",
    b"\x021.5x",
    b"\x040",
    b"\x04zz",
    b"\x060",
    b"\x06zz",
    b"\x06ff",
    b"\x05x",
    b"\xff",
    b"\x03\xc3",
]


@pytest.mark.parametrize("parameter", BAD_PARAMETERS)
def test_bad_parameter(db: Db, parameter: bytes) -> None:
    assert errno_of(bound, db, b"fine", parameter) == errno.EINVAL
    assert db.text("error").startswith("parameter 2 is not of the type it says\n")


@given(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
)
def test_any_parameters(db: Db, integer: int, real: float, blob: bytes, text: str) -> None:
    real_text = "Inf" if real == math.inf else "-Inf" if real == -math.inf else repr(real)
    request = b"\0".join(
        [
            b"SELECT ?, ?, ?, ?",
            b"\x01%d" % integer,
            b"\x02" + real_text.encode(),
            b"\x04" + blob.hex().encode(),
            b"\x03" + text.encode(),
            b"",
        ]
    )
    with db.session("query.tsv") as session:
        answer = session.ask(request).decode().split("\n", 1)[1].removesuffix("\n").split("\t")
    assert int(answer[0]) == integer
    assert float(answer[1]) == real
    assert bytes.fromhex(answer[2][2:]) == blob
    expected = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") or '""'
    assert answer[3] == expected


def test_order_of_named_parameters(db: Db) -> None:
    db.batch(b"SELECT :b || @a || $c || :b || ?4\0B\0A\0C\0D\0")
    assert db.cat("value") == b"BACBD\n"
    db.batch(b"SELECT ?3 || ?1\0one\0two\0three\0")
    assert db.cat("value") == b"threeone\n"


def test_parameters_are_not_sql(db: Db) -> None:
    db.batch(b"SELECT ?\0'; DROP TABLE t; --\0")
    assert db.cat("value") == b"'; DROP TABLE t; --\n"


def test_a_gap_in_the_numbers_is_no_invitation(db: Db) -> None:
    assert errno_of(db.batch, b"SELECT ?32767\0x\0") == errno.EINVAL
    assert errno_of(db.batch, b"SELECT ?32766\0x\0") == errno.EINVAL


def test_many_parameters(db: Db) -> None:
    n = 30000
    db.batch(b"SELECT " + b"+".join([b"?"] * 100) + b"\0" + b"\x011\0" * 100)
    assert db.cat("value") == b"100\n"
    db.batch(b"SELECT count(*) FROM (VALUES " + b",".join([b"(?)"] * n) + b")\0" + b"x\0" * n)
    assert db.cat("value") == b"%d\n" % n


def test_text_with_nul(db: Db) -> None:
    db.batch(b"SELECT hex(?1) || ' ' || typeof(?1)\0\x06610062\0")
    assert db.cat("value") == b"610062 text\n"


# Errors -------------------------------------------------------------------------------------------

CARETS = [
    ("SELEC 1", "SELEC 1\n^\n"),
    ("SELECT nowhere", "SELECT nowhere\n       ^\n"),
    ("SELECT 'é日', nowhere", "SELECT 'é日', nowhere\n             ^\n"),
    ("SELECT\n\t1,\n\tnowhere\nFROM x", None),
    ("CREATE TABLE t(a);\nSELECT\n\tb\nFROM t", "SELECT\n\tb\n\t^\nFROM t\n"),
    ("SELECT 1; SELECT 2; SELECT FROM", "SELECT FROM\n       ^\n"),
    ("SELECT (1", None),
    ("SELECT 1 FROM t1, t2 WHERE", None),
    ("\n\n-- why\nSELECT x", "SELECT x\n       ^\n"),
]


@pytest.mark.parametrize(("sql", "end"), CARETS)
def test_caret(db: Db, sql: str, end: str | None) -> None:
    assert errno_of(db.batch, sql) in (errno.EINVAL, errno.ENOENT)
    lines = db.text("error")
    assert lines.split("\n")[1].startswith("errno ")
    if end:
        assert lines.endswith(end), lines


@given(st.text("ab \té日'\"\n;", max_size=30))
def test_caret_points_at_the_fault(db: Db, before: str) -> None:
    quoted = "'" + before.replace("'", "''") + "'"
    sql = f"SELECT {quoted}, nowhere, 1"
    assert errno_of(db.batch, sql) == errno.EINVAL
    lines = db.text("error").split("\n")
    at = next(i for i, line in enumerate(lines) if re.fullmatch(r"[ \t]*\^", line) and i > 1)
    column = len(lines[at]) - 1
    assert lines[at - 1][column:].startswith("nowhere")


def test_a_huge_statement_is_shown_in_part(db: Db) -> None:
    filler = "é" * 3000
    assert errno_of(db.batch, f"SELECT '{filler}', nowhere, '{filler}'") == errno.EINVAL
    text = db.text("error")
    assert len(text) < 4000
    assert text.count("...\n") == 2
    assert "\N{REPLACEMENT CHARACTER}" not in text


def test_error_of_invalid_text(db: Db) -> None:
    assert errno_of(db.batch, b"SELECT '\xff\x80', 1") == errno.EINVAL
    lines = db.text("error").split("\n")
    assert lines[0] == "byte 9 of the statement is not UTF-8"
    assert lines[2] == "SELECT '\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}', 1"
    assert lines[3] == "        ^"


def test_every_errno_of_sql(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c NOT NULL DEFAULT 1, "
        "d REFERENCES t(a), e CHECK(e > 0)); CREATE TABLE s(a INT) STRICT; "
        "CREATE VIEW v AS SELECT 1; CREATE INDEX i ON t(c); INSERT INTO t(a, b) VALUES(1, 1); "
        "CREATE TRIGGER r BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    for sql, expected in {
        "SELEC": "EINVAL",
        "SELECT nowhere": "EINVAL",
        "SELECT nowhere()": "EINVAL",
        "SELECT * FROM nowhere": "ENOENT",
        "DROP TABLE nowhere": "ENOENT",
        "DROP VIEW nowhere": "ENOENT",
        "DROP INDEX nowhere": "ENOENT",
        "INSERT INTO nowhere VALUES(1)": "ENOENT",
        "CREATE TABLE t(a)": "EEXIST",
        "CREATE VIEW v AS SELECT 1": "EEXIST",
        "CREATE INDEX i ON t(a)": "EEXIST",
        "CREATE TABLE i(a)": "EEXIST",
        "CREATE INDEX t ON t(a)": "EEXIST",
        "ALTER TABLE s RENAME TO t": "EEXIST",
        "CREATE TRIGGER r BEFORE DELETE ON t BEGIN SELECT 1; END": "EEXIST",
        "INSERT INTO t(a) VALUES(1)": "EEXIST",
        "INSERT INTO t(b) VALUES(1)": "EEXIST",
        "INSERT INTO t(c) VALUES(NULL)": "EDOM",
        "INSERT INTO t(d) VALUES(99)": "EDOM",
        "INSERT INTO t(e) VALUES(0)": "EDOM",
        "INSERT INTO t(a) VALUES('x')": "EDOM",
        "INSERT INTO s VALUES('x')": "EDOM",
        "DELETE FROM t": "EDOM",
        "ATTACH 'file' AS x": "EPERM",
        "VACUUM INTO 'file'": "EPERM",
        "PRAGMA journal_mode = DELETE": "EPERM",
        "PRAGMA writable_schema = ON": "EPERM",
        "PRAGMA nowhere": "EPERM",
        "SELECT load_extension('x')": "EINVAL",
        "INSERT INTO sqlite_schema VALUES(1, 2, 3, 4, 5)": "EINVAL",
        "SELECT abs(-9223372036854775808)": "EINVAL",
        "SELECT zeroblob(100000000)": "EFBIG",
        "COMMIT": "EINVAL",
    }.items():
        assert errno_of(db.batch, sql) == getattr(errno, expected), (sql, db.text("error"))
        assert f"errno {expected} (" in db.text("error")
        facts = db.facts("status")
        assert (facts["state"], facts["errno"]) == ("error", expected)


# Outcomes -----------------------------------------------------------------------------------------


def test_before_anything(db: Db) -> None:
    assert db.text("error") == "ok\n"
    assert db.facts("status")["state"] == "none"
    assert (db.cat("result"), db.cat("value"), db.cat("result.json")) == (b"", b"", b"[]\n")


def test_status(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), (3); UPDATE t SET a = a + 1; "
        "SELECT * FROM t LIMIT 2"
    )
    facts = db.facts("status")
    usec = int(facts.pop("usec"))
    assert facts == {
        "state": "ok",
        "errno": "0",
        "sqlite": "0",
        "rows": "2",
        "changes": "6",
        "last_insert_rowid": "3",
        "truncated": "0",
    }
    assert 0 < usec < 10_000_000


def test_outcomes_are_of_their_uid(db: Db) -> None:
    db.batch("SELECT 'zero'", uid=0)
    assert errno_of(db.batch, "SELEC", uid=1) == errno.EINVAL
    db.batch("SELECT 'two'", uid=2)
    assert db.cat("value", 0) == b"zero\n"
    assert errno_of(db.cat, "value", 1) == errno.EINVAL
    assert db.cat("value", 2) == b"two\n"
    assert db.text("error", 0) == db.text("error", 2) == "ok\n"
    assert db.text("error", 1).startswith("near")
    assert db.cat("value", 3) == b""


def test_the_result_is_of_the_last_statement_with_columns(db: Db) -> None:
    db.batch("SELECT 1 AS a; SELECT 2 AS b; CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    assert db.text("result") == "b\n2\n"
    db.batch("INSERT INTO t VALUES(5) RETURNING a")
    assert db.text("result") == "a\n5\n"
    db.batch("DELETE FROM t")
    assert db.text("result") == ""
    db.batch("SELECT * FROM t")
    assert db.text("result") == "a\n"
    assert db.text("value") == ""


def test_a_failed_batch_has_no_result(db: Db) -> None:
    db.batch("SELECT 1")
    file = db.open("query", WRITE)
    assert errno_of(file.write, "SELECT 2; SELEC; SELECT 3;") == errno.EINVAL
    assert errno_of(file.write, "SELECT 4;") == errno.ECANCELED
    assert db.cat("value") == b"1\n"
    file.finish()
    for path in ("result", "result.json", "result.tsv", "result.ndjson", "value"):
        assert errno_of(db.open, path) == errno.EINVAL
    file.release()


def test_statements_before_an_error_stay(db: Db) -> None:
    assert errno_of(db.batch, "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELEC;") == errno.EINVAL
    assert db.value("SELECT count(*) FROM t") == "1"


def test_result_over_its_cap(engine: Engine) -> None:
    db = engine.db(max_result=100_000)
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n"
    assert errno_of(db.batch, sql) == errno.EOVERFLOW
    assert "max_result= (100000 bytes)" in db.text("error")
    assert db.memory("held") < 32 * MIB
    with db.session() as session:
        session.write(sql + " LIMIT 100000;")
        assert len(session.read_all()) > 500_000


def test_an_answer_over_the_cap_before_another_statement(engine: Engine) -> None:
    db = engine.db(max_result=100_000)
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n"
    with db.session() as session:
        assert errno_of(session.ask, sql + "; CREATE TABLE t(a);") == errno.EOVERFLOW
        assert "before another statement" in db.text("error")
        assert session.ask("SELECT 1") == b"1\n1\n"
    assert db.names("tables") == []


def test_a_session_leaves_the_result_alone(db: Db) -> None:
    db.batch("SELECT 'kept'")
    with db.session() as session:
        assert session.ask("SELECT 'other';") == b"'other'\nother\n"
        assert errno_of(session.ask, "SELEC;") == errno.EINVAL
    assert db.cat("value") == b"kept\n"
    assert db.text("error").startswith("near")
    db.batch("SELECT 'new'")
    assert (db.cat("value"), db.text("error")) == (b"new\n", "ok\n")


# Sessions -----------------------------------------------------------------------------------------


def test_requests(db: Db) -> None:
    with db.session("query.json") as session:
        assert session.ask("SELECT 1 AS a;") == b'[{"a":1}]\n'
        assert session.read() == b""
        assert session.ask("SELECT 2 AS a") == b'[{"a":2}]\n'
        assert session.ask("CREATE TABLE t(a);") == b""
        assert errno_of(session.write, "SELEC;") == errno.EINVAL
        assert session.read() == b""
        session.write("SELECT 3 AS a;")
        session.write("SELECT 4 AS a;")
        assert session.read_all() == b'[{"a":4}]\n'
        assert errno_of(session.ask, "SELECT nowhere") == errno.EINVAL
        assert session.ask("SELECT 5 AS a") == b'[{"a":5}]\n'


def test_an_answer_can_be_left_unread(db: Db) -> None:
    with db.session() as session:
        session.write(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n;"
        )
        assert session.read(4) == b"i\n1\n"
        assert session.ask("SELECT 'next';") == b"'next'\nnext\n"


def test_reads_of_any_size(db: Db) -> None:
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 40000) "
        "SELECT i, 'x' || i AS x FROM n;"
    )
    db.batch(sql)
    whole = db.cat("result")
    with db.session() as session:
        for size in (977, 65536, 1 << 20):
            session.write(sql)
            assert session.read_all(size) == whole


def test_streamed_memory_is_bounded(db: Db) -> None:
    with db.session() as session:
        session.write("SELECT 1;")
        session.read_all()
        before = db.memory("peak")
        session.write(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 400000) "
            "SELECT i, printf('%100d', i) FROM n"
        )
        total = 0
        while part := session.read(1 << 16):
            total += len(part)
    assert total > 40 * MIB
    assert db.memory("peak") - before < 1 * MIB


def test_an_error_amid_an_answer(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        "WHERE i < 30000) INSERT INTO t SELECT 30000 - i FROM n"
    )
    with db.session() as session:
        session.write("SELECT abs(CASE WHEN a THEN a ELSE -9223372036854775808 END) AS x FROM t;")
        assert session.read(8) == b"x\n29999\n"
        assert errno_of(session.read_all, 1 << 20) == errno.EINVAL
        assert errno_of(session.read) == errno.EINVAL
        assert session.ask("SELECT 1") == b"1\n1\n"


def test_transactions_last_over_requests(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    with db.session() as session:
        session.ask("BEGIN;")
        session.ask("INSERT INTO t VALUES(1);")
        assert session.ask("SELECT count(*) FROM t") == b"count(*)\n1\n"
        assert db.value("SELECT count(*) FROM t") == "0"
        assert errno_of(session.ask, "SELEC") == errno.EINVAL
        session.ask("COMMIT;")
        assert db.value("SELECT count(*) FROM t") == "1"
        session.ask("BEGIN; DELETE FROM t;")
    assert db.value("SELECT count(*) FROM t") == "1"


def test_an_answer_and_then_commit(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    with db.session() as session:
        assert session.ask("BEGIN; INSERT INTO t VALUES(1) RETURNING a; COMMIT;") == b"a\n1\n"
        assert db.value("SELECT count(*) FROM t") == "1"


def test_a_transaction_left_open_by_a_batch(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    assert errno_of(db.batch, "BEGIN; INSERT INTO t VALUES(1)") == errno.EINVAL
    assert "rolled back" in db.text("error")
    assert db.value("SELECT count(*) FROM t") == "0"
    assert errno_of(db.batch, "SAVEPOINT s; INSERT INTO t VALUES(1)") == errno.EINVAL
    assert db.value("SELECT count(*) FROM t") == "0"


def test_repeated_requests_see_what_changed(db: Db) -> None:
    """The same text again takes a short way: it must not show an old schema or old rows."""
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with db.session() as session:
        for i in range(3):
            assert session.ask("SELECT * FROM t;") == b"a\n1\n", i
        db.batch("UPDATE t SET a = 2")
        assert session.ask("SELECT * FROM t;") == b"a\n2\n"
        db.batch("ALTER TABLE t ADD COLUMN b DEFAULT 3")
        assert session.ask("SELECT * FROM t;") == b"a,b\n2,3\n"
        db.batch("DROP TABLE t")
        assert errno_of(session.ask, "SELECT * FROM t;") == errno.ENOENT
        db.batch("CREATE TABLE t(c)")
        assert session.ask("SELECT * FROM t;") == b"c\n"
        assert session.ask("SELECT * FROM t;") == b"c\n"
        session.write("SELECT * FROM t;")
        session.write("SELECT * FROM t;")
        assert session.read_all() == b"c\n"
        session.write("SELECT 1 AS ")
        assert errno_of(session.write, "SELECT * FROM t;") == errno.EINVAL
        assert session.ask("SELECT * FROM t;") == b"c\n"


def test_repeated_requests_with_parameters(db: Db) -> None:
    with db.session() as session:
        for i in range(20):
            assert session.ask(b"SELECT ? AS a\0\x01%d\0" % i) == b"a\n%d\n" % i
        for i in range(20):
            assert session.ask(b"SELECT ? AS a;\0\x01%d\0" % i) == b"a\n%d\n" % i
        assert errno_of(session.ask, b"SELECT ? AS a;") == errno.EINVAL
        assert errno_of(session.ask, b"SELECT ? AS a") == errno.EINVAL


# What one user leaves, the next does not find -----------------------------------------------------


def test_pragmas_do_not_leak(db: Db) -> None:
    db.batch("CREATE TABLE p(a INTEGER PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a))")
    for _ in range(6):
        db.batch("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES(99); DELETE FROM c")
        assert errno_of(db.batch, "INSERT INTO c VALUES(99)") == errno.EDOM
    for pragma in (
        "query_only=1",
        "recursive_triggers=1",
        "ignore_check_constraints=1",
        "reverse_unordered_selects=1",
        "defer_foreign_keys=1",
        "analysis_limit=7",
        "automatic_index=0",
        "secure_delete=1",
        "auto_vacuum=1",
    ):
        name = pragma.split("=")[0]
        before = db.value(f"PRAGMA {name}")
        db.batch(f"PRAGMA {pragma}")
        for _ in range(5):
            assert db.value(f"PRAGMA {name}") == before, pragma
    db.batch("EXPLAIN PRAGMA foreign_keys = OFF")
    assert db.value("PRAGMA foreign_keys") == "1"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TEMP TABLE x(a)",
        "CREATE TABLE temp.x(a)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE VIRTUAL TABLE temp.x USING fts5(a)",
        "CREATE VIRTUAL TABLE temp.x USING rtree(a, b, c)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "ATTACH ':memory:' AS y; CREATE TABLE y.x(a)",
    ],
)
def test_temporary_things_do_not_leak(db: Db, sql: str) -> None:
    db.batch(sql)
    for _ in range(6):
        assert errno_of(db.batch, "SELECT * FROM x") == errno.ENOENT
        assert db.value("SELECT count(*) FROM pragma_table_list WHERE name = 'x'") == "0"
    assert db.names("tables") == []


def test_temp_triggers_do_not_leak(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    db.batch("CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END")
    for _ in range(6):
        assert db.value("DELETE FROM t; INSERT INTO t VALUES(1); SELECT count(*) FROM t") == "1"


def test_counters_do_not_leak(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    for _ in range(3):
        db.batch("INSERT INTO t VALUES(1), (2)")
        assert db.value("SELECT last_insert_rowid()") == "0"
        assert db.value("SELECT changes() || ' ' || total_changes()") == "0 0"
    with db.session() as session:
        assert (
            session.ask("SELECT last_insert_rowid() + changes() + total_changes() AS n")
            == b"n\n0\n"
        )


def test_a_transaction_does_not_leak(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    for _ in range(6):
        assert (
            errno_of(db.batch, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1); SELEC;") == errno.EINVAL
        )
        with db.session() as session:
            session.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1);")
        db.batch("BEGIN IMMEDIATE; COMMIT")
    assert db.value("SELECT count(*) FROM t") == "0"


# Time, signals ------------------------------------------------------------------------------------

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"


def test_time_limit(engine: Engine) -> None:
    db = engine.db(timeout_ms=100)
    assert errno_of(db.batch, FOREVER) == errno.ETIMEDOUT
    assert int(db.facts("status")["usec"]) > 50_000
    assert db.text("error").startswith("the time limit (timeout=) is reached\n")
    with db.session() as session:
        assert errno_of(session.ask, FOREVER) == errno.ETIMEDOUT
        assert session.ask("SELECT 1") == b"1\n1\n"


def test_a_slow_reader_does_not_run_out_of_time(engine: Engine) -> None:
    db = engine.db(timeout_ms=1000)
    with db.session() as session:
        session.write(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 15000) "
            "SELECT i FROM n;"
        )
        session.read(10)
        time.sleep(1.1)
        assert session.read_all().endswith(b"\n15000\n")


LONG = {
    "opcodes": FOREVER,
    "instr": "SELECT instr(zeroblob(30000000), zeroblob(14000000) || x'01')",
    "instr text": "SELECT instr(printf('%.*c', 2e7, 'a'), printf('%.*c', 8e6, 'a') || 'b')",
    "like": "SELECT printf('%.*c', 20000000, 'a') LIKE '%' || printf('%.*c', 40000, 'a') || 'b'",
    "glob": "SELECT printf('%.*c', 20000000, 'a') GLOB '*' || printf('%.*c', 40000, 'a') || 'b'",
    "glob set": "SELECT printf('%.*c', 2e7, 'a') GLOB '*[' || printf('%.*c', 40000, 'b') || ']'",
    "replace": "SELECT length(replace(printf('%.*c', 20000000, 'a'), "
    "printf('%.*c', 8000000, 'a') || 'b', ''))",
}


@pytest.mark.parametrize("name", LONG)
def test_cancel(db: Db, name: str) -> None:
    """Long before the time limit, which were ETIMEDOUT."""
    flag = Flag()
    stop = threading.Timer(0.2, flag.set)
    stop.start()
    assert errno_of(db.batch, LONG[name], cancel=flag) == errno.EINTR
    stop.cancel()
    assert db.text("error").startswith("interrupted\nerrno EINTR")
    assert db.value("SELECT 1") == "1"


def test_cancel_while_waiting_for_a_lock(db: Db) -> None:
    """Before the wait is over, which were EBUSY."""
    db.batch("CREATE TABLE t(a)")
    with db.session() as session:
        session.ask("BEGIN IMMEDIATE;")
        flag = Flag()
        stop = threading.Timer(0.2, flag.set)
        stop.start()
        assert errno_of(db.batch, "INSERT INTO t VALUES(1)", cancel=flag) == errno.EINTR
        stop.join()


def test_a_flag_raised_before(db: Db) -> None:
    flag = Flag()
    flag.set()
    assert errno_of(db.batch, FOREVER, cancel=flag) == errno.EINTR


def test_a_batch_beside_its_reader(db: Db) -> None:
    db.batch("SELECT 1")
    with db.open("value") as reader:
        db.batch("SELECT 2")
        assert reader.read() == b"1\n"
    assert db.cat("value") == b"2\n"


def test_session_errors_do_not_leave_parts_behind(db: Db) -> None:
    with db.open("query", BOTH) as session:
        assert errno_of(session.write, b"SELEC; SELECT 'dropped'") == errno.EINVAL
        assert session.read() == b""
        assert errno_of(session.ask, b"SELECT ?\0\x01x\0") == errno.EINVAL
        assert session.ask("SELECT 1") == b"1\n1\n"
