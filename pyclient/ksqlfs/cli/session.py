# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What every command is given: the global options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass
class Session:
    """The global options of one run, and what follows from them."""

    root: Path | None
    verbose: bool

    def say(self, text: str) -> None:
        """Print a line to stderr if `--verbose` was given."""
        if self.verbose:
            click.echo(f"ksqlctl: {text}", err=True)


pass_session = click.make_pass_decorator(Session)
