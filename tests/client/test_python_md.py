# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""docs/python.md: its session runs, its tables and names are the client's."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import ksqlfs
import pytest
from ksqlfs import errors

from tests.interface.tree import Tree

PAGE = (Path(__file__).resolve().parents[2] / "docs/python.md").read_text()


def test_the_session_prints_what_it_shows(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSQL_ROOT", str(tree.root))
    blocks = re.findall(r"^```pycon\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    session = doctest.DocTestParser().get_doctest("".join(blocks), {}, "python.md", None, 0)
    assert len(session.examples) > 20
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    outcome = runner.run(session, out=told.append)
    assert outcome.failed == 0, "".join(told)


def test_errnos_and_their_exceptions() -> None:
    rows = dict(re.findall(r"^\| (E[A-Z]+) \| (\w+) \|$", PAGE, re.MULTILINE))
    assert rows == {name: kind.__name__ for name, kind in errors.BY_ERRNO.items()}


def test_everything_public_is_named() -> None:
    for name in ksqlfs.__all__:
        if not name.startswith("__"):
            pattern = rf"\b{name.removesuffix('FromTicks')}\b"
            assert re.search(pattern, PAGE), name


def test_public_members_are_named() -> None:
    for kind in (ksqlfs.Connection, ksqlfs.Cursor, ksqlfs.Table):
        for name in vars(kind):
            if name[0] in "_" or name in INTERNAL or hasattr(errors, name):
                continue
            assert re.search(rf"\b{name}\b", PAGE), f"{kind.__name__}.{name}"


# What modules of the client use of each other, and what PEP 249 wants and is nothing here.
INTERNAL = {
    *("ask", "change", "check_open", "column_names", "command", "fail", "fd", "free"),
    *("note_begin", "prepare", "read_on", "run_script", "settle", "take"),
    *("setinputsizes", "setoutputsize"),
}
