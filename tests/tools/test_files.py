# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Programs that copy and search files: they get all of each, and know when nothing has changed."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.interface.tree import Row, Tree
from tests.tools.programs import run

FILES = ["columns", "count", "data.csv", "data.json", "data.ndjson", "data.tsv", "schema"]


def contents(folder: Path) -> dict[str, bytes]:
    """Of the files of a table."""
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("program", [["cp"], ["busybox", "cp"]], ids=["gnu", "busybox"])
def test_cp(tree: Tree, sample: list[Row], series: Row, tmp_path: Path, program: list[str]) -> None:
    for table in ("sample", "series"):
        to = tmp_path / table
        to.mkdir()
        run(*program, *(tree / "tables" / table / name for name in FILES), to)
        assert contents(to) == contents(tree / "tables" / table)


def test_tar(tree: Tree, sample: list[Row], series: Row, tmp_path: Path) -> None:
    """It takes as much as stat() says: of `changes`, which has no size, nothing."""
    archive = tmp_path / "tables.tar"
    run("tar", "-cf", archive, "-C", tree.root, "tables")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    for table in ("sample", "series"):
        assert contents(tmp_path / "tables" / table) == contents(tree / "tables" / table)
    run("tar", "--compare", "-f", archive, "-C", tree.root, *(f"tables/sample/{f}" for f in FILES))


def test_rsync(tree: Tree, sample: list[Row], series: Row, tmp_path: Path) -> None:
    """By size and time it knows which tables have changed since the last time."""

    def transferred() -> set[str]:
        said = run("rsync", "-a", "--out-format=%n", f"{tree / 'tables'}/", tmp_path / "copy")
        return {line for line in said.splitlines() if not line.endswith("/")}

    assert transferred() >= {f"{table}/{name}" for table in ("sample", "series") for name in FILES}
    for table in ("sample", "series"):
        assert contents(tmp_path / "copy" / table) == contents(tree / "tables" / table)
    assert transferred() == set()
    tree.run("UPDATE sample SET name = 'x' || name")
    assert {Path(name).parent.name for name in transferred()} == {"sample"}
    assert contents(tmp_path / "copy/sample") == contents(tree / "tables/sample")


def test_find_exec(tree: Tree, sample: list[Row], series: Row) -> None:
    said = run("find", ".", "-name", "count", "-exec", "cat", "{}", ";", cwd=tree / "tables")
    assert sorted(said.split()) == sorted([str(len(sample)), str(series["count"])])
    large = run("find", ".", "-name", "data.*", "-size", "+64k", cwd=tree / "tables")
    assert {Path(line).parent.name for line in large.splitlines()} == {"series"}
    empty = run("busybox", "find", ".", "-name", "data.csv", "-size", "0", cwd=tree / "tables")
    assert empty == ""


def test_ripgrep(tree: Tree, sample: list[Row], series: Row) -> None:
    """As grep -r, it must leave `changes` out, which has no end."""
    counts = run("rg", "-c", "-g", "data.csv", "k3, a kind", tree / "tables")
    (count,) = tree.rows("SELECT count(*) AS n FROM series WHERE kind = 'k3, a kind'")
    assert counts == f"{tree / 'tables/series/data.csv'}:{count['n']}\n"
    found = run("rg", "-l", "--sort=path", "-g", "!changes", "größe", tree / "tables").splitlines()
    assert [Path(line).name for line in found] == [
        *("data.csv", "data.json", "data.ndjson", "data.tsv")
    ]
