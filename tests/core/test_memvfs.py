# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Many connections to one database in memory: snapshots, locks, waiting, the log's memory."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from tests.core.engine import MIB, Db, Engine, File, Flag
from tests.core.test_api import errno_of

ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < {}) "


class Together:
    """Threads, whose failures are the test's."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.threads: list[threading.Thread] = []

    def start(self, work: Callable[..., None], *args: object) -> None:
        """Start one."""

        def run() -> None:
            try:
                work(*args)
            except BaseException as error:
                self.failures.append(error)

        thread = threading.Thread(target=run)
        self.threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for all of them."""
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.monotonic()
    call()
    return time.monotonic() - started


def test_a_snapshot_stays(db: Db) -> None:
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with db.session() as reader:
        reader.ask("BEGIN;")
        assert reader.ask("SELECT a FROM t;") == b"a\n1\n"
        for i in range(2, 500):
            db.batch(f"UPDATE t SET a = {i}; INSERT INTO t VALUES(zeroblob(5000))")
        assert reader.ask("SELECT a FROM t;") == b"a\n1\n"
        db.batch("DROP TABLE t; CREATE TABLE t(b)")
        assert reader.ask("SELECT a FROM t;") == b"a\n1\n"
        reader.ask("COMMIT;")
        assert reader.ask("SELECT * FROM t;") == b"b\n"


def test_a_half_read_answer_blocks_no_writer(db: Db) -> None:
    db.batch("CREATE TABLE t(a); " + ROWS.format(50000) + "INSERT INTO t SELECT i FROM n")
    with db.session() as reader:
        reader.write("SELECT a FROM t;")
        assert reader.read(2) == b"a\n"
        db.batch("DELETE FROM t WHERE a > 10; INSERT INTO t VALUES(-1)")
        assert reader.read_all().count(b"\n") == 50000
    assert db.value("SELECT count(*) FROM t") == "11"


def test_two_writers(engine: Engine) -> None:
    db = engine.db(busy_ms=100)
    db.batch("CREATE TABLE t(a)")
    with db.session() as one, db.session() as other:
        one.ask("BEGIN IMMEDIATE;")
        took = seconds(lambda: errno_of(other.ask, "BEGIN IMMEDIATE;"))
        assert errno_of(other.ask, "BEGIN IMMEDIATE;") == errno.EBUSY
        assert took > 0.08
        assert errno_of(db.batch, "INSERT INTO t VALUES(1)") == errno.EBUSY
        assert "database is locked" in db.text("error")
        one.ask("INSERT INTO t VALUES(2); COMMIT;")
        other.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(3); COMMIT;")
    assert db.value("SELECT group_concat(a) FROM t") == "2,3"


def test_waiting_ends_at_the_unlock_and_does_not_spin(engine: Engine) -> None:
    """The lock is waited for much longer than this test may take."""
    db = engine.db(busy_ms=1_000_000, timeout_ms=0)
    db.batch("CREATE TABLE t(a)")
    with db.session() as holder:
        holder.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1);")

        def release() -> None:
            time.sleep(0.5)
            holder.ask("COMMIT;")

        together = Together()
        before = os.times()
        together.start(release)
        db.batch("INSERT INTO t VALUES(2)")
        together.join()
        after = os.times()
    assert after.user + after.system - before.user - before.system < 0.3
    assert db.value("SELECT count(*) FROM t") == "2"


def test_a_checkpoint_waits_for_its_reader(engine: Engine) -> None:
    db = engine.db(busy_ms=3000)
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with db.session() as reader:
        reader.ask("BEGIN; SELECT * FROM t;")
        reader.ask("SELECT * FROM t;")
        db.batch("INSERT INTO t VALUES(2)")
        together = Together()

        def release() -> None:
            time.sleep(0.3)
            reader.ask("COMMIT;")

        together.start(release)
        took = seconds(lambda: db.batch("PRAGMA wal_checkpoint(TRUNCATE)"))
        together.join()
        assert db.text("value") == "0\n"
        assert 0.2 < took < 2
    assert db.usage()[1] == 0


def test_the_log_gives_its_memory_back(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); " + ROWS.format(2000) + "INSERT INTO t SELECT zeroblob(3000) FROM n"
    )
    for i in range(30):
        db.batch(f"UPDATE t SET a = zeroblob(2999 + {i} % 2)")
        assert db.usage()[1] == 0
    with db.session() as reader:
        reader.ask("BEGIN; SELECT count(*) FROM t;")
        reader.ask("SELECT count(*) FROM t;")
        for i in range(5):
            db.batch(f"UPDATE t SET a = zeroblob({i % 2} + 2999)")
        assert db.usage()[1] * 4096 > 6 * MIB
        reader.ask("COMMIT;")
    db.batch("INSERT INTO t VALUES(zeroblob(2000000))")
    assert db.usage()[1] == 0
    assert db.value("PRAGMA integrity_check") == "ok"


def transfer(db: Db, rounds: int, number: int) -> None:
    """Move money between accounts, in transactions, by turns in two ways."""
    for i in range(rounds):
        a, b = (number + i) % 20, (number * 7 + i * 3) % 20
        statements = (
            f"UPDATE account SET money = money - 5 WHERE id = {a};",
            f"UPDATE account SET money = money + 5 WHERE id = {b};",
            f"INSERT INTO log VALUES({number}, {i}, hex(randomblob({100 + i % 3000})));",
        )
        if i % 2:
            db.batch("BEGIN IMMEDIATE;", *statements, "COMMIT")
            continue
        with db.session() as session:
            session.ask("BEGIN IMMEDIATE;")
            for statement in statements:
                session.ask(statement)
            session.ask("ROLLBACK;" if i % 10 == 0 else "COMMIT;")


def watch(db: Db, stop: threading.Event, number: int) -> None:
    """Every snapshot has all of the money."""
    while not stop.is_set():
        with db.session() as session:
            session.ask("BEGIN;")
            first = session.ask("SELECT sum(money), (SELECT count(*) FROM log) FROM account;")
            assert first.split(b"\n")[1].startswith(b"20000,"), first
            again = session.ask("SELECT sum(money), (SELECT count(*) FROM log) FROM account;")
            assert again == first
            session.ask("COMMIT;")
        total = db.cat("tables/account/data.csv").decode().splitlines()[1:]
        assert sum(int(line.split(",")[1]) for line in total) == 20000


def busy_database(db: Db, rounds: int) -> None:
    """Readers beside writers, checkpoints and changes of the schema between them."""
    db.batch(
        "CREATE TABLE account(id INTEGER PRIMARY KEY, money); CREATE TABLE log(a, b, c); "
        "CREATE INDEX lc ON log(c); "
        + ROWS.format(20)
        + "INSERT INTO account SELECT i - 1, 1000 FROM n"
    )
    stop, readers, writers = threading.Event(), Together(), Together()
    for number in range(3):
        readers.start(watch, db, stop, number)
    for number in range(3):
        writers.start(transfer, db, rounds, number)

    def disturb() -> None:
        for i in range(rounds // 4):
            db.batch(f"CREATE TABLE x{i}(a); DROP TABLE x{i}")
            db.names("tables")
            db.batch("PRAGMA wal_checkpoint(PASSIVE)")

    writers.start(disturb)
    try:
        writers.join()
    finally:
        stop.set()
        readers.join()
    assert db.value("PRAGMA integrity_check") == "ok"
    assert db.value("SELECT sum(money) FROM account") == "20000"
    assert db.value("PRAGMA wal_checkpoint(TRUNCATE)") == "0"
    assert db.usage()[1] == 0


def test_readers_beside_writers(engine: Engine, sanitized: bool) -> None:
    busy_database(engine.db(busy_ms=60000), 40 if sanitized else 150)


def test_many_databases_at_once(engine: Engine) -> None:
    together = Together()

    def use(number: int) -> None:
        for i in range(30):
            db = Db(engine, f"shared {number % 2}".encode(), engine.options())
            assert db.value(f"SELECT {i}", uid=number) == str(i)
            db.put()

    for number in range(4):
        together.start(use, number)
    together.join()


def test_vacuum_beside_readers(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); " + ROWS.format(3000) + "INSERT INTO t SELECT zeroblob(2000) FROM n"
    )
    with db.session() as reader:
        reader.ask("BEGIN;")
        assert reader.ask("SELECT count(*) FROM t;") == b"count(*)\n3000\n"
        db.batch("DELETE FROM t WHERE rowid > 10; VACUUM")
        assert reader.ask("SELECT count(*), sum(length(a)) FROM t;").endswith(b"\n3000,6000000\n")
    db.batch("PRAGMA wal_checkpoint(TRUNCATE)")
    assert db.usage()[0] < 30
    assert db.value("SELECT count(*) FROM t") == "10"


# A checkpoint moves the log's pages into the database


def test_a_large_transaction_holds_its_pages_once(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    for _ in range(2):
        db.batch(ROWS.format(17000) + "INSERT INTO t SELECT zeroblob(4000) FROM n")
        assert db.usage()[1] == 0
        assert db.memory("peak") - db.memory("held") < 4 * MIB
    assert db.usage()[0] * 4096 > 128 * MIB
    # So does one whose log somebody still reads, and the rollback of one.
    with db.session() as old, db.session() as new:
        old.ask("BEGIN; SELECT count(*) FROM t;")
        db.batch(ROWS.format(17000) + "INSERT INTO t SELECT zeroblob(4000) FROM n")
        new.ask("BEGIN; SELECT count(*) FROM t;")
        old.ask("COMMIT;")
        assert db.value("PRAGMA wal_checkpoint(PASSIVE)") == "0"
        assert db.usage()[1] > 17000
        assert new.ask("SELECT count(*) FROM t;") == b"count(*)\n51000\n"
        assert db.memory("peak") - db.memory("held") < 4 * MIB
    db.batch("PRAGMA wal_checkpoint(TRUNCATE)")
    assert db.usage()[1] == 0
    held = db.memory("held")
    db.batch("BEGIN; " + ROWS.format(9000) + "INSERT INTO t SELECT zeroblob(4000) FROM n; ROLLBACK")
    assert abs(db.memory("held") - held) < MIB


class Reader:
    """A snapshot, and what it must show for as long as it lasts."""

    def __init__(self, db: Db) -> None:
        self.session = db.session()
        self.half: tuple[File, bytes, bytes] | None = None
        self.session.ask("BEGIN;")
        self.rows = self.session.ask("SELECT * FROM t;")

    def begin_to_read(self, db: Db) -> None:
        """Leave an answer half-read: a page is in use that lies where it lies."""
        stream = db.session()
        stream.write("SELECT * FROM t;")
        self.half = (stream, stream.read(20), db.cat("tables/t/data.csv"))

    def look(self) -> None:
        """See it again."""
        assert self.session.ask("SELECT * FROM t;") == self.rows
        assert self.session.ask("SELECT sum(length(b)) FROM t;").count(b"\n") == 2
        if self.half:
            stream, head, rows = self.half
            self.half = None
            assert head + stream.read_all() == rows
            stream.release()

    def end(self) -> None:
        """Look for the last time."""
        self.look()
        self.session.ask("COMMIT;")
        self.session.release()


WRITES = (
    "UPDATE t SET b = hex(randomblob({few})) WHERE a % 7 = {n} % 7",
    "UPDATE t SET b = hex(randomblob({many})) WHERE a % 3 = {n} % 3",
    "UPDATE t SET b = hex(randomblob(3000))",  # a log that is checkpointed at once
    "INSERT INTO t VALUES(NULL, hex(randomblob({many})))",
    "DELETE FROM t WHERE a IN (SELECT a FROM t ORDER BY b LIMIT 3)",
    "BEGIN; UPDATE t SET b = hex(randomblob({many})); ROLLBACK",
    "BEGIN; INSERT INTO t SELECT NULL, hex(randomblob(2000)) FROM t; SAVEPOINT s;"
    " UPDATE t SET b = hex(randomblob(3000)); ROLLBACK TO s; UPDATE t SET b = 'x' WHERE a = {n};"
    " DELETE FROM t WHERE a > 90; COMMIT",
    "DELETE FROM t WHERE a > 70; VACUUM",
    "DROP TABLE t; CREATE TABLE t(a INTEGER PRIMARY KEY, b); "
    + ROWS.format(60)
    + "INSERT INTO t SELECT i, hex(randomblob({many})) FROM n",
    "BEGIN IMMEDIATE; COMMIT",
)
CHECKPOINTS = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")


def a_checkpoint(db: Db, chance: random.Random) -> None:
    """Any kind; one in four is interrupted somewhere."""
    flag = Flag()
    flag.set(chance.random() < 0.25)
    sql = f"PRAGMA wal_checkpoint({chance.choice(CHECKPOINTS)})"
    if flag.value.value:
        assert errno_of(db.batch, sql, cancel=flag) in (0, errno.EINTR)
    else:
        db.batch(sql)


@pytest.mark.parametrize("seed", range(6))
def test_snapshots_across_checkpoints(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    db = engine.db(busy_ms=0)
    db.batch("CREATE TABLE t(a, b)")
    db.batch(WRITES[-2].format(many=500, n=0))
    readers: list[Reader] = []
    for n in range(120):
        kind = chance.random()
        if kind < 0.4:
            sql = chance.choice(WRITES).format(
                few=chance.randrange(300), many=chance.randrange(6000), n=n
            )
            db.batch(sql)
        elif kind < 0.6:
            a_checkpoint(db, chance)
        elif kind < 0.75 and len(readers) < 6:
            readers.append(Reader(db))
            if chance.random() < 0.5:
                readers[-1].begin_to_read(db)
        elif kind < 0.85 and readers:
            readers.pop(chance.randrange(len(readers))).end()
        for reader in chance.sample(readers, min(len(readers), 2)):
            reader.look()
    for reader in readers:
        reader.end()
    assert db.value("PRAGMA integrity_check") == "ok"
    db.batch("PRAGMA wal_checkpoint(TRUNCATE)")
    assert db.usage()[1] == 0


def large_and_small(db: Db, rounds: int, number: int) -> None:
    """All rows get the next number: in one transaction, in the log once or twice, or not at all."""
    for i in range(rounds):
        size = (30, 900, 2500)[(i + number) % 3]
        change = f"UPDATE t SET v = v + 1, pad = zeroblob({size});"
        if i % 5 == 0:
            db.batch(f"BEGIN IMMEDIATE; {change} {change} ROLLBACK")
        elif i % 5 == 1:
            db.batch(f"BEGIN IMMEDIATE; {change} SAVEPOINT s; {change} ROLLBACK TO s; COMMIT")
        else:
            db.batch(change)


def look_at_all(db: Db, stop: threading.Event, number: int) -> None:
    """One number in a snapshot, and the same one to its end."""
    seen = -1
    while not stop.is_set():
        with db.session() as session:
            session.ask("BEGIN;")
            first = session.ask("SELECT v, count(*) FROM t GROUP BY v;").splitlines()[1:]
            assert len(first) == 1, first
            value, rows = map(int, first[0].split(b","))
            assert value >= seen
            assert rows == 200
            seen = value
            for _ in range(number + 1):
                session.write("SELECT v, length(pad) FROM t;")
                lines = session.read_all(300).splitlines()[1:]
                assert {line.split(b",")[0] for line in lines} == {b"%d" % value}
                assert len(lines) == 200
            session.ask("COMMIT;")


def test_readers_beside_large_transactions(engine: Engine, sanitized: bool) -> None:
    db = engine.db(busy_ms=60000)
    db.batch(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, pad); "
        + ROWS.format(200)
        + "INSERT INTO t SELECT i, 0, NULL FROM n"
    )
    rounds = 30 if sanitized else 120
    stop, readers, writers = threading.Event(), Together(), Together()
    for number in range(3):
        readers.start(look_at_all, db, stop, number)
    for number in range(2):
        writers.start(large_and_small, db, rounds, number)

    def disturb() -> None:
        chance = random.Random(1)
        for _ in range(rounds):
            a_checkpoint(db, chance)
            db.batch("INSERT OR REPLACE INTO t SELECT id, v, 'x' FROM t WHERE id = 7")

    writers.start(disturb)
    try:
        writers.join()
    finally:
        stop.set()
        readers.join()
    assert db.value("PRAGMA integrity_check") == "ok"
    assert db.value("SELECT max(v) FROM t") == str(2 * (rounds - (rounds + 4) // 5))
    assert db.value("PRAGMA wal_checkpoint(TRUNCATE)") == "0"
    assert db.usage()[1] == 0
