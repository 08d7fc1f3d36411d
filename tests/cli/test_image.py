# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl save` and `ksqlctl restore`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Ctl
from tests.cli.terminal import Terminal
from tests.interface.tree import Tree

Run = Callable[..., Terminal]


@pytest.fixture
def image(tree: Tree) -> Tree:
    """A tree that has `image`, with a table in it."""
    if not (tree.root / "image").exists():
        pytest.skip("this tree has no image")
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
    return tree


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another database, in a file."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE u(b); INSERT INTO u VALUES('x')")
    return path


def test_a_saved_file_is_the_database(ctl: Ctl, image: Tree) -> None:
    assert ctl.out("save", "saved.db") == ""
    assert os.listdir(ctl.folder) == ["saved.db"]
    with closing(sqlite3.connect(ctl.folder / "saved.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT a FROM t").fetchall() == [(1,), (2,)]


def test_what_was_saved_is_restored(ctl: Ctl, image: Tree) -> None:
    ctl.out("save", "saved.db")
    image.run("DROP TABLE t; CREATE TABLE u(b)")
    ctl.out("restore", "--yes", "saved.db")
    assert image.tables() == ["t"]
    assert image.ask("SELECT a FROM t") == "a\n1\n2\n"


def test_an_empty_database_is_restored_without_asking(ctl: Ctl, image: Tree, other: Path) -> None:
    image.clean()
    ctl.out("restore", other)
    assert image.tables() == ["u"]


def test_a_pipe_must_say_yes_to_lose_data(ctl: Ctl, image: Tree, other: Path) -> None:
    image.run("CREATE VIEW v AS SELECT 1; CREATE VIEW w AS SELECT 1")
    done = ctl("restore", other, code=2)
    assert "holds 1 table and 2 views, which" in done.stderr
    assert "--yes" in done.stderr
    assert image.tables() == ["t"]


@pytest.mark.parametrize(("answer", "code", "tables"), [("y", 0, ["u"]), ("n", 1, ["t"])])
def test_a_terminal_is_asked(
    terminal: Run, image: Tree, other: Path, answer: str, code: int, tables: list[str]
) -> None:
    shown = terminal("restore", other)
    shown.wait("Go on? [y/N]:")
    shown.type(f"{answer}\n")
    assert shown.end() == code
    assert image.tables() == tables


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_bad_file_changes_nothing(ctl: Ctl, image: Tree, content: bytes) -> None:
    (ctl.folder / "bad.db").write_bytes(content)
    failure = ctl.fails(4, "restore", "--yes", "bad.db")
    assert "bad.db" in failure
    assert image.tables() == ["t"]


def test_files_that_cannot_be_had_are_told(ctl: Ctl, image: Tree) -> None:
    assert ctl.fails(4, "restore", "--yes", "missing.db").startswith("missing.db: No such file")
    assert "No such file" in ctl.fails(4, "save", "missing/saved.db")
    assert image.tables() == ["t"]


def test_a_tree_without_image_says_so(ctl: Ctl, tree: Tree, other: Path) -> None:
    if (tree.root / "image").exists():
        pytest.skip("this tree has image")
    for words in (["save", "saved.db"], ["restore", str(other)]):
        failure = ctl.fails(1, *words)
        assert "has no `image`" in failure
    assert not (ctl.folder / "saved.db").exists()
