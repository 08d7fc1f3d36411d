# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Limits: time, size, length of results, and signals."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import (
    ENDLESS,
    ENDLESS_ROWS,
    LONG_INSTR,
    Tree,
    child,
    fails,
    in_child,
    rows_sql,
    wait_until,
)

# Minutes of work inside few opcodes, each in another function.
LONG = {
    "loop": ENDLESS,
    "instr": LONG_INSTR,
    "like": (
        "SELECT replace(hex(zeroblob(500000)), '00', 'aa') LIKE"
        " '%' || replace(hex(zeroblob(20000)), '00', 'aa') || 'b'"
    ),
    "glob": (
        "SELECT replace(hex(zeroblob(500000)), '00', 'aa') GLOB"
        " '*' || replace(hex(zeroblob(20000)), '00', 'aa') || 'b'"
    ),
    "join": (
        f"WITH x AS ({rows_sql(3000)}) SELECT count(*) FROM x a, x b, x c, x d WHERE a.n = -d.n"
    ),
}


# Time


@pytest.mark.parametrize("what", ["loop", "instr", "like", "glob", "join"])
def test_a_statement_over_its_time_is_etimedout(mount: Mounter, what: str) -> None:
    tree = mount(timeout=400)
    with fails("ETIMEDOUT"):
        tree.run(LONG[what] + ";")
    with fails("ETIMEDOUT"):
        tree.result()
    assert tree.status()["errno"] == "ETIMEDOUT"
    tree.works()


def test_views_on_twice_the_view_below_are_refused_at_once(mount: Mounter) -> None:
    # A million copies of the lowest one: SQLite alone would be at it for hours, deaf to its limit.
    tree = mount(timeout=20000)
    tree.run("CREATE TABLE t(a); CREATE VIEW v0 AS SELECT * FROM t")
    for i in range(1, 21):
        tree.run(f"CREATE VIEW v{i} AS SELECT x.* FROM v{i - 1} AS x, v{i - 1} AS y")
    tree.run("SELECT * FROM v5")
    ctes = ",".join(f"c{i} AS (SELECT x.a FROM c{i - 1} x, c{i - 1} y)" for i in range(1, 21))
    for sql in (
        "SELECT 1 FROM v20 LIMIT 0",
        f"WITH c0 AS (SELECT a FROM t), {ctes} SELECT 1 FROM c20 LIMIT 0",
        "INSERT INTO t SELECT a FROM v20",
        "ALTER TABLE t RENAME a TO b",
    ):
        with fails("EINVAL"):
            tree.run(sql)
        assert "too many views and common table expressions, max: 2000" in tree.text("error")
    tree.works()


def test_a_connection_survives_its_time_limit(mount: Mounter) -> None:
    tree = mount(timeout=400)
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.ask("BEGIN; INSERT INTO t VALUES(1)")
        with fails("ETIMEDOUT"):
            connection.write(ENDLESS + ";")
        assert connection.ask("SELECT count(*) AS n FROM t") == "n\n1\n"
        connection.ask("COMMIT")
    assert tree.text("tables/t/count") == "1\n"


def test_a_change_over_its_time_is_undone(mount: Mounter) -> None:
    tree = mount(timeout=400)
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(0)")
    with fails("ETIMEDOUT"):
        tree.run(f"INSERT INTO t {ENDLESS_ROWS};")
    assert tree.text("tables/t/data.csv") == "a\n0\n"
    assert tree.value("PRAGMA integrity_check") == "ok"


def test_the_time_limit_is_of_each_statement(tree: Tree, mount: Mounter) -> None:
    """Thirty of them take three times the limit: one limit for all could never be kept.

    On a busy machine a single one may pass its own, when it has to wait that long.
    """
    one = rows_sql(30_000, "count(*) AS n")
    tree.run(one)
    limited = mount(timeout=max(1, 10 * int(tree.status()["usec"]) // 1000))
    for _ in range(20):
        try:
            assert limited.ask(";".join([one] * 30)) == "n\n30000\n"
        except TimeoutError:
            continue
        return
    pytest.fail("the limit was passed each time")


# Size


def fill(tree: Tree, size: int) -> int:
    """Insert until the database is full; how many rows went in."""
    rows = 0
    with tree.connect() as connection, fails("ENOSPC"):
        for rows in range(100_000):
            connection.ask(f"INSERT INTO t VALUES({rows}, randomblob({size}))")
    return rows


def test_a_full_database_is_enospc_and_loses_nothing(mount: Mounter) -> None:
    tree = mount(size=2_000_000)
    tree.run("CREATE TABLE t(n, b)")
    rows = fill(tree, 20_000)
    assert 50 <= rows <= 100
    assert tree.text("tables/t/count") == f"{rows}\n"
    assert tree.value("SELECT sum(length(b)) FROM t") == str(rows * 20_000)
    assert tree.text("tables/t/data.csv").count("\n") == rows + 1
    assert tree.value("PRAGMA integrity_check") == "ok"


def test_a_full_database_can_be_emptied_and_filled_again(mount: Mounter) -> None:
    tree = mount(size=1_000_000)
    tree.run("CREATE TABLE t(n, b)")
    rows = fill(tree, 10_000)
    tree.run("DELETE FROM t WHERE n % 2 = 0")
    assert fill(tree, 10_000) >= rows // 3
    tree.run("DROP TABLE t; CREATE TABLE t(n, b)")
    assert fill(tree, 10_000) >= rows - 2
    assert tree.value("PRAGMA integrity_check") == "ok"


def test_a_statement_too_large_for_the_database_is_undone(mount: Mounter) -> None:
    tree = mount(size=1_000_000)
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    with fails("ENOSPC"):
        tree.run(f"INSERT INTO t {rows_sql(5_000, 'randomblob(1000)')};")
    assert tree.text("tables/t/data.csv") == "a\nkept\n"
    with fails("ENOSPC"):
        tree.run(
            f"BEGIN; INSERT INTO t VALUES(1); INSERT INTO t {rows_sql(5_000, 'randomblob(999)')};"
        )
    assert tree.text("tables/t/data.csv") == "a\nkept\n"
    tree.run("INSERT INTO t VALUES('more')")


def test_a_database_within_its_size_can_be_changed_for_ever(mount: Mounter) -> None:
    tree = mount(size=2_000_000)
    tree.run(f"CREATE TABLE t(n, b); INSERT INTO t {rows_sql(300, 'n, randomblob(1000)')}")
    with tree.connect() as connection:
        for _ in range(40):
            connection.ask("UPDATE t SET b = randomblob(1000)")
    assert tree.value("SELECT count(*) FROM t WHERE length(b) = 1000") == "300"


# Results


@pytest.mark.parametrize(
    "sql",
    ["SELECT hex(zeroblob(20000)) AS a", rows_sql(5_000, "hex(zeroblob(10)) AS a")],
    ids=["one-row", "many-rows"],
)
def test_a_result_over_its_cap_is_eoverflow_and_says_so(mount: Mounter, sql: str) -> None:
    tree = mount(max_result=20_000)
    tree.run("CREATE TABLE t(a)")
    with fails("EOVERFLOW"):
        tree.run(f"INSERT INTO t VALUES(1); {sql};")
    for name in ("result", "result.json", "result.ndjson", "value"):
        with fails("EOVERFLOW"):
            tree.read(name)
    assert "max_result" in tree.text("error")
    assert "errno EOVERFLOW (75)" in tree.text("error")
    assert tree.status()["errno"] == "EOVERFLOW"
    assert tree.text("tables/t/count") == "1\n"
    tree.works()


def test_a_result_under_its_cap_is_whole(mount: Mounter) -> None:
    tree = mount(max_result=20_000)
    assert tree.ask("SELECT hex(zeroblob(4000)) AS a") == f"a\n{'0' * 8000}\n"


def test_the_cap_is_not_for_connections(mount: Mounter) -> None:
    tree = mount(max_result=20_000)
    with tree.connect() as connection:
        assert len(connection.ask("SELECT hex(zeroblob(50000)) AS a")) == 100_003


# Statements


def test_max_sql_is_the_longest_statement(mount: Mounter) -> None:
    tree = mount(max_sql=2_000)
    head, tail = "SELECT 1 AS a /*", "*/;"
    assert tree.ask(head + "x" * (2_000 - len(head + tail)) + tail) == "a\n1\n"
    with fails("EFBIG"):
        tree.run(head + "x" * (2_002 - len(head + tail)) + tail)
    with fails("EFBIG"):
        tree.run("x" * 9_000)
    tree.works()


# Signals


def is_marked(tree: Tree, times: int = 1) -> bool:
    """Whether the statement before the long one has run."""
    return tree.text("tables/mark/count") == f"{times}\n"


_libc = ctypes.CDLL(None, use_errno=True)


def under_alarms(call: Callable[[], int]) -> str:
    """The errno of a call of libc's, which unlike Python's is not repeated, under alarms."""
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    outcome = call()
    number = ctypes.get_errno()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return errno.errorcode[number] if outcome < 0 else ""


def open_errno(path: Path) -> str:
    """The errno of open(2) by libc, which unlike Python's does not try again after EINTR."""
    if (fd := int(_libc.open(bytes(path), os.O_RDONLY))) < 0:
        return errno.errorcode[ctypes.get_errno()]
    os.close(fd)
    return ""


def write_under_alarms(path: Path, flags: int, text: str) -> str:
    fd = os.open(path, flags)
    return under_alarms(lambda: int(_libc.write(fd, text.encode(), len(text))))


@pytest.mark.parametrize("what", ["loop", "instr", "like", "join"])
def test_a_signal_ends_a_statement_with_eintr(tree: Tree, what: str) -> None:
    text = LONG[what] + ";"
    assert in_child(lambda: write_under_alarms(tree / "query", os.O_WRONLY, text)) == "EINTR"
    assert open_errno(tree / "result") == "ECANCELED"
    assert tree.status()["errno"] == "EINTR"
    assert "errno EINTR (4)" in tree.text("error")
    tree.works()


def test_a_signal_ends_a_statement_that_runs_at_close(tree: Tree) -> None:
    def act() -> str:
        fd = os.open(tree / "query", os.O_WRONLY)
        os.write(fd, ENDLESS.encode())
        return under_alarms(lambda: int(_libc.close(fd)))

    assert in_child(act) == "EINTR"
    assert open_errno(tree / "result") == "ECANCELED"
    tree.works()


def test_a_signal_ends_a_request_and_not_its_connection(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")

    def act() -> tuple[str, str, str]:
        with tree.connect() as connection:
            connection.ask("BEGIN; INSERT INTO t VALUES(1)")
            fd, text = connection.fd, (ENDLESS + ";").encode()
            wrote = under_alarms(lambda: int(_libc.write(fd, text, len(text))))
            os.write(fd, ENDLESS.encode())
            buffer = ctypes.create_string_buffer(100)
            read = under_alarms(lambda: int(_libc.read(fd, buffer, 100)))
            connection.ask("COMMIT")
            return wrote, read, connection.ask("SELECT count(*) AS n FROM t")

    assert in_child(act) == ("EINTR", "EINTR", "n\n1\n")


def test_a_signal_ends_the_wait_for_a_lock(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as holder:
        holder.ask("BEGIN IMMEDIATE")
        text = "INSERT INTO t VALUES(1);"
        assert in_child(lambda: write_under_alarms(tree / "query", os.O_WRONLY, text)) == "EINTR"
    assert tree.text("tables/t/count") == "0\n"


@pytest.mark.parametrize("shell", ["dash", "bash", "python3"])
def test_programs_that_try_again_after_eintr_do_not_hang(tree: Tree, shell: str) -> None:
    # bash's redirection, Python's and Go's open() repeat an open() that fails with EINTR: were
    # that the errno of opening a result whose batch was interrupted, they would do so for ever.
    text = ENDLESS + ";"
    assert in_child(lambda: write_under_alarms(tree / "query", os.O_WRONLY, text)) == "EINTR"
    script = "open('result')" if shell == "python3" else "read line < result"
    done = subprocess.run(
        ["timeout", "10", shell, "-c", script], cwd=tree.root, capture_output=True, check=False
    )
    assert done.returncode in (1, 2), "it hung"


@pytest.mark.parametrize("way", ["ignored", "blocked"])
def test_a_signal_that_is_not_delivered_ends_nothing(tree: Tree, way: str) -> None:
    def act() -> str:
        if way == "ignored":
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        outcome = tree.ask(f"SELECT count(*) AS n FROM ({rows_sql(100_000)})")
        signal.setitimer(signal.ITIMER_REAL, 0)
        return outcome

    assert in_child(act) == "n\n100000\n"


def test_ctrl_c_ends_a_program_that_waits_for_its_statement(tree: Tree, tmp_path: Path) -> None:
    tree.run("CREATE TABLE mark(a)")
    file = tmp_path / "endless.sql"
    file.write_text(f"INSERT INTO mark VALUES(1); {ENDLESS};")
    with subprocess.Popen(["cp", file, tree / "query"], stderr=subprocess.PIPE) as program:
        wait_until(partial(is_marked, tree), "the statement before it")
        program.send_signal(signal.SIGINT)
        program.communicate()
    assert program.returncode == -signal.SIGINT
    tree.works()


def test_kill_9_leaves_no_lock_and_no_change(tree: Tree) -> None:
    tree.run("CREATE TABLE mark(a); CREATE TABLE t(a)")
    text = (
        "INSERT INTO mark VALUES(1); BEGIN IMMEDIATE; INSERT INTO t VALUES(1);"
        f"INSERT INTO t {ENDLESS};"
    )
    with child(lambda: tree.run(text)):
        wait_until(partial(is_marked, tree), "the statement before it")
    with tree.connect() as connection:
        connection.ask("BEGIN IMMEDIATE")
        assert connection.ask("SELECT count(*) AS n FROM t") == "n\n0\n"
        connection.ask("COMMIT")


def test_kill_9_of_a_connection_rolls_it_back(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    told, tell = os.pipe()

    def act() -> None:
        with tree.connect() as connection:
            connection.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)")
            os.write(tell, b"x")
            signal.pause()

    with child(act):
        os.read(told, 1)
    tree.run("INSERT INTO t VALUES(2)")
    assert tree.text("tables/t/data.csv") == "a\n2\n"
    os.close(told)
    os.close(tell)


@pytest.mark.parametrize("what", ["loop", "instr"])
def test_kill_9_many_times_over(tree: Tree, what: str) -> None:
    tree.run("CREATE TABLE mark(a)")
    for number in range(1, 8):
        with child(partial(tree.run, f"INSERT INTO mark VALUES(1); {LONG[what]};")):
            wait_until(partial(is_marked, tree, number), "the statement before it")
    tree.works()


def test_a_long_statement_delays_nobody_else(tree: Tree) -> None:
    tree.run("CREATE TABLE mark(a)")
    with child(lambda: tree.run(f"INSERT INTO mark VALUES(1); {ENDLESS};")):
        wait_until(partial(is_marked, tree), "the statement before it")
        assert tree.ask("SELECT 1 AS a") == "a\n1\n"
        tree.run("INSERT INTO mark VALUES(2)")
        with tree.connect() as connection:
            assert connection.ask("SELECT count(*) AS n FROM mark") == "n\n2\n"
        assert tree.text("tables/mark/data.csv") == "a\n1\n2\n"
