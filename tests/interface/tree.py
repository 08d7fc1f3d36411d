# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A mounted tree as the tests see it: paths, bytes and errnos, nothing of any host."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

import pytest

T = TypeVar("T")
Sql = str | bytes
Param = str | bytes | int | float | None
Row = dict[str, Any]

# A longer write() may be taken in parts over FUSE.
FUSE_WRITE_MAX = 1 << 20

# SQL that ends only when it is stopped, each row costing little memory.
ENDLESS = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c"
)
# The same, but giving rows for ever.
ENDLESS_ROWS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
# One opcode that takes minutes: no prefix of the haystack differs before the needle's last byte.
LONG_INSTR = (
    "SELECT instr(replace(hex(zeroblob(200000)), '00', 'aa'),"
    " replace(hex(zeroblob(100000)), '00', 'aa') || 'b') AS at"
)


def rows_sql(count: int, columns: str = "n") -> str:
    """A SELECT of `columns` over n = 1 .. count."""
    return (
        f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count})"
        f" SELECT {columns} FROM c"
    )


def as_bytes(text: Sql) -> bytes:
    """SQL as the bytes that are written."""
    return text.encode() if isinstance(text, str) else text


def encode_param(value: Param) -> bytes:
    """A parameter with its type code, without the NUL that ends it."""
    if value is None:
        return b"\x05"
    if isinstance(value, bytes):
        return b"\x04" + value.hex().encode()
    if isinstance(value, int):
        return b"\x01%d" % value
    if isinstance(value, float):
        return b"\x02" + repr(value).encode()
    return b"\x03" + value.encode()


def request(sql: Sql, *params: Param) -> bytes:
    """SQL and its parameters as one text for a query file."""
    if not params:
        return as_bytes(sql)
    return b"\0".join([as_bytes(sql), *map(encode_param, params), b""])


@contextmanager
def fails(*names: str) -> Iterator[None]:
    """The block must raise OSError with one of these errnos, by name."""
    with pytest.raises(OSError) as caught:
        yield
    number = caught.value.errno
    got = errno.errorcode.get(number, str(number)) if number is not None else "none"
    assert got in names, f"{got} instead of {' or '.join(names)}"


class _Descriptor:
    """An open file by its number, closed once."""

    def __init__(self, path: Path, flags: int) -> None:
        self.fd = os.open(path, flags | os.O_CLOEXEC)

    def close(self) -> None:
        """Close; raises what close(2) says."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except OSError:
            if error is None:
                raise

    def write(self, text: Sql) -> None:
        """Write all: at once, but for what a kernel cuts into parts on its way to a FUSE server."""
        data = memoryview(as_bytes(text))
        while data:
            taken = os.write(self.fd, data)
            assert taken == len(data) or taken > FUSE_WRITE_MAX - 4096, (
                f"a write of {len(data)} bytes took {taken}"
            )
            data = data[taken:]


class Batch(_Descriptor):
    """A query file opened write-only."""

    def __init__(self, path: Path, flags: int = 0) -> None:
        super().__init__(path, os.O_WRONLY | flags)

    def __enter__(self) -> Batch:
        return self


class Connection(_Descriptor):
    """A query file opened read-write."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, os.O_RDWR)

    def __enter__(self) -> Connection:
        return self

    def read(self, size: int = 65536) -> bytes:
        """One read(2)."""
        return os.read(self.fd, size)

    def answer(self, size: int = 65536) -> bytes:
        """What is left of the answer."""
        return b"".join(iter(lambda: self.read(size), b""))

    def ask(self, sql: Sql, *params: Param) -> str:
        """Write a request, read its whole answer."""
        self.write(request(sql, *params))
        return self.answer().decode()


@dataclass(frozen=True)
class Tree:
    """The files under one root."""

    root: Path

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def batch(self, file: str = "query", flags: int = 0) -> Batch:
        """Open a batch."""
        return Batch(self.root / file, flags)

    def connect(self, file: str = "query") -> Connection:
        """Open a private connection."""
        return Connection(self.root / file)

    def run(self, sql: Sql, *params: Param, file: str = "query") -> None:
        """One batch in one write."""
        with self.batch(file) as batch:
            batch.write(request(sql, *params))

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return (self.root / name).read_bytes()

    def text(self, name: str) -> str:
        """A file's text, which must be UTF-8."""
        return self.read(name).decode()

    def result(self) -> str:
        """The CSV of the last batch."""
        return self.text("result")

    def ask(self, sql: Sql, *params: Param) -> str:
        """A batch and its result in CSV."""
        self.run(sql, *params)
        return self.result()

    def value(self, sql: Sql, *params: Param) -> str:
        """A batch and the one value it gives, without the newline."""
        self.run(sql, *params)
        text = self.text("value")
        assert text.endswith("\n")
        return text[:-1]

    def rows(self, sql: Sql, *params: Param) -> list[Row]:
        """A batch and its rows, by way of JSON."""
        self.run(sql, *params)
        return cast(list[Row], json.loads(self.text("result.json")))

    def status(self) -> dict[str, str]:
        """The `status` file by key, in its order."""
        return dict(line.split(" ", 1) for line in self.text("status").splitlines())

    def tables(self) -> list[str]:
        """The names under tables/, sorted."""
        return sorted(os.listdir(self.root / "tables"))

    def works(self) -> None:
        """The tree still answers."""
        assert self.value("SELECT 6 * 7") == "42"

    def clean(self) -> None:
        """Drop everything that a test made."""
        with self.connect("query.json") as connection:
            made = json.loads(
                connection.ask(
                    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view')"
                    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                    " ORDER BY type = 'table', sql NOT LIKE 'CREATE VIRTUAL%'"
                )
            )
            if made:
                drops = (
                    f"DROP {item['type']} IF EXISTS {quote_name(item['name'])};" for item in made
                )
                connection.ask("PRAGMA foreign_keys = OFF;" + "".join(drops))


def quote_name(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def parse_csv(text: str, delimiter: str = ",") -> list[list[str]]:
    """CSV by Python's own reader, which refuses what is not RFC 4180."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def in_child(function: Callable[[], T], uid: int | None = None) -> T:
    """Run a function in a forked child (as another user); its value or its exception."""
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(source)
        outcome: tuple[bool, object]
        try:
            if uid is not None:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            outcome = (True, function())
        except BaseException as error:
            outcome = (False, error)
        try:
            with os.fdopen(sink, "wb") as stream:
                pickle.dump(outcome, stream)
        finally:
            os._exit(0)
    os.close(sink)
    try:
        with os.fdopen(source, "rb") as stream:
            data = stream.read()
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, how = os.waitpid(pid, 0)
    assert data, f"the child ended with wait status {how}"
    fine, value = pickle.loads(data)
    if fine:
        return cast(T, value)
    raise cast(BaseException, value)


@contextmanager
def child(function: Callable[[], object]) -> Iterator[int]:
    """A forked child doing something; killed, and waited for, at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition; the test's own time limit is the end of patience."""
    for _ in range(100_000):
        if condition():
            return
        time.sleep(0.002)
    pytest.fail(f"never happened: {what}")
