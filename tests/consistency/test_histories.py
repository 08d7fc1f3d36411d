# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Clients of the tree that are killed at random see a strictly serializable database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.consistency import clients
from tests.consistency.driver import run
from tests.consistency.history import Outcome
from tests.interface.tree import Tree

SECONDS = float(os.environ.get("KSQL_CONSISTENCY_SECONDS", "60"))
CLIENTS = 6


@pytest.mark.timeout(SECONDS * 4 + 240)
def test_killed_clients_leave_a_history_in_order(tree: Tree, tmp_path: Path) -> None:
    report = run(tree.root, tmp_path, SECONDS, CLIENTS)
    print(report)
    assert not report.complaints, "\n".join(map(str, [report, *report.complaints]))
    assert report.killed, "nobody was killed"
    assert report.outcomes[Outcome.UNKNOWN], "nobody was killed within a transaction"
    never = [shape for shape, committed in report.shapes.items() if not committed]
    assert not never, f"of these not one was committed: {never}"
    assert len(report.shapes) == len(clients.Client.SHAPES)


@pytest.mark.parametrize("left_out", ["BEGIN IMMEDIATE;", "BEGIN;"])
def test_clients_without_transactions_are_found_out(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    """The same without BEGIN and COMMIT, which shows that the history would tell."""
    ask = clients.Client.ask

    def careless(self: clients.Client, fd: int, sql: str) -> list[dict[str, object]]:
        if sql.startswith("BEGIN"):
            (careless_files.add if sql == left_out else careless_files.discard)(fd)
        if sql == left_out or (sql in ("COMMIT;", "ROLLBACK;") and fd in careless_files):
            return []
        return ask(self, fd, sql)

    careless_files: set[int] = set()
    monkeypatch.setattr(clients.Client, "ask", careless)
    report = run(tree.root, tmp_path, 3, CLIENTS)
    assert report.complaints
