# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Finds and runs the programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# What unpack.sh has unpacked.
UNPACKED = PROJECT / "build" / "tools" / "usr"
FOLDERS = [
    *(UNPACKED / "bin", UNPACKED / "sbin"),
    *(Path(sys.executable).parent, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"),
]


def find(program: str) -> str:
    """Its path.  `make setup` installs them all, so that one is not there is a failure."""
    path = shutil.which(program, path=os.pathsep.join(map(str, FOLDERS)))
    if path is None:
        pytest.fail(f"{program} is not there: run `make setup`", pytrace=False)
    return path


def environment() -> dict[str, str]:
    """For all of them: no settings of the user's own, but the libraries that were unpacked."""
    return {
        "PATH": os.pathsep.join(map(str, FOLDERS)),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "LD_LIBRARY_PATH": str(UNPACKED / "lib" / "x86_64-linux-gnu"),
    }


def run(
    program: str, *arguments: str | Path, stdin: str = "", cwd: Path | None = None, status: int = 0
) -> str:
    """What it says on stdout, and, if that is not how it ended, on stderr."""
    done = subprocess.run(
        [find(program), *map(str, arguments)],
        input=stdin.encode(),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        timeout=100,
        check=False,
    )
    said = done.stdout.decode()
    assert done.returncode == status, (
        f"{program} ended with {done.returncode}: {said}{done.stderr!r}"
    )
    return said
