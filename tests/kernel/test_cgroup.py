# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Memory is charged to the cgroup of who takes it; none left there is ENOMEM to them alone."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Connection, fails, in_child, rows_sql

T = TypeVar("T")

MCL_CURRENT = 1
MIB = 1 << 20
# What the engine keeps for whoever comes next: 64 pages, 8 spans of 32 KiB, spare stacks.
KEPT = 2 * MIB

_libc = ctypes.CDLL(None, use_errno=True)


class Group:
    """A cgroup, in which children are run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        # Held open: who is in a full group is killed for opening a file.
        self._max = os.open(path / "memory.max", os.O_WRONLY | os.O_CLOEXEC)
        self._current = os.open(path / "memory.current", os.O_RDONLY | os.O_CLOEXEC)

    def limit(self, bytes_: int | None) -> None:
        """How much memory it may have."""
        os.pwrite(self._max, b"max" if bytes_ is None else b"%d" % bytes_, 0)

    def current(self) -> int:
        """How much it has."""
        return int(os.pread(self._current, 32, 0))

    def lines(self, name: str) -> dict[str, int]:
        """`memory.stat` or `memory.events`."""
        pairs = (line.split() for line in (self.path / name).read_text().splitlines())
        return {key: int(value) for key, value in pairs}

    def join(self) -> None:
        """Put the calling process into it."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """It has no process any more."""
        os.close(self._max)
        os.close(self._current)
        self.path.rmdir()


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Cgroup v2, with the memory controller."""
    place = tmp_path_factory.mktemp("cgroup")
    subprocess.run(["mount", "-t", "cgroup2", "none", place], check=True)
    (place / "cgroup.subtree_control").write_text("+memory")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def group(hierarchy: Path) -> Iterator[Group]:
    """A group of its own, which nobody was killed in."""
    made = Group(hierarchy / f"ksqlfs-{os.getpid()}")
    yield made
    events = made.lines("memory.events")
    made.remove()
    assert events["oom_kill"] == 0


def in_group(group: Group, action: Callable[[], T], room: int | None = None) -> T:
    """What an action gives in a process that is in the group, with so much room there.

    Its own memory is all there before: a page that it touches in a full group ends it.
    """

    def act() -> T:
        group.join()
        assert _libc.mlockall(MCL_CURRENT) == 0
        if room is not None:
            group.limit(group.current() + room)
        return action()

    return in_child(act)


def test_memory_is_charged_to_who_takes_it(group: Group, mount: Mounter) -> None:
    tree = mount()
    tree.run("CREATE TABLE t(b)")

    def take() -> tuple[int, int]:
        with tree.connect() as connection:
            connection.ask("SELECT 1")
            before = group.current()
            connection.ask("INSERT INTO t VALUES(randomblob(16000000))")
            taken = group.current() - before
            connection.ask("DELETE FROM t; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
            return taken, group.current() - before

    taken, left = in_group(group, take)
    assert 16_000_000 <= taken <= 24_000_000
    assert left <= KEPT
    # What is there when its process has gone stays charged to it.
    in_group(group, lambda: tree.run("INSERT INTO t VALUES(randomblob(16000000))"))
    assert group.lines("memory.stat")["kernel"] >= 16_000_000
    tree.run("DELETE FROM t; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
    assert group.lines("memory.stat")["kernel"] <= KEPT


def test_what_others_take_is_not(group: Group, mount: Mounter) -> None:
    tree = mount()

    def watch() -> int:
        before = group.current()
        with tree.connect() as connection:
            connection.ask("SELECT 1")
        return group.current() - before

    tree.run("CREATE TABLE t AS SELECT randomblob(16000000) AS b")
    assert in_group(group, watch) <= KEPT


def fill(connection: Connection) -> int:
    """Insert until there is no memory: the rows that went in."""
    rows = 0
    with fails("ENOMEM"):
        for rows in range(1000):
            connection.ask(f"INSERT INTO t VALUES({rows}, randomblob(1000000))")
    return rows


def test_a_full_group_is_enomem_to_those_in_it(group: Group, mount: Mounter) -> None:
    tree = mount()
    tree.run("CREATE TABLE t(n, b); CREATE TABLE u(n)")

    def act() -> tuple[int, int, str]:
        with tree.connect() as connection:
            connection.ask("SELECT 1")
            first = fill(connection)
            count = connection.ask("SELECT count(*) AS n FROM t")
            connection.ask("DELETE FROM t; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
            return first, fill(connection), count

    with tree.connect() as outside:
        outside.ask("BEGIN; INSERT INTO u VALUES(1); ROLLBACK")
        rows, again, count = in_group(group, act, 64 * MIB)
        outside.ask("INSERT INTO u VALUES(2)")
    assert 20 <= rows <= 67
    assert count == f"n\n{rows}\n"
    assert again >= rows // 2
    assert tree.value("SELECT count(*) FROM t") == str(again)
    assert tree.value("SELECT count(*) FROM t WHERE length(b) <> 1000000") == "0"
    assert tree.text("tables/u/count") == "1\n"
    assert tree.value("PRAGMA integrity_check") == "ok"
    # There was no memory only there.
    tree.run(f"INSERT INTO t {rows_sql(80, 'n, randomblob(1000000)')}")


def test_an_answer_too_large_for_the_group(group: Group, mount: Mounter) -> None:
    tree = mount(max_result="1g")
    rows = rows_sql(200, "n, hex(randomblob(500000)) AS b")

    def act() -> tuple[str, int, str]:
        with fails("ENOMEM"):
            tree.run(rows + ";")
        with fails("ENOMEM"):
            tree.result()
        said = tree.status()["errno"]
        # As a stream it needs none.
        read = 0
        with tree.connect() as connection:
            connection.write(rows + ";")
            while chunk := connection.read():
                read += len(chunk)
            with fails("ENOMEM"):
                connection.write("SELECT hex(zeroblob(30000000)) || hex(zeroblob(30000000));")
            return said, read, connection.ask("SELECT 6 * 7 AS n")

    said, read, answer = in_group(group, act, 64 * MIB)
    assert (said, answer) == ("ENOMEM", "n\n42\n")
    assert read > 200_000_000
    tree.works()


# A bit of everything; each leaves the table as it was, or has failed.
MIXED = (
    "UPDATE t SET b = randomblob(3000) WHERE a % 3 = 0",
    "BEGIN; INSERT INTO t SELECT a + 1000, b FROM t; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s;"
    " DELETE FROM t WHERE a > 1000; COMMIT",
    "SELECT hex(b) FROM t ORDER BY b DESC",
    "CREATE INDEX IF NOT EXISTS tb ON t(b); DROP INDEX tb",
    "SELECT json_group_array(hex(b)) FROM t",
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION SELECT n + 1 FROM c WHERE n < 5000)"
    " SELECT sum(n) OVER (ORDER BY -n) FROM c LIMIT 3",
    "DROP TABLE IF EXISTS u; CREATE TABLE u AS SELECT * FROM t; DROP TABLE u",
    "VACUUM",
    "PRAGMA wal_checkpoint(TRUNCATE)",
)


class Reader:
    """Asks, and drops the answers: its own memory does not grow, or it would be killed for that."""

    def __init__(self) -> None:
        self.buffer = bytearray(65536)

    def attempt(self, connection: Connection, sql: str) -> int:
        """0, or the errno."""
        try:
            connection.write(sql)
            while os.readv(connection.fd, [self.buffer]):
                pass
        except OSError as error:
            return error.errno or -1
        return 0


@pytest.mark.timeout(300)
def test_a_mixed_load_where_memory_ends_anywhere(group: Group, mount: Mounter) -> None:
    """In steps of 100 KiB from next to none to four megabytes; what has failed does not stay."""
    tree = mount()
    tree.run(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
        f"INSERT INTO t {rows_sql(200, 'n, randomblob(2000)')}"
    )
    (tree / "sessions/mixed").mkdir()

    def act() -> tuple[int, int]:
        went, reader = [0, 0], Reader()
        with tree.connect() as program, tree.connect("sessions/mixed/query.json") as session:
            for step in range(-1, 40):
                for number, sql in enumerate(MIXED):
                    ask = (program, session)[number % 2]
                    if step >= 0:
                        group.limit(group.current() + 200_000 + 100_000 * step)
                    code = reader.attempt(ask, sql + ";")
                    group.limit(None)
                    assert code in (0, errno.ENOMEM), sql
                    went[code == 0] += 1
                    # A transaction of several statements may stay open where one has failed.
                    assert reader.attempt(ask, "ROLLBACK;") in (0, errno.EINVAL)
                    assert program.ask("SELECT count(*) AS n FROM t") == "n\n200\n"
        return went[0], went[1]

    failed, went = in_group(group, act)
    assert failed >= 20
    assert went >= 100
    assert tree.value("PRAGMA integrity_check") == "ok"
    assert [name for name in tree.tables() if name != "u"] == ["t"]
    mount.unmount(tree)


def test_nobody_outside_waits_for_a_full_group(group: Group, mount: Mounter) -> None:
    """Many in the engine at once need a stack each, of which the spare ones are few."""
    tree = mount(busy=100_000, mode="0777")
    tree.run("CREATE TABLE t(a)")

    def wait_for_lock(number: int) -> None:
        group.join()
        tree.run(f"INSERT INTO t VALUES({number});")

    before = group.current()
    with tree.connect() as holder:
        holder.ask("BEGIN IMMEDIATE")
        pids = []
        for number in range(40):
            pid = os.fork()
            if pid == 0:
                try:
                    wait_for_lock(number)
                finally:
                    os._exit(0)
            pids.append(pid)
        while group.lines("memory.stat")["vmalloc"] < 30 * (256 << 10):
            os.sched_yield()
        assert group.current() - before >= 30 * (256 << 10)
        holder.ask("COMMIT")
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    assert tree.text("tables/t/count") == "40\n"
