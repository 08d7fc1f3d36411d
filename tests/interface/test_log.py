# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""log: the last failures, each user's own."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import stat
from functools import partial

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child

HEAD = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) uid (?P<uid>\d+) pid (?P<pid>\d+)"
    r" (?P<errno>E[A-Z]+) (?P<message>.*)\n"
)


@pytest.fixture
def fresh(mount: Mounter) -> Tree:
    """A database where nothing has failed yet, open to all users."""
    return mount(mode="0777")


def heads(text: str) -> list[dict[str, str]]:
    """The first lines of all failures; every other line is indented."""
    found = []
    for line in text.splitlines(keepends=True):
        if line.startswith("\t"):
            continue
        match = HEAD.fullmatch(line)
        assert match, line
        found.append(match.groupdict())
    return found


def fail(tree: Tree, sql: str) -> None:
    """A batch that fails."""
    with contextlib.suppress(OSError):
        tree.run(sql + ";")


def test_nothing_failed_yet(fresh: Tree) -> None:
    assert fresh.read("log") == b""
    status = (fresh / "log").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o444, 0)


def test_a_failure_is_told_in_full(fresh: Tree) -> None:
    before = datetime.datetime.now(datetime.UTC)
    with fails("ENOENT"):
        fresh.run("SELECT *\nFROM nowhere;")
    after = datetime.datetime.now(datetime.UTC)
    text = fresh.text("log")
    (head,) = heads(text)
    assert text.partition("\n")[2] == "\tSELECT *\n\tFROM nowhere;\n\t     ^\n"
    assert head["uid"] == "0"
    assert head["pid"] == str(os.getpid())
    assert (head["errno"], head["message"]) == ("ENOENT", "no such table: nowhere")
    time = datetime.datetime.fromisoformat(head["time"].replace("Z", "+00:00"))
    second = datetime.timedelta(seconds=1)
    assert before - second <= time <= after + second
    assert (fresh / "log").stat().st_size == len(text)


def test_what_goes_well_is_not_logged(fresh: Tree) -> None:
    fresh.run("CREATE TABLE t(a)")
    with fresh.connect() as program:
        program.ask("SELECT 1")
    assert fresh.read("log") == b""


def test_every_kind_of_failure_is_logged(fresh: Tree) -> None:
    fail(fresh, "SELEC")
    with fresh.connect() as program, fails("EINVAL"):
        program.ask("SELECT nowhere")
    with fails("EUCLEAN"):
        (fresh / "image").write_bytes(b"no database at all" * 10)
    with fails("EINVAL"):
        fresh.run("BEGIN")
    with fails("EINVAL"), fresh.batch("import/ragged.csv", os.O_CREAT) as file:
        file.write("a,b\n1\n")
    fresh.run("CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t")
    with fails("ENOENT"):
        fresh.read("views/v/value")
    assert [head["errno"] for head in heads(fresh.text("log"))] == [
        "EINVAL",
        "EINVAL",
        "EUCLEAN",
        "EINVAL",
        "EINVAL",
        "ENOENT",
    ]


def test_the_last_eight_the_oldest_first(fresh: Tree) -> None:
    for number in range(11):
        fail(fresh, f"SELECT a{number}")
    messages = [head["message"] for head in heads(fresh.text("log"))]
    assert messages == [f"no such column: a{number}" for number in range(3, 11)]


def test_each_user_has_its_own_and_root_the_last_of_all(fresh: Tree) -> None:
    in_child(lambda: fail(fresh, "SELECT mine"), uid=4001)
    for number in range(9):
        in_child(partial(fail, fresh, f"SELECT a{number}"), uid=4002)
    mine = heads(in_child(lambda: fresh.text("log"), uid=4001))
    assert [(head["uid"], head["message"]) for head in mine] == [("4001", "no such column: mine")]
    theirs = heads(in_child(lambda: fresh.text("log"), uid=4002))
    assert [head["uid"] for head in theirs] == ["4002"] * 8
    assert in_child(lambda: fresh.text("log"), uid=4003) == ""
    fail(fresh, "SELECT roots")
    assert [head["message"] for head in heads(fresh.text("log"))] == [
        *(f"no such column: a{number}" for number in range(2, 9)),
        "no such column: roots",
    ]


def test_a_sessions_failures_are_its_owners(fresh: Tree) -> None:
    session = Tree(fresh / "sessions/s")
    in_child(lambda: session.root.mkdir(), uid=4001)
    in_child(lambda: fail(session, "SELECT mine"), uid=4001)
    fail(session, "SELECT roots")
    text = in_child(lambda: fresh.text("log"), uid=4001)
    assert [(head["uid"], head["message"]) for head in heads(text)] == [
        ("4001", "no such column: mine"),
        ("0", "no such column: roots"),
    ]
    assert in_child(lambda: fresh.text("log"), uid=4002) == ""


def test_long_ones_are_cut(fresh: Tree) -> None:
    fail(fresh, "SELECT " + " " * 100_000 + "a" * 100_000 + ", " + "b" * 100_000)
    text = fresh.text("log")
    assert len(text) < 10_000
    assert heads(text)[0]["message"].startswith("no such column: aaa")
    assert heads(text)[0]["message"].endswith("...")


NO_COLUMN = 'no such column: "a b  c" - should this be a string literal in single-quotes?'


def test_a_message_is_one_line(fresh: Tree) -> None:
    fail(fresh, 'SELECT "a\nb\n\nc" FROM (SELECT 1 AS a)')
    assert heads(fresh.text("log"))[0]["message"] == NO_COLUMN


def test_it_is_only_read(fresh: Tree) -> None:
    with fails("EPERM"):
        os.close(os.open(fresh / "log", os.O_WRONLY))
    with (fresh / "log").open() as log:
        fail(fresh, "SELECT later")
        assert log.read() == ""
