# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Programs that are long in starting: not in the VM, where it would be half a minute for each."""

from __future__ import annotations

import json
from pathlib import Path

from tests.interface.tree import Row, Tree
from tests.tools.conftest import as_text
from tests.tools.programs import run


def test_csvkit(tree: Tree, sample: list[Row], series: Row) -> None:
    said = run("csvjson", "--no-inference", "--blanks", tree / "tables/sample/data.csv")
    found = json.loads(said)
    for column in ("id", "name", "note"):
        assert [row[column] for row in found] == [row[column] for row in as_text(sample)]
    query = "SELECT count(*) AS count, sum(n) AS sum FROM data"
    (names, row) = run("csvsql", "--query", query, tree / "tables/series/data.csv").splitlines()
    assert names == "count,sum"
    assert [float(field) for field in row.split(",")] == [series["count"], series["sum"]]


def test_visidata(tree: Tree, sample: list[Row], tmp_path: Path) -> None:
    run("vd", "--batch", tree / "tables/sample/data.csv", "--output", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    for column in ("id", "name", "note"):
        assert [row[column] or "" for row in found] == [row[column] for row in as_text(sample)]
