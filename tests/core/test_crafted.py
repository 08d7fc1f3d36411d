# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Crafted images by the thousand: refused, or taken and then of no harm."""

from __future__ import annotations

import os

import pytest

from tests import crafted
from tests.core.engine import MIB, ROOT, Db, Engine
from tests.core.test_image import put

# Mutants: so many, or these: KSQL_CRAFTED=FIRST-LAST.
FIRST, LAST = (int(n) for n in os.environ.get("KSQL_CRAFTED", "0-1199").split("-"))
STEP = 200
# Of what can be done with one that was taken: every so many-th; KSQL_CRAFTED is for all of it.
PARTS = 1 if "KSQL_CRAFTED" in os.environ else 3
# The one that runs: after a crash it says which.
TRAIL = ROOT / "build/crafted-core"


class Core:
    """A database of the engine in this process."""

    def __init__(self, db: Db) -> None:
        self.db = db

    def run(self, sql: str) -> None:
        """A batch."""
        self.db.batch(sql)

    def put(self, data: bytes) -> None:
        """Write `image`."""
        put(self.db, data)

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        return self.db.names(folder)

    def read(self, name: str) -> bytes:
        """A file."""
        return self.db.cat(name)


@pytest.mark.parametrize("first", range(FIRST, LAST + 1, STEP))
def test_crafted_images_harm_nothing(engine: Engine, first: int) -> None:
    db = engine.db(size=8 * MIB, timeout_ms=200, max_result=MIB)
    db.batch(crafted.CONTENT)
    good = db.cat("image")
    tally = crafted.Tally()
    images = crafted.sources(good)
    for number in range(first, min(first + STEP, LAST + 1)):
        TRAIL.write_text(f"{number}\n")
        crafted.run(Core(db), images, range(number, number + 1), tally, parts=PARTS)
    print(tally)
    if tally.tried == STEP:  # of few, all may be of one kind
        assert tally.taken > STEP // 5
        assert sum(tally.refused.values()) > STEP // 5
        assert tally.well > tally.taken * len(crafted.USES) // PARTS
    assert set(tally.refused) <= {"EUCLEAN", "ENOSPC", "ETIMEDOUT"}
    db.configure(timeout_ms=30000)
    put(db, good)
    for sql in crafted.USES:
        db.batch(sql)
    assert db.value("PRAGMA integrity_check") == "ok"
