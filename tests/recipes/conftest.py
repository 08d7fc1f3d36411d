# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures for the shell functions: run them in each shell, and see that they leave no trace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fuse.conftest import servers
from tests.interface.conftest import mount, shared_tree, shell, tree
from tests.interface.tree import Tree
from tests.sessions import MARK, PROJECT

__all__ = ["mount", "servers", "shared_tree", "shell", "tree"]

RECIPES = PROJECT / "docs" / "recipes" / "ksqlfs.sh"

# Aliases, such as root has for cp in some places, must not be followed. (Of these shells bash
# wants to be told that a script has any.)
#
# What the caller has set must be as it was: options, traps, IFS, descriptors; and no variable of
# the functions' own may stay but the one that they define. A caller with awkward settings at that.
SCRIPT = """\
[ -z "${{BASH_VERSION-}}" ] || shopt -s expand_aliases
alias cat='echo cat' cp='echo cp' mv='echo mv' rm='echo rm'
set -euf
. "$RECIPES"
unalias cat cp mv rm
set -C
IFS=:s
trap 'echo the end >&2' EXIT
trap 'echo a signal' USR1
state() {{
    set +o
    trap
    echo "$IFS"
    ls -l "/proc/$$/fd" 2> /dev/null | grep -F -e "$KSQL_ROOT/" -e "$PWD/" || :
    set | grep '^ksqlfs__[a-z]*='
}}
state > "$STATE/before"
{}
state > "$STATE/after"
"""


# What the caller's trap says, once.
END = "the end\n"


@dataclass(frozen=True)
class Runner:
    """Runs scripts that use the functions, in one shell, in an empty folder."""

    shell: list[str]
    root: Path
    work: Path
    state: Path

    def __call__(
        self,
        script: str,
        *arguments: str,
        environment: dict[str, str] | None = None,
        user: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script, with `$1` and so on."""
        scratch = self.state / "tmp"
        scratch.mkdir(exist_ok=True)
        for name in ("before", "after"):
            (self.state / name).unlink(missing_ok=True)
        done = subprocess.run(
            [*self.shell, "-c", SCRIPT.format(script), "sh", *arguments],
            cwd=self.work,
            env={
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "RECIPES": str(RECIPES),
                "STATE": str(self.state),
                "TMPDIR": str(scratch),
                "KSQL_ROOT": str(self.root),
                **(environment or {}),
            },
            user=user,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert list(scratch.iterdir()) == [], "a temporary file is left"
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def _as_it_was(self) -> None:
        """The shell came to the script's end, and nothing of it has changed."""
        assert (self.state / "after").read_text() == (self.state / "before").read_text()

    def fine(self, script: str, *arguments: str, **environment: str) -> str:
        """What a script prints, which must not fail and leave the shell as it was."""
        done = self(script, *arguments, environment=environment)
        assert (done.stderr, done.returncode) == (END, 0)
        self._as_it_was()
        return done.stdout

    def refused(self, status: int, script: str, *arguments: str, **environment: str) -> str:
        """What a script says on stderr as it ends with this status by its `set -e`."""
        done = self(script, *arguments, environment=environment)
        assert (done.stdout, done.returncode) == ("", status), done.stderr
        # And that alone: where the caller looks at the status, the shell goes on as it was.
        again = self(f'{{ {script}\n}} || echo "status $?"', *arguments, environment=environment)
        assert (again.stdout, again.returncode) == (f"status {status}\n", 0), again.stderr
        self._as_it_was()
        # zsh ends without its trap where a function fails.
        assert again.stderr == done.stderr.removesuffix(END) + END
        return again.stderr.removesuffix(END)

    def each(self, commands: Iterable[str]) -> list[tuple[int, str]]:
        """The status of each command, and what it says on stderr; none prints anything."""
        script = 'for command; do eval "$command" && echo 0 || echo $?; echo "$MARK" >&2; done'
        done = self(script, *commands, environment={"MARK": MARK})
        self._as_it_was()
        said = done.stderr.removesuffix(END).split(f"{MARK}\n")
        return list(zip(map(int, done.stdout.split()), said[:-1], strict=True))

    def wrong_usage(self, commands: Sequence[str]) -> None:
        """Each of these commands says its usage or what is wrong with it, with status 2."""
        for command, (status, said) in zip(commands, self.each(commands), strict=True):
            assert (command, status, said.count("\n")) == (command, 2, 1)
            assert said.startswith("ksqlfs: ")


@pytest.fixture
def recipe(tree: Tree, shell: list[str], tmp_path: Path) -> Runner:
    """The functions of docs/recipes/ksqlfs.sh, on the empty tree, in each shell."""
    return runner(shell, tree.root, tmp_path)


def runner(shell: list[str], root: Path, tmp_path: Path) -> Runner:
    """A Runner on some root, with folders of its own."""
    work, state = tmp_path / "work", tmp_path / "state"
    work.mkdir(exist_ok=True)
    state.mkdir(exist_ok=True)
    return Runner(shell, root, work, state)
