# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""After much use the server has what it had before: descriptors, threads, memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.fuse import processes
from tests.fuse.clients import client
from tests.fuse.servers import Server
from tests.interface.tree import ENDLESS, ENDLESS_ROWS, wait_until

# The engine keeps some connections for the next user (POOL_MAX of conn.c, each some 50 KiB).
SLACK = 256 * 1024
# Threads that stay when nothing is to be done: IDLE_MAX of host.c, and the one that waits.
IDLE_THREADS = 6


def open_and_close(server: Server) -> None:
    for name in ("error", "query", "tables/t/data.csv", "tables/t/schema", "result.json"):
        server.read(name)


def stat(server: Server) -> None:
    for name in ("error", "tables/t/count", "info/memory", "tables"):
        os.stat(server / name)


def missing(server: Server) -> None:
    for name in ("none", "tables/none", "tables/t/none"):
        assert not os.path.exists(server / name)


def list_all(server: Server) -> None:
    for folder in ("", "tables", "tables/t", "info"):
        os.listdir(server / folder)


def batches(server: Server) -> None:
    server.run("SELECT 1")


def connections(server: Server) -> None:
    with server.connect() as connection:
        connection.ask("SELECT 1")


def failures(server: Server) -> None:
    with pytest.raises(OSError, match="No such file"):
        server.run("SELECT * FROM nowhere;")


def abandoned(server: Server) -> None:
    with server.connect() as connection:
        connection.write(ENDLESS_ROWS + ";")
        connection.read(10)


USES = [
    *(open_and_close, stat, missing, list_all, batches, connections, failures, abandoned),
]


def settled(server: Server) -> None:
    """What clients have closed is given back a moment later."""
    processes.wait_idle(server.pid)


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_nothing_stays_of_much_use(server: Server, use: Callable[[Server], None]) -> None:
    server.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    for _ in range(50):
        use(server)
    settled(server)
    held = server.memory("blocks")
    descriptors = len(processes.descriptors(server.pid))
    resident = int(processes.status(server.pid, "VmRSS").split()[0])
    for _ in range(500):
        use(server)
    settled(server)
    wait_until(lambda: server.memory("blocks") <= held + SLACK, "the engine's memory is given back")
    assert len(processes.descriptors(server.pid)) <= descriptors
    wait_until(lambda: len(processes.threads(server.pid)) <= IDLE_THREADS, "threads end")
    # A hundred bytes lost each time would be more.
    grown = int(processes.status(server.pid, "VmRSS").split()[0]) - resident
    assert grown <= 1024, f"{grown} KiB"


def test_the_kernels_forgetting_is_the_servers(server: Server) -> None:
    """Each lookup of a file makes a node; FORGET must take it away."""
    server.run("CREATE TABLE t(a)")

    def look_up(count: int) -> int:
        for _ in range(count):
            os.stat(server / "tables/t/schema")
        settled(server)
        return int(processes.status(server.pid, "VmRSS").split()[0])

    first = look_up(2000)
    assert look_up(10_000) <= first + 512  # KiB; a node has some hundred bytes


def test_nothing_stays_of_killed_clients(server: Server) -> None:
    server.run("CREATE TABLE t(a)")

    def one() -> None:
        def work() -> None:
            connection, batch = server.connect(), server.batch()
            connection.ask("BEGIN; INSERT INTO t VALUES(1);")
            batch.write("SELECT 1; SELECT ")
            server.run(ENDLESS + ";")

        with client(work) as asking:
            asking.wait_in_fuse()
            asking.kill(signal.SIGKILL)
            asking.end()
        # Its locks are free, so its connection has gone.
        server.run("INSERT INTO t VALUES(2)")

    one()
    settled(server)
    held = server.memory("blocks")
    for _ in range(20):
        one()
    settled(server)
    wait_until(lambda: server.memory("blocks") <= held + SLACK, "their connections are given back")
    assert len(processes.threads(server.pid)) <= IDLE_THREADS


def test_threads_of_many_clients_end(server: Server) -> None:
    with ExitStack() as stack:
        clients = [
            stack.enter_context(client(lambda: server.run(ENDLESS + ";"))) for _ in range(12)
        ]
        for one in clients:
            one.wait_in_fuse()
        wait_until(lambda: len(processes.threads(server.pid)) > 12, "each has a thread")
        for one in clients:
            one.kill(signal.SIGKILL)
    wait_until(lambda: len(processes.threads(server.pid)) <= IDLE_THREADS, "threads end")
    server.works()
