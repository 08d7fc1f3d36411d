# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The log stays short beside readers that come and go, and says so when it cannot."""

from __future__ import annotations

import errno
import threading

import pytest

from tests.core.engine import MIB, Db, Engine, File, Flag
from tests.core.test_api import errno_of
from tests.core.test_locks import metric
from tests.core.test_memvfs import ROWS, Together

SIZE = 16 * MIB
THRESHOLD = SIZE // 4  # docs/interface.md, "Transactions, locks and waiting"
CHANGE = "UPDATE t SET a = zeroblob(3000 + {} % 2)"  # 200 frames, and then 256 are reached


@pytest.fixture
def db(engine: Engine) -> Db:
    """A database of less than a MiB that may have 16."""
    db = engine.db(size=SIZE)
    db.batch("CREATE TABLE t(a); " + ROWS.format(200) + "INSERT INTO t SELECT 1 FROM n")
    return db


def log_bytes(db: Db) -> int:
    """What the log takes."""
    return int(metric(db, "ksqlfs_wal_bytes"))


def waits(db: Db) -> tuple[int, int]:
    """How many checkpoints have waited, and how many in vain."""
    return (
        int(metric(db, "ksqlfs_checkpoint_waits_total")),
        int(metric(db, "ksqlfs_checkpoint_waits_in_vain_total")),
    )


def outcomes(db: Db, outcome: str) -> int:
    """How many checkpoints ended so."""
    return int(metric(db, f'ksqlfs_checkpoints_total{{outcome="{outcome}"}}'))


def reader(db: Db) -> File:
    """Somebody with a snapshot."""
    session = db.session()
    session.ask("BEGIN; SELECT count(*) FROM t;")
    assert session.ask("SELECT count(*) FROM t;").endswith(b"\n200\n")
    return session


def test_without_readers_the_log_is_empty(db: Db) -> None:
    for n in range(40):
        db.batch(CHANGE.format(n))
    assert waits(db) == (0, 0)
    assert outcomes(db, "done") == 20
    assert outcomes(db, "partial") == outcomes(db, "failed") == 0
    assert log_bytes(db) < 2 * MIB


def test_the_log_is_bounded_beside_readers_that_overlap(db: Db) -> None:
    """At every moment somebody has a snapshot; each ends, but only once the next has begun."""
    rounds = 400  # some 80 thousand frames: 300 MiB, and at 24 MiB writers would fail
    done = threading.Event()
    together = Together()
    longest = 0

    def write() -> None:
        try:
            for n in range(rounds):
                db.batch(CHANGE.format(n))
        finally:
            done.set()

    now = reader(db)
    together.start(write)
    readers = 0
    while not done.is_set():
        then, now = now, reader(db)
        longest = max(longest, log_bytes(db))
        then.release()
        readers += 1
    now.release()
    together.join()
    waited, in_vain = waits(db)
    assert waited > 3
    assert longest < (2 << in_vain) * THRESHOLD
    assert longest < int(metric(db, "ksqlfs_wal_limit_bytes"))
    assert metric(db, "ksqlfs_commits_total") > rounds
    assert readers > 1


def test_the_log_is_bounded_beside_writers_without_a_pause(db: Db) -> None:
    """Whoever is next has the lock at once: a checkpoint goes before them."""
    together, stop = Together(), threading.Event()
    longest = 0
    left = [4]

    def write() -> None:
        try:
            for n in range(100):  # with the others 300 MiB
                db.batch(CHANGE.format(n))
        finally:
            left[0] -= 1
            if not left[0]:
                stop.set()

    for _ in range(4):
        together.start(write)
    while not stop.is_set():
        longest = max(longest, log_bytes(db))
    together.join()
    assert longest < (2 << waits(db)[1]) * THRESHOLD
    assert outcomes(db, "done") > 3


def test_a_reader_that_does_not_end_is_counted_and_holds_nobody_up(db: Db) -> None:
    endless = reader(db)
    commits = 0
    while log_bytes(db) < 5.4 * THRESHOLD:
        db.batch(CHANGE.format(commits))
        commits += 1
    waited, in_vain = waits(db)
    # At the threshold, and each time that the log has doubled.
    assert waited == in_vain == 3
    assert outcomes(db, "partial") > commits / 2
    assert endless.ask("SELECT count(*) FROM t;").endswith(b"\n200\n")
    endless.release()
    db.batch(CHANGE.format(commits))
    assert log_bytes(db) == 0
    # What was learnt is forgotten with the log.
    endless = reader(db)
    while log_bytes(db) < 1.5 * THRESHOLD:
        db.batch(CHANGE.format(commits))
        commits += 1
    assert waits(db) == (4, 4)
    endless.release()


def test_a_commit_stays_one_when_its_checkpoint_is_interrupted(db: Db) -> None:
    """The signal comes after the commit, before the checkpoint begins to wait."""
    endless = reader(db)
    flag = Flag()
    before = -1
    with db.session(cancel=flag) as session:
        for n in range(2 * THRESHOLD // (200 * 4096)):
            before = waits(db)[1]
            with db.watching(flag.set):
                session.write(CHANGE.format(n) + ";")
            flag.set(False)
            assert session.read() == b""
            if waits(db)[1] > before:
                break
        assert waits(db)[1] > before
    endless.release()
    assert db.text("error") == "ok\n"
    assert db.value("SELECT length(a) FROM t") == str(3000 + n % 2)


def test_a_log_that_cannot_be_emptied_ends_in_enospc_alone(db: Db) -> None:
    db.configure(busy_ms=0)  # nor is there any waiting
    endless = reader(db)
    got = commits = 0
    while not got:
        got = errno_of(db.batch, CHANGE.format(commits))
        commits += 1
    assert got == errno.ENOSPC
    assert waits(db) == (0, 0)
    assert endless.ask("SELECT count(*) FROM t;").endswith(b"\n200\n")
    endless.release()
    db.batch(CHANGE.format(1))
    assert db.value("PRAGMA integrity_check") == "ok"
