# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""views/, indexes/ and metrics/: what they list, and what reading them gives."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, rows_sql

SAMPLE = """
CREATE TABLE disk(name TEXT, gib REAL);
INSERT INTO disk VALUES('sda', 465.8), ('sdb', 931.5);
CREATE INDEX by_name ON disk(name);
CREATE VIEW total AS SELECT sum(gib) AS value, 'Size of all.' AS help, 'gauge' AS type FROM disk;
CREATE VIEW names AS SELECT name FROM disk ORDER BY name DESC;
"""


def listed(path: Path) -> list[str]:
    return sorted(os.listdir(path))


def test_what_is_listed(tree: Tree) -> None:
    tree.run(SAMPLE)
    assert tree.tables() == ["disk"]
    assert listed(tree / "views") == ["names", "total"]
    assert listed(tree / "indexes") == ["by_name"]
    assert listed(tree / "metrics") == ["ksqlfs.prom", "total.prom"]
    assert listed(tree / "views/names") == sorted(
        ["data.csv", "data.json", "data.ndjson", "data.tsv", "schema", "columns", "count", "value"]
    )
    assert listed(tree / "indexes/by_name") == ["columns", "schema", "table"]
    tree.run("DROP VIEW total; DROP INDEX by_name")
    assert listed(tree / "views") == ["names"]
    assert listed(tree / "indexes") == []
    assert listed(tree / "metrics") == ["ksqlfs.prom"]
    with fails("ENOENT"):
        tree.read("views/total/value")


def test_opening_runs_the_view(tree: Tree) -> None:
    tree.run(SAMPLE)
    assert tree.text("views/names/data.csv") == "name\nsdb\nsda\n"
    assert tree.text("views/names/value") == "sdb\n"
    assert tree.text("views/names/count") == "2\n"
    assert tree.text("views/names/columns").splitlines()[1].startswith("0,name,TEXT,")
    assert tree.text("views/names/schema").startswith("CREATE VIEW names AS ")
    tree.run("INSERT INTO disk VALUES('sdc', 1.5)")
    assert tree.text("views/names/value") == "sdc\n"
    assert (tree / "views/names/value").stat().st_size == 0


def test_the_errno_is_that_of_the_view(mount: Mounter) -> None:
    tree = mount(timeout=100)
    endless = rows_sql(10**15, "count(*) AS value")
    tree.run(f"CREATE VIEW broken AS SELECT * FROM nowhere; CREATE VIEW endless AS {endless}")
    with fails("ENOENT"):
        tree.read("views/broken/data.csv")
    with fails("ETIMEDOUT"):
        tree.read("views/endless/value")
    with fails("ETIMEDOUT"):
        tree.read("metrics/endless.prom")
    assert listed(tree / "metrics") == ["endless.prom", "ksqlfs.prom"]


def test_an_index(tree: Tree) -> None:
    tree.run(SAMPLE)
    assert tree.text("indexes/by_name/table") == "disk\n"
    assert tree.text("indexes/by_name/schema") == "CREATE INDEX by_name ON disk(name);\n"
    assert tree.text("indexes/by_name/columns").splitlines()[1] == "0,0,name,0,BINARY,1"


def test_metrics_by_prometheus_own_parser(tree: Tree) -> None:
    tree.run(SAMPLE)
    (family,) = text_string_to_metric_families(tree.text("metrics/total.prom"))
    assert (family.name, family.type, family.documentation) == ("total", "gauge", "Size of all.")
    assert [(s.labels, s.value) for s in family.samples] == [({}, 1397.3)]
    own = {f.name: f for f in text_string_to_metric_families(tree.text("metrics/ksqlfs.prom"))}
    assert {"ksqlfs_info", "ksqlfs_commits", "ksqlfs_memory_held_bytes"} <= set(own)
    assert all(family.documentation for family in own.values())


def test_text_in_value_is_einval(tree: Tree) -> None:
    tree.run("CREATE VIEW m AS SELECT 'text' AS value")
    with fails("EINVAL"):
        tree.read("metrics/m.prom")


@pytest.mark.parametrize("name", ["views/total", "indexes/by_name"])
def test_nothing_is_made_or_removed(tree: Tree, name: str) -> None:
    tree.run(SAMPLE)
    with fails("EPERM"):
        (tree / name).rmdir()
    with fails("EPERM"):
        (tree / name).parent.joinpath("new").mkdir()
    with fails("EPERM"):
        (tree / name / "schema").unlink()


@pytest.mark.parametrize(
    "name", ["views/total/value", "metrics/total.prom", "indexes/by_name/table"]
)
def test_files_are_only_read(tree: Tree, name: str) -> None:
    tree.run(SAMPLE)
    assert stat.S_IMODE((tree / name).stat().st_mode) == 0o440
    with fails("EPERM"):
        os.open(tree / name, os.O_WRONLY)
