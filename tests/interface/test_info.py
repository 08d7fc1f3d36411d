# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""info/: what this is and what it can do."""

from __future__ import annotations

import re

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree

FILES = ["version", "sqlite_version", "features", "compile_options", "memory", "latency"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_lines_of_text(tree: Tree, name: str) -> None:
    text = tree.text(f"info/{name}")
    assert text.endswith("\n")
    assert all(line.strip() for line in text.splitlines())


@pytest.mark.parametrize("name", FILES)
def test_sizes_are_exact_or_zero(tree: Tree, name: str) -> None:
    text = tree.read(f"info/{name}")
    assert (tree / f"info/{name}").stat().st_size in (0, len(text))


def test_version_is_a_version(tree: Tree) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", tree.text("info/version"))


def test_sqlite_version_is_that_of_the_engine(tree: Tree) -> None:
    assert tree.text("info/sqlite_version").split()[0] == tree.value("SELECT sqlite_version()")
    assert tree.text("info/sqlite_version").startswith("3.53.")


def test_compile_options_are_those_of_the_engine(tree: Tree) -> None:
    rows = tree.rows("PRAGMA compile_options")
    assert tree.text("info/compile_options").splitlines() == [
        row["compile_options"] for row in rows
    ]


def numbers(tree: Tree) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", tree.text("info/memory"))]


def test_memory_counts_the_database(mount: Mounter) -> None:
    tree = mount()
    tree.run("CREATE TABLE t(a)")
    before = numbers(tree)
    tree.run("INSERT INTO t VALUES(randomblob(4000000))")
    after = numbers(tree)
    assert len(after) == len(before)
    assert max(b - a for a, b in zip(before, after, strict=True)) >= 4_000_000


def test_latency_counts_sections_where_they_are_measured(tree: Tree) -> None:
    host = next(
        line.split()[1]
        for line in tree.text("info/features").splitlines()
        if line.startswith("host ")
    )
    lines = [line.split() for line in tree.text("info/latency").splitlines()]
    keys = [key for key, _ in lines]
    assert keys == ["longest", "to_50us", "to_200us", "to_1ms", "to_10ms", "over_10ms"]
    figures = {key: int(number) for key, number in lines}
    assert (figures.pop("longest") > 0) == (host == "kernel")
    assert (sum(figures.values()) > 0) == (host == "kernel")
