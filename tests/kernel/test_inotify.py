# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""inotify: a commit is a write to the files of the tables that it changed."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interface.tree import Tree

IN_MODIFY = 0x2
# What a commit may take to be told of (milliseconds): the test's own end comes before.
PATIENCE = 110_000
EVENT = struct.Struct("iIII")
SHOWN = {"data.csv", "data.json", "data.ndjson", "data.tsv", "schema", "columns", "count"}

_libc = ctypes.CDLL(None, use_errno=True)


class Watches:
    """An inotify descriptor."""

    def __init__(self) -> None:
        self.fd = _libc.inotify_init1(os.O_CLOEXEC)
        assert self.fd >= 0
        self.paths: dict[int, Path] = {}

    def add(self, path: Path) -> None:
        """Watch one more."""
        number = _libc.inotify_add_watch(self.fd, os.fsencode(path), IN_MODIFY)
        assert number >= 0, os.strerror(ctypes.get_errno())
        self.paths[number] = path

    def read(self, timeout: int = PATIENCE) -> set[Path]:
        """The names that changed, as soon as there are any."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if not poll.poll(timeout):
            return set()
        data, found = os.read(self.fd, 1 << 16), set()
        while data:
            number, mask, _, size = EVENT.unpack_from(data)
            assert mask == IN_MODIFY
            name = data[EVENT.size : EVENT.size + size].rstrip(b"\0").decode()
            found.add(self.paths[number] / name if name else self.paths[number])
            data = data[EVENT.size + size :]
        return found


@contextmanager
def watching(*paths: Path) -> Iterator[Watches]:
    watches = Watches()
    try:
        for path in paths:
            watches.add(path)
        yield watches
    finally:
        os.close(watches.fd)


def test_a_file(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE TABLE u(a)")
    path = tree / "tables/t/data.csv"
    with watching(path) as watches:
        tree.run("INSERT INTO u VALUES(1)")
        tree.run("BEGIN; INSERT INTO t VALUES(1); ROLLBACK")
        path.read_text()
        assert watches.read(200) == set()
        for number in range(3):
            tree.run(f"INSERT INTO t VALUES({number})")
            assert watches.read() == {path}
            assert path.read_text().splitlines()[-1] == str(number)


def test_a_folder(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    folder = tree / "tables/t"
    with watching(folder) as watches:
        tree.run("INSERT INTO t VALUES(1)")
        found = watches.read()
        while more := watches.read(1000):
            found |= more
        assert found == {folder / name for name in SHOWN}


def test_several(tree: Tree) -> None:
    """By a trigger as well, and events at each commit."""
    tree.run(
        "CREATE TABLE t(a); CREATE TABLE u(a);"
        "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u VALUES(new.a); END"
    )
    paths = {tree / "tables/t/count", tree / "tables/u/count", tree / "events"}
    with watching(*paths) as watches:
        tree.run("INSERT INTO t VALUES(1)")
        found = watches.read()
        while found != paths:
            found |= watches.read()


def test_a_table_that_is_made_again(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    path = tree / "tables/t/data.csv"
    with watching(path) as watches:
        tree.run("DROP TABLE t; CREATE TABLE t(b); INSERT INTO t VALUES(1)")
        assert watches.read() == {path}
        while watches.read(100):
            pass
        tree.run("INSERT INTO t VALUES(2)")
        assert watches.read() == {path}


def test_one_name_is_one_inode(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    path = tree / "tables/t/data.csv"
    with open(path) as first, open(path) as second:
        assert os.fstat(first.fileno()).st_ino == os.fstat(second.fileno()).st_ino
        tree.run("DROP TABLE t")
        assert not path.exists()
        tree.run("CREATE TABLE t(b)")
        assert path.read_text() == "b\n"
        assert first.read() == second.read() == "a\n"
    with watching(tree / "tables/t") as watches:
        os.chdir(tree / "tables/t")
        try:
            tree.run("DROP TABLE t")
            tree.run("CREATE TABLE t(c)")
            assert Path("data.csv").read_text() == "c\n"
        finally:
            os.chdir("/")
        assert watches.read()
