# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ksqlfs_root: where the functions look for the tree, and what they say if there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.recipes.conftest import END, Runner, runner

# Who is nobody in particular.
NOBODY = 65534


@pytest.fixture
def no_tree(shell: list[str], tmp_path: Path) -> Runner:
    """The functions, in each shell, with a root that is an empty folder."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return runner(shell, empty, tmp_path)


def test_the_root_is_ksql_root(recipe: Runner) -> None:
    assert recipe.fine("ksqlfs_root") == f"{recipe.root}\n"


def test_the_root_may_be_relative(recipe: Runner) -> None:
    (recipe.work / "-a tree").symlink_to(recipe.root)
    script = "ksqlfs_root; ksqlfs_query 'SELECT 1 AS a'"
    assert recipe.fine(script, KSQL_ROOT="-a tree") == "-a tree\na\n1\n"


def test_without_ksql_root_the_usual_places_are_looked_at(recipe: Runner, tmp_path: Path) -> None:
    (tmp_path / "ksql").symlink_to(recipe.root)
    for unset in ("unset KSQL_ROOT", "KSQL_ROOT="):
        said = recipe(
            f"{unset}; ksqlfs_root", environment={"XDG_RUNTIME_DIR": str(tmp_path)}
        ).stdout
        assert said in ("/sys/kernel/ksql\n", "/run/ksql\n", f"{tmp_path}/ksql\n")


def test_a_folder_that_is_no_tree(no_tree: Runner) -> None:
    said = no_tree.refused(3, "ksqlfs_query 'SELECT 1'")
    assert said == (
        f"ksqlfs: {no_tree.root} is no ksqlfs tree: mount one there, or name another by"
        " KSQL_ROOT.\n"
    )


@pytest.mark.parametrize(
    "script",
    ["ksqlfs_root", "ksqlfs_value v 'SELECT 1'", "ksqlfs_open 3", "ksqlfs_query -s 3 'SELECT 1'"],
)
def test_every_function_says_that_there_is_no_tree(no_tree: Runner, script: str) -> None:
    said = no_tree.refused(3, script, KSQL_ROOT="/nowhere at all")
    assert said.startswith("ksqlfs: /nowhere at all is no ksqlfs tree")
    assert said.count("\n") == 1


def test_a_tree_that_one_may_not_enter(
    shell: list[str], mount: Mounter, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    run = runner(shell, mount(mode="0700").root, tmp_path)
    run.state.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and folder != Path("/tmp") and folder.is_relative_to("/tmp"):
            folder.chmod(0o755)
    done = run("ksqlfs_query 'SELECT 1'", user=NOBODY)
    assert done.returncode == 3
    assert done.stderr.removesuffix(END) == (
        f"ksqlfs: {run.root} may not be entered by this user: see the mount's uid=, gid=, mode=.\n"
    )


def test_a_read_only_mount(shell: list[str], mount: Mounter, tmp_path: Path) -> None:
    run = runner(shell, mount(ro="").root, tmp_path)
    said = run.refused(3, "ksqlfs_query 'SELECT 1'")
    assert said == (
        f"ksqlfs: {run.root}/query cannot be opened: the mount is read-only, or not for this"
        " user.\n"
    )
