# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""import/: files that become tables; their types and names."""

from __future__ import annotations

import errno
import json
import math
import re
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.engine import BOTH, MIB, READ, WRITE, Db, Engine, File, caller, running
from tests.core.loads import insert, make, rows, types, unmade
from tests.core.test_api import errno_of
from tests.core.test_insert import BAD_CSV, BAD_NDJSON

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
