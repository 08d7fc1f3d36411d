# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: a clean tree for every test, and mounts with options."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.interface.hosts import Mounter, filesystem_of, host_of
from tests.interface.tree import Tree
from tests.shells import shell

__all__ = ["mount", "shared_tree", "shell", "tree"]

settings.register_profile(
    "ksqlfs",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=8,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("ksqlfs")


def find_root() -> Path:
    """Where the tests look for the tree."""
    return Path(os.environ.get("KSQL_ROOT", "/sys/kernel/ksql"))


@cache
def checked_tree(root: Path) -> Tree:
    """The tree, if it holds nobody's data: the tests drop every table. Looked at once."""
    tree = Tree(root)
    if os.environ.get("KSQL_TEST_DESTROY") != "yes" and tree.tables():
        pytest.exit(f"{root} has tables, and these tests would drop them", returncode=3)
    return tree


@pytest.fixture(scope="session")
def shared_tree() -> Tree:
    """The tree at $KSQL_ROOT."""
    root = find_root()
    if "ksqlfs" not in (filesystem_of(root) or ""):
        reason = f"no ksqlfs is mounted at {root}: run these by `make test`"
        if "KSQL_ROOT" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return checked_tree(root)


@pytest.fixture
def tree(shared_tree: Tree) -> Tree:
    """The shared tree, empty."""
    shared_tree.clean()
    return shared_tree


@pytest.fixture
def mount(shared_tree: Tree) -> Iterator[Mounter]:
    """Make mounts: `mount(size=65536, ro="")` gives a Tree of a database of its own."""
    host = host_of(shared_tree.root)
    if host is None:
        pytest.skip("these tests cannot yet mount on this host")
    mounter = Mounter(host)
    yield mounter
    mounter.finish()
