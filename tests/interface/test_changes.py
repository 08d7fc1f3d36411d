# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""tables/NAME/changes: a stream that waits; sizes and times of a table's files."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child, wait_until

FILES = ["data.csv", "data.json", "data.ndjson", "data.tsv", "schema", "columns", "count"]


@contextmanager
def changes(tree: Tree, table: str, flags: int = 0) -> Iterator[int]:
    """The file, open."""
    fd = os.open(tree / f"tables/{table}/changes", os.O_RDONLY | flags)
    try:
        yield fd
    finally:
        os.close(fd)


def waits(pid: int) -> bool:
    """Whether a process sleeps, in a way that signals end."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


def ready(fd: int) -> bool:
    """Whether poll() finds something to read."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def test_a_reader_waits_for_a_commit(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    got: list[bytes] = []
    with changes(tree, "t") as fd:
        reader = threading.Thread(target=lambda: got.append(os.read(fd, 1000)))
        reader.start()
        tree.run("BEGIN; INSERT INTO t VALUES(1); ROLLBACK")
        tree.run("SELECT * FROM t")
        assert reader.is_alive()
        tree.run("INSERT INTO t VALUES(5)")
        reader.join()
    version = int(dict(line.split() for line in tree.text("events").splitlines())["data_version"])
    assert [json.loads(part) for part in got] == [{"op": "insert", "rowid": 5, "version": version}]


def test_reading_goes_on(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    with open(tree / "tables/t/changes") as file:
        for number in range(1, 4):
            tree.run(f"INSERT INTO t VALUES({number})")
            line = json.loads(file.readline())
            assert (line["op"], line["rowid"]) == ("insert", number)
        tree.run("UPDATE t SET a = a + 10 WHERE a = 1; DELETE FROM t WHERE a > 5")
        lines = [json.loads(file.readline()) for _ in range(3)]
        assert [(line["op"], line["rowid"]) for line in lines] == [
            ("delete", 1),
            ("insert", 11),
            ("delete", 11),
        ]


def test_nonblocking_and_poll(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    with changes(tree, "t", os.O_NONBLOCK) as fd:
        assert not ready(fd)
        with fails("EAGAIN"):
            os.read(fd, 100)
        tree.run("INSERT INTO t VALUES(1), (2)")
        assert ready(fd)
        got = b""
        while ready(fd):
            got += os.read(fd, 10)
        assert len(got.splitlines()) == 2
        with fails("EAGAIN"):
            os.read(fd, 100)


def test_poll_wakes(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY); CREATE TABLE u(a)")
    with changes(tree, "t") as fd:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        found: list[list[tuple[int, int]]] = []
        waiter = threading.Thread(target=lambda: found.append(poll.poll()))
        waiter.start()
        tree.run("INSERT INTO u VALUES(1)")
        tree.run("INSERT INTO t VALUES(1)")
        waiter.join()
        assert found[0][0][1] & select.POLLIN


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_who_waits_can_be_killed(tree: Tree, how: signal.Signals) -> None:
    tree.run("CREATE TABLE t(a)")
    with changes(tree, "t") as fd:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.read(fd, 10)
            os._exit(1)
        wait_until(lambda: waits(pid), "the reader waits")
        os.kill(pid, how)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -how
        tree.run("INSERT INTO t VALUES(1)")
        assert b"insert" in os.read(fd, 1000)


def test_many_wait_and_nobody_is_delayed(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    got: list[bytes] = []

    def read() -> None:
        with changes(tree, "t") as fd:
            opened.release()
            got.append(os.read(fd, 1000))

    opened = threading.Semaphore(0)
    readers = [threading.Thread(target=read) for _ in range(20)]
    for reader in readers:
        reader.start()
        opened.acquire()
    assert tree.value("SELECT 1") == "1"
    tree.run("INSERT INTO t VALUES(7)")
    for reader in readers:
        reader.join()
    assert {json.loads(text)["rowid"] for text in got} == {7}


def test_it_is_a_stream_that_is_not_written_to(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    path = tree / "tables/t/changes"
    assert os.stat(path).st_size == 0
    with changes(tree, "t") as fd:
        with fails("ESPIPE"):
            os.lseek(fd, 0, os.SEEK_SET)
        with fails("ESPIPE"):
            os.pread(fd, 10, 0)
    for flags in (os.O_WRONLY, os.O_RDWR):
        with fails("EPERM"):
            os.open(path, flags)


def test_sizes_are_exact(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a, b); CREATE VIEW v AS SELECT * FROM t")
    for number in range(3):
        for file in FILES * 2:
            path = tree / f"tables/t/{file}"
            assert os.stat(path).st_size == len(path.read_bytes()), file
        tree.run(f"INSERT INTO t VALUES({number}, 'text {number}'), (NULL, x'00')")
    assert os.stat(tree / "views/v/data.csv").st_size == 0


def test_times_are_those_of_the_table(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE TABLE u(a)")
    before = {name: os.stat(tree / f"tables/{name}/data.csv").st_mtime_ns for name in "tu"}
    tree.run("INSERT INTO t VALUES(1)")
    assert os.stat(tree / "tables/t/data.csv").st_mtime_ns > before["t"]
    assert os.stat(tree / "tables/u/data.csv").st_mtime_ns == before["u"]
    assert os.stat(tree.root).st_mtime_ns == os.stat(tree / "tables/t").st_mtime_ns


def test_a_user_may_have_so_many_open(mount: Mounter) -> None:
    tree = mount(mode="0777")
    tree.run("CREATE TABLE t(a); CREATE TABLE u(a)")

    def opened(table: str) -> int:
        return os.open(tree / f"tables/{table}/changes", os.O_RDONLY | os.O_NONBLOCK)

    def opens() -> bool:
        try:
            fds.append(opened("t"))
        except OSError as error:
            return error.errno != errno.EDQUOT
        return True

    fds = [opened("tu"[number % 2]) for number in range(256)]
    assert not opens()
    with fails("EDQUOT"):
        opened("u")
    # Others have their own, and who has so many still reads.
    assert in_child(lambda: opened("t"), uid=4001) > 2
    tree.run("INSERT INTO t VALUES(1)")
    assert b'"insert"' in os.read(fds[-2], 1000)
    os.close(fds.pop())
    wait_until(opens, "there is room for one more")
    assert not opens()
    for fd in fds:
        os.close(fd)
