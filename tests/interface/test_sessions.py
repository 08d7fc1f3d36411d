# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""sessions/: private connections as directories, made by mkdir() and gone by rmdir()."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import (
    ENDLESS,
    ENDLESS_ROWS,
    Tree,
    child,
    fails,
    in_child,
    rows_sql,
    wait_until,
)

FILES = [
    "error",
    "query",
    "query.json",
    "query.ndjson",
    "query.rows",
    "query.tsv",
    "result",
    "result.json",
    "result.ndjson",
    "result.tsv",
    "status",
    "value",
]


@pytest.fixture
def session(tree: Tree) -> Iterator[Tree]:
    """A session of the shared tree, removed at the end if the test has not done so."""
    made = Tree(tree / "sessions" / f"pytest-{os.getpid()}")
    made.root.mkdir()
    yield made
    if made.root.exists():
        made.root.rmdir()


def new(tree: Tree, name: str) -> Tree:
    """A session by its name."""
    (tree / "sessions" / name).mkdir()
    return Tree(tree / "sessions" / name)


# What it is


def test_a_session_has_its_files(session: Tree) -> None:
    assert sorted(os.listdir(session.root)) == FILES
    assert session.text("error") == "ok\n"
    assert session.status()["state"] == "none"
    assert session.result() == ""


def test_mode_and_owner_are_the_makers(mount: Mounter) -> None:
    tree = mount(mode="0777", uid=1234, gid=2345)
    in_child(lambda: new(tree, "mine"), uid=4001)
    status = (tree / "sessions/mine").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o700, 4001, 4001)
    status = (tree / "sessions/mine/query").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, 4001, 4001)
    assert stat.S_IMODE((tree / "sessions/mine/result").stat().st_mode) == 0o400


@pytest.mark.parametrize(
    ("mode", "shown"), [("0750", 0o1770), ("0755", 0o1775), ("0700", 0o1700), ("0777", 0o1777)]
)
def test_who_may_write_queries_may_make_sessions(mount: Mounter, mode: str, shown: int) -> None:
    tree = mount(mode=mode)
    assert stat.S_IMODE((tree / "sessions").stat().st_mode) == shown
    if mode == "0755":
        with fails("EACCES"):
            in_child(lambda: new(tree, "mine"), uid=4001)


def test_others_cannot_enter(mount: Mounter) -> None:
    tree = mount(mode="0777")
    mine = in_child(lambda: new(tree, "mine"), uid=4001)
    for use in (
        lambda: os.listdir(mine.root),
        lambda: mine.run("SELECT 1"),
        lambda: mine.read("result"),
        lambda: os.lstat(mine / "error"),
    ):
        with fails("EACCES"):
            in_child(use, uid=4002)
    mine.run("SELECT 7")  # root may
    assert in_child(lambda: mine.text("value"), uid=4001) == "7\n"


def test_a_listing_has_the_users_own(mount: Mounter) -> None:
    tree = mount(mode="0777")
    for name, uid in (("a", 4001), ("b", 4002), ("c", 4001)):
        in_child(partial(new, tree, name), uid=uid)

    def names() -> list[str]:
        return sorted(os.listdir(tree / "sessions"))

    assert in_child(names, uid=4001) == ["a", "c"]
    assert in_child(names, uid=4002) == ["b"]
    assert in_child(names, uid=4003) == []
    assert names() == ["a", "b", "c"]


def test_names(tree: Tree) -> None:
    for name in ("n" * 255, "größe", " ", "a\nb", "..."):
        made = new(tree, name)
        with fails("EEXIST"):
            made.root.mkdir()
        assert made.value("SELECT 1") == "1"
        made.root.rmdir()
    with fails("ENAMETOOLONG"):
        new(tree, "n" * 256)
    with fails("EPERM"):
        os.close(os.open(tree / "sessions/file", os.O_CREAT | os.O_WRONLY))


def test_what_may_not_be_done(session: Tree, tree: Tree) -> None:
    for refused in (
        lambda: (session / "more").mkdir(),
        lambda: (session / "query").unlink(),
        lambda: session.root.rename(tree / "sessions/other"),
        lambda: session.root.chmod(0o755),
        lambda: os.chown(session.root, 1, 1),
        lambda: (tree / "sessions").rmdir(),
    ):
        with fails("EPERM", "ENOTEMPTY"):
            refused()
    with fails("EPERM"):
        (session / "query").unlink()
    assert session.value("SELECT 1") == "1"


def test_mktemp_makes_one(tree: Tree) -> None:
    path = subprocess.run(
        ["mktemp", "-d", f"{tree.root}/sessions/XXXXXX"], capture_output=True, text=True, check=True
    ).stdout.strip()
    made = Tree(Path(path))
    assert made.value("SELECT 6 * 7") == "42"
    made.root.rmdir()
    assert not made.root.exists()


# What lasts


def test_a_transaction_lasts_over_batches(tree: Tree, session: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    session.run("BEGIN; INSERT INTO t VALUES(1)")
    assert session.text("error") == "ok\n"
    session.run("INSERT INTO t VALUES(2)")
    assert session.value("SELECT count(*) FROM t") == "2"
    assert tree.value("SELECT count(*) FROM t") == "0"
    session.run("COMMIT")
    assert tree.value("SELECT count(*) FROM t") == "2"


def test_temporary_tables_and_settings_last(tree: Tree, session: Tree) -> None:
    session.run("CREATE TEMP TABLE mine(a); PRAGMA recursive_triggers = 1")
    session.run("INSERT INTO mine VALUES(5)")
    assert session.value("SELECT a FROM mine") == "5"
    assert session.value("PRAGMA recursive_triggers") == "1"
    with fails("ENOENT"):
        tree.run("SELECT a FROM mine;")


def test_a_program_shares_the_connection(tree: Tree, session: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with session.connect("query.json") as program:
        assert program.ask("BEGIN; INSERT INTO t VALUES(1)") == ""
        assert session.value("SELECT count(*) FROM t") == "1"
    assert session.value("SELECT count(*) FROM t") == "1"
    session.run("COMMIT")
    assert tree.value("SELECT count(*) FROM t") == "1"


def test_results_are_the_sessions_own(tree: Tree, session: Tree) -> None:
    tree.run("SELECT 'root' AS a")
    session.run("SELECT 'session' AS a")
    assert tree.result() == "a\nroot\n"
    assert session.result() == "a\nsession\n"
    assert (session / "result").stat().st_size == len("a\nsession\n")
    with fails("EINVAL"):
        session.run("SELEC;")
    with fails("EINVAL"):
        session.result()
    assert tree.text("error") == "ok\n"
    assert session.status()["errno"] == "EINVAL"


# The end


def test_rmdir_rolls_back_and_lets_go(tree: Tree, session: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    session.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)")
    session.root.rmdir()
    tree.run("INSERT INTO t VALUES(2);")
    assert tree.value("SELECT group_concat(a) FROM t") == "2"
    with fails("ENOENT"):
        session.run("SELECT 1")


def test_a_name_made_again_is_another_session(session: Tree) -> None:
    session.run("CREATE TEMP TABLE mine(a)")
    here = os.open(session.root, os.O_RDONLY)
    session.root.rmdir()
    session.root.mkdir()
    with fails("ENOENT"):
        session.run("SELECT * FROM mine;")
    with fails("ENOENT"):
        os.stat("query", dir_fd=here)
    os.close(here)
    assert session.value("SELECT 1") == "1"


def test_only_the_owner_and_root_may_remove(mount: Mounter) -> None:
    tree = mount(mode="0777")
    mine = in_child(lambda: new(tree, "mine"), uid=4001)
    with fails("EPERM"):
        in_child(mine.root.rmdir, uid=4002)
    assert in_child(lambda: mine.value("SELECT 1"), uid=4001) == "1"
    in_child(mine.root.rmdir, uid=4001)
    mine = in_child(lambda: new(tree, "mine"), uid=4001)
    mine.root.rmdir()
    with fails("ENOENT"):
        mine.root.rmdir()


def test_open_files_of_a_removed_session(tree: Tree, session: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    session.run("SELECT 'kept' AS a")
    with session.connect() as program, session.connect() as half, session.batch() as idle:
        result = (session / "result").open()
        half.write(rows_sql(500_000))
        assert half.read(100)
        batch = session.batch()
        batch.write("INSERT INTO t VALUES('half')")
        session.root.rmdir()
        with fails("ECANCELED"):
            program.write("SELECT 1;")
        with fails("ECANCELED"):
            half.answer()
        with fails("ECANCELED"):
            batch.close()
        idle.close()
        assert result.read() == "a\nkept\n"
        result.close()
    assert tree.value("SELECT count(*) FROM t") == "0"


def test_rmdir_ends_what_runs(tree: Tree, session: Tree) -> None:
    tree.run("CREATE TABLE t(a)")

    def endless() -> None:
        with fails("ECANCELED"), session.connect() as program:
            program.write(f"INSERT INTO t VALUES(1); {ENDLESS};")
        os._exit(7)

    pid = os.fork()
    if pid == 0:
        endless()
    wait_until(lambda: tree.text("tables/t/count") == "1\n", "the statement before it has run")
    session.root.rmdir()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    tree.works()


def test_unmounting_takes_what_is_left(mount: Mounter) -> None:
    tree = mount(source="left-over")
    new(tree, "left").run("CREATE TEMP TABLE t(a); BEGIN; SELECT 1")
    mount.unmount(tree)
    assert os.listdir(mount(source="left-over") / "sessions") == []


# Bounds


def test_a_user_may_have_so_many(mount: Mounter) -> None:
    tree = mount(mode="0777", sessions=2)
    assert (
        dict(line.split(" ") for line in tree.text("info/limits").splitlines())["sessions"] == "2"
    )
    first = in_child(lambda: new(tree, "a"), uid=4001)
    in_child(lambda: new(tree, "b"), uid=4001)
    with fails("EDQUOT"):
        in_child(lambda: new(tree, "c"), uid=4001)
    in_child(lambda: new(tree, "other"), uid=4002)
    in_child(first.root.rmdir, uid=4001)
    in_child(lambda: new(tree, "c"), uid=4001)


def test_nothing_leaks(tree: Tree) -> None:
    def blocks() -> int:
        tree.run("SELECT 1")
        facts = dict(line.split(" ") for line in tree.text("info/memory").splitlines())
        return int(facts["blocks"])

    def use() -> None:
        made = new(tree, "leak")
        made.run("CREATE TEMP TABLE t(a); INSERT INTO t VALUES(zeroblob(1000000)); BEGIN")
        with made.connect() as program:
            program.write(ENDLESS_ROWS + ";")
            program.read(10)
            made.root.rmdir()

    use()
    before = blocks()
    for _ in range(30):
        use()
    assert blocks() < before + 500_000


# Several at once


def test_who_waits_for_the_session_has_ebusy_in_time(mount: Mounter) -> None:
    session = new(mount(busy=100), "s")
    with child(lambda: session.run(ENDLESS + ";")):
        wait_until(lambda: is_busy(session), "the session is busy")
        with session.connect() as program:
            with fails("EBUSY"):
                program.write("SELECT 1;")
            assert program.read() == b""
    wait_until(lambda: not is_busy(session), "the session is free again")


def is_busy(session: Tree) -> bool:
    """Does another call use the session?"""
    try:
        session.run("SELECT 1;")
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return True
    return False


def test_who_waits_can_be_killed(mount: Mounter) -> None:
    session = new(mount(busy=600_000, timeout=0), "s")
    tree = Tree(session.root.parent.parent)
    tree.run("CREATE TABLE t(a)")
    with child(lambda: session.run(f"INSERT INTO t VALUES(1); {ENDLESS};")):
        wait_until(lambda: tree.text("tables/t/count") == "1\n", "the statement before it has run")
        pid = os.fork()
        if pid == 0:
            session.run("INSERT INTO t VALUES(2);")
            os._exit(0)
        write = "1 "
        wait_until(
            lambda: Path(f"/proc/{pid}/syscall").read_text().startswith(write), "another waits"
        )
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert session.value("SELECT count(*) FROM t") == "1"


def test_many_writers_take_turns(tree: Tree, session: Tree) -> None:
    tree.run("CREATE TABLE t(a)")

    def work() -> None:
        for i in range(50):
            session.run(f"INSERT INTO t VALUES({i});")
        os._exit(0)

    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            work()
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    assert tree.value("SELECT count(*) FROM t") == "200"
