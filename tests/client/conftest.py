# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: connections to the tree that the tests of the interface use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import ksqlfs
import pytest

from tests.interface.conftest import mount, shared_tree, tree
from tests.interface.hosts import Mounter
from tests.interface.tree import Tree

__all__ = ["mount", "shared_tree", "tree"]

Connect = Callable[..., ksqlfs.Connection]
ConnectTo = Callable[[Tree], ksqlfs.Connection]


@pytest.fixture
def connect(tree: Tree) -> Iterator[Connect]:
    """Open connections to the shared tree, empty at first; closed after the test."""
    with ExitStack() as opened:

        def open_one(isolation_level: str | None = "DEFERRED") -> ksqlfs.Connection:
            connection = ksqlfs.connect(tree.root, isolation_level=isolation_level)
            return opened.enter_context(closing(connection))

        yield open_one


@pytest.fixture
def db(connect: Connect) -> ksqlfs.Connection:
    """One such connection."""
    return connect()


@pytest.fixture
def connect_to(mount: Mounter) -> Iterator[ConnectTo]:
    """Open connections to mounts that the test makes, closed before those go."""
    with ExitStack() as opened:
        yield lambda tree: opened.enter_context(closing(ksqlfs.connect(tree.root)))
