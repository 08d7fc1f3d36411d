# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""image: backups by cp, of Python's own sqlite3, there and back; and files that are none."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, rows_sql

FILL = f"""
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
CREATE INDEX tb ON t(b);
CREATE VIRTUAL TABLE doc USING fts5(body);
INSERT INTO t {rows_sql(20_000, "n, hex(randomblob(10))")};
INSERT INTO doc SELECT b FROM t LIMIT 100;
"""


def copy(source: Path, target: Path) -> None:
    """GNU cp, which must succeed."""
    subprocess.run(["cp", source, target], check=True)


def dump(path: Path) -> list[str]:
    """A database file as SQL, checked before; it may only be read."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


def make(path: Path, *scripts: str) -> Path:
    """A database file made by Python's SQLite."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for script in scripts:
            connection.executescript(script)
    return path


def test_it_is_a_file_to_read_and_write(tree: Tree) -> None:
    status = (tree / "image").stat()
    assert stat.S_ISREG(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert "image 1" in tree.text("info/features").splitlines()


def test_there_and_back(tree: Tree, tmp_path: Path) -> None:
    tree.run(FILL)
    total = tree.value("SELECT count(*) || sum(a) || max(b) FROM t")
    backup = tmp_path / "backup.db"
    copy(tree / "image", backup)
    assert backup.stat().st_size == (tree / "image").stat().st_size > 1_000_000
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        query = "SELECT count(*) || sum(a) || max(b) FROM t"
        assert connection.execute(query).fetchone()[0] == total
        connection.execute("INSERT INTO t VALUES(-1, 'from outside')")
        connection.commit()
    tree.run("DELETE FROM t; DROP TABLE doc; CREATE TABLE other(x)")
    copy(backup, tree / "image")
    assert tree.text("error") == "ok\n"
    assert tree.tables() == ["doc", "t"]
    assert tree.value("SELECT b FROM t WHERE a = -1") == "from outside"
    assert tree.value("SELECT count(*) FROM t") == "20001"
    assert tree.value("SELECT count(*) FROM doc('a* OR b* OR c*')") != "0"
    assert tree.value("PRAGMA integrity_check") == "ok"


def test_a_copy_in_a_folder_that_is_only_read(tree: Tree, tmp_path: Path) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    folder = tmp_path / "readonly"
    folder.mkdir()
    copy(tree / "image", folder / "backup.db")
    folder.chmod(0o555)
    assert 'INSERT INTO "t" VALUES(1);' in dump(folder / "backup.db")
    assert os.listdir(folder) == ["backup.db"]


def test_busybox_dd_and_python_read_the_same(tree: Tree, tmp_path: Path) -> None:
    tree.run(FILL)
    whole = tree.read("image")
    assert len(whole) == (tree / "image").stat().st_size
    subprocess.run(
        ["dd", f"if={tree / 'image'}", f"of={tmp_path / 'dd.db'}", "bs=7777", "status=none"],
        check=True,
    )
    assert (tmp_path / "dd.db").read_bytes() == whole
    shutil.copyfile(tree / "image", tmp_path / "python.db")
    assert (tmp_path / "python.db").read_bytes() == whole
    with (tree / "image").open("rb", buffering=0) as file:
        file.seek(-4096, os.SEEK_END)
        assert file.read() == whole[-4096:]
        assert os.pread(file.fileno(), 16, 0) == b"SQLite format 3\0"


def test_a_shell_redirection_brings_it_back(tree: Tree, tmp_path: Path) -> None:
    tree.run(FILL)
    before = tree.value("SELECT max(b) FROM t")
    command = 'cat image >"$1/a.db"; echo "DELETE FROM t" >query; cat "$1/a.db" >image; cat error'
    done = subprocess.run(
        ["sh", "-c", command, "sh", tmp_path], cwd=tree.root, check=True, capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"ok\n", b"")
    assert tree.value("SELECT max(b) FROM t") == before


def test_a_reader_keeps_its_snapshot_while_writers_go_on(tree: Tree, tmp_path: Path) -> None:
    tree.run(FILL)
    copy(tree / "image", tmp_path / "before.db")
    with (tree / "image").open("rb") as file:
        head = file.read(100_000)
        for _ in range(5):
            tree.run("UPDATE t SET b = 'changed'; INSERT INTO doc VALUES('more')")
        (tmp_path / "late.db").write_bytes(head + file.read())
    assert dump(tmp_path / "late.db") == dump(tmp_path / "before.db")
    copy(tree / "image", tmp_path / "after.db")
    assert dump(tmp_path / "after.db") != dump(tmp_path / "before.db")


def test_readers_keep_theirs_when_it_is_replaced(tree: Tree, tmp_path: Path) -> None:
    tree.run(FILL)
    with tree.connect() as connection, (tree / "tables/t/data.csv").open() as data:
        connection.ask("BEGIN; SELECT count(*) FROM t")
        copy(
            make(tmp_path / "new.db", "CREATE TABLE t(z); INSERT INTO t VALUES(9)"), tree / "image"
        )
        assert tree.text("tables/t/data.csv") == "z\n9\n"
        assert connection.ask("SELECT count(*) FROM t") == "count(*)\n20000\n"
        with fails("EBUSY"):
            connection.ask("DELETE FROM t")
        connection.ask("ROLLBACK")
        assert connection.ask("SELECT * FROM t") == "z\n9\n"
        assert len(data.readlines()) == 20_001


@pytest.mark.parametrize("page_size", [512, 1024, 16384])
def test_a_database_with_other_pages(tree: Tree, tmp_path: Path, page_size: int) -> None:
    size = f"PRAGMA page_size = {page_size}"
    source = make(tmp_path / "other.db", size, f"CREATE TABLE n AS {rows_sql(5000)}")
    copy(source, tree / "image")
    assert tree.value("SELECT sum(n) FROM n") == str(5000 * 5001 // 2)
    copy(tree / "image", tmp_path / "back.db")
    assert dump(tmp_path / "back.db") == dump(source)


BAD = {
    "a line feed": b"\n",
    "text": b"hello, world\n",
    "long text": b"hello, world\n" * 10_000,
    "zeros": bytes(8192),
    "half a page": b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20".ljust(2048, b"\0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_database_changes_nothing(tree: Tree, tmp_path: Path, name: str) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    bad = tmp_path / "bad.db"
    bad.write_bytes(BAD[name])
    done = subprocess.run(["cp", bad, tree / "image"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Structure needs cleaning" in done.stderr
    assert "errno EUCLEAN (117)" in tree.text("error")
    assert tree.status()["errno"] == "EUCLEAN"
    assert tree.text("tables/t/data.csv") == "a\nkept\n"


def test_damage_changes_nothing(tree: Tree, tmp_path: Path) -> None:
    tree.run(FILL)
    whole = tree.read("image")
    page = len(whole) // 8192 * 4096
    for bad in (whole[:-4096], whole[:page], whole[:page] + bytes(4096) + whole[page + 4096 :]):
        (tmp_path / "bad.db").write_bytes(bad)
        with fails("EUCLEAN"):
            shutil.copyfile(tmp_path / "bad.db", tree / "image")
        assert tree.read("image") == whole


def test_one_larger_than_the_database_may_be(mount: Mounter, tmp_path: Path) -> None:
    tree = mount(size=1 << 20)
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    large = make(tmp_path / "large.db", f"CREATE TABLE n AS {rows_sql(200_000)}")
    with fails("ENOSPC"):
        shutil.copyfile(large, tree / "image")
    assert "size=" in tree.text("error")
    assert tree.text("tables/t/data.csv") == "a\nkept\n"


def test_who_holds_the_lock_is_waited_for(mount: Mounter, tmp_path: Path) -> None:
    tree = mount(busy=50)
    source = make(tmp_path / "new.db", "CREATE TABLE new(a)")
    with tree.connect() as connection:
        connection.ask("BEGIN IMMEDIATE; CREATE TABLE mine(a)")
        with fails("EBUSY"):
            shutil.copyfile(source, tree / "image")
        connection.ask("COMMIT")
    assert tree.tables() == ["mine"]
    shutil.copyfile(source, tree / "image")
    assert tree.tables() == ["new"]


def test_it_cannot_be_opened_read_write(tree: Tree) -> None:
    with fails("EPERM"):
        os.open(tree / "image", os.O_RDWR)


def test_a_read_only_mount_gives_images_and_takes_none(mount: Mounter) -> None:
    tree = mount(ro="")
    assert tree.read("image")[:15] == b"SQLite format 3"
    with fails("EROFS"):
        os.open(tree / "image", os.O_WRONLY)
