# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Beyond PEP 249: tables, views, changes, images, information."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import ksqlfs
import pytest
from ksqlfs import transfer

from tests.client.conftest import Connect
from tests.interface.tree import Tree, quote_name

NAMES = ["plain", "a/b", "100%", ".hidden", "größe 表", 'quo"te', "two words", "line\nbreak", "a'b"]


def test_tables_and_views(db: ksqlfs.Connection) -> None:
    assert db.tables == []
    assert db.views == []
    db.executescript(
        "CREATE TABLE b(x); CREATE TABLE a(x); CREATE VIEW w AS SELECT 1; CREATE TEMP TABLE c(x);"
        "CREATE VIEW v AS SELECT 2; CREATE INDEX i ON a(x)"
    )
    assert db.tables == ["a", "b"]
    assert db.views == ["v", "w"]


@pytest.mark.parametrize("name", NAMES)
def test_names(db: ksqlfs.Connection, name: str) -> None:
    db.execute(f"CREATE TABLE {quote_name(name)}(x)")
    db.execute(f"INSERT INTO {quote_name(name)} VALUES(1)")
    db.commit()
    assert db.tables == [name]
    table = db.table(name)
    assert table.name == name
    assert table.count == 1
    assert table.csv() == "x\n1\n"
    assert list(table) == [(1,)]
    assert repr(table) == f"<ksqlfs.Table {name!r}>"


def test_a_table(db: ksqlfs.Connection) -> None:
    db.executescript(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'a,\"b', n AS (id * 2));"
        "CREATE INDEX i ON t(name); INSERT INTO t(name) VALUES('it''s'), ('tab\t,');"
    )
    table = db.table("t")
    assert table.schema == (
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'a,\"b', n AS (id * 2));"
        "\nCREATE INDEX i ON t(name);\n"
    )
    assert table.count == 2
    assert table.columns == [
        ksqlfs.Column(0, "id", "INTEGER", False, None, 1, 0),
        ksqlfs.Column(1, "name", "TEXT", True, "'a,\"b'", 0, 0),
        ksqlfs.Column(2, "n", "", False, None, 0, 2),
    ]
    assert table.csv() == 'id,name,n\n1,it\'s,2\n2,"tab\t,",4\n'
    assert table.tsv() == "id\tname\tn\n1\tit's\t2\n2\ttab\\t,\t4\n"
    assert table.json() == '[{"id":1,"name":"it\'s","n":2},\n{"id":2,"name":"tab\\t,","n":4}]\n'
    assert table.ndjson() == '{"id":1,"name":"it\'s","n":2}\n{"id":2,"name":"tab\\t,","n":4}\n'
    assert list(table) == [(1, "it's", 2), (2, "tab\t,", 4)]


def test_columns_whose_names_have_line_breaks(db: ksqlfs.Connection) -> None:
    db.execute('CREATE TABLE t("a\nb", "c,d")')
    assert [column.name for column in db.table("t").columns] == ["a\nb", "c,d"]


def test_no_such_table(db: ksqlfs.Connection) -> None:
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^no such table: nope$") as caught:
        db.table("nope")
    assert caught.value.errno == errno.ENOENT


def test_a_table_that_is_dropped(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    table = db.table("t")
    db.execute("DROP TABLE t")
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^reading .*/t/count failed: No such"):
        _ = table.count


def test_information(db: ksqlfs.Connection, tree: Tree) -> None:
    assert db.info("version") == tree.text("info/version")
    assert "rows" in db.features["query"].split()
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^reading .*/info/nothing failed"):
        db.info("nothing")


# Changes


@pytest.fixture
def watch(db: ksqlfs.Connection) -> ksqlfs.Watch:
    if not (db.root / "events").exists():
        pytest.skip("this tree has no events")
    return db.watch(timeout=30)


def test_a_change_is_told(connect: Connect, watch: ksqlfs.Watch) -> None:
    writer = connect(None)
    first = watch.version
    writer.execute("CREATE TABLE t(a)")
    second = next(watch)
    assert second.data_version > first.data_version
    assert second.schema_version > first.schema_version
    assert watch.version == second
    writer.execute("INSERT INTO t VALUES(1)")
    third = next(watch)
    assert third.data_version > second.data_version
    assert third.schema_version == second.schema_version
    watch.close()


def test_changes_before_the_first_wait_are_not_missed(
    connect: Connect, watch: ksqlfs.Watch
) -> None:
    connect(None).execute("CREATE TABLE t(a)")
    with watch:
        assert next(watch) == watch.version
    watch.close()
    with pytest.raises(StopIteration):
        next(watch)


def test_without_a_change_the_iteration_ends(db: ksqlfs.Connection, watch: ksqlfs.Watch) -> None:
    watch.close()
    waiting = db.watch(timeout=0.01)
    assert list(waiting) == []
    with pytest.raises(StopIteration):
        next(waiting)


def test_a_rollback_is_no_change(connect: Connect, watch: ksqlfs.Watch) -> None:
    watch.close()
    writer = connect()
    writer.execute("CREATE TABLE t(a)")
    short = writer.watch(timeout=0.01)
    writer.execute("INSERT INTO t VALUES(1)")
    writer.rollback()
    assert list(short) == []


def test_a_tree_without_events(db: ksqlfs.Connection, tmp_path: Path) -> None:
    with pytest.raises(ksqlfs.NotSupportedError, match="has no `events`"):
        ksqlfs.Watch(tmp_path, None)


# Images


@pytest.fixture
def filled(db: ksqlfs.Connection) -> ksqlfs.Connection:
    if not (db.root / "image").exists():
        pytest.skip("this tree has no image")
    db.executescript("CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'one'), (2, x'00ff')")
    return db


def read_with_sqlite(path: Path) -> list[Any]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT * FROM t").fetchall()
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    return rows


def test_save(filled: ksqlfs.Connection, tmp_path: Path) -> None:
    target = tmp_path / "saved.db"
    filled.save(target)
    assert read_with_sqlite(target) == [(1, "one"), (2, b"\x00\xff")]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask
    assert os.listdir(tmp_path) == ["saved.db"]


def test_save_over_a_file_keeps_its_mode_and_follows_links(
    filled: ksqlfs.Connection, tmp_path: Path
) -> None:
    target, link = tmp_path / "saved.db", tmp_path / "link.db"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    filled.save(str(link))
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert read_with_sqlite(target) == [(1, "one"), (2, b"\x00\xff")]


def test_a_save_that_fails_leaves_the_file_as_it_was(
    filled: ksqlfs.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "saved.db"
    target.write_text("old")

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        filled.save(target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["saved.db"]


def test_save_into_a_folder_that_is_not_there(filled: ksqlfs.Connection, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        filled.save(tmp_path / "nowhere" / "saved.db")


def test_load(filled: ksqlfs.Connection, tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    database = sqlite3.connect(source)
    database.execute("CREATE TABLE other(x)")
    database.executemany("INSERT INTO other VALUES(?)", [(n,) for n in range(50_000)])
    database.commit()
    database.close()
    filled.load(source)
    assert filled.tables == ["other"]
    assert filled.execute("SELECT sum(x) FROM other").fetchone() == (sum(range(50_000)),)


def test_what_was_saved_can_be_loaded(filled: ksqlfs.Connection, tmp_path: Path) -> None:
    filled.save(tmp_path / "saved.db")
    filled.executescript("DROP TABLE t; CREATE TABLE u(a)")
    filled.load(tmp_path / "saved.db")
    assert filled.tables == ["t"]
    assert filled.execute("SELECT * FROM t").fetchall() == [(1, "one"), (2, b"\x00\xff")]


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_database_is_refused(
    filled: ksqlfs.Connection, tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "source.db"
    source.write_bytes(content)
    with pytest.raises(ksqlfs.DatabaseError, match=r"source\.db cannot be loaded: ") as caught:
        filled.load(source)
    assert caught.value.errno_name == "EUCLEAN"
    assert filled.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_file_that_is_not_there_cannot_be_loaded(
    filled: ksqlfs.Connection, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        filled.load(tmp_path / "nowhere.db")
    assert filled.tables == ["t"]


def test_a_tree_without_image(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ksqlfs.NotSupportedError, match="has no `image`"):
        transfer.save(tmp_path, tmp_path / "out")
    with pytest.raises(ksqlfs.NotSupportedError, match="has no `image`"):
        transfer.load(tmp_path, tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]
