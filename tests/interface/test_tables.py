# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""tables/NAME/: data, schema, columns and count, and from which moment they are."""

from __future__ import annotations

import json
import os
import threading

import pytest

from tests.interface.tree import Tree, fails, parse_csv, quote_name, rows_sql

SAMPLE = """
CREATE TABLE s(i INTEGER PRIMARY KEY, t TEXT, r REAL, b BLOB);
INSERT INTO s VALUES(1, 'plain', 1.0, x'00ff'), (2, 'a,"b"', 0.1, NULL), (3, '', NULL, x'');
"""


def test_data_csv(tree: Tree) -> None:
    tree.run(SAMPLE)
    assert tree.text("tables/s/data.csv") == (
        'i,t,r,b\n1,plain,1.0,\\x00ff\n2,"a,""b""",0.1,\n3,"",,\\x\n'
    )


def test_data_json(tree: Tree) -> None:
    tree.run(SAMPLE)
    text = tree.text("tables/s/data.json")
    assert [row["t"] for row in json.loads(text)] == ["plain", 'a,"b"', ""]
    assert text.split("\n")[1] == '{"i":2,"t":"a,\\"b\\"","r":0.1,"b":null},'


def test_data_ndjson(tree: Tree) -> None:
    tree.run(SAMPLE)
    lines = tree.text("tables/s/data.ndjson").splitlines()
    assert [json.loads(line)["i"] for line in lines] == [1, 2, 3]


def test_data_tsv(tree: Tree) -> None:
    tree.run(SAMPLE)
    assert tree.text("tables/s/data.tsv") == (
        'i\tt\tr\tb\n1\tplain\t1.0\t\\x00ff\n2\ta,"b"\t0.1\t\n3\t""\t\t\\x\n'
    )


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_data_has_the_bytes_of_select_star(tree: Tree, form: str) -> None:
    tree.run(SAMPLE)
    with tree.connect("query" if form == "csv" else f"query.{form}") as connection:
        assert tree.text(f"tables/s/data.{form}") == connection.ask("SELECT * FROM s")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("data.csv", "a,b\n"), ("data.json", "[]\n"), ("data.ndjson", ""), ("count", "0\n")],
)
def test_an_empty_table(tree: Tree, name: str, expected: str) -> None:
    tree.run("CREATE TABLE t(a, b)")
    assert tree.text(f"tables/t/{name}") == expected


def test_generated_columns_are_data(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a, v AS (a * 2), s AS (a || '!') STORED); INSERT INTO t VALUES(3)")
    assert tree.text("tables/t/data.csv") == "a,v,s\n3,6,3!\n"


def test_tables_without_rowid_and_with_a_column_of_that_name(tree: Tree) -> None:
    tree.run(
        "CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES('b', 1), ('a', 2)"
    )
    tree.run("CREATE TABLE r(rowid TEXT); INSERT INTO r VALUES('x')")
    assert tree.text("tables/w/data.csv") == "k,v\na,2\nb,1\n"
    assert tree.text("tables/r/data.csv") == "rowid\nx\n"
    assert tree.text("tables/w/count") == "2\n"


def test_virtual_tables_have_data(tree: Tree) -> None:
    tree.run("CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES('hello')")
    tree.run("CREATE VIRTUAL TABLE b USING rtree(id, x0, x1); INSERT INTO b VALUES(1, 2, 3)")
    assert tree.text("tables/f/data.csv") == "body\nhello\n"
    assert tree.text("tables/b/data.csv") == "id,x0,x1\n1,2.0,3.0\n"
    assert tree.text("tables/f/count") == "1\n"


@pytest.mark.parametrize("name", ['we"ird', "it's", "a b", "sel;ect", "größe", "[x]", "-- x"])
def test_awkward_names_are_quoted_in_every_file(tree: Tree, name: str) -> None:
    tree.run(f"CREATE TABLE {quote_name(name)}(a); INSERT INTO {quote_name(name)} VALUES(1)")
    assert tree.text(f"tables/{name}/data.csv") == "a\n1\n"
    assert tree.text(f"tables/{name}/count") == "1\n"
    assert len(parse_csv(tree.text(f"tables/{name}/columns"))) == 2
    schema = tree.text(f"tables/{name}/schema")
    tree.run(f"DROP TABLE {quote_name(name)}")
    tree.run(schema)
    assert tree.tables() == [name]


# schema

MADE = [
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c DEFAULT 'x;y', d AS (a + 1));"
    "CREATE INDEX t_c ON t(c) WHERE c > 'a';"
    "CREATE UNIQUE INDEX t_lower ON t(lower(b));"
    "CREATE TRIGGER t_insert AFTER INSERT ON t BEGIN"
    " UPDATE t SET c = 'END;' WHERE a = new.a; DELETE FROM t WHERE a < 0; END;",
    "CREATE TABLE t(k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;",
    "CREATE TABLE t(a /* a comment */, -- another\n b);",
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, p REFERENCES t(id) ON DELETE CASCADE);",
    "CREATE VIRTUAL TABLE t USING fts5(title, body, tokenize = 'porter');",
    "CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, +note);",
    "CREATE TABLE t AS SELECT 1 AS a, 'x' AS b;",
    'CREATE TABLE t(a); ALTER TABLE t ADD COLUMN b DEFAULT 3; CREATE INDEX "i;x" ON t(b DESC);',
]


@pytest.mark.parametrize("sql", MADE)
def test_schema_makes_the_table_again(tree: Tree, sql: str) -> None:
    tree.run(sql)
    made = tree.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")
    schema = tree.text("tables/t/schema")
    assert schema.endswith(";\n")
    tree.run("DROP TABLE t")
    tree.run(schema)
    again = tree.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")
    assert again == made
    assert tree.text("tables/t/schema") == schema


def test_schema_is_of_that_table_alone(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE TABLE tt(b); CREATE INDEX tti ON tt(b)")
    assert "tt" not in tree.text("tables/t/schema").replace("CREATE TABLE t(a)", "")


def test_schema_follows_the_table(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    assert "INDEX" not in tree.text("tables/t/schema")
    tree.run("CREATE INDEX i ON t(a)")
    assert "CREATE INDEX i ON t(a)" in tree.text("tables/t/schema")


# columns, count


@pytest.mark.parametrize("sql", MADE)
def test_columns_is_the_csv_of_table_xinfo(tree: Tree, sql: str) -> None:
    tree.run(sql)
    assert tree.text("tables/t/columns") == tree.ask("PRAGMA table_xinfo('t')")


def test_count_is_the_number_of_rows(tree: Tree) -> None:
    tree.run(f"CREATE TABLE t(n); INSERT INTO t {rows_sql(1234)}")
    assert tree.text("tables/t/count") == "1234\n"
    tree.run("DELETE FROM t WHERE n > 1000")
    assert tree.text("tables/t/count") == "1000\n"


@pytest.mark.parametrize("name", ["schema", "columns", "count"])
def test_the_size_of_a_small_file_is_exact(tree: Tree, name: str) -> None:
    tree.run(MADE[0])
    assert (tree / f"tables/t/{name}").stat().st_size == len(tree.read(f"tables/t/{name}"))


@pytest.mark.parametrize("name", ["data.csv", "data.json", "data.ndjson"])
def test_the_size_of_data_is_exact_or_zero(tree: Tree, name: str) -> None:
    tree.run(SAMPLE)
    length = len(tree.read(f"tables/s/{name}"))
    assert (tree / f"tables/s/{name}").stat().st_size in (0, length)
    tree.run("INSERT INTO s(t) VALUES('more')")
    assert (tree / f"tables/s/{name}").stat().st_size in (0, len(tree.read(f"tables/s/{name}")))


# From which moment

BIG = 40_000


def big(tree: Tree) -> bytes:
    """Make a table whose CSV is over half a megabyte, and return that CSV."""
    tree.run(f"CREATE TABLE t(n, pad); INSERT INTO t {rows_sql(BIG, 'n, hex(zeroblob(5))')}")
    return b"n,pad\n" + b"".join(b"%d,0000000000\n" % n for n in range(1, BIG + 1))


def test_what_was_opened_does_not_change_and_blocks_no_writer(tree: Tree) -> None:
    whole = big(tree)
    fd = os.open(tree / "tables/t/data.csv", os.O_RDONLY)
    try:
        data = os.read(fd, 100)
        tree.run("UPDATE t SET n = -n; DELETE FROM t WHERE n % 3 = 0; INSERT INTO t VALUES(0, 0)")
        tree.run("ALTER TABLE t ADD COLUMN more; DROP TABLE t")
        while piece := os.read(fd, 65_536):
            data += piece
        assert data == whole
    finally:
        os.close(fd)


def test_what_was_opened_is_from_the_moment_of_opening(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES('old')")
    with (tree / "tables/t/data.csv").open() as data, (tree / "tables/t/count").open() as count:
        tree.run("UPDATE t SET a = 'new'; INSERT INTO t VALUES('more')")
        assert data.read() == "a\nold\n"
        assert count.read() == "1\n"


def test_data_can_be_read_from_anywhere(tree: Tree) -> None:
    whole = big(tree)
    fd = os.open(tree / "tables/t/data.csv", os.O_RDONLY)
    try:
        for at in (0, 300_000, 7, 123_457, len(whole) - 3, len(whole), len(whole) + 5, 65_536, 0):
            assert os.pread(fd, 50, at) == whole[at : at + 50]
        assert os.lseek(fd, 200_001, os.SEEK_SET) == 200_001
        assert os.read(fd, 10) == whole[200_001:200_011]
        tree.run("DELETE FROM t")
        assert os.lseek(fd, 5, os.SEEK_SET) == 5
        assert os.read(fd, 20) == whole[5:25]
        assert os.pread(fd, 20, 400_000) == whole[400_000:400_020]
        assert os.lseek(fd, 0, os.SEEK_SET) == 0
        assert b"".join(iter(lambda: os.read(fd, 100_000), b"")) == whole
    finally:
        os.close(fd)


def test_two_readers_of_one_table_do_not_disturb_each_other(tree: Tree) -> None:
    whole = big(tree)
    with (
        (tree / "tables/t/data.csv").open("rb", buffering=0) as one,
        (tree / "tables/t/data.csv").open("rb", buffering=0) as two,
    ):
        head = one.read(1_000)
        assert two.readall() == whole
        assert head + one.readall() == whole


def test_a_reader_never_sees_half_a_transaction(tree: Tree) -> None:
    tree.run("CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 500), (2, 500)")
    stop = threading.Event()
    failures: list[BaseException] = []

    def move() -> None:
        try:
            with tree.connect() as connection:
                while not stop.is_set():
                    connection.ask("BEGIN; UPDATE t SET v = v - 7 WHERE k = 1")
                    connection.ask("UPDATE t SET v = v + 7 WHERE k = 2; COMMIT")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        seen = set()
        for _ in range(100):
            _, one, two = parse_csv(tree.text("tables/t/data.csv"))
            assert int(one[1]) + int(two[1]) == 1_000
            seen.add(one[1])
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert len(seen) > 1


def test_what_is_not_committed_is_not_shown(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.ask("BEGIN; INSERT INTO t VALUES(1); CREATE INDEX i ON t(a)")
        assert tree.text("tables/t/data.csv") == "a\n"
        assert tree.text("tables/t/count") == "0\n"
        assert "INDEX" not in tree.text("tables/t/schema")
        connection.ask("COMMIT")
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_reading_tables_leaves_the_result_alone(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); SELECT 'mine' AS a")
    for name in ("data.csv", "data.json", "schema", "columns", "count"):
        tree.read(f"tables/t/{name}")
    assert tree.result() == "a\nmine\n"


def test_the_files_of_a_dropped_table_are_gone(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    directory = os.open(tree / "tables/t", os.O_RDONLY | os.O_DIRECTORY)
    try:
        tree.run("DROP TABLE t")
        with fails("ENOENT"):
            os.open("data.csv", os.O_RDONLY, dir_fd=directory)
    finally:
        os.close(directory)


def test_a_process_may_stand_in_a_directory_that_goes(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    directory = os.open(tree / "tables/t", os.O_RDONLY | os.O_DIRECTORY)
    try:
        tree.run("DROP TABLE t; CREATE TABLE other(a)")
        tree.works()
        assert tree.tables() == ["other"]
    finally:
        os.close(directory)
