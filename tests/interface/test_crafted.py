# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Crafted images by the hundred: refused, or taken and then of no harm to anybody.

In the VM a complaint of the kernel's fails this test; tests/core has them under sanitizers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from tests import crafted
from tests.interface.hosts import Mounter
from tests.interface.tree import Tree

# Which: KSQL_CRAFTED=FIRST-LAST.
FIRST, LAST = (int(n) for n in os.environ.get("KSQL_CRAFTED", "0-199").split("-"))
# Of what can be done with a mutant that was taken: every so many-th.
PARTS = 6


@dataclass
class Mounted:
    """A mounted tree."""

    tree: Tree

    def run(self, sql: str) -> None:
        """A batch."""
        self.tree.run(sql)

    def put(self, data: bytes) -> None:
        """Write `image`."""
        with self.tree.batch("image") as image:
            image.write(data)

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        return os.listdir(self.tree / folder)

    def read(self, name: str) -> bytes:
        """A file."""
        return self.tree.read(name)


@pytest.mark.timeout(240)
def test_crafted_images_harm_nothing(mount: Mounter) -> None:
    tree = mount(size="8m", timeout=500, max_result="1m")
    tree.run(crafted.CONTENT)
    good = tree.read("image")
    tally = crafted.Tally()
    crafted.run(Mounted(tree), crafted.sources(good), range(FIRST, LAST + 1), tally, parts=PARTS)
    print(tally)
    if tally.tried >= 100:  # of few, all may be of one kind
        assert tally.taken > tally.tried // 6
        assert sum(tally.refused.values()) > tally.tried // 6
        assert tally.well > tally.taken * 10
    assert set(tally.refused) <= {"EUCLEAN", "ENOSPC", "ETIMEDOUT"}
    mount.remount(tree, timeout=30000)
    Mounted(tree).put(good)
    for sql in crafted.USES[:12]:
        tree.run(sql)
    assert tree.value("PRAGMA integrity_check") == "ok"
