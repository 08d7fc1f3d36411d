# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""metrics/: who may read it, what it says of statements, and what is wrong with a view."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child

STRANGER = 12345


def figures(tree: Tree) -> dict[tuple[str, str], float]:
    """The engine's own, by name and by their label, if they have one."""
    families = text_string_to_metric_families(tree.text("metrics/ksqlfs.prom"))
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_statements_rows_and_time(mount: Mounter) -> None:
    tree = mount()
    before = figures(tree)
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), (3); SELECT * FROM t")
    with fails("ENOENT"):
        tree.run("SELECT * FROM nowhere;")
    with tree.connect("query.json") as connection:
        assert connection.ask("SELECT a FROM t WHERE a = 2") == '[{"a":2}]\n'
    after = figures(tree)
    grown = {key: value - before[key] for key, value in after.items() if value != before[key]}
    assert grown["ksqlfs_statements_total", "ok"] == 4
    assert grown["ksqlfs_statements_total", "ENOENT"] == 1
    assert grown["ksqlfs_rows_total", ""] == 4
    assert grown["ksqlfs_statement_duration_seconds_count", ""] == 4
    assert grown["ksqlfs_statement_duration_seconds_sum", ""] > 0
    assert grown["ksqlfs_commits_total", ""] == 2
    assert after["ksqlfs_database_pages", ""] > 0
    assert after["ksqlfs_memory_held_bytes", ""] > 0


def test_sessions_are_counted(mount: Mounter) -> None:
    tree = mount()
    for name in ("one", "two"):
        (tree / "sessions" / name).mkdir()
    assert figures(tree)["ksqlfs_sessions", ""] == 2
    (tree / "sessions/one").rmdir()
    assert figures(tree)["ksqlfs_sessions", ""] == 1


def test_the_longest_section_is_known_where_it_matters(tree: Tree) -> None:
    host = dict(line.split(" ", 1) for line in tree.text("info/features").splitlines())["host"]
    longest = figures(tree).get(("ksqlfs_longest_section_seconds", ""))
    assert (longest is not None) == (host == "kernel")
    assert longest is None or longest > 0


def test_error_names_the_view_and_the_row(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), ('three')")
    tree.run("CREATE VIEW m AS SELECT a AS value FROM t")
    before = tree.text("tables/t/data.csv")
    with fails("EINVAL"):
        tree.read("metrics/m.prom")
    assert tree.text("error") == "view m, row 3: value is text, not a number\nerrno EINVAL (22)\n"
    assert tree.text("tables/t/data.csv") == before
    tree.run("UPDATE t SET a = 3 WHERE a = 'three'")
    assert tree.text("metrics/m.prom").endswith("m 1\nm 2\nm 3\n")


def test_metrics_mode_lets_others_read_metrics_alone(mount: Mounter) -> None:
    tree = mount(metrics_mode="0444")
    tree.run(
        "CREATE TABLE t(a); INSERT INTO t VALUES(7); CREATE VIEW m AS SELECT a AS value FROM t"
    )
    assert mode(tree.root) == 0o751
    assert mode(tree / "metrics") == 0o755
    assert mode(tree / "metrics/m.prom") == mode(tree / "metrics/ksqlfs.prom") == 0o444
    assert mode(tree / "tables") == 0o750
    assert mode(tree / "query") == 0o660

    def stranger() -> None:
        assert sorted(os.listdir(tree / "metrics")) == ["ksqlfs.prom", "m.prom"]
        assert tree.text("metrics/m.prom").endswith("\nm 7\n")
        assert "ksqlfs_info" in tree.text("metrics/ksqlfs.prom")
        for name in ("", "tables", "views"):
            with fails("EACCES"):
                os.listdir(tree / name)
        for name in ("tables/t/data.csv", "views/m/value", "error", "result", "query", "image"):
            with fails("EACCES"):
                tree.read(name)
        with fails("EACCES"):
            tree.run("SELECT 1")

    in_child(stranger, STRANGER)


def test_without_metrics_mode_they_are_as_all_files(mount: Mounter) -> None:
    tree = mount()

    def stranger() -> None:
        with fails("EACCES"):
            tree.read("metrics/ksqlfs.prom")

    assert mode(tree.root) == mode(tree / "metrics") == 0o750
    assert mode(tree / "metrics/ksqlfs.prom") == 0o440
    in_child(stranger, STRANGER)


@pytest.mark.parametrize("value", ["0644", "0777", "9", "world", ""])
def test_metrics_mode_is_of_readers(mount: Mounter, value: str) -> None:
    with fails("EINVAL"):
        mount(metrics_mode=value)
