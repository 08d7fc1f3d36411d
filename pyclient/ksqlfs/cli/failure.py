# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What ends `ksqlctl` with a sentence, by exit code.  Wrong usage is `click.UsageError`, 2."""

from __future__ import annotations

from typing import IO, Any

import click


class Failure(click.ClickException):
    """The database refused.

    The message says in a sentence what is wrong and what to do about it; lines of detail, such as
    a statement with a caret, may follow it.
    """

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it to stderr, after the name of the program."""
        click.echo(f"ksqlctl: {self.format_message()}", file=file, err=file is None)


class NoTreeFailure(Failure):
    """There is no tree that answers, or what would make one cannot be had."""

    exit_code = 3


class BadFileFailure(Failure):
    """A file to read or to write is missing or bad."""

    exit_code = 4
