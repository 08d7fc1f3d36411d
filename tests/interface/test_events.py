# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""events: two numbers that grow, and waiting for them."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child

# What is to come is waited for so long (milliseconds): the test's own end comes before.
PATIENCE = 110_000
ALWAYS = select.POLLIN | select.POLLOUT


class Events:
    """An open events file."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self) -> tuple[int, int]:
        """Both numbers as they are now."""
        text = os.pread(self.fd, 4096, 0).decode()
        (data, n), (schema, m) = (line.split(" ") for line in text.splitlines())
        assert (data, schema) == ("data_version", "schema_version")
        return int(n), int(m)

    def changed(self, timeout: int = 0) -> bool:
        """Does poll() say so within so many milliseconds?"""
        poll = select.poll()
        poll.register(self.fd, select.POLLPRI)
        found = poll.poll(timeout)
        assert found in ([], [(self.fd, select.POLLPRI)])
        return bool(found)


@contextmanager
def events(tree: Tree) -> Iterator[Events]:
    fd = os.open(tree / "events", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield Events(fd)
    finally:
        os.close(fd)


def test_two_lines(tree: Tree) -> None:
    lines = tree.text("events").split("\n")
    assert lines[0].removeprefix("data_version ").isdecimal()
    assert lines[1].removeprefix("schema_version ").isdecimal()
    assert lines[2:] == [""]
    assert (tree / "events").stat().st_size == len(tree.read("events"))


def test_it_is_read_as_results_are(tree: Tree) -> None:
    mode = stat.S_IMODE((tree / "events").stat().st_mode)
    assert mode == stat.S_IMODE((tree / "result").stat().st_mode)
    with fails("EPERM", "EACCES"):
        os.open(tree / "events", os.O_WRONLY)


def test_commits_make_the_data_version_grow(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file:
        data, schema = file.read()
        for i in range(1, 5):
            tree.run("INSERT INTO t VALUES(1)")
            assert file.read() == (data + i, schema)
        assert file.read() == (data + 4, schema)


def test_changes_of_the_schema_make_both_grow(tree: Tree) -> None:
    with events(tree) as file:
        last = file.read()
        for sql in ("CREATE TABLE t(a)", "ALTER TABLE t ADD COLUMN b", "DROP TABLE t"):
            tree.run(sql)
            now = file.read()
            assert now[0] > last[0]
            assert now[1] > last[1]
            last = now


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "BEGIN IMMEDIATE; COMMIT",
        "BEGIN; INSERT INTO t VALUES(1); ROLLBACK",
        "UPDATE t SET a = 1 WHERE a = 7",
        "CREATE TEMP TABLE temporary(a); INSERT INTO temporary VALUES(1)",
    ],
)
def test_what_changes_nothing_is_no_event(tree: Tree, sql: str) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file:
        before = file.read()
        tree.run(sql)
        assert not file.changed()
        assert file.read() == before


def test_a_failure_is_no_event(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)")
    with events(tree) as file:
        with fails("EEXIST"):
            tree.run("BEGIN; INSERT INTO t VALUES(2); INSERT INTO t VALUES(1);")
        assert not file.changed()


def test_a_transaction_is_an_event_when_it_commits(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file, tree.connect() as connection:
        connection.ask("BEGIN; INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);")
        assert not file.changed()
        connection.ask("COMMIT;")
        assert file.changed()


def test_reading_from_the_beginning_ends_it(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file:
        assert not file.changed()
        tree.run("INSERT INTO t VALUES(1)")
        assert file.changed()
        os.pread(file.fd, 100, 5)
        assert file.changed()
        file.read()
        assert not file.changed()


def test_by_read_and_lseek(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file:
        first = os.read(file.fd, 4096)
        assert os.read(file.fd, 4096) == b""
        tree.run("INSERT INTO t VALUES(1)")
        assert os.read(file.fd, 4096) == b""
        assert os.lseek(file.fd, 0, os.SEEK_SET) == 0
        second = os.read(file.fd, 4096)
        assert second == tree.read("events") != first


def test_it_can_be_read_always(tree: Tree) -> None:
    with events(tree) as file:
        poll = select.poll()
        poll.register(file.fd, select.POLLIN)
        assert poll.poll(PATIENCE) == [(file.fd, select.POLLIN)]


def test_other_files_are_ready_at_once(tree: Tree) -> None:
    with tree.connect() as connection:
        poll = select.poll()
        poll.register(connection.fd, ALWAYS | select.POLLPRI)
        assert poll.poll(PATIENCE) == [(connection.fd, ALWAYS)]


def test_a_commit_wakes_who_waits(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file:
        before, _ = file.read()
        writer = threading.Thread(target=lambda: tree.run("INSERT INTO t VALUES(1)"))
        writer.start()
        assert file.changed(PATIENCE)
        writer.join()
        assert file.read()[0] == before + 1


def test_a_commit_of_another_process_wakes(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file:
        file.read()
        in_child(lambda: tree.run("INSERT INTO t VALUES(1)"))
        assert file.changed(PATIENCE)


def test_select_and_epoll_wait_too(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with events(tree) as file, select.epoll() as epoll:
        file.read()
        epoll.register(file.fd, select.EPOLLPRI | select.EPOLLET)
        assert epoll.poll(0) == []
        tree.run("INSERT INTO t VALUES(1)")
        assert epoll.poll(PATIENCE / 1000) == [(file.fd, select.EPOLLPRI)]
        assert select.select([], [], [file.fd], PATIENCE / 1000) == ([], [], [file.fd])


def test_many_wait_at_once(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    waiting, woken = threading.Barrier(9), []

    def wait() -> None:
        with events(tree) as file:
            file.read()
            waiting.wait()
            woken.append(file.changed(PATIENCE))

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    waiting.wait()
    tree.run("INSERT INTO t VALUES(1)")
    for thread in threads:
        thread.join()
    assert woken == [True] * 8


def test_nothing_is_missed(tree: Tree) -> None:
    """Read, look, wait: who follows so is left with the last value, whenever commits come."""
    last = 200
    tree.run("CREATE TABLE n(v); INSERT INTO n VALUES(0)")
    seen: list[int] = []

    def follow() -> None:
        with events(tree) as file:
            while True:
                file.read()
                seen.append(int(tree.text("tables/n/data.csv").split()[1]))
                if seen[-1] == last or not file.changed(PATIENCE):
                    return

    follower = threading.Thread(target=follow)
    follower.start()
    with tree.connect() as connection:
        for i in range(last):
            connection.ask(f"UPDATE n SET v = {i + 1};")
    follower.join()
    assert seen[-1] == last
    assert seen == sorted(seen)


def test_databases_do_not_hear_of_each_other(tree: Tree, mount: Mounter) -> None:
    other = mount()
    tree.run("CREATE TABLE t(a)")
    with events(other) as file:
        before = file.read()
        tree.run("INSERT INTO t VALUES(1)")
        assert not file.changed()
        assert file.read() == before


def test_the_features_name_it(tree: Tree) -> None:
    assert "events poll" in tree.text("info/features").splitlines()
