# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The shell sessions of README and docs/, typed in a shell: they print what is shown."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interface.tree import Tree

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
SESSION = re.compile(r"<!-- run in the VM -->\n```console\n(.*?)```", re.DOTALL)
PROMPT = "$ "
# Stands between the outputs of two commands.
MARK = "--- next ---"

Exchange = tuple[str, str]


def sessions() -> Iterator[tuple[str, str]]:
    """Name and text of each session."""
    for page in PAGES:
        for number, text in enumerate(SESSION.findall(page.read_text()), 1):
            yield f"{page.name}-{number}", text


def exchanges(text: str) -> list[Exchange]:
    """A session's commands, each with the output that is shown below it."""
    found: list[Exchange] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT).rstrip("\n"), ""))
        else:
            command, output = found.pop()
            found.append((command, output + line))
    return found


def typed(commands: list[str]) -> list[str]:
    """What a shell prints, both streams together, for each of the commands."""
    script = "exec 2>&1\n" + "".join(f"{command}\necho '{MARK}'\n" for command in commands)
    done = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    return done.stdout.split(f"{MARK}\n")[:-1]


def test_the_readme_has_a_session_of_six_lines() -> None:
    (session,) = SESSION.findall(PAGES[0].read_text())
    assert len(exchanges(session)) == 6


@pytest.mark.parametrize(("name", "text"), sessions(), ids=[name for name, _ in sessions()])
def test_sessions_print_what_they_show(tree: Tree, name: str, text: str) -> None:
    shown = exchanges(text)
    assert f"cd {tree.root}" == shown[0][0]
    printed = typed([command for command, _ in shown])
    assert list(zip([command for command, _ in shown], printed, strict=True)) == shown
