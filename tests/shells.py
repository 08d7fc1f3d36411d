# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The shells that tests run, and the fixture that gives each of them in turn."""

from __future__ import annotations

import shutil

import pytest

SHELLS = {
    "dash": ["dash"],
    "bash": ["bash", "--norc"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh", "-f"],
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """The command line of a shell that is installed."""
    command = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return command
