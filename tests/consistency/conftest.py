# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: the tree of the interface's tests."""

from tests.interface.conftest import shared_tree, tree

__all__ = ["shared_tree", "tree"]
