# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ksqlfs_version and ksqlfs_wait."""

from __future__ import annotations

import pytest

from tests.interface.tree import Tree
from tests.recipes.conftest import Runner


@pytest.fixture
def waiting(recipe: Runner) -> Runner:
    """The functions on a tree that tells of changes, with a table `t`."""
    if not (recipe.root / "events").exists():
        pytest.skip("this host has no events")
    Tree(recipe.root).run("CREATE TABLE t(a)")
    return recipe


def test_the_version_grows_with_each_commit(waiting: Runner, tree: Tree) -> None:
    before = int(waiting.fine("ksqlfs_version"))
    tree.run("INSERT INTO t VALUES(1)")
    tree.run("SELECT * FROM t")
    tree.run("BEGIN; INSERT INTO t VALUES(1); ROLLBACK")
    assert int(waiting.fine("ksqlfs_version")) == before + 1


def test_a_change_since_then_is_found_at_once(waiting: Runner) -> None:
    script = """
        version=$(ksqlfs_version)
        ksqlfs_query 'INSERT INTO t VALUES(1)'
        now=$(ksqlfs_wait -t 0 "$version")
        echo $((now - version))
    """
    assert waiting.fine(script) == "1\n"


def test_it_waits_for_another_process(waiting: Runner) -> None:
    script = """
        version=$(ksqlfs_version)
        ( sleep 0.3; ksqlfs_query 'INSERT INTO t VALUES(1)' ) &
        now=$(ksqlfs_wait "$version")
        echo $((now - version))
        wait
    """
    assert waiting.fine(script) == "1\n"


def test_without_a_version_the_next_change_counts(waiting: Runner) -> None:
    script = """
        version=$(ksqlfs_version)
        ( while ksqlfs_query 'INSERT INTO t VALUES(1)'; do sleep 0.05; done ) &
        writer=$!
        now=$(ksqlfs_wait -t 60)
        kill $writer
        wait
        [ $now -gt $version ] && echo later
    """
    assert waiting.fine(script) == "later\n"


def test_it_waits_no_longer_than_told(waiting: Runner) -> None:
    assert waiting.refused(124, "ksqlfs_wait -t 0") == ""
    assert waiting.refused(124, "ksqlfs_wait -t 1 $(ksqlfs_version)") == ""


def test_wrong_usage_of_wait(waiting: Runner) -> None:
    wrong = ["-t x", "-t 1 2 3", "-t ''x 1", "1 2", "-t -1"]
    waiting.wrong_usage([f"ksqlfs_wait {arguments}" for arguments in wrong])
