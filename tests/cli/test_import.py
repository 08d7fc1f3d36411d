# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl import` and `ksqlctl export`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Ctl
from tests.cli.terminal import Terminal
from tests.interface.tree import ENDLESS_ROWS, Tree, rows_sql

Run = Callable[..., Terminal]


def write(ctl: Ctl, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    (ctl.folder / name).write_bytes(data)


# Types and values


def test_a_new_table_has_types_found_from_the_data(ctl: Ctl, tree: Tree) -> None:
    write(
        ctl,
        "t.csv",
        "i,r,mixed,t,zip,big,blob,empty,word\n"
        "1,1.5,1,a,007,9223372036854775807,\\x00ff,,1\n"
        "-2,2e3,2.5,,010,-9223372036854775808,\\x,,x\n",
    )
    assert ctl.out("import", "t.csv") == ""
    assert ctl.out("schema", "t") == (
        'CREATE TABLE "t"("i" INTEGER, "r" REAL, "mixed" REAL, "t" TEXT, "zip" TEXT,'
        ' "big" INTEGER, "blob" BLOB, "empty" TEXT, "word" TEXT);\n'
    )
    assert tree.rows("SELECT * FROM t")[1] == {
        "i": -2,
        "r": 2000.0,
        "mixed": 2.5,
        "t": None,
        "zip": "010",
        "big": -(2**63),
        "blob": {"$base64": ""},
        "empty": None,
        "word": "x",
    }


def test_text_keeps_all_as_it_is(ctl: Ctl, tree: Tree) -> None:
    write(ctl, "t.csv", "version\n1.10\n")
    ctl("import", "--text", "t.csv")
    assert tree.value("SELECT version FROM t") == "1.10"


def test_numbers_of_more_than_64_bits_stay_text(ctl: Ctl, tree: Tree) -> None:
    write(ctl, "t.csv", "n\n9223372036854775808\n")
    ctl("import", "t.csv")
    assert tree.value("SELECT typeof(n) || n FROM t") == "text9223372036854775808"


def test_an_existing_table_decides_and_is_added_to(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER, b TEXT, c DEFAULT 'd'); INSERT INTO t VALUES(1, 'x', 'y')")
    write(ctl, "t.csv", "B,a\n5,6\n")
    ctl("import", "t.csv")
    assert tree.ask("SELECT a, typeof(a) ta, b, typeof(b) tb, c FROM t") == (
        "a,ta,b,tb,c\n1,integer,x,text,y\n6,integer,5,text,d\n"
    )


def test_replace_deletes_what_was_there(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    write(ctl, "t.csv", "a\n2\n")
    ctl("import", "--replace", "t.csv")
    assert tree.ask("SELECT * FROM t") == "a\n2\n"


def test_null_and_the_empty_text_are_told_apart(ctl: Ctl, tree: Tree) -> None:
    write(ctl, "t.csv", 'a,b,c\n,"",x\n"","",\n"a,""b""\n",,\n')
    ctl("import", "t.csv")
    assert tree.rows("SELECT * FROM t") == [
        {"a": None, "b": "", "c": "x"},
        {"a": "", "b": "", "c": None},
        {"a": 'a,"b"\n', "b": None, "c": None},
    ]


def test_an_empty_line_is_a_null_in_one_column_and_nothing_in_more(ctl: Ctl, tree: Tree) -> None:
    write(ctl, "one.csv", "a\n1\n\n2\n")
    write(ctl, "two.csv", "a,b\n1,2\n\n3,4\n\n")
    ctl("import", "one.csv")
    ctl("import", "two.csv")
    assert tree.value("SELECT count(*) FROM one WHERE a IS NULL") == "1"
    assert tree.value("SELECT count(*) FROM two") == "2"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_foreign_files_are_taken(ctl: Ctl, tree: Tree, line_end: str) -> None:
    write(ctl, "t.csv", "\ufeffa;b\n1;x,y\n".replace("\n", line_end))
    ctl("import", "--delimiter", ";", "t.csv")
    write(ctl, "u.csv", "a\tb\n1\tx\n".replace("\n", line_end))
    ctl("import", "--delimiter", "tab", "u.csv")
    assert tree.ask("SELECT * FROM t") == 'a,b\n1,"x,y"\n'
    assert tree.ask("SELECT * FROM u") == "a,b\n1,x\n"


def test_columns_without_a_header_are_numbered_or_the_tables(ctl: Ctl, tree: Tree) -> None:
    write(ctl, "t.csv", "1,x\n2,y\n")
    ctl("import", "--no-header", "t.csv")
    assert tree.ask("SELECT * FROM t") == "c1,c2\n1,x\n2,y\n"
    tree.run("CREATE TABLE u(a, b)")
    ctl("import", "--no-header", "t.csv", "u")
    assert tree.ask("SELECT * FROM u") == "a,b\n1,x\n2,y\n"


def test_ndjson_brings_its_types_and_its_keys(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE old(a, b DEFAULT 'd')")
    lines = [
        {"a": 1, "b": "x"},
        {"a": 1.5, "c": None},
        {"a": None, "c": True, "d": {"$base64": "AP8="}, "e": [1, {"f": "ü"}], "g": 1},
        {"g": "x"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    ctl("import", "--format", "ndjson", "-", "new", given=text)
    assert ctl.out("schema", "new") == (
        'CREATE TABLE "new"("a" REAL, "b" TEXT, "c" INTEGER, "d" BLOB, "e" TEXT, "g");\n'
    )
    rows = tree.rows("SELECT * FROM new")
    assert rows[2] == {
        "a": None,
        "b": None,
        "c": 1,
        "d": {"$base64": "AP8="},
        "e": '[1,{"f":"\\u00fc"}]',  # as the file has it
        "g": 1,
    }
    assert rows[3]["g"] == "x"
    ctl("import", "--format", "ndjson", "-", "old", given='{"a":1}\n{"b":null}\n{}\n')
    assert tree.ask("SELECT * FROM old") == "a,b\n1,d\n,\n,d\n"


def test_a_pipe_may_be_named_as_the_file(ctl: Ctl, tree: Tree, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with ctl.started("import", "pipe.csv") as process:
        (tmp_path / "pipe.csv").write_text("a\n1\n")
        process.communicate()
    assert process.returncode == 0
    assert tree.ask("SELECT * FROM pipe") == "a\n1\n"


def test_many_rows_arrive_in_their_order(ctl: Ctl, tree: Tree) -> None:
    text = "n,t\n" + "".join(f"{n},{'x' * (n % 50)}\n" for n in range(20_000))
    ctl("import", "-", "t", given=text)
    assert ctl.out("export", "t") == text.replace(",\n", ",\n")


values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@given(st.lists(st.tuples(values, values), min_size=1))
def test_ndjson_comes_back_as_it_was(ctl: Ctl, tree: Tree, rows: list[tuple[object, ...]]) -> None:
    tree.clean()
    tree.run("CREATE TABLE t(a, b)")
    lines = "".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in rows)
    ctl("import", "--format", "ndjson", "-", "t", given=lines)
    back = ctl.out("export", "t", "--format", "ndjson").splitlines()
    got = [(record["a"], record["b"]) for record in map(json.loads, back)]
    assert got == [tuple(0.0 if value == 0 else value for value in row) for row in rows]


texts = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)


@given(st.lists(st.tuples(texts, texts), min_size=1))
def test_csv_comes_back_as_it_was(ctl: Ctl, tree: Tree, rows: list[tuple[str | None, ...]]) -> None:
    tree.clean()
    tree.run("CREATE TABLE t(a, b); CREATE TABLE u(a, b)")
    with tree.connect() as connection:
        for row in rows:
            connection.ask("INSERT INTO t VALUES(?, ?)", *row)
    exported = ctl.out("export", "t")
    ctl("import", "-", "u", given=exported)
    assert ctl.out("export", "u") == exported


# What is wrong with a file


BAD = [
    (b"a,b\n1,2\n3\n", 3, "1 field instead of 2; quote fields that hold the delimiter"),
    (b"a,b\n1,2,3\n", 2, "3 fields instead of 2; quote fields that hold the delimiter"),
    (b"a,b\n1,2\n3,\xe9\n", 3, "byte 0xe9 is not UTF-8; convert it by `iconv -t UTF-8 -f`"),
    (b"a,b,A\n1,2,3\n", 1, "two columns are named 'A'; rename one"),
    (b"a, \n1,2\n", 1, "column 2 has no name; give it one, or use --no-header"),
    (b"", 1, "the file is empty; it needs a line of column names, or --no-header"),
    (b'a,b\n1,2\n3,"4\n5,6\n', 3, "a quoted field has no end; put the field into double quotes"),
    (b'a,b\n1,"x"y\n', 2, "',' expected after '\"'; put the field into double quotes"),
    (b'a,b\n"1\n2",3\n4\n', 4, "1 field instead of 2"),
]


@pytest.mark.parametrize(("content", "line", "sentence"), BAD)
@pytest.mark.parametrize("exists", [False, True])
def test_a_bad_csv_is_told_with_its_line_and_changes_nothing(
    ctl: Ctl, tree: Tree, content: bytes, line: int, sentence: str, exists: bool
) -> None:
    if exists:
        tree.run("CREATE TABLE t(a, b); INSERT INTO t VALUES('old', 1)")
    write(ctl, "t.csv", content)
    failure = ctl.fails(4, "import", "--replace", "t.csv")
    assert failure.startswith(f"t.csv, line {line}: {sentence}")
    assert failure.count("\n") == 1
    assert tree.tables() == (["t"] if exists else [])
    if exists:
        assert tree.value("SELECT count(*) FROM t") == "1"


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        ('{"a":1}\n{"a":\n', 2, "Expecting value at character"),
        ('[{"a":1},\n{"a":2}]\n', 1, "a JSON array; make it lines of objects by `jq -c '.[]'`"),
        ("1\n", 1, "not a JSON object, which each line must be"),
        ('{"a":1,"a":2}\n', 1, "the key 'a' comes twice; rename one"),
        ('{"":1}\n', 1, "a key is empty; name it"),
        ('{"a":NaN}\n', 1, "NaN is not JSON; write null"),
        ("\n\n", 2, "nothing says which columns the new table has; make it by SQL first"),
        pytest.param('{"a":' * 100_000, 1, "the JSON is too deep; make it flat", id="deep"),
    ],
)
def test_bad_ndjson_is_told_with_its_line(
    ctl: Ctl, tree: Tree, content: str, line: int, sentence: str
) -> None:
    write(ctl, "t.ndjson", content)
    failure = ctl.fails(4, "import", "t.ndjson")
    assert failure.startswith(f"t.ndjson, line {line}: {sentence}")
    assert tree.tables() == []


def test_ndjson_of_large_numbers_and_of_keys_in_two_cases(ctl: Ctl, tree: Tree) -> None:
    ctl("import", "--format", "ndjson", "-", "t", given='{"a":9223372036854775808}\n{"A":1}\n')
    assert tree.ask("SELECT * FROM t") == "a\n9.223372036854776e+18\n1.0\n"


def test_text_of_keys_in_two_cases_is_told(ctl: Ctl) -> None:
    write(ctl, "t.ndjson", '{"a":1}\n{"A":1}\n')
    assert ctl.fails(4, "import", "--text", "t.ndjson").startswith(
        "t.ndjson, line 2: 'A' and another column differ in case alone; rename one"
    )


def test_a_read_that_fails_imports_nothing(ctl: Ctl, tree: Tree) -> None:
    """What was written before is not taken for all."""
    tree.run("CREATE TABLE t(a, b)")
    write(ctl, "t.csv", b"a;b\n" + b"1;2\n" * 100_000 + b"1\n")
    failure = ctl.fails(4, "import", "--delimiter", ";", "t.csv")
    assert failure.startswith("t.csv, line 100002: 1 field instead of 2; quote fields that hold")
    assert tree.text("tables/t/count") == "0\n"


def test_an_empty_file_is_told_as_before(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
    assert "line 1: the file is empty" in ctl.fails(4, "import", "-", "t")
    told = json.loads(ctl.out("import", "--json", "--format", "ndjson", "-", "t"))
    assert told == {"table": "t", "rows": 0, "created": False}
    told = json.loads(ctl.out("import", "--json", "-", "t", given="a\n"))
    assert told == {"table": "t", "rows": 0, "created": False}


def test_rows_are_counted_without_those_of_triggers(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE T(a); CREATE TABLE log(a)")
    tree.run("CREATE TRIGGER tr AFTER INSERT ON T BEGIN INSERT INTO log VALUES(1), (2); END")
    told = json.loads(ctl.out("import", "--json", "-", "t", given="a\n1\n2\n"))
    assert told == {"table": "t", "rows": 2, "created": False}


def test_a_view_with_a_trigger_takes_rows(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t")
    tree.run("CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES(new.a); END")
    ctl("import", "-", "v", given="a\n1\n")
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_a_missing_file_and_a_folder_are_told(ctl: Ctl) -> None:
    failure = ctl.fails(4, "import", "no.csv")
    assert failure == "no.csv: No such file or directory; look at the name and the folder\n"
    assert ctl.fails(4, "import", "/") == "/: Is a directory; name a file\n"


def test_a_column_that_the_table_has_not_is_told(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a, b)")
    write(ctl, "t.csv", "a,c\n1,2\n")
    failure = ctl.fails(4, "import", "t.csv")
    assert failure == "t.csv, line 2: the table 't' has no column 'c'; it has a, b\n"


def test_a_row_that_the_database_refuses_is_told_with_its_line(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b NOT NULL)")
    rows = "".join(f"{n},x\n" for n in range(1000))
    write(ctl, "t.csv", "a,b\n" + rows + "1000,\n")
    failure = ctl.fails(1, "import", "t.csv")
    assert failure.startswith("t.csv, line 1002: NOT NULL constraint failed: t.b")
    assert failure.endswith("nothing is imported\n")
    assert tree.value("SELECT count(*) FROM t") == "0"


def test_a_program_is_told_what_was_done(ctl: Ctl) -> None:
    for created in (True, False):
        told = json.loads(ctl.out("import", "--json", "-", "t", given="a\n1\n2\n"))
        assert told == {"table": "t", "rows": 2, "created": created}


def test_stdin_needs_the_table_named(ctl: Ctl) -> None:
    assert "name the table" in ctl("import", "-", given="a\n1\n", code=2).stderr


def test_a_delimiter_is_one_character(ctl: Ctl) -> None:
    assert "must be one character" in ctl("import", "--delimiter", "ab", "x", code=2).stderr


def test_a_terminal_is_shown_progress_and_a_pipe_is_not(ctl: Ctl, terminal: Run) -> None:
    write(ctl, "t.csv", "a\n" + "1\n" * 3000)
    shown = terminal("import", ctl.folder / "t.csv")
    assert shown.end() == 0
    assert "100%" in shown.text
    assert "3000 rows into t" in shown.text
    assert ctl("import", "t.csv").stderr == ""


# Export


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "ndjson"])
def test_a_table_is_exported_as_its_file_has_it(ctl: Ctl, tree: Tree, form: str) -> None:
    tree.run('CREATE TABLE "a/b"(n, t); INSERT INTO "a/b" VALUES(1, \'x\'), (2.5, NULL)')
    wanted = tree.text(f"tables/a%2Fb/data.{form}")
    assert ctl.out("export", "a/b", "--format", form) == wanted
    ctl.out("export", "a/b", f"out.{form}")
    assert (ctl.folder / f"out.{form}").read_text() == wanted


def test_views_and_answers_are_exported(ctl: Ctl, tree: Tree) -> None:
    tree.run('CREATE VIEW "v ""1""" AS SELECT 42 AS a')
    assert ctl.out("export", 'v "1"') == "a\n42\n"
    assert ctl.out("export", "-q", "SELECT ? AS a", "-p", "x") == "a\nx\n"
    ctl.out("export", "-q", "SELECT 1 AS a", "out.json")
    assert (ctl.folder / "out.json").read_text() == '[{"a":1}]\n'


def test_a_view_over_what_is_gone_is_told(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE VIEW v AS SELECT * FROM t; DROP TABLE t")
    assert ctl.fails(1, "export", "v").startswith("no such table: main.t\n")


def test_an_unknown_table_is_one_sentence_and_no_file(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE people(a)")
    failure = ctl.fails(1, "export", "peple", "out.csv")
    assert failure == "no table or view is named 'peple'; did you mean 'people'?\n"
    assert os.listdir(ctl.folder) == []


def test_a_file_is_replaced_whole_and_keeps_its_mode(ctl: Ctl, tree: Tree) -> None:
    write(ctl, "out.csv", "old")
    (ctl.folder / "out.csv").chmod(0o640)
    (ctl.folder / "link.csv").symlink_to("out.csv")
    ctl.out("export", "-q", "SELECT 1 AS a", "link.csv")
    assert (ctl.folder / "link.csv").is_symlink()
    assert (ctl.folder / "out.csv").read_text() == "a\n1\n"
    assert (ctl.folder / "out.csv").stat().st_mode & 0o777 == 0o640


def test_a_failure_leaves_the_old_file(ctl: Ctl) -> None:
    write(ctl, "out.csv", "old")
    sql = rows_sql(200_000, "CASE n WHEN 199999 THEN abs(-9223372036854775807 - 1) ELSE n END")
    ctl.fails(1, "export", "-q", sql, "out.csv")
    assert os.listdir(ctl.folder) == ["out.csv"]
    assert (ctl.folder / "out.csv").read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_old_file(ctl: Ctl, number: signal.Signals) -> None:
    write(ctl, "out.csv", "old")
    with ctl.started("export", "-q", ENDLESS_ROWS, "out.csv") as process:
        while not any(
            path.name != "out.csv" and path.stat().st_size for path in ctl.folder.iterdir()
        ):
            assert process.poll() is None
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode == -number
    assert b"Traceback" not in errors
    assert os.listdir(ctl.folder) == ["out.csv"]
    assert (ctl.folder / "out.csv").read_text() == "old"


def test_what_is_no_file_is_written_to_as_it_is(ctl: Ctl) -> None:
    assert ctl.out("export", "-q", "SELECT 1 AS a", "/dev/stdout") == "a\n1\n"
    failure = ctl.fails(4, "export", "-q", "SELECT 1 AS a", "/dev/full")
    assert failure == "/dev/full: No space left on device; make room, or use another disk\n"


def test_where_no_file_can_be_made_is_told(ctl: Ctl) -> None:
    failure = ctl.fails(4, "export", "-q", "SELECT 1", "missing/out.csv")
    assert "missing" in failure
    assert "No such file or directory" in failure


@pytest.mark.parametrize(
    "words", [[], ["a", "b", "c"], ["-q", "SELECT 1", "a", "b"], ["t", "-p", "x"]]
)
def test_wrong_words_are_wrong_usage(ctl: Ctl, words: list[str]) -> None:
    assert "Usage:" in ctl("export", *words, code=2).stderr
