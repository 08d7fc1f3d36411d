# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The sessions of docs/recipes/README.md print what they show, in each shell."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.interface.tree import Tree
from tests.recipes.conftest import RECIPES
from tests.sessions import SHOWN_ROOT, exchanges, sessions, typed

PAGE = RECIPES.with_name("README.md")
SESSIONS = {
    f"{needs}-{name}".lstrip("-"): (needs, text)
    for needs in ("", "events", "image", "sessions")
    for name, text in sessions([PAGE], f"run by a test{needs and f'; needs {needs}'}")
}


def test_every_section_has_a_session_and_every_function_a_section() -> None:
    text = PAGE.read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert all("<!-- run by a test" in section for section in sections)
    functions = set(re.findall(r"^(ksqlfs_[a-z]+)\(\)", RECIPES.read_text(), flags=re.MULTILINE))
    shown = {
        word for _, session in SESSIONS.values() for word in re.findall("ksqlfs_[a-z]+", session)
    }
    assert functions == shown


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_print_what_they_show(
    tree: Tree, shell: list[str], tmp_path: Path, name: str
) -> None:
    needs, text = SESSIONS[name]
    if needs and not (tree / needs).exists():
        pytest.skip(f"this host has no {needs}")
    tree.run("PRAGMA user_version = 0; PRAGMA application_id = 0")
    (tmp_path / RECIPES.name).symlink_to(RECIPES)
    text = text.replace(SHOWN_ROOT, str(tree.root))
    printed = typed(text, shell, tmp_path, {**os.environ, "KSQL_ROOT": str(tree.root)})
    assert printed == exchanges(text)
