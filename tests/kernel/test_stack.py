# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The stack that SQL runs on: the deepest legal statements leave half of it, in the kernel too."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.core.deep import DEEP, Deep, deepest
from tests.interface.hosts import kernel_mount, kernel_unmount
from tests.interface.tree import Tree
from tests.kernel.conftest import Module

ROOT = Path("/sys/kernel/ksql")


def facts(tree: Tree) -> dict[str, int]:
    """info/memory."""
    lines = tree.text("info/memory").splitlines()
    return {key: int(value) for key, value in (line.split() for line in lines)}


def is_legal(deep: Deep, n: int) -> bool:
    """Whether a fresh database takes the statement at this depth."""
    kernel_mount("deep", ROOT, {"timeout": "1000"})
    tree = Tree(ROOT)
    try:
        with tree.connect() as connection:
            for statement in deep.setup(n):
                connection.ask(statement)
            for statement in deep.change:
                tree.run(statement)
            connection.ask(deep.sql(n))
        return True
    except OSError:
        return False
    finally:
        kernel_unmount(ROOT)


@pytest.mark.timeout(600)
def test_the_deepest_legal_statement_leaves_half_of_the_stack(unloaded: Module) -> None:
    unloaded.load(stack_paint=1)
    peaks: dict[str, int] = {}
    for deep in DEEP:
        assert deepest(functools.partial(is_legal, deep), deep.most) > 0, deep.name
        kernel_mount("deep", ROOT, {})
        memory = facts(Tree(ROOT))
        kernel_unmount(ROOT)
        peaks[deep.name] = memory["stack_peak"]
    print("stack_peak", max(peaks.values()), "reached by", min(peaks, key=lambda k: -peaks[k]))
    assert max(peaks.values()) <= memory["stack_size"] // 2, peaks
