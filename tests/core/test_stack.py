# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The deepest legal statements stay below half of the engine's stack: docs/stack.md is true."""

from __future__ import annotations

import ctypes
import errno

import pytest

from tests.core.deep import DEEP, Deep, around, fts, no_setup, table
from tests.core.engine import Db, Engine
from tests.core.stack import HALF, Meter, build_paint, read_table
from tests.core.test_api import errno_of

# The kernel's frames differ a little from these.
MARGIN = 0.86


@pytest.fixture(scope="module")
def paint(tmp_path_factory: pytest.TempPathFactory, sanitized: bool) -> ctypes.CDLL:
    """The way onto a painted stack."""
    if sanitized:
        pytest.skip("the sanitizers' frames are several times larger")
    return build_paint(tmp_path_factory.mktemp("paint"))


def test_the_table_has_every_construct() -> None:
    assert list(read_table()) == [deep.name for deep in DEEP]


@pytest.mark.parametrize("deep", DEEP, ids=lambda deep: deep.name)
def test_the_deepest_legal_statement(engine: Engine, paint: ctypes.CDLL, deep: Deep) -> None:
    depth, is_deepest, stack = read_table()[deep.name]
    meter = Meter(engine, paint)
    use = meter.measure(deep, depth)
    assert use is not None
    assert not use.failed, use.message
    assert use.stack < HALF * MARGIN
    assert abs(use.stack - stack) < 4096, "docs/stack.md is out of date: python -m tests.core.stack"
    if is_deepest:
        beyond = meter.measure(deep, depth + 1)
        assert beyond is not None
        assert beyond.failed, "deeper than docs/stack.md says: python -m tests.core.stack"
        assert beyond.stack < HALF * MARGIN


@pytest.mark.parametrize("deep", DEEP, ids=lambda deep: deep.name)
def test_far_beyond(engine: Engine, paint: ctypes.CDLL, deep: Deep) -> None:
    """Refused, not overrun."""
    depth, is_deepest, _ = read_table()[deep.name]
    if not is_deepest:
        pytest.skip("nothing bounds it")
    quick = deep.setup in (no_setup, table, fts)
    use = Meter(engine, paint).measure(deep, 3000 if quick else depth + 20)
    assert use is not None
    assert use.failed in (errno.EINVAL, errno.ENOMEM), use.message
    assert use.stack < HALF


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 20_000_00,
        "SELECT " + "1+" * 500_000 + "1",
        "SELECT " + "-" * 1 + " -" * 500_000 + "1",
        "SELECT 'a'" + " COLLATE nocase" * 300_000,
        "SELECT 1 ORDER BY 1" + " COLLATE nocase" * 300_000,
        "SELECT " + around("(SELECT ", "1", ")", 100_000),
        "SELECT json('" + "[" * 5_000_000 + "')",
        "SELECT 1" + " UNION ALL SELECT 1" * 100_000,
        "SELECT " + around("CASE WHEN 1 THEN ", "1", " END", 100_000),
        "WITH " + ", ".join(f"x{i}(a) AS (SELECT * FROM x{i - 1})" for i in range(1, 20_000))
        + " SELECT * FROM x19999",
        "CREATE TABLE deep(a CHECK(" + "NOT " * 100_000 + "a))",
        "CREATE VIEW deep AS SELECT " + "1+" * 100_000 + "1",
    ],
    ids=lambda sql: sql[:24].strip(),
)  # fmt: skip
def test_absurd_depths(db: Db, sql: str) -> None:
    assert errno_of(db.batch, sql) in (errno.EINVAL, errno.ENOMEM, errno.ENOENT)
    assert db.value("SELECT 1") == "1"


def test_too_deep_is_said(db: Db, sanitized: bool) -> None:
    if sanitized:
        pytest.skip("there the stack is larger")
    with db.session() as session:
        session.ask("BEGIN; CREATE VIEW v0(a) AS SELECT 1;")
        for i in range(200):
            session.ask(f"CREATE VIEW v{i + 1}(a) AS SELECT max(a) FROM v{i} GROUP BY a;")
        session.ask("COMMIT;")
    assert errno_of(db.batch, "SELECT * FROM v200") == errno.ENOMEM
    assert db.text("error").startswith("out of memory: nested too deep for the engine's stack\n")
    assert db.value("SELECT * FROM v100") == "1"
