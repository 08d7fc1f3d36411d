# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Rows whose values are also found by the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ksqlfs.cursor import Cursor


class Row:
    """A row for `row_factory`: a sequence that is also indexed by column name.

    `row[0]`, `row["name"]` (upper and lower case of ASCII are the same; of equal names the first
    counts), `row[1:3]`, `len(row)`, iteration, `keys()`, `==` and hash, as sqlite3.Row has them.
    """

    __slots__ = ("_names", "_values")

    def __init__(self, cursor: Cursor, values: tuple[Any, ...]) -> None:
        self._names = cursor.column_names
        self._values = values

    def keys(self) -> list[str]:
        """Return the names of the columns, in their order."""
        return list(self._names)

    def __getitem__(self, key: int | slice | str) -> Any:
        if not isinstance(key, str):
            return self._values[key]
        wanted = key.lower()
        for name, value in zip(self._names, self._values, strict=True):
            if name == key or name.lower() == wanted:
                return value
        raise IndexError(f"No column is named {key!r}.")

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return self._names == other._names and self._values == other._values

    def __hash__(self) -> int:
        return hash((tuple(self._names), self._values))

    def __repr__(self) -> str:
        pairs = ", ".join(
            f"{name}={value!r}" for name, value in zip(self._names, self._values, strict=True)
        )
        return f"<ksqlfs.Row {pairs}>"
