# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Every source file says under which licence it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SUFFIXES = {".c", ".h", ".S", ".py", ".sh", ".mk"}
NAMES = {"Makefile", "Kbuild"}
LINE = "SPDX-License-Identifier: MIT OR GPL-2.0-only"


def tracked() -> list[Path]:
    """The files that git knows."""
    done = subprocess.run(
        ["git", "-C", PROJECT, "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"not a clone of the repository: {done.stderr.strip()}")
    files = [PROJECT / name for name in done.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def is_source(file: Path) -> bool:
    """By its name, or as it is a script."""
    if file.suffix in SUFFIXES or file.name in NAMES:
        return True
    with file.open("rb") as stream:
        return stream.read(2) == b"#!"


def test_every_source_file_names_its_licence() -> None:
    sources = [file for file in tracked() if is_source(file)]
    assert len(sources) > 50
    silent = [file for file in sources if LINE not in "".join(head(file))]
    assert not silent


def head(file: Path) -> list[str]:
    """The first two lines."""
    with file.open() as stream:
        return [stream.readline() for _ in range(2)]


def test_the_licences_are_there() -> None:
    assert "MIT License" in (PROJECT / "LICENSE").read_text()
    assert "Version 2, June 1991" in (PROJECT / "LICENSE.GPL-2.0").read_text()
