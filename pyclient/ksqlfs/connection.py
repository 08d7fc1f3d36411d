# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Connections: an open `query.rows` each."""

from __future__ import annotations

import errno
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn

from ksqlfs import errors, transfer
from ksqlfs.answer import END, Stream
from ksqlfs.cursor import READ_SIZE, UNKNOWN, Cursor, CutError
from ksqlfs.errors import (
    DatabaseError,
    Error,
    IntegrityError,
    InternalError,
    NoTreeError,
    OperationalError,
    ProgrammingError,
)
from ksqlfs.paths import find_root, unescape_name
from ksqlfs.statements import Parameters, Statement
from ksqlfs.table import Table
from ksqlfs.values import decode_lines
from ksqlfs.watch import Watch

# Names of columns, rows, last line, stream: see Connection.ask().
Answer = tuple[list[str] | None, Sequence[Any], dict[str, Any] | None, Stream | None]
RowFactory = Callable[[Cursor, tuple[Any, ...]], Any]

_STATEMENTS_KEPT = 256
_LEVELS = ("", "DEFERRED", "IMMEDIATE", "EXCLUSIVE")
# A parameter that fits nothing: whatever request it is added to, or makes, fails and runs nothing.
_SPOIL = b"\0\x01x\0"
# A script goes in two writes. Python repeats a write that a signal ended, which begins a new
# request; it must not run the script's first statements a second time, and beginning so it
# is an error of syntax.
_SCRIPT_BEGIN = b"/*"
_SCRIPT_GOES_ON = b"*/"


class Connection:
    """A private connection to the database of a tree, as PEP 249 and sqlite3 have it.

    Threads may share it: a statement runs to the end of its first read before another thread's
    begins. They share its transaction too. Made by connect().

    Attributes:
        root: The root of the tree.
        row_factory: None for tuples, or a callable that makes of a cursor and a tuple what its
            new cursors give for a row: ksqlfs.Row, for example.
    """

    # PEP 249 asks for the exceptions here too.
    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    fd = -1

    def __init__(self, root: Path, *, isolation_level: str | None = "DEFERRED") -> None:
        """Open the connection; connect() finds the root."""
        self.root = root
        self.row_factory: RowFactory | None = None
        self.lock = threading.RLock()
        self.statements: dict[str, Statement] = {}
        self._transaction = False
        # None, a reference to the Stream that is being read, or UNKNOWN.
        self.unread: Any = None
        self._forked = False
        self._set_level(isolation_level)
        path = root / "query.rows"
        try:
            self.fd = os.open(path, os.O_RDWR)
        except OSError as error:
            raise _open_error(root, error) from None
        _connections.add(self)

    # PEP 249

    def cursor(self) -> Cursor:
        """Return a new cursor of this connection."""
        self.check_open()
        return Cursor(self)

    def commit(self) -> None:
        """Commit the transaction, if there is one."""
        self.check_open()
        if self.in_transaction:
            self.command("COMMIT")

    def rollback(self) -> None:
        """Roll the transaction back, if there is one."""
        self.check_open()
        if self.in_transaction:
            self.command("ROLLBACK")

    def close(self) -> None:
        """Close the connection: what is not committed is rolled back. Closing again is nothing."""
        with self.lock:
            fd, self.fd = self.fd, -1
            if fd >= 0:
                os.close(fd)

    # As in sqlite3

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        """Execute a statement on a new cursor, and return that."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Cursor:
        """Call executemany() of a new cursor, and return that."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, script: str, /) -> Cursor:
        """Call executescript() of a new cursor, and return that."""
        return self.cursor().executescript(script)

    def __enter__(self) -> Connection:
        """Begin a block that is committed at its end, or rolled back if it raises."""
        self.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        if kind is not None:
            self.rollback()
            return False
        try:
            self.commit()
        except Error:
            self.rollback()
            raise
        return False

    @property
    def isolation_level(self) -> str | None:
        """How transactions begin by themselves, before INSERT, UPDATE, DELETE and REPLACE.

        "DEFERRED" (as ""), "IMMEDIATE" or "EXCLUSIVE"; with None each statement commits by
        itself unless it stands in a transaction that a BEGIN began. Setting None commits.
        """
        return self._level

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        self._set_level(level)
        if level is None:
            self.commit()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        if self.unread is UNKNOWN and self.fd >= 0:
            with self.lock:
                self.free()
        return self._transaction

    @property
    def total_changes(self) -> int:
        """Rows inserted, updated and deleted since the connection was opened."""
        return int(self.execute("SELECT total_changes()").fetchone()[0])

    # The tree

    @property
    def tables(self) -> list[str]:
        """The names of the tables that are committed and have a folder in the tree, sorted."""
        return self._names("tables")

    @property
    def views(self) -> list[str]:
        """The names of the views, sorted: as the tree has them, else as this connection sees."""
        if (self.root / "views").is_dir():
            return self._names("views")
        rows = self.cursor().execute("SELECT name FROM sqlite_schema WHERE type = 'view'")
        return sorted(row[0] for row in rows)

    def table(self, name: str) -> Table:
        """Return what the tree shows of a table, by its SQL name.

        Raises:
            ProgrammingError: There is no such table.
        """
        return Table(self, name)

    def watch(self, timeout: float | None = None) -> Watch:
        """Return an iterator that gives the database's Version after each commit of a change.

        Changes count from this call on. After `timeout` seconds without one it ends; None waits
        for ever.

        Raises:
            NotSupportedError: The tree has no `events`.
        """
        return Watch(self.root, timeout)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the database as a SQLite database file: all of it, or the path stays as it was.

        Raises:
            NotSupportedError: The tree has no `image`.
            OSError: The file cannot be written.
        """
        transfer.save(self.root, path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Put the database of a SQLite file in place of the whole database, or change nothing.

        Raises:
            NotSupportedError: The tree has no `image`.
            DatabaseError: The file holds no sound database, or it cannot be taken.
            OSError: The file cannot be read.
        """
        transfer.load(self.root, path)

    def info(self, name: str) -> str:
        """Return the text of a file of `info/`, such as `version` or `limits`."""
        return transfer.read_text(self.root / "info" / name)

    @property
    def features(self) -> dict[str, str]:
        """What the tree has, by the first word of each line of `info/features`."""
        return transfer.read_facts(self.root / "info/features")

    # For cursors and streams, which hold the lock

    def prepare(self, sql: str) -> Statement:
        """Look through a statement, and keep that for the next time."""
        statement = Statement(sql)
        if len(self.statements) >= _STATEMENTS_KEPT:
            del self.statements[next(iter(self.statements))]
        self.statements[sql] = statement
        return statement

    def change(self, statement: Statement, parameters: Parameters) -> Answer:
        """Ask a statement that changes something, in a transaction that begins if need be.

        A transaction whose first statement cannot even be run is taken back, as sqlite3 does not
        begin one for it.
        """
        begin = "" if self.in_transaction else self._begin
        request = statement.bind(parameters, begin)
        try:
            return self.ask(request, statement)
        except IntegrityError:
            raise
        except Error:
            if begin and self.in_transaction:
                self.command("ROLLBACK")
            raise

    def note_begin(self) -> None:
        """Take note that a transaction has begun, though the answer's end is yet to come."""
        self._transaction = self._transaction or bool(self._begin)

    def ask(self, request: bytes, statement: Statement, begun: bool = False) -> Answer:
        """Send a request, or with `begun` the rest of one, and read.

        Args:
            request: What is written.
            statement: Its last statement, which remembers its columns.
            begun: Has the beginning been written?

        Returns:
            The names of the columns, or None; rows as lists; and the answer's last line, or the
            stream that brings the rest.

        Raises:
            Error: The request failed.
        """
        if self.unread is not None and not begun:
            self.free()
        self.unread = UNKNOWN
        try:
            if os.write(self.fd, request) != len(request):
                raise CutError
            answer = os.read(self.fd, READ_SIZE)
        except OSError as error:
            self.fail(error)
        return self.take(answer, statement)

    def take(self, answer: bytes, statement: Statement) -> Answer:
        """Look at the whole of an answer's first bytes."""
        if answer[-2:] != END:
            return self._begin_stream(answer)
        items = decode_lines(answer)
        tail = items.pop()
        self.settle(tail)
        if "error" in tail:
            raise errors.error_of_answer(tail)
        if not items:
            return None, (), tail, None
        names = items.pop(0)
        head = answer[: answer.index(b"\n")]
        statement.frame = (head, answer[answer.rindex(b"\n", 0, -1) + 1 : -1], b"")
        return names, items, tail, None

    def command(self, sql: str) -> None:
        """Run a statement that returns no rows."""
        with self.lock:
            self.ask(sql.encode(), Statement(sql))

    def run_script(self, script: bytes) -> None:
        """Run several statements; rows are dropped."""
        with self.lock:
            self.free()
            self.unread = UNKNOWN
            try:
                os.write(self.fd, _SCRIPT_BEGIN)
            except OSError as error:
                self.fail(error)
            try:
                *_, stream = self.ask(_SCRIPT_GOES_ON + script, Statement(""), begun=True)
                while stream is not None and stream.rows():
                    pass
            except DatabaseError as error:
                raise _script_error(error) from None

    def read_on(self, stream: Stream) -> tuple[bytes, bool]:
        """Read more of a stream's answer: the bytes, and whether they tell of a failure."""
        self.check_open()
        self.unread = UNKNOWN
        failed = False
        try:
            data = os.read(self.fd, READ_SIZE)
        except OSError:
            failed = True
            data = self._read_failure()
        if not data:
            raise InternalError("An answer of the tree ended without its last line.")
        self.unread = weakref.ref(stream)
        return data, failed

    def settle(self, tail: dict[str, Any]) -> None:
        """Take note of the last line of an answer: the connection is free."""
        self._transaction = tail["in_transaction"]
        self.unread = None

    def check_open(self) -> None:
        """Raise ProgrammingError if the connection is closed."""
        if self.fd < 0:
            if self._forked:
                raise ProgrammingError(
                    "This connection belongs to the parent process: open another after fork()."
                )
            raise ProgrammingError("Cannot operate on a closed database.")

    # Inside

    def _set_level(self, level: str | None) -> None:
        if level is not None and (not isinstance(level, str) or level.upper() not in _LEVELS):
            raise ProgrammingError(
                "isolation_level must be None, '', 'DEFERRED', 'IMMEDIATE' or 'EXCLUSIVE',"
                f" not {level!r}."
            )
        self._level = level if level is None else level.upper()
        self._begin = "" if level is None else f"BEGIN {level.upper()};"

    def _names(self, directory: str) -> list[str]:
        self.check_open()
        try:
            return sorted(map(unescape_name, os.listdir(self.root / directory)))
        except OSError as error:
            raise errors.error_of_call(error, f"listing {self.root / directory}") from None

    def _begin_stream(self, answer: bytes) -> Answer:
        if not answer:
            raise InternalError("The tree gave no answer.")
        stream = Stream(self, answer)
        self.unread = weakref.ref(stream)
        rows = stream.rows()
        names = rows.pop(0) if rows else None
        if stream.ended_well():
            return names, rows, stream.tail, None
        return names, rows, None, stream

    def free(self) -> None:
        """Make the connection ready for a request, whatever came before."""
        self.check_open()
        unread = self.unread
        if unread is None:
            return
        if unread is UNKNOWN:
            # A request may be written and not yet run, or its answer be lost.
            try:
                os.write(self.fd, _SPOIL)
                os.read(self.fd, READ_SIZE)
            except OSError:
                self.settle(decode_lines(self._read_failure())[0])
                return
            raise InternalError("The tree took a request that cannot be right.")
        stream = unread()
        if stream is not None and stream.wanted:
            stream.keep()

    def _read_failure(self) -> bytes:
        """The line in which the tree tells of the call that just failed."""
        try:
            return b"".join(iter(lambda: os.read(self.fd, READ_SIZE), b""))
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> NoReturn:
        raise errors.error_of_call(error, f"using {self.root / 'query.rows'}") from None

    def fail(self, error: OSError) -> NoReturn:
        """Raise what the tree says of a call that just failed."""
        self.check_open()
        line = self._read_failure()
        if not line:
            self._lose(error)
        tail = decode_lines(line)[-1]
        if type(tail) is not dict or "error" not in tail:
            raise InternalError("A call failed, and the tree tells of no failure.") from error
        self.settle(tail)
        raise errors.error_of_answer(tail) from None

    def __del__(self) -> None:
        if self.fd >= 0:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=1)
            self.close()

    def __repr__(self) -> str:
        return f"<ksqlfs.Connection to {self.root}{' (closed)' if self.fd < 0 else ''}>"

    def _forget(self) -> None:
        """Leave the connection to the parent process, in a forked child."""
        self.lock = threading.RLock()
        self._forked = True
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def _open_error(root: Path, error: OSError) -> Error:
    """What it means that `query.rows` cannot be opened."""
    name = errors.errno_name(error)
    if error.errno == errno.EROFS:
        return OperationalError(
            f"{root} is mounted read-only, which allows no SQL: read its tables/, or mount it"
            " without `ro`.",
            name,
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NoTreeError(
            f"{root}/query.rows may not be written by this user ({error.strerror}): mount it with"
            " uid=, gid= or mode= that let this user in, or run as its owner.",
            name,
        )
    if error.errno == errno.ENOENT:
        return NoTreeError(f"{root} has no query.rows: its ksqlfs is older than this client.", name)
    return errors.error_of_call(error, f"opening {root}/query.rows")


def _script_error(error: DatabaseError) -> DatabaseError:
    """The failure of a script, as if the script had been sent as it is."""
    begin = (_SCRIPT_BEGIN + _SCRIPT_GOES_ON).decode()
    if error.statement is None:
        return error
    if error.statement.startswith(_SCRIPT_GOES_ON.decode()):
        return OperationalError("interrupted", "EINTR", "SQLITE_INTERRUPT")
    if error.statement.startswith(begin):
        error.statement = error.statement.removeprefix(begin)
        if error.offset is not None:
            error.offset = max(0, error.offset - len(begin))
    return error


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _after_fork() -> None:
    """Parent and child must not use one open file: each would read what the other asked for."""
    for connection in _connections:
        connection._forget()


os.register_at_fork(after_in_child=_after_fork)


def connect(
    root: str | os.PathLike[str] | None = None, *, isolation_level: str | None = "DEFERRED"
) -> Connection:
    """Open a connection to the database of a tree.

    Args:
        root: The tree's root; by default $KSQL_ROOT, or the first of the usual places where
            there is one (find_root()).
        isolation_level: See Connection.isolation_level.

    Raises:
        NoTreeError: There is no tree, or none that this user may use.
        OperationalError: The tree is mounted read-only.
    """
    return Connection(find_root(root), isolation_level=isolation_level)
