# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete ksqlctl's words.

    In bash and zsh `eval "$(ksqlctl completion bash)"` in ~/.bashrc, or zsh in ~/.zshrc; in fish
    `ksqlctl completion fish > ~/.config/fish/completions/ksqlctl.fish`.  Names of tables are
    completed too.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "ksqlctl", "_KSQLCTL_COMPLETE").source())
