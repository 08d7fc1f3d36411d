# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Threads, forks and signals."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ksqlfs
import pytest
from ksqlfs import answer

from tests.client.conftest import Connect
from tests.interface.tree import ENDLESS, ENDLESS_ROWS, Tree, in_child, rows_sql


def together(count: int, work: Callable[[int], None]) -> None:
    """Run in threads at once; a failure of one is raised here."""
    failures: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_threads_may_share_a_connection(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a, b)")

    def work(number: int) -> None:
        for turn in range(40):
            assert db.execute("SELECT ?, ?", (number, turn)).fetchone() == (number, turn)
            db.execute("INSERT INTO t VALUES(?, ?)", (number, turn))
            with pytest.raises(ksqlfs.ProgrammingError, match=f"^no such table: t{number}$"):
                db.execute(f"SELECT * FROM t{number}")

    together(4, work)
    db.commit()
    rows = db.execute("SELECT a, count(DISTINCT b) FROM t GROUP BY a ORDER BY a").fetchall()
    assert rows == [(number, 40) for number in range(4)]


def test_threads_with_cursors_that_repeat_a_statement(db: ksqlfs.Connection) -> None:
    sql = "SELECT abs(?) AS v"

    def work(number: int) -> None:
        cursor = db.cursor()
        for turn in range(100):
            value = number * 1000 + turn
            assert cursor.execute(sql, (-value,)).fetchone() == (value,)
            if turn % 10 == number:
                with pytest.raises(ksqlfs.ProgrammingError, match="integer overflow"):
                    cursor.execute(sql, (-(2**63),))
                with pytest.raises(ksqlfs.ProgrammingError, match="given"):
                    cursor.execute(sql, (1, 2))

    together(4, work)


def test_threads_may_each_read_a_long_answer_of_one_connection(db: ksqlfs.Connection) -> None:
    def work(number: int) -> None:
        count = 0
        for row in db.execute(rows_sql(20_000, f"n, {number}")):
            count += 1
            assert row == (count, number)
        assert count == 20_000

    together(3, work)


def test_threads_with_connections_of_their_own(connect: Connect) -> None:
    connections = [connect(None) for _ in range(4)]
    connections[0].execute("CREATE TABLE t(a)")

    def work(number: int) -> None:
        for turn in range(20):
            connections[number].execute("INSERT INTO t VALUES(?)", (turn,))

    together(4, work)
    assert connections[0].execute("SELECT count(*) FROM t").fetchone() == (80,)


def test_one_may_close_while_others_use_it(tree: Tree) -> None:
    db = ksqlfs.connect(tree.root)

    def work(number: int) -> None:
        if number == 0:
            db.close()
            return
        try:
            while True:
                assert db.execute("SELECT ?", (number,)).fetchone() == (number,)
        except ksqlfs.ProgrammingError as error:
            assert str(error) == "Cannot operate on a closed database."  # noqa: PT017 - ends a thread

    together(3, work)


# fork


def test_a_child_does_not_use_the_connection_of_its_parent(
    db: ksqlfs.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "KEEP_LIMIT", 1 << 20)
    db.execute("CREATE TABLE t(a)")
    db.execute("INSERT INTO t VALUES(1)")
    cursor = db.execute(ENDLESS_ROWS)

    def child() -> list[str]:
        told = []
        for call in (cursor.fetchall, lambda: db.execute("SELECT 1"), db.commit):
            try:
                call()
            except ksqlfs.ProgrammingError as error:
                told.append(str(error))
        db.close()
        with ksqlfs.connect(db.root) as own:
            told.append(str(own.execute("SELECT count(*) FROM t").fetchone()))
        own.close()
        return told

    sentence = "This connection belongs to the parent process: open another after fork()."
    assert in_child(child) == [sentence, sentence, sentence, "(0,)"]
    assert cursor.fetchone() is not None
    assert db.in_transaction
    db.commit()
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_a_fork_while_another_thread_holds_the_connection(db: ksqlfs.Connection) -> None:
    with db.lock:

        def child() -> str:
            try:
                db.execute("SELECT 1")
            except ksqlfs.ProgrammingError as error:
                return str(error)
            return "no failure"

        told: list[str] = []
        thread = threading.Thread(target=lambda: told.append(in_child(child)))
        thread.start()
        thread.join()
    assert told == ["This connection belongs to the parent process: open another after fork()."]


# Signals


@contextmanager
def signals(number: signal.Signals, handler: Callable[..., object]) -> Iterator[None]:
    """Send this process a signal again and again during the block."""
    enough = threading.Event()

    def send() -> None:
        while not enough.wait(0.02):
            os.kill(os.getpid(), number)

    before = signal.signal(number, handler)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
        signal.signal(number, before)


@contextmanager
def ctrl_c() -> Iterator[None]:
    """Interrupt the block once, as Ctrl-C does: it must end by KeyboardInterrupt."""
    armed = False

    def handler(*_args: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    # What is raised in a callback of the garbage collector is lost, and Hypothesis has one.
    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt), signals(signal.SIGINT, handler):  # noqa: PT012 - the caller's
            armed = True
            yield
    finally:
        gc.enable()


@pytest.mark.parametrize("sql", [ENDLESS, f"{ENDLESS};", "INSERT INTO t " + ENDLESS_ROWS])
def test_ctrl_c_ends_a_statement_and_leaves_the_connection(db: ksqlfs.Connection, sql: str) -> None:
    db.execute("CREATE TABLE t(a)")
    with ctrl_c():
        db.execute(sql)
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)
    db.execute("INSERT INTO t VALUES(1)")
    assert db.in_transaction
    db.commit()
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_ctrl_c_in_a_statement_that_is_repeated(db: ksqlfs.Connection) -> None:
    # One row at once, or after for ever.
    sql = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT ?)"
        " SELECT count(*) AS n FROM c"
    )
    cursor = db.cursor()
    for _ in range(3):
        for count in (5, 6, 7):
            assert cursor.execute(sql, (count,)).fetchone() == (count,)
        with ctrl_c():
            cursor.execute(sql, (2**62,))
        with pytest.raises(ksqlfs.ProgrammingError):
            cursor.fetchone()
        together(1, lambda _: db.execute("SELECT 1").close())


def test_ctrl_c_while_rows_are_fetched(
    db: ksqlfs.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "KEEP_LIMIT", 1 << 20)
    cursor = db.execute(ENDLESS_ROWS)
    with ctrl_c():
        deque(cursor, maxlen=0)
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_ctrl_c_rolls_back_a_block(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a)")

    def block() -> None:
        with db:
            db.execute("INSERT INTO t VALUES(1)")
            db.execute(ENDLESS)

    with ctrl_c():
        block()
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_ctrl_c_in_a_script(db: ksqlfs.Connection) -> None:
    with ctrl_c():
        db.executescript(f"SELECT 1; {ENDLESS}; SELECT 2;")
    assert db.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("between", ["write", "read"])
def test_ctrl_c_between_the_calls_runs_nothing_late(
    db: ksqlfs.Connection, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    db.execute("CREATE TABLE t(a)")
    db.commit()
    # Those of a first execution: the names that connection.py uses.
    real = getattr(os, between)

    def interrupted(*args: object) -> object:
        if between == "write":
            real(*args)
        raise KeyboardInterrupt

    for sql, values in (("INSERT INTO t VALUES(?)", (1,)), ("INSERT INTO t VALUES(2)", ())):
        with monkeypatch.context() as patch:
            patch.setattr(os, between, interrupted)
            with pytest.raises(KeyboardInterrupt):
                db.execute(sql, values)
        assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)
        db.rollback()


def test_an_answer_that_was_lost_is_not_taken_for_the_next(
    db: ksqlfs.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute("CREATE TABLE t(a)")
    real = os.read

    def late(*args: int) -> bytes:
        real(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", late)
        with pytest.raises(KeyboardInterrupt):
            db.execute("INSERT INTO t VALUES(1)")
    assert db.in_transaction
    db.rollback()
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_signal_whose_handler_returns_ends_the_statement_too(db: ksqlfs.Connection) -> None:
    called = threading.Event()
    with (
        signals(signal.SIGUSR1, lambda *_: called.set()),
        pytest.raises(ksqlfs.OperationalError) as caught,
    ):
        db.execute(ENDLESS)
    assert called.is_set()
    assert caught.value.errno_name == "EINTR"
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_script_that_a_signal_ends_does_not_begin_again(db: ksqlfs.Connection) -> None:
    db.execute("CREATE TABLE t(a)")
    with (
        signals(signal.SIGUSR1, lambda *_: None),
        pytest.raises(ksqlfs.OperationalError) as caught,
    ):
        # What is first is sooner done than the first signal comes.
        db.executescript(f"INSERT INTO t VALUES(1); {ENDLESS}; INSERT INTO t VALUES(2);")
    assert caught.value.errno_name == "EINTR"
    assert str(caught.value) == "interrupted"
    assert db.execute("SELECT a FROM t").fetchall() in ([(1,)], [])


# Forgotten connections


def test_an_open_connection_that_is_dropped_warns_and_closes(tree: Tree) -> None:
    db = ksqlfs.connect(tree.root)
    fd = db.fd
    held = [db]
    del db
    with pytest.warns(ResourceWarning, match=r"unclosed <ksqlfs\.Connection"):
        held.clear()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_closed_connection_does_not_warn(tree: Tree) -> None:
    db = ksqlfs.connect(tree.root)
    db.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del db
        gc.collect()
