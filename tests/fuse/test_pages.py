# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Ways to read but read(2): sendfile, splice, mmap, copies by programs that use them.

The kernel does these by pages that it keeps, and believes a size: the FUSE host's own care.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuse.servers import Server, run
from tests.interface.tree import fails, rows_sql

FILES = ["result", "result.json", "tables/t/schema", "tables/t/data.csv", "tables/t/data.ndjson"]


@pytest.fixture
def server(server: Server) -> Server:
    """With a table, and a result, of some hundred pages."""
    server.run(f"CREATE TABLE t AS {rows_sql(60_000, 'n, n * n AS square')}")
    server.run("SELECT * FROM t")
    return server


def by_sendfile(source: Path, sink: Path) -> None:
    with source.open("rb") as file, sink.open("wb") as copy:
        while os.sendfile(copy.fileno(), file.fileno(), None, 1 << 20):
            pass


def by_splice(source: Path, sink: Path) -> None:
    reader, writer = os.pipe()
    with source.open("rb", buffering=0) as file, sink.open("wb", buffering=0) as copy:
        while moved := os.splice(file.fileno(), writer, 1 << 16):
            while moved:
                moved -= os.splice(reader, copy.fileno(), moved)
    os.close(reader)
    os.close(writer)


def by_copyfile(source: Path, sink: Path) -> None:
    shutil.copyfile(source, sink)


def by_busybox_cat(source: Path, sink: Path) -> None:
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    done = run("sh", "-c", 'busybox cat "$1" > "$2"', "sh", source, sink)
    assert (done.returncode, done.stderr) == (0, "")


def by_cp(source: Path, sink: Path) -> None:
    done = run("cp", source, sink)
    assert (done.returncode, done.stderr) == (0, "")


def by_dd(source: Path, sink: Path) -> None:
    done = run("dd", f"if={source}", f"of={sink}", "bs=777", "status=none")
    assert (done.returncode, done.stderr) == (0, "")


WAYS = [by_sendfile, by_splice, by_copyfile, by_busybox_cat, by_cp, by_dd]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_copy_is_right(
    server: Server, tmp_path: Path, name: str, way: Callable[[Path, Path], None]
) -> None:
    way(server / name, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == server.read(name)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", FILES)
def test_the_next_copy_has_the_next_content(
    server: Server, tmp_path: Path, name: str, way: Callable[[Path, Path], None]
) -> None:
    copy = tmp_path / "copy"
    way(server / name, copy)
    for number in range(3):
        server.run(f"DELETE FROM t WHERE n > {10 - number}; CREATE INDEX i{number} ON t(n);")
        server.run("SELECT * FROM t")
        way(server / name, copy)
        assert copy.read_bytes() == server.read(name), number
        assert f"i{number}" in copy.read_text() or name != "tables/t/schema"


def test_sendfile_has_what_was_opened(server: Server, tmp_path: Path) -> None:
    before = server.read("tables/t/data.csv")
    with (
        (server / "tables/t/data.csv").open("rb") as file,
        (tmp_path / "copy").open("wb") as copy,
    ):
        os.sendfile(copy.fileno(), file.fileno(), None, 5000)
        server.run("DELETE FROM t")
        while os.sendfile(copy.fileno(), file.fileno(), None, 1 << 20):
            pass
    assert (tmp_path / "copy").read_bytes() == before


@pytest.mark.parametrize("name", ["result", "tables/t/data.csv", "query"])
def test_stat_of_an_open_file_is_that_of_its_name(server: Server, name: str) -> None:
    """Though the kernel must not believe it of what was opened."""
    with (server / name).open("rb", buffering=0) as file:
        server.run("SELECT 'short' AS x")
        for _ in range(2):
            assert os.fstat(file.fileno()).st_size == os.stat(server / name).st_size
    assert os.stat(server / "result").st_size == len("x\nshort\n")


def test_two_open_files_have_pages_of_their_own(server: Server) -> None:
    path = server / "result"
    with path.open("rb") as old:
        one, other = socket.socketpair()
        with one, other:
            os.sendfile(one.fileno(), old.fileno(), 0, 10)
            assert other.recv(100) == b"n,square\n1"
            server.run("SELECT 'new' AS x")
            with path.open("rb") as new:
                os.sendfile(one.fileno(), new.fileno(), 0, 100)
                assert other.recv(100) == b"x\nnew\n"
            os.sendfile(one.fileno(), old.fileno(), 0, 10)
            assert other.recv(100) == b"n,square\n1"


@pytest.mark.parametrize("name", FILES)
def test_a_private_mapping_is_right(server: Server, name: str) -> None:
    content = server.read(name)
    # By mmap(2) itself: Python's believes the size of stat().
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_size_t]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    descriptor = os.open(server / name, os.O_RDONLY)
    server.run("DELETE FROM t; SELECT 1")
    place = libc.mmap(None, len(content), mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, 0)
    assert place != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    os.close(descriptor)
    assert ctypes.string_at(place, len(content)) == content
    libc.munmap(place, len(content))


def test_a_shared_mapping_is_refused(server: Server) -> None:
    with (server / "result").open("rb") as file, fails("ENODEV"):
        mmap.mmap(file.fileno(), 100, mmap.MAP_SHARED, mmap.PROT_READ)


@pytest.mark.parametrize("name", ["query", "query.rows"])
def test_a_stream_refuses_what_needs_pages(server: Server, tmp_path: Path, name: str) -> None:
    with server.connect(name) as connection, (tmp_path / "copy").open("wb") as copy:
        connection.write("SELECT 6 * 7 AS n;")
        with fails("EINVAL", "ESPIPE"):
            os.sendfile(copy.fileno(), connection.fd, None, 100)
        with fails("EINVAL", "ENODEV", "ESPIPE"):
            os.pread(connection.fd, 100, 0)
        # And nothing of the answer is lost by it.
        assert "42" in connection.answer().decode()


def test_a_program_that_tries_sendfile_first_reads_a_stream(server: Server) -> None:
    script = 'exec 3<>"$1/query"; echo "SELECT 6 * 7 AS n" >&3; "$2" cat <&3'
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    done = run("sh", "-c", script, "sh", server.root, "busybox")
    assert (done.stdout, done.stderr) == ("n\n42\n", "")


def test_a_splice_of_a_stream_is_refused(server: Server) -> None:
    """Unlike with the module: splice(2) of FUSE goes by the kernel's pages."""
    reader, writer = os.pipe()
    with server.connect() as connection:
        connection.write("SELECT 6 * 7 AS n;")
        with fails("EINVAL"):
            os.splice(connection.fd, writer, 1 << 16)
        assert connection.answer() == b"n\n42\n"
    os.close(reader)
    os.close(writer)


def test_a_splice_into_a_batch(server: Server) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"SELECT 6 * 7 AS n")
    with server.batch() as batch:
        assert os.splice(reader, batch.fd, 1 << 16) == 17
    os.close(reader)
    os.close(writer)
    assert server.text("value") == "42\n"
