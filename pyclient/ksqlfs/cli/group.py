# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The group of `ksqlctl`'s commands: each is imported when it is called, and failures end well."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from ksqlfs.cli.failure import (
    BadFileFailure,
    Ended,
    Failure,
    is_unreachable,
    of_client,
    unreachable,
    unreadable,
)
from ksqlfs.errors import Error


def end_by(number: signal.Signals) -> NoReturn:
    """End this process by a signal, so that a shell's loop around it ends as well."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)  # the signal is blocked


def drop_output() -> None:
    """Have what is still in stdout's buffer go nowhere, as it cannot go where it should."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())


def end_with(error: click.ClickException) -> NoReturn:
    """End this process with the error's sentence and exit code, after what came before it."""
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()
    error.show()
    sys.exit(error.exit_code)


class CommandGroup(click.Group):
    """Commands that are imported only when they are called.

    `lazy` has for each name of a command where it is, as `module:name` in `ksqlfs.cli`, and in a
    few words what it does.
    """

    def __init__(self, *, lazy: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """The names, in the order in which `--help` shows them."""
        return list(self.lazy)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in self.lazy:
            return None
        module, _, name = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(f"ksqlfs.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in self.lazy.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands without importing any."""
        names = [
            CompletionItem(name, help=help_text)
            for name, (_, help_text) in self.lazy.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def main(  # type: ignore[override]  # always ends the process, whatever click was asked for
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run a command and end the process, with one of the documented exit codes."""
        extra.pop("standalone_mode", None)
        try:
            outcome = super().main(args, prog_name, standalone_mode=False, **extra)
            sys.stdout.flush()
            sys.exit(outcome if isinstance(outcome, int) else 0)
        except click.ClickException as error:
            end_with(error)
        except Error as error:
            end_with(of_client(error))
        except (click.Abort, KeyboardInterrupt):
            with suppress(OSError):
                sys.stdout.flush()
            end_by(signal.SIGINT)
        except Ended as error:
            end_by(error.number)
        except OSError as error:
            drop_output()
            end_with(_failure_of_call(error))


def _failure_of_call(error: OSError) -> Failure:
    """The failure of a call that no command has foreseen, or that wrote to stdout."""
    if is_unreachable(error.errno):
        return unreachable(error.filename or "the tree", error)
    if error.filename is not None:
        return unreadable(error.filename, error)
    return BadFileFailure(f"writing the output failed: {error.strerror}")
