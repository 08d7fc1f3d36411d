# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Thousands of tables: all are listed, each can be opened, and a walk over them ends."""

from __future__ import annotations

import os

from tests.interface.hosts import Mounter, filesystem_of
from tests.interface.tree import Tree, fails

FILES = {"data.csv", "data.json", "data.ndjson", "data.tsv", "schema", "columns", "count"}


def how_many(tree: Tree) -> int:
    """SQLite takes time for each by the square of their number, and the VM is emulated."""
    return 1_000 if filesystem_of(tree.root) == "ksqlfs" else 10_000


def test_thousands_of_tables(mount: Mounter) -> None:
    tree = mount()
    names = [f"t{i:05}" for i in range(how_many(tree))]
    with tree.connect() as connection:
        made = "".join(f"CREATE TABLE {name}(a);" for name in names)
        connection.ask(f"BEGIN; {made} INSERT INTO {names[-1]} VALUES(7); COMMIT")
    assert tree.tables() == names
    assert tree.text(f"tables/{names[-1]}/data.csv") == "a\n7\n"
    assert tree.text(f"tables/{names[0]}/count") == "0\n"
    with fails("ENOENT"):
        (tree / f"tables/t{len(names):05}").stat()
    folders = 0
    for folder, _, files in os.walk(tree / "tables"):
        if folder != str(tree / "tables"):
            assert set(files) >= FILES
            folders += 1
    assert folders == len(names)
    tree.run("".join(f"DROP TABLE {name};" for name in names[1:9]))
    assert tree.tables() == [names[0], *names[9:]]
