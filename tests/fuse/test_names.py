# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The kernel keeps names of directories: nobody may see it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.fuse.servers import Server
from tests.interface.tree import fails


def access(path: os.PathLike[str]) -> None:
    """access(), which Python makes a bool of."""
    if not os.access(path, os.F_OK):
        raise FileNotFoundError(2, "access() says no")


LOOKS: list[Callable[[os.PathLike[str]], object]] = [os.stat, os.listdir, os.chdir, access]


@pytest.mark.parametrize("kind", ["table", "view", "index"])
def test_a_directory_is_gone_at_once(server: Server, kind: str) -> None:
    made = {
        "table": "CREATE TABLE gone(a)",
        "view": "CREATE VIEW gone AS SELECT 1 AS value",
        "index": "CREATE INDEX gone ON stays(a)",
    }[kind]
    folder = server / f"{'indexes' if kind == 'index' else kind + 's'}/gone"
    server.run("CREATE TABLE stays(a)")
    for look in LOOKS:
        server.run(made)
        assert folder.is_dir()
        names = os.listdir(folder)
        for name in names:
            (folder / name).stat()
        server.run(f"DROP {kind} gone")
        with fails("ENOENT"):
            look(folder)
        for name in names:
            with fails("ENOENT"):
                (folder / name).stat()
            with fails("ENOENT"):
                access(folder / name)
            with fails("ENOENT"):
                (folder / name).open("rb")


def test_a_directory_that_is_made_again_is_there_at_once(server: Server) -> None:
    for i in range(20):
        server.run(f"CREATE TABLE again(a); INSERT INTO again VALUES({i})")
        assert server.text("tables/again/data.csv") == f"a\n{i}\n"
        server.run("DROP TABLE again")
        with fails("ENOENT"):
            server.text("tables/again/data.csv")


def test_a_view_of_the_name_of_a_table_that_somebody_is_in(server: Server) -> None:
    server.run("CREATE TABLE name(a)")
    folder = os.open(server / "tables/name", os.O_RDONLY)
    try:
        server.run("DROP TABLE name; CREATE VIEW name AS SELECT 7 AS value")
        assert "value" in os.listdir(server / "views/name")
        assert server.text("views/name/value") == "7\n"
    finally:
        os.close(folder)
