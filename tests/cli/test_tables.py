# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl tables`, `schema` and the completion of their names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ctl
from tests.cli.processes import COMMAND
from tests.cli.terminal import Terminal
from tests.interface.tree import Tree

Run = Callable[..., Terminal]


@pytest.fixture
def filled(tree: Tree) -> Tree:
    """Tables of several kinds."""
    tree.run(
        "CREATE TABLE pkg(name TEXT PRIMARY KEY, size INTEGER);"
        "CREATE INDEX pkg_size ON pkg(size);"
        "CREATE VIRTUAL TABLE words USING fts5(w);"
        "CREATE VIEW large AS SELECT * FROM pkg WHERE size > 5;"
        "CREATE TRIGGER no BEFORE DELETE ON pkg BEGIN SELECT RAISE(ABORT, 'kept'); END;"
        "INSERT INTO pkg VALUES('bash', 7), ('sh', 1);"
    )
    return tree


def test_a_pipe_gets_the_names(ctl: Ctl, filled: Tree) -> None:
    assert ctl.out("tables") == "pkg\nwords\nlarge\n"
    assert ctl.out("tables", "--count") == "2\tpkg\n0\twords\n1\tlarge\n"


def test_programs_get_json(ctl: Ctl, filled: Tree) -> None:
    assert json.loads(ctl.out("tables", "--json", "--count")) == [
        {"name": "pkg", "type": "table", "rows": 2},
        {"name": "words", "type": "table", "rows": 0},
        {"name": "large", "type": "view", "rows": 1},
    ]
    assert json.loads(ctl.out("tables", "--json"))[0] == {"name": "pkg", "type": "table"}
    assert json.loads(ctl.out("schema", "--json", "large")) == [
        {
            "type": "view",
            "name": "large",
            "table": "large",
            "sql": "CREATE VIEW large AS SELECT * FROM pkg WHERE size > 5",
        }
    ]


def test_a_terminal_gets_a_table(terminal: Run, filled: Tree) -> None:
    shown = terminal("tables", "--count")
    assert shown.end() == 0
    assert "| pkg    | table  |      2 |" in shown.text


def test_an_empty_database_has_no_tables(ctl: Ctl) -> None:
    assert ctl.out("tables") == ""
    assert ctl.out("tables", "--json") == "[]\n"
    assert ctl.out("schema") == ""


def test_the_schema_makes_the_same_tables_again(ctl: Ctl, filled: Tree) -> None:
    schema = ctl.out("schema")
    filled.run("DROP VIEW large; DROP TABLE pkg; DROP TABLE words")
    ctl.out("query", given=schema)
    assert ctl.out("schema") == schema
    assert filled.tables() == ["pkg", "words"]


def test_the_schema_of_one_table_has_what_belongs_to_it(ctl: Ctl, filled: Tree) -> None:
    lines = ctl.out("schema", "PKG").splitlines()
    assert [line.split("(")[0].split(" ON")[0] for line in lines] == [
        "CREATE TABLE pkg",
        "CREATE INDEX pkg_size",
        "CREATE TRIGGER no BEFORE DELETE",
    ]


def test_an_unknown_name_is_one_sentence(ctl: Ctl, filled: Tree) -> None:
    failure = ctl.fails(1, "schema", "pgk")
    assert failure == "no table or view is named 'pgk'; did you mean 'pkg'?\n"
    failure = ctl.fails(1, "schema", "x")
    assert failure == "no table or view is named 'x'; `ksqlctl tables` lists them\n"


def completed(ctl: Ctl, *words: str) -> list[str]:
    """What click's completion offers for the last of the words."""
    ctl.environment |= {
        "_KSQLCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["ksqlctl", *words]),
        "COMP_CWORD": str(len(words)),
    }
    return [line.removeprefix("plain,") for line in ctl.out().splitlines() if line]


def test_names_of_tables_and_commands_are_completed(ctl: Ctl, filled: Tree) -> None:
    assert completed(ctl, "schema", "p") == ["pkg"]
    assert completed(ctl, "export", "") == ["pkg", "words", "large"]
    assert completed(ctl, "export", "pkg", "p") == ["file,p"]
    assert completed(ctl, "imp") == ["import"]
    assert "--format" in completed(ctl, "query", "--f")


def test_completion_uses_the_root_that_is_given(ctl: Ctl, filled: Tree) -> None:
    ctl.environment["KSQL_ROOT"] = "/nowhere"
    assert completed(ctl, "--root", str(filled.root), "schema", "w") == ["words"]


def test_completion_is_silent_where_there_is_no_tree(bare_ctl: Ctl) -> None:
    bare_ctl.environment["KSQL_ROOT"] = "/nowhere"
    assert completed(bare_ctl, "schema", "p") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_printed_and_sound(bare_ctl: Ctl, shell: str) -> None:
    script = bare_ctl.out("completion", shell)
    assert "_KSQLCTL_COMPLETE" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its script is not read by it")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_a_table(ctl: Ctl, filled: Tree, tmp_path: Path) -> None:
    """The script, sourced by a real bash, calls the command and takes its answer."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    command = tmp_path / "ksqlctl"
    command.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    driver = (
        'eval "$(ksqlctl completion bash)"\n'
        "COMP_WORDS=(ksqlctl schema pk) COMP_CWORD=2\n"
        "_ksqlctl_completion ksqlctl\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", driver],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "KSQL_ROOT": str(filled.root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "pkg\n", done.stderr + sys.executable
