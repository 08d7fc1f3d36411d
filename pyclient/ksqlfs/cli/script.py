# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""SQL of several statements."""

from __future__ import annotations

from collections.abc import Iterator

from ksqlfs.statements import Parameters, Statement


def is_complete(sql: str) -> bool:
    """Whether the text ends with the `;` that ends its last statement."""
    import sqlite3

    return sqlite3.complete_statement(sql)


def split(sql: str) -> list[str]:
    """The statements of a text one by one, without the `;` and comments between them."""
    return [part for part in _pieces(sql) if not _is_empty(part)]


def _pieces(sql: str) -> Iterator[str]:
    start = end = 0
    while (end := sql.find(";", end) + 1) > 0:
        if is_complete(sql[start:end]):
            yield sql[start:end]
            start = end
    yield sql[start:]


def _is_empty(sql: str) -> bool:
    """Whether a piece has spaces, comments and `;` alone."""
    if sql.strip(" \t\n\f\r;") and not sql.lstrip().startswith(("--", "/*")):
        return False
    return Statement(sql).text == ";"


def is_blank(sql: str) -> bool:
    """Whether the text has spaces and whole comments alone."""
    return not sql.strip() or (sql.lstrip().startswith("--") and not split(sql))


def encode(sql: str, parameters: Parameters) -> bytes:
    """A request as a query file takes it; the parameters are those of the last statement."""
    if parameters and (statements := split(sql)):
        return "".join(statements[:-1]).encode() + Statement(statements[-1]).bind(parameters)
    return sql.encode()
