# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: the tree of the interface's tests, and tables worth reading."""

from __future__ import annotations

import pytest

from tests.interface.conftest import mount, shared_tree, tree
from tests.interface.tree import Row, Tree, rows_sql

__all__ = ["mount", "sample", "series", "shared_tree", "tree"]

# What CSV readers like to get wrong, and NULL beside the empty text.
SAMPLE: list[tuple[int, str | None, float | None, str | None]] = [
    (1, "plain", 0.5, "a note"),
    (2, 'says "hi", twice', -1e-9, "two\nlines"),
    (3, "007", 1e300, "größe 表 😀"),
    (4, "", None, "back\\slash\tand tab"),
    (5, None, 2.0, None),
]
SAMPLE_SQL = "CREATE TABLE sample(id INTEGER PRIMARY KEY, name TEXT, ratio REAL, note TEXT)"
# Longer than what is rendered at once.
SERIES = 5000


@pytest.fixture
def sample(tree: Tree) -> list[Row]:
    """The rows of the table `sample`, as SQL has them."""
    tree.run(SAMPLE_SQL)
    with tree.connect() as connection:
        for row in SAMPLE:
            connection.ask("INSERT INTO sample VALUES(?, ?, ?, ?)", *row)
    return tree.rows("SELECT * FROM sample ORDER BY id")


@pytest.fixture
def series(tree: Tree) -> Row:
    """What SQL says of the table `series`, some hundred kilobytes of it."""
    tree.run(
        "CREATE TABLE series(n INTEGER PRIMARY KEY, kind TEXT, amount REAL); INSERT INTO series "
        + rows_sql(SERIES, "n, 'k' || (n % 7) || ', a kind', n * 1.5")
    )
    (figures,) = tree.rows(
        "SELECT count(*) AS count, sum(n) AS sum, sum(amount) AS amount FROM series"
    )
    return figures


def without_null(rows: list[Row]) -> list[Row]:
    """As readers of CSV have it, to whom NULL and the empty text are the same."""
    return [{key: "" if value is None else value for key, value in row.items()} for row in rows]


def as_text(rows: list[Row]) -> list[dict[str, str]]:
    """As readers of CSV have it that know no numbers."""
    return [{key: str(value) for key, value in row.items()} for row in without_null(rows)]
