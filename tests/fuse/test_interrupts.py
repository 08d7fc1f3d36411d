# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Signals end a client's call at once, and with it the server's work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest

from tests.fuse import processes
from tests.fuse.clients import client
from tests.fuse.servers import Server, Servers, run
from tests.interface.tree import ENDLESS, ENDLESS_ROWS, wait_until

# A column that takes minutes to read: no part of the haystack differs before the needle's end.
SLOW_COLUMN = (
    "instr(replace(hex(zeroblob(2000000)), '00', 'aa'),"
    " replace(hex(zeroblob(1000000)), '00', 'aa') || 'b')"
)


def in_write(server: Server) -> None:
    server.run(ENDLESS + ";")


def in_a_programs_write(server: Server) -> None:
    with server.connect() as connection:
        connection.write(ENDLESS + ";")


def in_a_programs_read(server: Server) -> None:
    with server.connect() as connection:
        connection.ask(ENDLESS)


def in_rows_read(server: Server) -> None:
    with server.connect("query.rows") as connection:
        connection.ask(ENDLESS)


def in_close(server: Server) -> None:
    with server.batch() as batch:
        batch.write(ENDLESS)


def in_a_tables_data(server: Server) -> None:
    server.read("tables/slow/data.csv")


def in_a_lock(server: Server) -> None:
    with server.connect() as connection:
        connection.ask("BEGIN IMMEDIATE")


CALLS = [
    *(in_write, in_a_programs_write, in_a_programs_read, in_rows_read, in_close),
    *(in_a_tables_data, in_a_lock),
]


@pytest.fixture
def server(server: Server) -> Server:
    """With no time limit, and what the calls need."""
    server.run("CREATE TABLE slow(a); INSERT INTO slow VALUES(1);")
    # Later: an INSERT would work it out.
    server.run(f"ALTER TABLE slow ADD COLUMN b AS ({SLOW_COLUMN})")
    return server


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_signal_ends_the_client(
    server: Server, call: Callable[[Server], None], how: signal.Signals
) -> None:
    with server.connect() as holder, ExitStack() as stack:
        if call is in_a_lock:
            holder.ask("BEGIN IMMEDIATE")
        asking = stack.enter_context(client(lambda: call(server)))
        asking.wait_in_fuse()
        if call is not in_a_lock:
            processes.wait_busy(server.pid)
        asking.kill(how)
        assert asking.end() == -how
        # Others are served, and the server does nothing more for who has gone.
        processes.wait_idle(server.pid)
        server.works()


def test_a_handled_signal_is_eintr(server: Server) -> None:
    got = []

    def ask() -> None:
        def stop(*_: object) -> None:
            raise InterruptedError

        signal.signal(signal.SIGALRM, stop)
        server.run(ENDLESS + ";")

    with client(ask) as asking:
        asking.wait_in_fuse()
        processes.wait_busy(server.pid)
        asking.kill(signal.SIGALRM)
        got.append(asking.end())
    assert got == [3]
    processes.wait_idle(server.pid)


def test_ctrl_c_in_a_terminals_shell(server: Server) -> None:
    script = f"timeout --foreground -s INT 0.2 sh -c \"echo '{ENDLESS};' > '{server.root}/query'\""
    done = run("sh", "-c", script)
    assert done.returncode == 124
    processes.wait_idle(server.pid)
    server.works()


def test_forty_clients_are_killed(server: Server) -> None:
    with ExitStack() as stack:
        calls = [in_write, in_a_programs_read, in_close, in_rows_read]
        asking = [
            stack.enter_context(client(partial(calls[number % 4], server))) for number in range(40)
        ]
        for one in asking:
            one.wait_in_fuse()
        processes.wait_busy(server.pid)
        server.works()
        for one in asking:
            one.kill(signal.SIGKILL)
        assert [one.end() for one in asking] == [-signal.SIGKILL] * 40
    processes.wait_idle(server.pid)
    server.works()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
@pytest.mark.parametrize("second", ["read", "write"])
@pytest.mark.parametrize("first", ["read", "write"])
def test_who_waits_for_anothers_call_on_the_same_open_file(
    server: Server, first: str, second: str, how: signal.Signals
) -> None:
    with server.connect() as shared, ExitStack() as stack:
        calls: dict[str, Callable[[], object]] = {
            "read": lambda: shared.ask(ENDLESS),
            "write": lambda: shared.write(ENDLESS + ";"),
        }
        working = stack.enter_context(client(calls[first]))
        working.wait_in_fuse()
        processes.wait_busy(server.pid)
        with client(shared.read if second == "read" else lambda: shared.write("SELECT 1;")) as one:
            one.wait_in_fuse()
            one.kill(how)
            assert one.end() == -how
        # The first one goes on, and its end gives the file back.
        processes.wait_busy(server.pid)
        working.kill(how)
        assert working.end() == -how
        processes.wait_idle(server.pid)
        assert shared.ask("SELECT 6 * 7 AS n") == "n\n42\n"


def test_a_reader_that_goes_away_ends_its_statement(server: Server) -> None:
    script = f"exec 3<>'{server.root}/query'; echo '{ENDLESS_ROWS};' >&3; head -n 3 <&3"
    done = run("sh", "-c", script)
    assert done.stdout == "n\n1\n2\n"
    processes.wait_idle(server.pid)


def test_a_thread_is_interrupted_alone(server: Server) -> None:
    """A signal to one thread ends its call and no other thread's."""
    outcome: list[str] = []

    def ask() -> None:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        ready = threading.Event()

        def other() -> None:
            with server.connect() as connection:
                ready.set()
                outcome.append(connection.ask("SELECT count(*) AS n FROM slow"))

        def endless() -> None:
            with server.connect() as connection:
                connection.ask(ENDLESS)

        busy = threading.Thread(target=endless, daemon=True)
        busy.start()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert outcome == ["n\n1\n"]
        os._exit(7)

    with client(ask) as asking:
        assert asking.end() == 7
    processes.wait_idle(server.pid)


def test_a_stopped_job_goes_on(server: Server) -> None:
    """SIGSTOP and SIGCONT end nothing."""
    with client(lambda: server.run(ENDLESS + ";")) as asking:
        asking.wait_in_fuse()
        processes.wait_busy(server.pid)
        for how in (signal.SIGSTOP, signal.SIGCONT, signal.SIGWINCH):
            asking.kill(how)
        wait_until(lambda: processes.in_fuse(asking.pid), "it waits again")
        processes.wait_busy(server.pid)
        asking.kill(signal.SIGKILL)
        assert asking.end() == -signal.SIGKILL


def test_a_statement_that_runs_at_exit_ends_at_its_time_limit(servers: Servers) -> None:
    """A process that is about to exit gets no signals any more."""
    server = servers.foreground("-o", "timeout=100")

    def leave() -> None:
        os.write(os.open(server / "query", os.O_WRONLY), ENDLESS.encode())

    with client(leave) as leaving:
        assert leaving.end() == 0
    processes.wait_idle(server.pid)
    assert server.status()["errno"] == "ETIMEDOUT"
