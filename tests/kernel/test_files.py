# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the kernel's own ways of moving bytes do, and what a killed client leaves."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.interface.tree import ENDLESS, LONG_INSTR, Tree, child, fails, rows_sql, wait_until

_libc = ctypes.CDLL(None, use_errno=True)


def big_result(tree: Tree) -> bytes:
    """A result of about 300 kB."""
    tree.run(rows_sql(20_000, "n, 'row ' || n AS r"))
    return b"n,r\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(1, 20_001))


# sendfile, splice, vectors


def test_sendfile_to_a_file(tree: Tree, tmp_path: Path) -> None:
    whole = big_result(tree)
    with (tree / "result").open("rb") as source, (tmp_path / "copy").open("wb") as sink:
        while os.sendfile(sink.fileno(), source.fileno(), None, 1 << 20):
            pass
    assert (tmp_path / "copy").read_bytes() == whole


def test_sendfile_to_a_socket_from_an_offset(tree: Tree) -> None:
    whole = big_result(tree)
    ours, theirs = socket.socketpair()
    with (tree / "result").open("rb") as source, ours, theirs:
        sent = os.sendfile(theirs.fileno(), source.fileno(), 100, 5_000)
        assert ours.recv(sent, socket.MSG_WAITALL) == whole[100 : 100 + sent]
        assert sent > 0


def drain(source: int) -> bytes:
    """Splice a file into a pipe, and read the pipe, to the end of the file."""
    reader, writer = os.pipe()
    data = b""
    try:
        while moved := os.splice(source, writer, 30_000):
            while moved:
                piece = os.read(reader, moved)
                data += piece
                moved -= len(piece)
    finally:
        os.close(reader)
        os.close(writer)
    return data


def test_splice_from_a_result(tree: Tree) -> None:
    whole = big_result(tree)
    with (tree / "result").open("rb") as source:
        assert drain(source.fileno()) == whole


def test_splice_from_a_connection(tree: Tree) -> None:
    whole = big_result(tree)
    with tree.connect() as connection:
        connection.write(rows_sql(20_000, "n, 'row ' || n AS r"))
        assert drain(connection.fd) == whole


def test_splice_from_a_table(tree: Tree) -> None:
    tree.run("CREATE TABLE t(n, r); INSERT INTO t " + rows_sql(20_000, "n, 'row ' || n"))
    with (tree / "tables/t/data.csv").open("rb") as source:
        assert drain(source.fileno()) == big_result(tree)


def test_splice_into_a_batch(tree: Tree) -> None:
    text = b"SELECT length('" + b"x" * 40_000 + b"') AS n"
    reader, writer = os.pipe()
    with tree.batch() as batch:
        for at in range(0, len(text), 10_000):
            piece = text[at : at + 10_000]
            os.write(writer, piece)
            moved = 0
            while moved < len(piece):
                moved += os.splice(reader, batch.fd, len(piece) - moved)
    os.close(reader)
    os.close(writer)
    assert tree.result() == "n\n40000\n"


def test_vectors(tree: Tree) -> None:
    with tree.batch() as batch:
        os.writev(batch.fd, [b"SELECT ", b"", b"'abc'", b" AS a;"])
    fd = os.open(tree / "result", os.O_RDONLY)
    try:
        one, two = bytearray(3), bytearray(10)
        assert os.preadv(fd, [one, two], 0) == 6
        assert bytes(one + two[:3]) == b"a\nabc\n"
        one = bytearray(2)
        assert os.readv(fd, [one]) == 2
        assert bytes(one) == b"a\n"
    finally:
        os.close(fd)


def test_reading_into_bad_memory_is_efault(tree: Tree) -> None:
    tree.run("SELECT 1 AS a")
    fd = os.open(tree / "result", os.O_RDONLY)
    assert _libc.read(fd, ctypes.c_void_p(8), 100) == -1
    assert ctypes.get_errno() == errno.EFAULT
    assert os.read(fd, 10) == b"a\n1\n"
    os.close(fd)


def test_an_answer_that_could_not_be_stored_is_not_lost(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write("SELECT 1 AS a")
        assert _libc.read(connection.fd, ctypes.c_void_p(8), 100) == -1
        assert ctypes.get_errno() == errno.EFAULT
        assert connection.answer() == b"a\n1\n"


def test_writing_from_bad_memory_is_efault_and_runs_nothing(tree: Tree) -> None:
    with tree.batch() as batch:
        assert _libc.write(batch.fd, ctypes.c_void_p(8), 100) == -1
        assert ctypes.get_errno() == errno.EFAULT
    tree.works()


def test_a_write_that_faults_halfway_runs_no_half_of_a_statement(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    page = os.sysconf("SC_PAGESIZE")
    libc_mmap = _libc.mmap
    libc_mmap.restype = ctypes.c_void_p
    libc_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    start = libc_mmap(None, 40 * page, 3, 0x22, -1, 0)
    _libc.munmap(ctypes.c_void_p(start + 20 * page), 20 * page)
    text = b"DELETE FROM t"
    ctypes.memset(start, ord(" "), 20 * page)
    ctypes.memmove(start, text, len(text))
    batch = tree.batch()
    assert _libc.write(batch.fd, ctypes.c_void_p(start), 30 * page) == -1
    assert ctypes.get_errno() == errno.EFAULT
    try:
        batch.close()
    finally:
        assert tree.text("tables/t/count") == "1\n"
    _libc.munmap(ctypes.c_void_p(start), 20 * page)


# Closing, which the kernel sees better than other hosts


def test_a_shell_may_write_a_statement_in_pieces_to_a_kept_descriptor(tree: Tree) -> None:
    # Each `>&3` is a dup2() and a close() by the process that opened the file.
    script = "exec 3> query; printf 'SELECT ' >&3; printf '1 AS a' >&3; exec 3>&-; cat result"
    for shell in (["dash"], ["bash"], ["busybox", "sh"]):
        done = subprocess.run(
            [*shell, "-c", script], cwd=tree.root, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("a\n1\n", ""), shell


def test_what_a_killed_writer_left_unterminated_does_not_run(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
    told, tell = os.pipe()

    def act() -> None:
        with tree.batch() as batch:
            batch.write("DELETE FROM t")  # ... WHERE a = 1
            os.write(tell, b"x")
            signal.pause()

    with child(act):
        os.read(told, 1)
    os.close(told)
    os.close(tell)
    assert tree.text("tables/t/count") == "2\n"


# Killed clients


def state_of(pid: int) -> str:
    """The state letter of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def has_ended(pid: int) -> bool:
    """Has a process closed its files? (What it was may not have been waited for.)"""
    try:
        return state_of(pid) in "ZX"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("sql", [ENDLESS, LONG_INSTR], ids=["loop", "instr"])
def test_a_running_statement_is_never_in_d_state(tree: Tree, sql: str) -> None:
    tree.run("CREATE TABLE mark(a)")
    with child(partial(tree.run, f"INSERT INTO mark VALUES(1); {sql};")) as pid:
        wait_until(lambda: tree.text("tables/mark/count") == "1\n", "the statement before it")
        assert "D" not in {state_of(pid) for _ in range(200)}
    tree.works()


def test_waiting_for_a_lock_is_not_d_state_and_can_be_killed(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE TABLE mark(a)")
    told, tell = os.pipe()

    def act() -> None:
        with tree.connect() as connection:
            os.write(tell, b"x")
            connection.ask("INSERT INTO t VALUES(1)")

    with tree.connect() as holder:
        holder.ask("BEGIN IMMEDIATE")
        with child(act) as pid:
            os.read(told, 1)
            assert "D" not in {state_of(pid) for _ in range(200)}
        holder.ask("COMMIT")
    os.close(told)
    os.close(tell)
    assert tree.text("tables/t/count") == "0\n"


def test_two_threads_of_one_descriptor_wait_for_each_other_killably(tree: Tree) -> None:
    tree.run("CREATE TABLE mark(a)")

    def act() -> None:
        with tree.connect() as connection:
            if os.fork() == 0:
                connection.write(f"INSERT INTO mark VALUES(1); {ENDLESS};")
                os._exit(0)
            wait_until(lambda: tree.text("tables/mark/count") == "1\n", "the statement")
            connection.read()

    with child(act) as pid:
        wait_until(lambda: tree.text("tables/mark/count") == "1\n", "the statement before it")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert "D" not in {state_of(pid) for _ in range(100)}
        for other in children:
            os.kill(int(other), signal.SIGKILL)
    for other in children:
        wait_until(partial(has_ended, int(other)), "the grandchild's end")
    tree.works()


def test_killed_clients_leave_no_holder(tree: Tree) -> None:
    refcount = Path("/sys/module/ksqlfs/refcnt")
    before = refcount.read_text()
    tree.run("CREATE TABLE mark(a)")
    for number in range(1, 6):
        with child(partial(tree.run, f"INSERT INTO mark VALUES(1); {ENDLESS};")):
            wait_until(
                partial(lambda n: tree.text("tables/mark/count") == f"{n}\n", number), "the mark"
            )
    assert refcount.read_text() == before


def test_a_statement_in_one_process_delays_no_listing_in_another(tree: Tree) -> None:
    tree.run("CREATE TABLE mark(a)")
    with child(partial(tree.run, f"INSERT INTO mark VALUES(1); {LONG_INSTR};")):
        wait_until(lambda: tree.text("tables/mark/count") == "1\n", "the statement before it")
        for _ in range(20):
            assert tree.tables() == ["mark"]
            assert (tree / "query").stat().st_size == 0


def test_files_cannot_be_mapped_into_memory(tree: Tree) -> None:
    tree.run("SELECT 1 AS a")
    with (tree / "result").open("rb") as file, fails("ENODEV"):
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def test_locks_on_files_are_the_kernels_own(tree: Tree) -> None:
    with tree.batch() as one, tree.batch() as two:
        fcntl.flock(one.fd, fcntl.LOCK_EX)
        with fails("EAGAIN"):
            fcntl.flock(two.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
