# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Cursors: PEP 249's, as far as it makes sense with sqlite3's additions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from os import read, write
from typing import TYPE_CHECKING, Any

from ksqlfs.errors import ProgrammingError
from ksqlfs.statements import Parameters, Statement, not_unicode
from ksqlfs.values import ENCODERS, encode_other, scan

if TYPE_CHECKING:
    from ksqlfs.answer import Stream
    from ksqlfs.connection import Connection

# Bytes that one read asks for.
READ_SIZE = 1 << 16
# What Connection.unread holds while a request is under way: should that not come to its end,
# nobody knows how far it came.
UNKNOWN = object()


class CutError(OSError):
    """A long write that began to run, and failed in its middle: the tree has the words."""


_NOTHING = Statement("")
_Column = tuple[str, None, None, None, None, None, None]


class _NoRows:
    """Stands for rows where there can be none: asking for one is an error."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        raise ProgrammingError(self._sentence)


_NO_COLUMNS = _NoRows("There are no rows to fetch: the last statement returned no columns.")
_NOT_EXECUTED = _NoRows("There are no rows to fetch: nothing was executed.")
_CLOSED = _NoRows("Cannot operate on a closed cursor.")


class Cursor:
    """Executes statements of its connection and gives their rows.

    An answer up to 64 KiB is here when execute() returns; of a longer one the rows come as they
    are fetched. If another cursor needs the connection meanwhile, the rest is brought into memory
    first, up to 64 MiB.

    Attributes:
        arraysize: Rows that fetchmany() gives by default.
        connection: The connection.
        rowcount: Rows that the last INSERT, UPDATE, DELETE or REPLACE changed, all of
            executemany() together; -1 after other statements, and until all rows of a RETURNING
            have been fetched.
        lastrowid: The rowid of the last row that execute() inserted by this cursor, or None.
    """

    def __init__(self, connection: Connection) -> None:
        """Make a cursor; Connection.cursor() does."""
        self.connection = connection
        # The text of the last statement, if that may be executed again the short way.
        self._again: str | None = None
        # How its request begins, and what stands around the row of its answer.
        self._begun = ""
        self._frame = _NOTHING.frame
        self._statement = _NOTHING
        self.arraysize = 1
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._closed = False
        self._row_factory = connection.row_factory
        self._stream: Stream | None = None
        self._names: list[str] | None = None
        # The rows that are here, as tuples and as they are given out.
        self._tuples: Iterator[Any] = _NOT_EXECUTED
        self._rows: Iterator[Any] = _NOT_EXECUTED

    @property
    def description(self) -> tuple[_Column, ...] | None:
        """The columns of the last statement, seven values each: the name, and six times None."""
        if self._names is None:
            return None
        return tuple((name, None, None, None, None, None, None) for name in self._names)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns of the last statement; repeated ones are repeated."""
        return [] if self._names is None else self._names

    @property
    def row_factory(self) -> Callable[[Cursor, tuple[Any, ...]], Any] | None:
        """What makes a row of this cursor and a tuple; None for the tuples themselves."""
        return self._row_factory

    @row_factory.setter
    def row_factory(self, factory: Callable[[Cursor, tuple[Any, ...]], Any] | None) -> None:
        if self._row_factory is None:
            self._tuples = self._rows
        self._row_factory = factory
        self._rows = self._made(self._tuples)
        self._again = None

    # Executing

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        """Execute one statement; returns this cursor.

        Args:
            sql: The statement, with `?`, `?NNN`, `:name`, `@name` or `$name` for values.
            parameters: A sequence of values by number, or a mapping by name. They go to the
                tree beside the SQL, never in it.

        Raises:
            Error: The statement cannot be executed.
        """
        # The short way, in few steps: what this cursor executed last, a SELECT of one row.
        if sql is not self._again or type(parameters) is not tuple:
            return self._execute(sql, parameters)
        request = self._begun
        try:
            for value in parameters:
                if type(value) is int:
                    request = f"{request}\x01{value}\0"
                else:
                    request += ENCODERS.get(type(value), encode_other)(value)
            data = request.encode()
        except ValueError:  # what cannot be stored
            return self._execute(sql, parameters)
        connection = self.connection
        lock = connection.lock
        try:
            # A `with` takes twice as long as the two calls.
            lock.acquire()
            if connection.unread is not None:
                connection.free()
            try:
                # Should it be cut, reading tells of the failure; a SELECT has done nothing.
                write(connection.fd, data)
                answer = read(connection.fd, READ_SIZE)
            except OSError as error:
                connection.fail(error)
            except BaseException:
                connection.unread = UNKNOWN
                raise
            try:
                head, row, tail, rest = answer.split(b"\n", 3)
            except ValueError:
                head = row = tail = rest = answer
            if (head, tail, rest) == self._frame:
                # One row, between columns and an end that were seen before.
                self._rows = iter((tuple(scan(row.decode(), 0)[0]),))
            else:
                self._reset()
                self._take(*connection.take(answer, self._statement))
            lock.release()
        except BaseException:
            with suppress(RuntimeError):  # interrupted before it was acquired, or after the release
                lock.release()
            self._reset()
            raise
        return self

    def _execute(self, sql: str, parameters: Parameters) -> Cursor:
        """Execute any statement."""
        if self._closed:
            next(_CLOSED)
        connection = self.connection
        with connection.lock:
            self._reset()
            statement = connection.statements.get(sql) or connection.prepare(sql)
            self._statement = statement
            if statement.changes:
                answer = connection.change(statement, parameters)
            else:
                answer = connection.ask(statement.bind(parameters), statement)
            self._take(*answer)
            if statement.reads and len(answer[1]) == 1 and self._row_factory is None:
                self._again = sql
                self._begun = f"{statement.text}\0"
                self._frame = statement.frame
        return self

    def _take(
        self,
        names: list[str] | None,
        rows: Sequence[Any],
        tail: dict[str, Any] | None,
        stream: Stream | None,
    ) -> Cursor:
        """Take an answer, as Connection.ask() gives it."""
        self._stream = stream
        if tail is not None:
            self._count(tail)
        elif self._statement.changes:
            self.connection.note_begin()
        if names is not None:
            self._names = names
            self._tuples = map(tuple, rows)
            self._rows = self._made(self._tuples)
        return self

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Cursor:
        """Execute an INSERT, UPDATE, DELETE or REPLACE once for each of the parameters.

        All of it is one transaction: the one that is open, or begins by itself; with
        `isolation_level` None one of its own, which is rolled back if one of them fails. Rows
        that a RETURNING gives are dropped.

        Raises:
            ProgrammingError: It is another kind of statement.
            Error: One of them failed.
        """
        if self._closed:
            next(_CLOSED)
        connection = self.connection
        with connection.lock:
            self._reset()
            statement = connection.statements.get(sql) or connection.prepare(sql)
            if not statement.changes:
                raise ProgrammingError(
                    "executemany() takes INSERT, UPDATE, DELETE and REPLACE only: use execute()."
                )
            if connection.isolation_level is None and not connection.in_transaction:
                connection.command("BEGIN")
                try:
                    changes = self._execute_each(statement, parameters)
                    connection.command("COMMIT")
                except BaseException:
                    connection.rollback()
                    raise
            else:
                changes = self._execute_each(statement, parameters)
            self.rowcount = changes
        return self

    def executescript(self, script: str, /) -> Cursor:
        """Commit what is open, then execute several statements; their rows are dropped.

        The script says itself where transactions begin and end. It ends at its first failure.
        """
        if self._closed:
            next(_CLOSED)
        if not isinstance(script, str):
            raise ProgrammingError(f"A script must be a str, not {type(script).__name__}.")
        if "\0" in script:
            raise ProgrammingError("A script cannot hold a NUL character.")
        try:
            text = script.encode()
        except UnicodeEncodeError as error:
            raise not_unicode(error) from None
        with self.connection.lock:
            self._reset()
            self.connection.commit()
            self.connection.run_script(text)
        return self

    # Fetching

    def fetchone(self) -> Any:
        """Return the next row, or None after the last.

        Raises:
            ProgrammingError: The last statement returned no columns, or there was none.
            Error: The statement failed at this row.
        """
        for row in self._rows:
            return row
        return next(self._rows, None) if self._more() else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return so many next rows, `arraysize` by default; fewer when there are no more."""
        wanted = self.arraysize if size is None else size
        rows = list(islice(self._rows, wanted))
        while len(rows) < wanted and self._more():
            rows += islice(self._rows, wanted - len(rows))
        return rows

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        rows = list(self._rows)
        while self._more():
            rows += self._rows
        return rows

    def __iter__(self) -> Cursor:
        """Iterate over the rows that are left, as they come."""
        return self

    def __next__(self) -> Any:
        for row in self._rows:
            return row
        if not self._more():
            raise StopIteration
        return next(self._rows)

    # The rest of PEP 249

    def close(self) -> None:
        """Close the cursor; the connection stays. Closing again is nothing."""
        if not self._closed:
            self._closed = True
            self._again = None
            self._drop_stream()
            self._names = None
            self._tuples = self._rows = _CLOSED

    def setinputsizes(self, sizes: Sequence[Any], /) -> None:
        """Do nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None, /) -> None:
        """Do nothing, as PEP 249 allows."""

    # Inside

    def _reset(self) -> None:
        """Forget the last statement's outcome."""
        if self._stream is not None:
            self._drop_stream()
        self._again = None
        self.rowcount = -1
        self._names = None
        self._tuples = self._rows = _NO_COLUMNS

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.wanted = False

    def _count(self, tail: dict[str, Any]) -> None:
        """Take what the end of an answer tells of a statement that changes."""
        statement = self._statement
        if statement.changes:
            self.rowcount = tail["changes"]
            if statement.inserts:
                self.lastrowid = tail["last_insert_rowid"]

    def _execute_each(self, statement: Statement, parameters: Iterable[Parameters]) -> int:
        connection = self.connection
        changes = 0
        for values in parameters:
            _names, _rows, tail, stream = connection.change(statement, values)
            while stream is not None and stream.rows():
                pass
            tail = stream.tail if stream is not None else tail
            changes += tail["changes"] if tail else 0
        return changes

    def _more(self) -> bool:
        """Bring more rows here; False if there are none."""
        stream = self._stream
        if stream is None:
            return False
        with self.connection.lock:
            try:
                lists = stream.rows()
            except BaseException:
                self._stream = None
                raise
        if stream.ended_well():
            self._stream = None
            self._count(stream.tail or {})
        self._tuples = map(tuple, lists)
        self._rows = self._made(self._tuples)
        return bool(lists)

    def _made(self, tuples: Iterator[Any]) -> Iterator[Any]:
        """What the row factory makes of rows."""
        factory = self._row_factory
        return tuples if factory is None else map(partial(factory, self), tuples)
