# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl watch`: every so often, at every change, as a chart."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.cli.conftest import Ctl
from tests.cli.terminal import Terminal
from tests.interface.tree import Tree

Run = Callable[..., Terminal]

OFTEN = ("--interval", "0.05")


@pytest.fixture
def counter(tree: Tree) -> Tree:
    """A table that each run reads."""
    tree.run("CREATE TABLE t(n INTEGER, b BLOB); INSERT INTO t VALUES(1, x'ff')")
    return tree


def test_each_run_is_a_line_of_json(ctl: Ctl, counter: Tree) -> None:
    lines = ctl.out("watch", *OFTEN, "-c", "3", "--json", "SELECT n, b FROM t").splitlines()
    runs = [json.loads(line) for line in lines]
    assert [run["rows"] for run in runs] == [[[1, {"$base64": "/w=="}]]] * 3
    assert runs[0]["columns"] == ["n", "b"]
    times = [datetime.fromisoformat(run["time"]) for run in runs]
    assert times == sorted(times)
    assert times[0].tzinfo is not None


def test_a_pipe_gets_tables_and_no_control_characters(ctl: Ctl, counter: Tree) -> None:
    text = ctl.out("watch", *OFTEN, "-c", "2", "-p", "7", "SELECT n + ? AS n FROM t")
    assert text == "+-----+\n|   n |\n|-----|\n|   8 |\n+-----+\n" * 2


def test_a_change_is_shown_as_soon_as_it_is_made(ctl: Ctl, counter: Tree) -> None:
    """With `events` or without: by the default interval."""
    with ctl.started("watch", "--json", "-c", "2", "SELECT max(n) FROM t") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["rows"] == [[1]]
        counter.run("INSERT INTO t(n) VALUES(2)")
        assert json.loads(process.stdout.readline())["rows"] == [[2]]
    assert process.returncode == 0


def test_without_a_change_nothing_is_run_where_the_tree_tells(ctl: Ctl, counter: Tree) -> None:
    if not (counter.root / "events").exists():
        pytest.skip("this tree has no events")
    with ctl.started("watch", "--json", "SELECT max(n) FROM t") as process:
        assert process.stdout is not None
        process.stdout.readline()
        for n in range(2, 6):
            counter.run("SELECT 1; BEGIN; INSERT INTO t(n) VALUES(100); ROLLBACK")
            counter.run("INSERT INTO t(n) VALUES(?)", n)
            assert json.loads(process.stdout.readline())["rows"] == [[n]]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    assert out == b""


def test_ctrl_c_ends_it_without_a_traceback(ctl: Ctl, counter: Tree) -> None:
    with ctl.started("watch", *OFTEN, "SELECT 1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert errors.strip() == b""


def test_a_failure_ends_it(ctl: Ctl) -> None:
    assert ctl.fails(1, "watch", "SELECT 1 FROM gone").startswith("no such table: gone\n")


def test_a_terminal_is_cleared_before_each_answer(terminal: Run, counter: Tree) -> None:
    shown = terminal("watch", *OFTEN, "-c", "3", "SELECT n FROM t")
    assert shown.end() == 0
    assert shown.text.count("|   1 |") == 1
    assert shown.raw.count(b"\x1b[2J") == 3


def test_a_column_is_drawn_over_time(terminal: Run, counter: Tree) -> None:
    sql = "INSERT INTO t(n) SELECT max(n) * 2 FROM t; SELECT max(n) AS top FROM t"
    shown = terminal("watch", *OFTEN, "-c", "4", "--plot", "top", sql)
    assert shown.end() == 0
    assert "top" in shown.text
    assert "seconds" in shown.text
    assert "16.0" in shown.text
    assert shown.text.count("\n") < 40


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT 1 AS a", "the answer has no column 'n'; it has a\n"),
        ("SELECT 'x' AS n", "the column 'n' holds 'x', which is no number\n"),
        ("CREATE TABLE IF NOT EXISTS u(a)", "the answer has no column 'n'; it has none\n"),
    ],
)
def test_what_cannot_be_drawn_is_told(ctl: Ctl, sql: str, sentence: str) -> None:
    assert ctl.fails(1, "watch", "--plot", "n", sql) == sentence


def test_without_plotext_what_to_install_is_told(ctl: Ctl) -> None:
    (ctl.folder / "sitecustomize.py").write_text("import sys; sys.modules['plotext'] = None\n")
    ctl.environment["PYTHONPATH"] = str(ctl.folder)
    failure = ctl.fails(3, "watch", "--plot", "n", "SELECT 1 AS n")
    assert failure == "--plot needs plotext; install it by `pip install 'ksqlfs[plot]'`\n"


def test_null_leaves_a_gap(ctl: Ctl) -> None:
    text = ctl.out("watch", *OFTEN, "-c", "2", "--plot", "n", "SELECT NULL AS n")
    assert "\x1b" not in text


def test_plot_and_json_exclude_each_other(ctl: Ctl) -> None:
    assert "use one of them" in ctl("watch", "--plot", "n", "--json", "SELECT 1", code=2).stderr
