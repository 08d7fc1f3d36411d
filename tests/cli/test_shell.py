# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl shell`: in a terminal with and without prompt_toolkit, and fed by a pipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ctl
from tests.cli.terminal import Terminal
from tests.interface.tree import ENDLESS, Tree

Run = Callable[..., Terminal]

PROMPT = "ksql>"
CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture(params=["prompt_toolkit", "readline"])
def console(request: pytest.FixtureRequest, terminal: Run, tmp_path: Path, tree: Tree) -> Terminal:
    """The shell at its first prompt, with a table to ask for."""
    tree.run("CREATE TABLE pkg(name TEXT, size INTEGER); INSERT INTO pkg VALUES('bash', 7)")
    variables = {}
    if request.param == "readline":
        # An empty module in front of the real one: it cannot be imported from.
        hidden = tmp_path / "hidden"
        hidden.mkdir()
        (hidden / "sitecustomize.py").write_text(
            "import sys\nsys.modules['prompt_toolkit'] = None\n"
        )
        variables["PYTHONPATH"] = str(hidden)
    started = terminal("shell", **variables)
    started.wait_line(PROMPT)
    return started


def test_a_statement_over_lines_is_answered_by_a_table(console: Terminal) -> None:
    console.type("SELECT name,\n")
    console.wait_line("  ...>")
    console.type("size FROM pkg;\n")
    console.wait("| bash   |      7 |", "1 row")
    console.wait_line(PROMPT)


def test_an_error_has_its_caret_and_the_shell_goes_on(console: Terminal) -> None:
    console.type("SELECT nope FROM pkg;\n")
    console.wait("ksqlctl: no such column: nope", "\nSELECT nope FROM pkg\n       ^\n")
    console.type("SELECT 6 * 7 AS n;\n")
    console.wait("|  42 |")


def test_ctrl_c_drops_what_is_typed(console: Terminal) -> None:
    console.type("SELECT 'never\n")
    console.wait_line("  ...>")
    console.type(CTRL_C)
    console.wait_line(PROMPT)
    console.type("SELECT 'again' AS w;\n")
    console.wait("| again |")


def test_ctrl_c_stops_what_runs_and_not_the_shell(console: Terminal) -> None:
    console.type(ENDLESS + ";\n")
    console.wait("FROM c;")
    console.type(CTRL_C)
    console.wait("interrupted")
    console.wait_line(PROMPT)
    console.type("SELECT 'again' AS w;\n")
    console.wait("| again |")


def test_ctrl_d_leaves_and_rolls_back(console: Terminal, tree: Tree) -> None:
    console.type("BEGIN; INSERT INTO pkg VALUES('zsh', 8);\n")
    console.wait_line("ksql*>")
    console.type(CTRL_D)
    assert console.end() == 0
    assert tree.value("SELECT count(*) FROM pkg") == "1"


def test_tab_completes_keywords_tables_columns_and_dot_commands(console: Terminal) -> None:
    console.type("SEL\t")
    console.wait("SELECT")
    console.type(" siz\t")
    console.wait("SELECT size")
    console.type(" FROM pk\t")
    console.wait("SELECT size FROM pkg")
    console.type(" AS q WHERE q.na\t")
    console.wait("SELECT size FROM pkg AS q WHERE q.name")
    console.type(" = 'bash';\n")
    console.wait("|      7 |")
    console.wait_line(PROMPT)
    console.type(".sch\t")
    console.wait(".schema")
    console.type(" pk\t")
    console.wait_line("ksql> .schema pkg")
    console.type("\n")
    console.wait("CREATE TABLE pkg(name TEXT, size INTEGER);")


def test_history_is_kept_for_the_next_time(console: Terminal, terminal: Run) -> None:
    console.type("SELECT 'kept' AS word;\n")
    console.wait("| kept   |")
    console.wait_line(PROMPT)
    console.type(CTRL_D)
    assert console.end() == 0
    again = terminal("shell", **console.variables)
    again.wait_line(PROMPT)
    again.type("\x10\n")  # Ctrl-P: the entry before
    again.wait("| kept   |")


def test_the_history_is_for_its_user_alone(console: Terminal, tmp_path: Path) -> None:
    console.type(".quit\n")
    assert console.end() == 0
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert len(files) == 1
    assert files[0].stat().st_mode & 0o077 == 0


def test_help_lists_the_dot_commands(console: Terminal) -> None:
    console.type(".help\n")
    console.wait(".quit", ".mode", ".import", ".export", ".watch")


def test_an_unknown_dot_command_is_one_sentence(console: Terminal) -> None:
    console.type(".nope\n")
    console.wait("ksqlctl: .nope is no command; .help lists them")
    console.wait_line(PROMPT)


def test_rows_beyond_the_limit_are_told_of(console: Terminal) -> None:
    console.type(".limit 2\n")
    console.wait_line(PROMPT)
    console.type("SELECT 1 AS n UNION SELECT 2 UNION SELECT 3;\n")
    console.wait("the first 2 rows; there are more: .limit 0 shows all")


def test_control_characters_do_not_reach_the_terminal(console: Terminal) -> None:
    console.type("SELECT char(27) || '[2J' AS w;\n")
    console.wait("| \\x1b[2J |")


# Fed by a pipe


def test_statements_from_a_pipe_run_one_by_one(ctl: Ctl) -> None:
    given = "CREATE TABLE t(a);\nINSERT INTO t\nVALUES(1), (2);\nSELECT * FROM t; SELECT 3 AS b"
    assert ctl.out("shell", given=given) == "a\n1\n2\nb\n3\n"


def test_a_pipe_ends_at_its_first_failure(ctl: Ctl, tree: Tree) -> None:
    failure = ctl.fails(1, "shell", given="CREATE TABLE t(a);\nSELEC;\nCREATE TABLE u(a);\n")
    assert failure == 'near "SELEC": syntax error\nSELEC;\n^\n'
    assert tree.tables() == ["t"]


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("csv", "a,b\n1,\n"),
        ("tsv", "a\tb\n1\t\n"),
        ("json", '[{"a":1,"b":null}]\n'),
        ("ndjson", '{"a":1,"b":null}\n'),
        ("line", "a = 1\nb = NULL\n"),
        ("markdown", "|   a | b    |\n|----:|:-----|\n|   1 | NULL |\n"),
    ],
)
def test_the_mode_is_the_format_of_answers(ctl: Ctl, form: str, answer: str) -> None:
    assert ctl.out("shell", given=f".mode {form}\nSELECT 1 AS a, NULL AS b;\n") == answer


@pytest.mark.parametrize(("first", "second"), [("csv", "table"), ("table", "json")])
def test_a_transaction_is_not_lost_by_another_mode(ctl: Ctl, first: str, second: str) -> None:
    given = f".mode {first}\nBEGIN;\n.mode {second}\n"
    assert "a transaction is open" in ctl.fails(1, "shell", given=given)


def test_a_transaction_lasts_over_statements_in_each_mode(ctl: Ctl) -> None:
    body = "BEGIN;\nCREATE TABLE t(a);\nINSERT INTO t VALUES(1);\nSELECT a FROM t;\nROLLBACK;\n"
    assert ctl.out("shell", given=f".mode csv\n{body}.tables\n") == "a\n1\n"
    assert ctl.out("shell", given=f".mode line\n{body}.tables\n") == "a = 1\n"


def test_dot_commands_are_those_of_ksqlctl(ctl: Ctl) -> None:
    (ctl.folder / "in.sql").write_text("CREATE TABLE t(a INTEGER);")
    (ctl.folder / "t.csv").write_text("a\n1\n2\n")
    given = ".read in.sql\n.import t.csv\n.tables --count\n.export t out.ndjson\n.quit\nSELEC;\n"
    assert ctl.out("shell", given=given) == "2\tt\n"
    assert (ctl.folder / "out.ndjson").read_text() == '{"a":1}\n{"a":2}\n'


def test_what_is_wrong_with_a_dot_command_is_said(ctl: Ctl) -> None:
    assert "missing.sql: No such file" in ctl.fails(4, "shell", given=".read missing.sql\n")
    assert ".read takes one argument" in ctl.fails(1, "shell", given=".read\n")
    assert "close the quotes" in ctl.fails(1, "shell", given=".read 'x\n")
    assert "there is no format 'x'" in ctl.fails(1, "shell", given=".mode x\n")


def test_bytes_that_are_no_text_are_told_with_their_line(ctl: Ctl) -> None:
    failure = ctl.fails(4, "shell", given=b"SELECT 1;\nSELECT '\xff';\n")
    assert failure.startswith("<stdin>, line 2: byte 0xff is not UTF-8; convert it by")
