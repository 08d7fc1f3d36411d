# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The shell sessions of README and docs/, typed in a shell: they print what is shown."""

from __future__ import annotations

import pytest

from tests.interface.tree import Tree
from tests.sessions import PROJECT, exchanges, sessions, typed

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
SESSIONS = dict(sessions(PAGES, "run in the VM"))


def test_the_readme_has_a_session_of_six_lines() -> None:
    assert len(exchanges(SESSIONS["README.md-1"])) == 6


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_print_what_they_show(tree: Tree, name: str) -> None:
    shown = exchanges(SESSIONS[name])
    assert f"cd {tree.root}" == shown[0][0]
    assert typed(SESSIONS[name]) == shown
