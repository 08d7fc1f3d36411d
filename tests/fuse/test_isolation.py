# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A long statement delays nobody else; users' outcomes do not mix."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fuse import processes
from tests.fuse.clients import client
from tests.fuse.servers import Server
from tests.interface.tree import ENDLESS, in_child, wait_until

USER = 12345
OTHER = 23456


@pytest.fixture
def busy(server: Server) -> Iterator[Server]:
    """A tree in which a write to `query` lasts for ever; it still lasts when the test is over."""
    server.run("CREATE TABLE t AS SELECT 1 AS a")
    with client(lambda: server.run(ENDLESS + ";")) as asking:
        asking.wait_in_fuse()
        processes.wait_busy(server.pid)
        yield server
        assert processes.in_fuse(asking.pid)
        asking.kill(signal.SIGKILL)
        asking.end()
    processes.wait_idle(server.pid)


def test_others_write_to_the_same_name(busy: Server) -> None:
    assert busy.value("SELECT 6 * 7") == "42"
    busy.run("INSERT INTO t VALUES(2)")
    with busy.connect() as connection:
        assert connection.ask("SELECT count(*) AS n FROM t") == "n\n2\n"


def test_others_open_it_in_every_way(busy: Server) -> None:
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC | os.O_APPEND):
        os.close(os.open(busy / "query", flags))
    os.truncate(busy / "query", 0)
    os.utime(busy / "query")


def test_others_look_at_everything(busy: Server) -> None:
    seen = 0
    for folder, _, files in os.walk(busy.root):
        for name in files:
            path = os.path.join(folder, name)
            os.stat(path)
            if name not in ("changes", "insert.csv", "insert.ndjson"):  # no content to be read
                with open(path, "rb") as file:
                    file.read()
            seen += 1
    assert seen > 20
    os.statvfs(busy.root)


def test_a_poll_does_not_wait(busy: Server) -> None:
    with busy.connect() as connection:
        assert select.select([connection.fd], [connection.fd], [], None)[0]


def test_more_long_statements_than_idle_threads(busy: Server) -> None:
    with ExitStack() as stack:
        asking = [stack.enter_context(client(lambda: busy.run(ENDLESS + ";"))) for _ in range(5)]
        for one in asking:
            one.wait_in_fuse()
        busy.works()


def test_a_long_statement_in_a_close_delays_nobody(server: Server) -> None:
    def ask() -> None:
        with server.batch() as batch:
            batch.write(ENDLESS)

    with client(ask) as asking:
        asking.wait_in_fuse()
        processes.wait_busy(server.pid)
        server.works()
        asking.kill(signal.SIGKILL)
        asking.end()


def test_users_outcomes_do_not_mix(server: Server) -> None:
    def ask(text: str) -> tuple[str, str, str]:
        server.run(f"SELECT '{text}' AS x")
        return server.result(), server.text("value"), server.status()["state"]

    server.run("SELECT 'root' AS x")
    assert in_child(lambda: server.text("status"), USER).startswith("state none\n")
    assert in_child(lambda: ask("one"), USER) == ("x\none\n", "one\n", "ok")
    assert in_child(lambda: ask("two"), OTHER) == ("x\ntwo\n", "two\n", "ok")
    assert server.result() == "x\nroot\n"
    assert in_child(server.result, USER) == "x\none\n"


def test_two_users_at_once(server: Server) -> None:
    def ask_often(text: str) -> None:
        os.setresuid(*[USER if text == "one" else OTHER] * 3)
        for number in range(200):
            server.run(f"SELECT '{text}{number}' AS x")
            assert server.text("value") == f"{text}{number}\n"

    with client(lambda: ask_often("one")) as one, client(lambda: ask_often("two")) as two:
        assert (one.end(), two.end()) == (0, 0)


def test_an_error_is_told_to_its_user_alone(server: Server) -> None:
    def fail() -> str:
        with pytest.raises(OSError, match="No such file"):
            server.run("SELECT * FROM nowhere;")
        return server.text("error")

    server.run("SELECT 1")
    assert "no such table: nowhere" in in_child(fail, USER)
    assert server.text("error") == "ok\n"
    assert server.result() == "1\n1\n"


def test_the_uid_of_the_write_counts(server: Server) -> None:
    """As by the fsuid: a set-uid program's outcome is that of who it acts for."""

    def act() -> str:
        os.seteuid(USER)
        server.run("SELECT 'acting' AS x")
        return server.result()

    server.run("SELECT 'root' AS x")
    assert in_child(act) == "x\nacting\n"
    assert server.result() == "x\nroot\n"
    wait_until(lambda: in_child(server.result, USER) == "x\nacting\n", "it is the user's")
