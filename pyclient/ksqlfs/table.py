# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A table as the tree shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ksqlfs import transfer
from ksqlfs.errors import ProgrammingError
from ksqlfs.paths import escape_name

if TYPE_CHECKING:
    from ksqlfs.connection import Connection


class Column(NamedTuple):
    """A column of a table: what `PRAGMA table_xinfo` says of it."""

    cid: int
    name: str
    type: str
    notnull: bool
    dflt_value: str | None
    pk: int
    hidden: int


class Table:
    """The files below `tables/NAME`, read when asked for: they show what is committed.

    Attributes:
        name: The SQL name.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        """Look for the table; Connection.table() makes these."""
        self.name = name
        self._connection = connection
        self._directory = connection.root / "tables" / escape_name(name)
        if not self._directory.is_dir():
            raise ProgrammingError(f"no such table: {name}", "ENOENT")

    @property
    def schema(self) -> str:
        """The SQL that would make it, its indexes and triggers again."""
        return self._read("schema")

    @property
    def columns(self) -> list[Column]:
        """Its columns, hidden ones too."""
        import csv  # rarely needed, and it takes a while

        lines = csv.reader(self._read("columns").splitlines(keepends=True))
        next(lines)
        return [
            Column(int(cid), name, kind, notnull != "0", default or None, int(key), int(hidden))
            for cid, name, kind, notnull, default, key, hidden in lines
        ]

    @property
    def count(self) -> int:
        """How many rows it has."""
        return int(self._read("count"))

    def csv(self) -> str:
        """Return all rows as CSV, with a header line."""
        return self._read("data.csv")

    def json(self) -> str:
        """Return all rows as a JSON array of objects."""
        return self._read("data.json")

    def ndjson(self) -> str:
        """Return all rows as JSON objects, one a line."""
        return self._read("data.ndjson")

    def tsv(self) -> str:
        """Return all rows as tab-separated values, with a header line."""
        return self._read("data.tsv")

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows as the connection sees them, by a cursor."""
        quoted = self.name.replace('"', '""')
        return iter(self._connection.execute(f'SELECT * FROM "{quoted}"'))

    def __repr__(self) -> str:
        return f"<ksqlfs.Table {self.name!r}>"

    def _read(self, name: str) -> str:
        return transfer.read_text(self._directory / name)
