# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""info/latency: how long the engine keeps a processor at a stretch."""

from __future__ import annotations

import ctypes

from tests.core.engine import Db, running
from tests.core.test_latency import ROWS

KEYS = ["longest", "to_50us", "to_200us", "to_1ms", "to_10ms", "over_10ms"]


def test_info_latency_is_zero_unless_asked_for(db: Db) -> None:
    db.batch("SELECT 1")
    assert db.facts("info/latency") == dict.fromkeys(KEYS, "0")


def test_info_latency_where_it_is_measured(lib: ctypes.CDLL) -> None:
    with running(lib, measure=True) as engine:
        db = engine.db()
        before = db.facts("info/latency")
        assert list(before) == KEYS
        db.batch(ROWS.format(100000) + "SELECT sum(i) FROM n")
        after = {key: int(n) for key, n in db.facts("info/latency").items()}
        assert 0 < int(before["longest"]) <= after["longest"]
        sections = sum(after[key] for key in KEYS[1:])
        assert sections > sum(int(before[key]) for key in KEYS[1:])
        seconds = after["longest"] / 1e9
        figures = db.text("metrics/ksqlfs.prom")
        shown = float(figures.split("\nksqlfs_longest_section_seconds ")[1].split()[0])
        assert shown >= seconds
