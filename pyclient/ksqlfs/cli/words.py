# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What can be typed next in the shell: keywords, tables, columns, dot commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ksqlfs.cli.render import quote
from ksqlfs.errors import Error

_LIST = """
ABORT ADD ALL ALTER ANALYZE AND AS ASC BEGIN BETWEEN BY CASCADE CASE CAST CHECK COLLATE COLUMN
COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT
DEFERRED DELETE DESC DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT EXCLUSIVE EXISTS EXPLAIN FILTER
FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED
INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL
NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OUTER OVER PARTITION PLAN PRAGMA PRECEDING
PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REINDEX RELEASE RENAME REPLACE RESTRICT RETURNING
RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET STRICT TABLE TEMP THEN TO TRANSACTION TRIGGER
UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH WITHOUT
"""
_KEYWORDS = frozenset(_LIST.split())

_COLUMNS = """
SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c
WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""
# The name that ends the text, and that of the table before its dot.
_LAST = re.compile(r"(?:(\w+|\"[^\"]+\")\.)?(\"?\w*)$")
_PLAIN = re.compile(r"[^\W\d]\w*")


class Words:
    """Completions for a tree."""

    def __init__(self, root: Path, dots: Sequence[str]) -> None:
        self._root = root
        self._dots = [f".{name}" for name in dots]

    def after(self, text: str) -> tuple[str, list[str]]:
        """The word that ends the text as far as it is typed, and what it may become."""
        begin = text.lstrip()
        if begin.startswith("."):
            name, space, rest = begin.partition(" ")
            if not space:
                return name, [dot for dot in self._dots if dot.startswith(name)]
            typed = rest.rpartition(" ")[2]
            return typed, [table for table in sorted(self._schema()) if table.startswith(typed)]
        found = _LAST.search(text)
        table, typed = (found[1], found[2]) if found else (None, "")
        schema = self._schema()
        if table is not None:
            names = _columns_of(schema, table.strip('"'), text)
        else:
            names = list(schema) + [name for columns in schema.values() for name in columns]
        wanted = typed.strip('"').lower()
        words = {_as_sql(name) for name in names if name.lower().startswith(wanted)}
        if table is None and typed and not typed.startswith('"'):
            lower = typed.islower()
            words |= {
                word.lower() if lower else word
                for word in _KEYWORDS
                if word.startswith(typed.upper())
            }
        return typed, sorted(words, key=str.lower)

    def _schema(self) -> dict[str, list[str]]:
        """The columns of each table and view; none where the tree does not answer in time."""
        import ksqlfs

        schema: dict[str, list[str]] = {}
        try:
            with closing(ksqlfs.connect(self._root)) as db:
                for table, column in db.execute(_COLUMNS):
                    schema.setdefault(table, []).append(column)
        except Error:
            pass  # completing is a convenience: what is wrong is told when a statement runs
        return schema


def _as_sql(name: str) -> str:
    """A name as it is written in SQL, quoted only where it must be."""
    if _PLAIN.fullmatch(name) and name.upper() not in _KEYWORDS:
        return name
    return quote(name)


def _columns_of(schema: dict[str, list[str]], name: str, text: str) -> list[str]:
    """The columns of a table, named as it is or by an alias that the text gives it."""
    by_name = {table.lower(): columns for table, columns in schema.items()}
    if name.lower() in by_name:
        return by_name[name.lower()]
    aliased = re.findall(rf"(\w+)\s+(?:as\s+)?{re.escape(name)}\b", text, re.IGNORECASE)
    return [column for table in aliased for column in by_name.get(table.lower(), [])]
