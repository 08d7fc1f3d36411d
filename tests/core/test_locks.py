# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Who waits for the write lock: in which order, what ends it, and who is served then."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.engine import BOTH, WRITE, Db, Engine, File, Flag
from tests.core.test_api import errno_of
from tests.core.test_memvfs import Together

LONG = 1_000_000  # milliseconds: nothing ends by it here
WAITERS = 12


def metric(db: Db, name: str) -> float:
    """One of the engine's figures."""
    for line in db.text("metrics/ksqlfs.prom").splitlines():
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise AssertionError(f"no {name}")


def waiting(db: Db) -> int:
    """So many wait for the write lock."""
    return int(metric(db, "ksqlfs_write_lock_waiters"))


def until(condition: Callable[[], bool]) -> None:
    """Look until it is so; the test's own time limit ends it otherwise."""
    while not condition():
        pass


class Queue:
    """Somebody has the write lock; others come for it, one after the other."""

    def __init__(self, engine: Engine) -> None:
        self.db = engine.db(busy_ms=LONG, timeout_ms=0)
        self.db.batch("CREATE TABLE t(a)")
        self.holder = self.db.session()
        self.holder.ask("BEGIN IMMEDIATE;")
        self.together = Together()
        self.threads: dict[str, threading.Thread] = {}

    def join(self, call: Callable[..., object], *args: object, expected: int = 0) -> None:
        """Let somebody come, and wait until he waits."""
        before = waiting(self.db)

        def work() -> None:
            got = errno_of(call, *args)
            assert got == expected, f"{args}: {errno.errorcode.get(got, got)}"

        self.together.start(work)
        until(lambda: waiting(self.db) > before)

    def insert(self, value: int, cancel: Flag | None = None, expected: int = 0) -> None:
        """Somebody who inserts a row."""

        def work() -> None:
            self.db.batch(f"INSERT INTO t VALUES({value})", cancel=cancel)

        self.join(work, expected=expected)

    def until_left(self, count: int) -> None:
        """Wait until so many wait."""
        until(lambda: waiting(self.db) == count)

    def serve(self) -> None:
        """Give the lock up; all who wait must end."""
        self.holder.ask("COMMIT;")
        self.together.join()
        self.holder.release()
        assert waiting(self.db) == 0
        assert metric(self.db, "ksqlfs_write_lock_held_seconds") == 0

    def rows(self) -> list[int]:
        """What was inserted, in this order."""
        text = self.db.result("SELECT a FROM t ORDER BY rowid")
        return [int(line) for line in text.splitlines()[1:]]


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """One with its lock held."""
    return Queue(engine)


def test_who_came_first_is_served_first(queue: Queue) -> None:
    for number in range(WAITERS):
        queue.insert(number)
    assert waiting(queue.db) == WAITERS
    assert metric(queue.db, "ksqlfs_write_lock_waits_total") == WAITERS
    queue.serve()
    assert queue.rows() == list(range(WAITERS))


def test_a_newcomer_does_not_overtake(queue: Queue) -> None:
    """He who gives the lock up, and asks again at once, is running; who waits has to wake."""
    expected = []
    for number in range(0, 60, 2):
        queue.insert(number)
        queue.holder.ask("COMMIT;")
        queue.holder.ask(f"BEGIN IMMEDIATE; INSERT INTO t VALUES({number + 1});")
        expected += [number, number + 1]
    queue.serve()
    assert queue.rows() == expected


def test_an_interrupted_one_leaves_and_the_rest_are_served(queue: Queue) -> None:
    flags = [Flag() for _ in range(WAITERS)]
    gone = {0, 3, 4, WAITERS - 1}  # the first, two that stand together, the last
    for number in range(WAITERS):
        queue.insert(number, flags[number], errno.EINTR if number in gone else 0)
    for count, number in enumerate(gone, 1):
        flags[number].set()
        queue.until_left(WAITERS - count)
    queue.serve()
    assert queue.rows() == [number for number in range(WAITERS) if number not in gone]


def test_whose_time_is_up_leaves(queue: Queue) -> None:
    queue.insert(0)
    queue.db.configure(timeout_ms=300)
    queue.insert(1, expected=errno.ETIMEDOUT)
    queue.db.configure(timeout_ms=0)
    queue.insert(2)
    queue.db.configure(busy_ms=300)
    queue.insert(3, expected=errno.EBUSY)
    queue.db.configure(busy_ms=LONG)
    queue.insert(4)
    queue.until_left(3)
    queue.serve()
    assert queue.rows() == [0, 2, 4]


def test_a_removed_session_leaves(queue: Queue) -> None:
    db = queue.db
    db.make("sessions/s")
    for number in range(2):
        queue.insert(number)
    path = "sessions/s/query"
    queue.join(lambda: db.batch("INSERT INTO t VALUES(9);", path=path), expected=errno.ECANCELED)
    queue.insert(2)
    db.remove("sessions/s")
    queue.until_left(3)
    queue.serve()
    assert queue.rows() == [0, 1, 2]


@pytest.mark.parametrize("attempt", range(20))
def test_the_first_may_die_just_as_its_turn_comes(queue: Queue, attempt: int) -> None:
    """Told, and gone: the next is told.  Whether it dies before or after that is not known."""
    db, flags = queue.db, [Flag(), Flag()]

    def delete(flag: Flag) -> None:
        errno_of(db.batch, "DELETE FROM t", cancel=flag)

    for flag in flags:
        queue.join(delete, flag)
    queue.insert(attempt)
    for flag in flags:
        flag.set()
    queue.serve()
    assert queue.rows() == [attempt]


def write_and_close(file: File, text: bytes) -> None:
    """A file written by its opener."""
    with file:
        file.write(text)
        file.close()


def in_a_transaction(db: Db) -> None:
    """By a program."""
    with db.session() as session:
        session.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1); COMMIT;")


# Each adds a row or a name.
KINDS: dict[str, Callable[[Db], object]] = {
    "batch": lambda db: db.batch("INSERT INTO t VALUES(1)"),
    "program": in_a_transaction,
    "session": lambda db: db.batch("INSERT INTO t VALUES(1)", path="sessions/s/query"),
    "schema": lambda db: db.batch("CREATE INDEX i ON t(a)"),
    "csv": lambda db: write_and_close(db.open("tables/t/insert.csv", WRITE), b"a\n1\n"),
    "ndjson": lambda db: write_and_close(db.open("tables/t/insert.ndjson", WRITE), b'{"a": 1}\n'),
    "import": lambda db: write_and_close(db.create("import/u.csv"), b"a\n1\n"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_of_writers_queue_alike(queue: Queue, kind: str) -> None:
    db = queue.db
    queue.holder.ask("CREATE TABLE seen(n); COMMIT; BEGIN IMMEDIATE;")
    db.make("sessions/s")
    look = "INSERT INTO seen SELECT (SELECT count(*) FROM sqlite_schema) + (SELECT count(*) FROM t)"
    queue.join(db.batch, look)
    queue.join(KINDS[kind], db)
    queue.join(db.batch, look)
    queue.serve()
    assert db.result("SELECT n - 2 AS n FROM seen ORDER BY rowid") == "n\n0\n1\n"


def test_a_written_image_queues_like_a_writer(queue: Queue) -> None:
    db = queue.db
    image = db.cat("image")
    queue.insert(1)  # goes with what the image replaces
    queue.join(lambda: write_and_close(db.open("image", WRITE), image))
    queue.insert(2)
    queue.serve()
    assert queue.rows() == [2]


def test_who_has_read_does_not_wait_and_is_in_nobodys_way(queue: Queue) -> None:
    db = queue.db
    with db.session() as one, db.session() as other:
        for session in (one, other):
            assert session.ask("BEGIN; SELECT count(*) FROM t;") == b"count(*)\n0\n"
        queue.insert(1)
        assert errno_of(one.ask, "INSERT INTO t VALUES(9);") == errno.EBUSY
        assert waiting(db) == 1
        queue.serve()
        # Another has committed: its snapshot is old, whoever has the lock.
        assert errno_of(other.ask, "INSERT INTO t VALUES(9);") == errno.EBUSY
        other.ask("ROLLBACK;")
        other.ask("INSERT INTO t VALUES(2);")
    assert queue.rows() == [1, 2]


def test_two_who_have_read_and_want_to_write(engine: Engine) -> None:
    """If one of them waited, it would have ETIMEDOUT; and the other too."""
    db = engine.db(busy_ms=LONG, timeout_ms=60_000)
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with db.session() as one, db.session() as other:
        one.ask("BEGIN; SELECT * FROM t;")
        other.ask("BEGIN; SELECT * FROM t;")
        one.ask("UPDATE t SET a = 2;")
        assert errno_of(other.ask, "UPDATE t SET a = 3;") == errno.EBUSY
        one.ask("COMMIT;")
        assert errno_of(other.ask, "UPDATE t SET a = 3;") == errno.EBUSY
        assert other.ask("SELECT a FROM t;") == b"a\n1\n"
        other.ask("ROLLBACK;")
        other.ask("UPDATE t SET a = 4;")
    assert db.value("SELECT a FROM t") == "4"


def test_without_busy_nobody_waits(queue: Queue) -> None:
    queue.insert(1)
    queue.db.configure(busy_ms=0)
    assert errno_of(queue.db.batch, "INSERT INTO t VALUES(2)") == errno.EBUSY
    assert waiting(queue.db) == 1
    queue.serve()
    assert queue.rows() == [1]


def test_a_checkpoint_waits_for_the_lock_and_readers_never_do(queue: Queue) -> None:
    db = queue.db
    queue.insert(1)
    result: list[str] = []
    checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
    queue.join(lambda: result.append(db.value(checkpoint, uid=1)))
    queue.insert(2)
    assert db.value("SELECT count(*) FROM t") == "0"
    assert db.text("tables/t/count") == "0\n"
    queue.serve()
    assert result == ["0"]
    assert queue.rows() == [1, 2]


def test_waiters_come_and_go_at_random(engine: Engine, sanitized: bool) -> None:
    """Nobody is left behind: every thread ends, and what was committed is there."""
    db = engine.db(busy_ms=LONG, timeout_ms=0)
    db.batch("CREATE TABLE t(who, n)")
    rounds, writers = (60, 6) if sanitized else (200, 6)
    flags = [Flag() for _ in range(writers)]
    done = [0] * writers
    stop = threading.Event()
    together, killer = Together(), Together()

    def work(number: int) -> None:
        for n in range(rounds):
            sql = f"INSERT INTO t VALUES({number}, {n})"
            if n % 3 == 0:
                sql = f"BEGIN IMMEDIATE; {sql}; COMMIT"
            if n % 17 == 0:
                sql = "PRAGMA wal_checkpoint(TRUNCATE)"
            got = errno_of(db.batch, sql, cancel=flags[number])
            assert got in (0, errno.EINTR)
            done[number] += got == 0 and n % 17 != 0
            flags[number].set(False)

    def kill() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 1) % writers
            flags[number].set()
            waiting(db)

    for number in range(writers):
        together.start(work, number)
    killer.start(kill)
    try:
        together.join()
    finally:
        stop.set()
        killer.join()
    # A signal between a batch's commit and its end says EINTR of what is done.
    assert int(db.value("SELECT count(*) FROM t")) >= sum(done) > 0
    assert waiting(db) == 0
    db.batch("INSERT INTO t VALUES(0, 0)")


def test_calls_of_a_session_that_waits(queue: Queue) -> None:
    """Its statement is reset, or its file closed: what stays is served."""
    db = queue.db
    flag = Flag()
    with db.open("query", BOTH, cancel=flag) as file:
        queue.join(lambda: file.write("INSERT INTO t VALUES(1);"), expected=errno.EINTR)
        queue.insert(2)
        flag.set()
        queue.until_left(1)
        flag.set(False)
        assert errno_of(file.read) == 0
    queue.serve()
    assert queue.rows() == [2]


def voluntary_switches() -> int:
    """How often this thread has gone to sleep."""
    status = Path(f"/proc/self/task/{threading.get_native_id()}/status").read_text()
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split("\n")[0])


def test_who_waits_sleeps(queue: Queue) -> None:
    """One second: it would go to sleep a hundred times if it looked every 10 ms."""
    slept: list[int] = []
    flag = Flag()

    def work() -> None:
        before = voluntary_switches()
        assert errno_of(queue.db.batch, "DELETE FROM t", cancel=flag) == errno.ETIMEDOUT
        slept.append(voluntary_switches() - before)

    queue.db.configure(timeout_ms=1000)
    queue.join(work)
    queue.together.join()
    assert slept[0] < 50
    queue.db.configure(timeout_ms=0)
    queue.serve()
