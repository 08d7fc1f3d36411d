# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Rows for human eyes: tables by tabulate, and a line for each value.

The formats for programs (CSV, TSV, JSON, NDJSON) are the tree's own and come from its files as
they are; see `answer`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ksqlfs.cli.failure import harmless

Value = int | float | str | bytes | None
Row = Sequence[Value]

# By the name that a user gives, tabulate's name.
_STYLES = {"table": "psql", "markdown": "pipe", "html": "html"}
# All formats that this module writes.
FORMATS = (*_STYLES, "line")


def printable(text: str) -> str:
    """The text on one line, with control characters written as Python writes them."""
    return harmless(text).replace("\n", "\\n").replace("\t", "\\t")


def bare(value: Value) -> str:
    """A value without any quoting, as the tree's file `value` has it."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, float) and math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return value if isinstance(value, str) else repr(value)


def cell(value: Value) -> str:
    """A value as people read it: on one line, and NULL as a word."""
    return "NULL" if value is None else printable(bare(value))


def lay_out(columns: Sequence[str], rows: Sequence[Row], form: str) -> str:
    """The rows in one of `FORMATS`, without a newline at the end."""
    if form == "line":
        return "\n".join(_lines(columns, rows))
    return _table(columns, rows, form)


def _table(columns: Sequence[str], rows: Sequence[Row], form: str) -> str:
    """The rows under their columns' names, columns of nothing but numbers to the right."""
    from tabulate import tabulate

    escape = _escape_markdown if form == "markdown" else str
    kinds = [{type(row[i]) for row in rows} - {type(None)} for i in range(len(columns))]
    return tabulate(
        [[escape(cell(value)) for value in row] for row in rows],
        [escape(printable(name)) for name in columns],
        _STYLES[form],
        disable_numparse=True,
        colalign=["right" if kind and kind <= {int, float} else "left" for kind in kinds],
        preserve_whitespace=True,
    )


def _escape_markdown(text: str) -> str:
    return text.replace("|", "\\|")


def _lines(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Each row as a block of `name = value`, and an empty line between two rows."""
    names = [printable(name) for name in columns]
    width = max(map(len, names), default=0)
    for number, row in enumerate(rows):
        if number:
            yield ""
        for name, value in zip(names, row, strict=True):
            yield f"{name:>{width}} = {cell(value)}"


def counted(number: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
