# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Each limit is hit, and not any more after a remount, and again after another."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child, request, rows_sql

Ask = Callable[[str], object]

_libc = ctypes.CDLL(None, use_errno=True)


def outcome(action: Callable[[], object]) -> str:
    """`ok`, or the errno's name."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


# What is tried: each gives one word for what came of it.


def grow(tree: Tree, ask: Ask) -> str:
    """A table of two megabytes, which is gone afterwards."""
    ask("DROP TABLE IF EXISTS grown")
    said = outcome(lambda: ask("CREATE TABLE grown AS SELECT randomblob(2000000) AS b;"))
    assert tree.value("SELECT sum(a) FROM kept") == "3"
    assert tree.value("PRAGMA integrity_check") == "ok"
    if said == "ok":
        ask("DROP TABLE grown; VACUUM")
    return said


def take_long(tree: Tree, ask: Ask) -> str:
    """More than a millisecond's work on any machine."""
    return outcome(lambda: ask(rows_sql(100_000, "count(*)") + ";"))


def be_long(tree: Tree, ask: Ask) -> str:
    """A statement of two kilobytes."""
    return outcome(lambda: ask(f"SELECT '{'x' * 2000}';"))


def give_much(tree: Tree, ask: Ask) -> str:
    """A result of two kilobytes."""
    return outcome(lambda: ask("SELECT hex(zeroblob(1000));"))


def wait_for_lock(tree: Tree, ask: Ask) -> str:
    """A lock that nobody gives up: who waits for it long enough has a signal first."""

    def act() -> str:
        signal.signal(signal.SIGALRM, lambda number, frame: None)
        text = b"INSERT INTO kept VALUES(0);"
        with tree.batch() as batch:
            signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
            wrote = int(_libc.write(batch.fd, text, len(text)))
            number = ctypes.get_errno()
            signal.setitimer(signal.ITIMER_REAL, 0)
            return "ok" if wrote >= 0 else errno.errorcode[number]

    with tree.connect() as holder:
        holder.ask("BEGIN IMMEDIATE")
        return in_child(act)


def keep_statements(tree: Tree, ask: Ask) -> str:
    """How often three statements are compiled that each come three times."""

    def compiled() -> int:
        lines = tree.text("metrics/ksqlfs.prom").splitlines()
        (line,) = [x for x in lines if x.startswith("ksqlfs_statements_prepared_total ")]
        return int(line.split(" ")[1])

    texts = [f"SELECT {number} AS n /* {os.urandom(4).hex()} */;" for number in range(3)]
    before = compiled()
    for _ in range(3):
        for text in texts:
            ask(text)
    return str(compiled() - before)


def make_session(tree: Tree, ask: Ask) -> str:
    """One more of sessions/ than there are."""
    made = tree / f"sessions/{os.urandom(4).hex()}"
    said = outcome(made.mkdir)
    if said == "ok":
        made.rmdir()
    return said


def know_size(tree: Tree, ask: Ask) -> str:
    """What stat() says of a table's rows."""
    return str((tree / "tables/kept/data.csv").stat().st_size)


@dataclass(frozen=True)
class Limit:
    """A value that is hit and what comes of it, and one that is not."""

    tight: str
    hit: str
    loose: str
    free: str
    tried: Callable[[Tree, Ask], str]


LIMITS = {
    "size": Limit("1m", "ENOSPC", "16m", "ok", grow),
    "timeout": Limit("1", "ETIMEDOUT", "0", "ok", take_long),
    "busy": Limit("1", "EBUSY", "1000000", "EINTR", wait_for_lock),
    "max_result": Limit("1k", "EOVERFLOW", "1m", "ok", give_much),
    "max_sql": Limit("1k", "EFBIG", "1m", "ok", be_long),
    "exact": Limit("0", "0", "1m", "6", know_size),
    "sessions": Limit("1", "EDQUOT", "2", "ok", make_session),
    "statements": Limit("0", "9", "8", "3", keep_statements),
}


@contextmanager
def asking(tree: Tree, way: str) -> Iterator[Ask]:
    """Who asks was there before the remount, and stays."""
    with ExitStack() as stack:
        if way == "batch":
            yield tree.run
            return
        at = "query"
        if way == "session":
            (tree / "sessions/asking").mkdir()
            stack.callback((tree / "sessions/asking").rmdir)
            at = "sessions/asking/query"
        connection = stack.enter_context(tree.connect(at))
        connection.ask("SELECT 1")
        yield connection.ask


def remounted(mount: Mounter, key: str, way: str) -> list[str]:
    """What comes of it: tight, loose and tight again, by remounting each time."""
    limit = LIMITS[key]
    tree = mount(**{key: limit.tight})
    tree.run("CREATE TABLE kept(a); INSERT INTO kept VALUES(1), (2);")
    (tree / "sessions/one").mkdir()
    found = []
    with asking(tree, way) if key != "sessions" else asking(tree, "batch") as ask:
        found.append(limit.tried(tree, ask))
        for value in (limit.loose, limit.tight):
            mount.remount(tree, **{key: value})
            found.append(limit.tried(tree, ask))
    return found


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_holds_and_a_remount_changes_it(mount: Mounter, key: str) -> None:
    limit = LIMITS[key]
    assert remounted(mount, key, "batch") == [limit.hit, limit.free, limit.hit]


@pytest.mark.parametrize("way", ["program", "session"])
@pytest.mark.parametrize("key", ["size", "timeout", "max_sql", "statements"])
def test_who_was_there_before_the_remount_keeps_to_it(mount: Mounter, key: str, way: str) -> None:
    limit = LIMITS[key]
    assert remounted(mount, key, way) == [limit.hit, limit.free, limit.hit]


def test_a_transaction_keeps_to_a_size_that_becomes_less(mount: Mounter) -> None:
    tree = mount(size="16m")
    tree.run("CREATE TABLE t(b)")
    with tree.connect() as connection:
        connection.ask("BEGIN; INSERT INTO t VALUES(randomblob(2000000))")
        mount.remount(tree, size="1m")
        with fails("ENOSPC"):
            connection.write("INSERT INTO t VALUES(randomblob(2000000));")
        # Reads go on.
        assert tree.text("tables/t/count") == "0\n"
    mount.remount(tree, size="16m")
    tree.run("INSERT INTO t VALUES(randomblob(2000000))")
    assert tree.value("SELECT count(*) FROM t") == "1"
    assert tree.value("PRAGMA integrity_check") == "ok"


def test_a_database_larger_than_its_size_stays_readable_and_can_shrink(mount: Mounter) -> None:
    tree = mount(size="16m")
    tree.run("CREATE TABLE t(n, b); CREATE TABLE u(b)")
    tree.run(f"INSERT INTO t {rows_sql(40, 'n, randomblob(100000)')}")
    mount.remount(tree, size="1m")
    assert tree.value("SELECT sum(length(b)) FROM t") == "4000000"
    with fails("ENOSPC"):
        tree.run(request("INSERT INTO t VALUES(0, randomblob(4000000));"))
    tree.run("DELETE FROM t WHERE n > 2; VACUUM")
    # It has room again, and no more than what it has now.
    tree.run("INSERT INTO u VALUES(randomblob(300000))")
    with fails("ENOSPC"):
        tree.run("INSERT INTO u VALUES(randomblob(1000000));")
    assert tree.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize(("zero", "late", "left"), [(0, 0, True), (1, 1, False), (0, 1, False)])
def test_deleted_rows_are_overwritten_with_zero(
    mount: Mounter, zero: int, late: int, left: bool
) -> None:
    tree = mount(zero=zero)
    with tree.connect() as connection:
        connection.ask("CREATE TABLE t(n, b); INSERT INTO t VALUES(1, hex('mark')), (2, 0);")
        mount.remount(tree, zero=late)
        connection.ask("DELETE FROM t WHERE n = 1;")
    assert (b"mark".hex().upper().encode() in tree.read("image")) is left


@pytest.mark.parametrize("wrong", ["statements=65", "size=1k", "max_sql=1g", "zero=2"])
def test_a_value_out_of_range_changes_nothing(mount: Mounter, wrong: str) -> None:
    tree = mount()
    before = tree.text("info/limits")
    key, _, value = wrong.partition("=")
    options: dict[str, str | int] = {key: value}
    with fails("EINVAL"):
        mount.remount(tree, timeout=99, **options)
    assert tree.text("info/limits") == before
    with fails("EINVAL"):
        mount(None, **options)
