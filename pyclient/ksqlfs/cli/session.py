# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What every command is given: the global options, and the tree that they name."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ksqlfs.cli.failure import Failure, NoTreeFailure

if TYPE_CHECKING:
    from ksqlfs import Connection


@dataclass
class Session:
    """The global options of one run, and what follows from them."""

    root: Path | None
    verbose: bool

    def find_root(self) -> Path:
        """Where the tree is."""
        from ksqlfs import find_root

        root = find_root(self.root)
        self.say(f"the tree is at {root}")
        return root

    def connect(self) -> Connection:
        """A connection that commits each statement by itself."""
        import ksqlfs

        root = self.find_root()
        try:
            return ksqlfs.connect(root, isolation_level=None)
        except ksqlfs.Error as error:
            raise NoTreeFailure(str(error).rstrip(".")) from error

    def say(self, text: str) -> None:
        """Print a line to stderr if `--verbose` was given."""
        if self.verbose:
            click.echo(f"ksqlctl: {text}", err=True)


pass_session = click.make_pass_decorator(Session)


def on_terminal() -> bool:
    """Whether a person sees what is printed."""
    return sys.stdout.isatty()


def hint(text: str) -> None:
    """Tell a person something that is not part of the answer; nobody else."""
    if on_terminal() and sys.stderr.isatty():
        click.echo(text, err=True)


def confirm(sentence: str) -> None:
    """Ask a person before something is lost; without one fail, and name `--yes`."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{sentence}  Say --yes to do it.")
    if not click.confirm(f"{sentence}  Go on?", err=True):
        raise Failure("you said no, and nothing is changed")
