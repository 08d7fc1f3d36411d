# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: connections to the tree that the tests of the interface use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ksqlfs
import pytest

from tests.interface.conftest import mount, shared_tree, tree
from tests.interface.tree import Tree

__all__ = ["mount", "shared_tree", "tree"]

Connect = Callable[..., ksqlfs.Connection]


@pytest.fixture
def connect(tree: Tree) -> Iterator[Connect]:
    """Open connections to an empty database, closed after the test."""
    opened: list[ksqlfs.Connection] = []

    def open_one(isolation_level: str | None = "DEFERRED") -> ksqlfs.Connection:
        opened.append(ksqlfs.connect(tree.root, isolation_level=isolation_level))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect: Connect) -> ksqlfs.Connection:
    """One such connection."""
    return connect()
