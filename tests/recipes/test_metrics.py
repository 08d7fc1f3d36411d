# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ksqlfs_metrics: what it writes is read back by Prometheus's own parser."""

from __future__ import annotations

import math
import os

from prometheus_client.parser import text_string_to_metric_families

from tests.interface.tree import Tree
from tests.recipes.conftest import Runner

HELP = 'Bytes \\ of\na "disk", 漢字.'
# Labels, each with what escaping could break.
LABELS = ["sda", 'a "quoted" one', "back\\slash \\n", "two\nlines", "", "åß 🐘 {},="]


def view(tree: Tree) -> None:
    """Make the view disk_bytes."""
    tree.run("CREATE TABLE disk(label, value)")
    for number, label in enumerate(LABELS):
        tree.run("INSERT INTO disk VALUES(?, ?)", label, number + 0.1)
    tree.run("INSERT INTO disk VALUES('none', NULL), ('inf', 9e999), ('big', 9007199254740993)")
    help_text = HELP.replace("'", "''")
    tree.run(
        "CREATE VIEW disk_bytes AS SELECT value, label, 7 AS number, NULL AS absent,"
        f" '{help_text}' AS help, 'gauge' AS type FROM disk"
    )


def test_every_row_is_a_sample(recipe: Runner, tree: Tree) -> None:
    view(tree)
    text = recipe.fine("ksqlfs_metrics disk_bytes")
    (family,) = text_string_to_metric_families(text)
    assert (family.name, family.type) == ("disk_bytes", "gauge")
    # The parser leaves quotes of a help text as they are, as they are not escaped there.
    assert family.documentation == HELP
    expected: list[tuple[str, float]] = [
        *((label, number + 0.1) for number, label in enumerate(LABELS)),
        ("inf", math.inf),
        ("big", 9007199254740993),
    ]
    assert [(sample.labels["label"], sample.value) for sample in family.samples] == expected
    assert {sample.labels["number"] for sample in family.samples} == {"7"}
    assert "} 9007199254740993\n" in text


def test_a_view_may_have_a_value_alone_or_a_time(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE VIEW one AS SELECT 1 AS value")
    tree.run("CREATE VIEW timed AS SELECT 2.5 AS value, 'a' AS b, 1700000000000 AS timestamp")
    tree.run("CREATE VIEW none AS SELECT 1 AS value WHERE 0")
    script = "ksqlfs_metrics one; ksqlfs_metrics timed; ksqlfs_metrics none"
    assert recipe.fine(script) == 'one 1\ntimed{b="a"} 2.5 1700000000000\n'


def test_the_file_is_replaced_whole(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE TABLE t(value); INSERT INTO t VALUES(1)")
    tree.run("CREATE VIEW size AS SELECT value FROM t")
    assert recipe.fine('ksqlfs_metrics size "-a b.prom"') == ""
    file = recipe.work / "-a b.prom"
    assert file.read_text() == "size 1\n"
    old = file.stat().st_ino
    tree.run("INSERT INTO t VALUES('x')")
    assert "no number" in recipe.refused(1, 'ksqlfs_metrics size "-a b.prom"')
    assert (file.read_text(), file.stat().st_ino) == ("size 1\n", old)
    tree.run("DELETE FROM t WHERE value = 'x'; UPDATE t SET value = 2")
    recipe.fine('ksqlfs_metrics size "-a b.prom"')
    assert file.read_text() == "size 2\n"
    assert file.stat().st_ino != old
    assert os.listdir(recipe.work) == ["-a b.prom"]


REFUSED = {
    "text": ("SELECT 'x' AS value", "has a text that is no number in its column value"),
    "blob": ("SELECT x'31' AS value", "has a blob that is no number in its column value"),
    "without": ("SELECT 1 AS v", "has no column value"),
    "label": ('SELECT 1 AS value, 2 AS "x-y"', "has a column that cannot be a label: x-y"),
    "quote": ('SELECT 1 AS value, 2 AS "x\'"', "has a column that cannot be a label: x'"),
    "digit": ('SELECT 1 AS value, 2 AS "1a"', "has a column that cannot be a label: 1a"),
    "inner": ("SELECT 1 AS value, 2 AS __name__", "has a column that cannot be a label: __name__"),
    "a b": ("SELECT 1 AS value", "has a name that no metric can have"),
    "a'b\"": ("SELECT 1 AS value", "has a name that no metric can have"),
    "9": ("SELECT 1 AS value", "has a name that no metric can have"),
    "nowhere": (None, "does not exist"),
}


def test_what_is_no_metric_is_refused(recipe: Runner, tree: Tree) -> None:
    for name, (sql, _) in REFUSED.items():
        if sql is not None:
            quoted = name.replace('"', '""')
            tree.run(f'CREATE VIEW "{quoted}" AS {sql}')
    script = 'for view; do ksqlfs_metrics "$view" || echo "status $?" >&2; done'
    done = recipe(script, *REFUSED)
    expected = []
    for name, (_, what) in REFUSED.items():
        expected += [f"ksqlfs: the view {name} {what}.", "status 1"]
    assert done.stderr.splitlines()[:-1] == expected
    assert done.stdout == ""


def test_wrong_usage_of_metrics(recipe: Runner) -> None:
    recipe.wrong_usage(["ksqlfs_metrics", "ksqlfs_metrics a b c", "ksqlfs_metrics a ''"])
