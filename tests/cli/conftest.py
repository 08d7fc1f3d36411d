# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: `ksqlctl` as a process, on the tree that the tests of the interface use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.processes import COMMAND, forked
from tests.cli.terminal import Terminal
from tests.interface.conftest import mount, shared_tree, tree
from tests.interface.tree import Tree

__all__ = ["mount", "shared_tree", "tree"]


@dataclass
class Ctl:
    """Runs `ksqlctl`."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def started(self, *arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
        """Start it; options are Popen's."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # its options vary
            [*COMMAND, *map(str, arguments)],
            **{
                "cwd": self.folder,
                "env": {**os.environ, **self.environment},
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "preexec_fn": forked(arguments, self.environment),
                **options,
            },
        )

    def __call__(
        self, *arguments: str | Path, given: bytes | str = b"", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, in pipes; it must end with this exit code and no traceback."""
        data = given.encode() if isinstance(given, str) else given
        with self.started(*arguments, stdin=subprocess.PIPE) as process:
            out, errors = (text.decode() for text in process.communicate(data))
        assert "Traceback" not in errors, errors
        assert process.returncode == code, f"exit code {process.returncode}: {errors}{out}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, errors)

    def out(self, *arguments: str | Path, given: bytes | str = b"") -> str:
        """What it prints; it must go well and say nothing else."""
        done = self(*arguments, given=given)
        assert done.stderr == ""
        return done.stdout

    def fails(self, code: int, *arguments: str | Path, given: bytes | str = b"") -> str:
        """The one sentence with which it fails, and lines of detail."""
        done = self(*arguments, given=given, code=code)
        prefix = "ksqlctl: "
        assert done.stderr.startswith(prefix)
        assert done.stderr.count(prefix) == 1
        return done.stderr.removeprefix(prefix)


@pytest.fixture
def bare_ctl(tmp_path: Path) -> Ctl:
    """`ksqlctl` in an empty folder, with no tree named."""
    return Ctl(tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state"), "KSQL_ROOT": ""})


@pytest.fixture
def ctl(bare_ctl: Ctl, tree: Tree) -> Ctl:
    """`ksqlctl` on the shared tree, which is empty."""
    bare_ctl.environment["KSQL_ROOT"] = str(tree.root)
    return bare_ctl


@pytest.fixture
def terminal(ctl: Ctl) -> Iterator[Callable[..., Terminal]]:
    """Run `ksqlctl` in a terminal: `terminal("shell", VARIABLE="value")`."""
    if "KSQL_VM" in os.environ:
        pytest.skip("terminals are slow in the VM, and know no host: tested on the FUSE mount")
    with ExitStack() as stack:

        def run(*arguments: str | Path, **environment: str) -> Terminal:
            words = [os.fspath(argument) for argument in arguments]
            return stack.enter_context(Terminal(words, {**ctl.environment, **environment}))

        yield run
