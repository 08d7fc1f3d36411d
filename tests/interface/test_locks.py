# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Waiting for the write lock: in order, killably; and the log beside readers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Connection, Tree, child, fails, wait_until

LONG = 1_000_000  # milliseconds: nothing ends by it here
CHANGE = "UPDATE t SET a = zeroblob(3000 + {} % 2)"


def metric(tree: Tree, name: str) -> float:
    """One of the engine's figures."""
    for line in tree.text("metrics/ksqlfs.prom").splitlines():
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise AssertionError(f"no {name}")


def until_waiting(tree: Tree, count: int) -> None:
    """Wait until so many wait."""
    wait_until(
        lambda: metric(tree, "ksqlfs_write_lock_waiters") == count, f"{count} writers that wait"
    )


@pytest.fixture
def patient(mount: Mounter) -> Tree:
    """A tree where nobody's patience ends."""
    tree = mount(busy=LONG, timeout=0, size="16m")
    tree.run("CREATE TABLE t(a)")
    return tree


@pytest.fixture
def holder(patient: Tree) -> Iterator[Connection]:
    """Who has the write lock of it."""
    with patient.connect() as connection:
        connection.ask("BEGIN IMMEDIATE")
        yield connection


def test_waiters_are_served_in_order_and_killed_ones_are_not_waited_for(
    patient: Tree, holder: Connection
) -> None:
    with ExitStack() as stack:
        pids = []
        for number in range(8):

            def insert(number: int = number) -> None:
                patient.run(f"INSERT INTO t VALUES({number});")

            pids.append(stack.enter_context(child(insert)))
            until_waiting(patient, number + 1)
        assert metric(patient, "ksqlfs_write_lock_held_seconds") > 0
        for count, number in enumerate((0, 3, 7)):
            os.kill(pids[number], signal.SIGKILL)
            until_waiting(patient, 7 - count)
        # Meanwhile nobody who reads waits.
        assert patient.text("tables/t/count") == "0\n"
        assert patient.value("SELECT count(*) FROM t") == "0"
        os.kill(pids[1], signal.SIGKILL)  # perhaps just as its turn comes
        holder.ask("COMMIT")
        wait_until(lambda: int(patient.text("tables/t/count")) >= 4, "all others are served")
        until_waiting(patient, 0)
    rows = [int(line) for line in patient.text("tables/t/data.csv").splitlines()[1:]]
    assert rows in ([2, 4, 5, 6], [1, 2, 4, 5, 6])
    assert metric(patient, "ksqlfs_write_lock_held_seconds") == 0


def test_a_killed_holder_makes_room_for_who_waits(patient: Tree) -> None:
    told, tell = os.pipe()

    def hold() -> None:
        with patient.connect() as connection:
            connection.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES('lost')")
            os.write(tell, b"x")
            signal.pause()

    with child(hold) as pid:
        os.read(told, 1)
        with child(lambda: patient.run("INSERT INTO t VALUES('kept');")):
            until_waiting(patient, 1)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: patient.text("tables/t/count") == "1\n", "the row of who waited")
    os.close(told)
    os.close(tell)
    assert patient.text("tables/t/data.csv") == "a\nkept\n"


def test_two_who_have_read_and_want_to_write_do_not_wait_for_each_other(mount: Mounter) -> None:
    """If one of them waited, it would have ETIMEDOUT."""
    tree = mount(busy=LONG, timeout=60_000)
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with tree.connect() as one, tree.connect() as other:
        one.ask("BEGIN; SELECT * FROM t")
        other.ask("BEGIN; SELECT * FROM t")
        one.ask("UPDATE t SET a = 2")
        with fails("EBUSY"):
            other.write("UPDATE t SET a = 3;")
        one.ask("COMMIT")
        with fails("EBUSY"):
            other.write("UPDATE t SET a = 3;")
        assert other.ask("ROLLBACK; SELECT a FROM t") == "a\n2\n"


def test_a_reader_that_does_not_end_lets_the_log_grow_and_is_counted(patient: Tree) -> None:
    patient.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
        " INSERT INTO t SELECT 1 FROM n"
    )
    with patient.connect() as reader:
        reader.ask("BEGIN; SELECT * FROM t")
        for number in range(15):  # 3000 frames, and a quarter of size= are 1024
            patient.run(CHANGE.format(number))
        assert metric(patient, "ksqlfs_checkpoint_waits_in_vain_total") == 2
        assert metric(patient, 'ksqlfs_checkpoints_total{outcome="partial"}') > 2
        assert metric(patient, "ksqlfs_wal_bytes") > 8 << 20
        assert reader.ask("SELECT count(*) AS n FROM t WHERE a = 1") == "n\n200\n"
        reader.ask("COMMIT")
    patient.run(CHANGE.format(15))
    assert metric(patient, "ksqlfs_wal_bytes") == 0
    assert patient.value("PRAGMA integrity_check") == "ok"


def test_the_log_stays_short_beside_readers_that_overlap(patient: Tree) -> None:
    """Each ends once the next has begun; 24 MiB of log would be ENOSPC."""
    patient.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
        " INSERT INTO t SELECT 1 FROM n"
    )

    def read() -> None:
        now = patient.connect()
        while True:
            then, now = now, patient.connect()
            now.ask("BEGIN; SELECT count(*) FROM t")
            then.close()

    with child(read):
        for number in range(100):  # 78 MiB
            patient.run(CHANGE.format(number))
    in_vain = int(metric(patient, "ksqlfs_checkpoint_waits_in_vain_total"))
    assert in_vain < metric(patient, "ksqlfs_checkpoint_waits_total")
