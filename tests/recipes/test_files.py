# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Files: ksqlfs_export, ksqlfs_backup and ksqlfs_restore."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from tests.interface.tree import Param, Tree, parse_csv, quote_name
from tests.recipes.conftest import Runner

# Names and values that are easily broken on the way.
NAME = 'a\'b "c"\n%w $x/'
QUOTED = quote_name(NAME)
MAKE = [
    f"""CREATE TABLE {QUOTED} ("x y" INTEGER PRIMARY KEY AUTOINCREMENT, "q""q" TEXT,
      twice AS ("x y" * 2), loud TEXT GENERATED ALWAYS AS ("q""q" || '!') STORED,
      "line
    feed" BLOB CHECK ("line
    feed" IS NOT '--') -- a comment; with a semicolon
    )""",
    "CREATE TABLE empty(a, b UNIQUE)",
    "CREATE TABLE bare(word TEXT PRIMARY KEY, number) WITHOUT ROWID",
    "CREATE TABLE strict(i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT",
    "CREATE TABLE parent(id INTEGER PRIMARY KEY)",
    "CREATE TABLE child(id INTEGER REFERENCES parent)",
    'CREATE INDEX "an index" ON bare(number) WHERE number > 1',
    "CREATE VIEW seen AS SELECT word, number FROM bare -- up to here",
    "CREATE VIEW early AS SELECT * FROM seen",
    "CREATE TABLE log(word)",
    "CREATE TRIGGER logs AFTER INSERT ON bare BEGIN INSERT INTO log VALUES(new.word); END",
    """CREATE TRIGGER writes INSTEAD OF INSERT ON seen BEGIN
      INSERT INTO bare VALUES(new.word, new.number); END""",
    "PRAGMA user_version = -7",
    "PRAGMA application_id = 305419896",
]
VALUES: list[tuple[str | None, Param]] = [
    ('it\'s "x",\ny\r\n', b"\x00\xff"),
    (None, b""),
    ("", 0.1),
    ("a\0b", 1.7976931348623157e308),
    ("漢字 🐘", 5e-324),
    ("\\n $HOME `x` %s;", -1e-300),
    (";\nCOMMIT;\n", 2**63 - 1),
    ("-- not a comment", -(2**63)),
    ("5", 5.0),
    ("/*", 0.1 + 0.2),
    ("\n", "text\n"),
    ("long", "'\"\n," * 20_000),
]


def fill(tree: Tree) -> None:
    """Make a database of all kinds of things."""
    with tree.connect() as connection:
        connection.ask("\n;\n".join(["BEGIN", *MAKE, "COMMIT"]))
        insert = f'INSERT INTO {QUOTED}("q""q", "line\n    feed") VALUES(CAST(? AS TEXT), ?)'
        for text, other in VALUES:
            connection.ask(insert, text and text.encode(), other)
        connection.ask(
            f"""DELETE FROM {QUOTED} WHERE "x y" = {len(VALUES)};
            INSERT INTO bare VALUES('z', 1), ('b', 2);
            INSERT INTO strict VALUES(1, 2, '3', x'34', '5'), (NULL, 9e999, '', NULL, 6);
            INSERT INTO child SELECT NULL FROM bare"""
        )


def content(tree: Tree) -> list[str]:
    """All that can be seen of a database, by SQL."""
    with tree.connect("query.rows") as connection:
        found = [
            connection.ask(
                "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name"
            )
        ]
        for name in tree.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"):
            found.append(connection.ask(f"SELECT * FROM {quote_name(name['name'])}"))
        for pragma in ("user_version", "application_id", "foreign_key_check", "integrity_check"):
            found.append(connection.ask(f"PRAGMA {pragma}"))
    return found


def listing(recipe: Runner) -> list[str]:
    """The names in the script's folder."""
    return sorted(os.listdir(recipe.work))


# Export


ENDINGS = ["csv", "json", "ndjson", "tsv"]


def test_a_table_is_exported_as_its_file_shows_it(recipe: Runner, tree: Tree) -> None:
    fill(tree)
    script = """
        name=$1
        shift
        for ending; do
            ksqlfs_export "$name" "-a b.$ending"
            ksqlfs_export empty "empty.$ending"
        done
    """
    assert recipe.fine(script, NAME, *ENDINGS) == ""
    (folder,) = [name for name in tree.tables() if name.startswith("a'b")]
    for ending in ENDINGS:
        for file, table in (("-a b", folder), ("empty", "empty")):
            exported = (recipe.work / f"{file}.{ending}").read_bytes()
            assert exported == tree.read(f"tables/{table}/data.{ending}")
    names = [f"{file}.{ending}" for file in ("-a b", "empty") for ending in ENDINGS]
    assert listing(recipe) == names


def test_a_view_is_exported_to_stdout(recipe: Runner, tree: Tree) -> None:
    fill(tree)
    assert parse_csv(recipe.fine("ksqlfs_export seen")) == [
        ["word", "number"],
        ["b", "2"],
        ["z", "1"],
    ]


def test_an_export_that_fails_leaves_the_old_file(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE VIEW bad AS SELECT json(column1) AS a FROM (VALUES('1'), ('x'))")
    (recipe.work / "old.csv").write_text("old")
    said = recipe.refused(1, "ksqlfs_export bad old.csv")
    assert said.startswith("malformed JSON\n")
    assert "no such table" in recipe.refused(1, "ksqlfs_export nowhere new.csv")
    assert (recipe.work / "old.csv").read_text() == "old"
    assert listing(recipe) == ["old.csv"]


def test_files_that_cannot_be_written(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    (recipe.work / "folder.csv").mkdir()
    (recipe.work / "full.csv").symlink_to("/dev/full")
    names = ["folder.csv", "nowhere/t.csv", "full.csv"]
    outcomes = recipe.each(f"ksqlfs_export t {name}" for name in names)
    assert [status for status, _ in outcomes] == [1, 1, 1]
    assert [said for _, said in outcomes] == [
        "ksqlfs: folder.csv is a directory.\n",
        "ksqlfs: nowhere/t.csv cannot be written: no file can be made beside it.\n",
        "ksqlfs: the answer cannot be written: No space left on device.\n",
    ]
    assert listing(recipe) == ["folder.csv", "full.csv"]
    assert list((recipe.work / "folder.csv").iterdir()) == []


def test_wrong_usage_of_export(recipe: Runner) -> None:
    wrong = ["", "t t.xml", "t t.csv more", "t csv"]
    recipe.wrong_usage([f"ksqlfs_export {arguments}" for arguments in wrong])
    assert listing(recipe) == []


# Backup and restore


@pytest.fixture(params=["sql", "db"])
def ending(request: pytest.FixtureRequest, tree: Tree) -> str:
    """Of a backup that the tree can make."""
    kind: str = request.param
    if kind == "db" and not (tree / "image").exists():
        pytest.skip("this host has no image")
    return kind


def test_a_backup_brings_everything_back(recipe: Runner, tree: Tree, ending: str) -> None:
    fill(tree)
    before = content(tree)
    assert recipe.fine('ksqlfs_backup "$1"', f"-a b.{ending}") == ""
    tree.clean()
    tree.run("CREATE TABLE other(a); CREATE VIEW early AS SELECT 1; PRAGMA user_version = 3")
    assert recipe.fine('ksqlfs_restore "$1"', f"-a b.{ending}") == ""
    assert content(tree) == before
    assert listing(recipe) == [f"-a b.{ending}"]
    tree.run(f'INSERT INTO {QUOTED}("q""q") VALUES(1)')
    assert tree.value(f'SELECT max("x y") FROM {QUOTED}') == str(len(VALUES) + 1)


def test_a_backup_of_nothing(recipe: Runner, tree: Tree, ending: str) -> None:
    tree.run("PRAGMA user_version = 0; PRAGMA application_id = 0")
    assert recipe.fine(f"ksqlfs_backup b.{ending}") == ""
    tree.run("CREATE TABLE t(a)")
    assert recipe.fine(f"ksqlfs_restore b.{ending}") == ""
    assert tree.tables() == []


def test_sqlite3_reads_a_backup(recipe: Runner, tree: Tree, ending: str) -> None:
    fill(tree)
    recipe.fine(f"ksqlfs_backup b.{ending}")
    file = recipe.work / f"b.{ending}"
    with sqlite3.connect(file if ending == "db" else ":memory:") as db:
        if ending == "sql":
            db.executescript(file.read_bytes().decode())
        rows = db.execute(f'SELECT "q""q", "line\n    feed" FROM {QUOTED} ORDER BY 1').fetchall()
    assert sorted(rows, key=repr) == sorted(VALUES[:-1], key=repr)


def test_what_sqlite3_writes_is_restored(recipe: Runner, tree: Tree, ending: str) -> None:
    tree.run("CREATE TABLE old(a)")
    with sqlite3.connect(recipe.work / "made.db") as db:
        db.execute("CREATE TABLE t(a)")
        db.execute("INSERT INTO t VALUES('it''s')")
        db.commit()
        lines = ["PRAGMA foreign_keys=OFF;", *db.iterdump(), ""]
    (recipe.work / "made.sql").write_text("\n".join(lines))
    recipe.fine(f"ksqlfs_restore made.{ending}")
    assert tree.tables() == ["t"]
    assert tree.value("SELECT a FROM t") == "it's"


BEGIN = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
BAD = {
    "empty": b"",
    "garbage": b"garbage\n",
    "open": f"{BEGIN}CREATE TABLE t(a);\n".encode(),
    "wrong": f"{BEGIN}CREATE TABLE t(a);\nSELEC;\nCOMMIT;\n".encode(),
    "string": f"{BEGIN}CREATE TABLE t(a);\nSELECT '\nCOMMIT;\n".encode(),
    "no-database": b"SQLite format 3\0 but no more",
}


def test_a_bad_backup_changes_nothing(recipe: Runner, tree: Tree, ending: str) -> None:
    fill(tree)
    before = content(tree)
    assert recipe.fine(f"ksqlfs_backup whole.{ending}") == ""
    whole = (recipe.work / f"whole.{ending}").read_bytes()
    bad = dict(BAD)
    for length in (1, len(whole) // 3, len(whole) // 2, len(whole) - len("COMMIT;\n")):
        bad[f"cut-{length}"] = whole[:length]
    for name, text in bad.items():
        (recipe.work / name).write_bytes(text)
    script = 'for file; do ksqlfs_restore "$file" && echo "$file: done" || echo "$file: $?"; done'
    done = recipe(script, *bad)
    assert done.stdout.splitlines() == [f"{name}: 1" for name in bad]
    assert content(tree) == before


def test_files_that_are_not_there(recipe: Runner, tree: Tree) -> None:
    (recipe.work / "folder").mkdir()
    outcomes = recipe.each(
        ["ksqlfs_restore nowhere", "ksqlfs_restore folder", "ksqlfs_backup nowhere/b.sql"]
    )
    assert outcomes == [
        (1, "ksqlfs: nowhere is no file that can be read.\n"),
        (1, "ksqlfs: folder is no file that can be read.\n"),
        (1, "ksqlfs: nowhere/b.sql cannot be written: no file can be made beside it.\n"),
    ]
    recipe.wrong_usage(
        ["ksqlfs_backup", "ksqlfs_restore", "ksqlfs_backup a.sql b", "ksqlfs_backup ''"]
    )
    assert listing(recipe) == ["folder"]


def test_virtual_tables_are_not_for_sql(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE VIRTUAL TABLE search USING fts5(text)")
    assert "search is virtual" in recipe.refused(1, "ksqlfs_backup b.sql")
    assert listing(recipe) == []


def test_virtual_tables_give_way_to_a_backup(recipe: Runner, tree: Tree) -> None:
    recipe.fine("ksqlfs_backup b.sql")
    tree.run("CREATE VIRTUAL TABLE search USING fts5(text); CREATE TABLE t(a)")
    recipe.fine("ksqlfs_restore b.sql")
    assert tree.tables() == []


def test_a_backup_is_of_one_moment(recipe: Runner, tree: Tree) -> None:
    """What is committed between its tables is not in it."""
    tree.run("CREATE TABLE a(x); CREATE TABLE b(x)")
    script = """
        ksqlfs_open 3
        ksqlfs_query -s 3 'BEGIN; SELECT count(*) FROM a' > /dev/null
        ksqlfs_query 'INSERT INTO a VALUES(1)'
        ksqlfs_query -s 3 'SELECT count(*) AS n FROM a'
        ksqlfs_close 3
        ksqlfs_backup b.sql
    """
    assert recipe.fine(script) == "n\n0\n"
    assert 'INSERT INTO "a"' in (recipe.work / "b.sql").read_text()


def test_a_full_disk_leaves_no_backup(recipe: Runner, tree: Tree, ending: str) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    (recipe.work / f"full.{ending}").symlink_to(Path("/dev/full"))
    assert "No space left on device" in recipe.refused(1, f"ksqlfs_backup full.{ending}")
    assert listing(recipe) == [f"full.{ending}"]
