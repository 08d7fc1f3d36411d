# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The command `ksqlctl`.  Nothing of it is imported by `import ksqlfs`."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path

import click

from ksqlfs import __version__
from ksqlfs.cli.group import CommandGroup

__all__ = ["cli", "main"]

COMMANDS = {
    "query": ("query:query", "Run SQL and print the answer."),
    "shell": ("shell:shell", "Type SQL and see the answers."),
    "tables": ("tables:tables", "List tables and views."),
    "schema": ("tables:schema", "Print the SQL that makes the tables."),
    "import": ("importing:import_", "Put the rows of a CSV or NDJSON file into a table."),
    "export": ("exporting:export", "Write a table or an answer to a file."),
    "watch": ("watch:watch", "Run a query again at every change."),
    "save": ("image:save", "Save the whole database as an SQLite file."),
    "restore": ("image:restore", "Put an SQLite file in the database's place."),
    "mount": ("mount:mount", "Mount a tree without the kernel module, by FUSE."),
    "umount": ("mount:umount", "Unmount it."),
    "load": ("module:load", "Load the kernel module and mount its tree."),
    "unload": ("module:unload", "Unmount the kernel's tree and unload the module."),
    "status": ("status:status", "Tell which tree is there, and how it does."),
    "doctor": ("doctor:doctor", "Tell what this machine can do, and what is missing."),
    "completion": ("completion:completion", "Print what makes a shell complete ksqlctl's words."),
}

EXIT_CODES = """\b
Exit codes:
  0    fine
  1    the database refused (an SQL error, a lock, a limit); status and doctor: something is missing
  2    wrong usage
  3    no tree, a dead mount, no permission, or the host or the module cannot be had
  4    a file to read or to write is bad
  130  Ctrl-C
  141  the reader of the output has gone
"""


@click.command(
    cls=CommandGroup,
    lazy=COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="The tree.  Otherwise $KSQL_ROOT, or the first mounted of /sys/kernel/ksql, /run/ksql"
    " and $XDG_RUNTIME_DIR/ksql.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is done.")
@click.version_option(__version__, prog_name="ksqlctl", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, root: Path | None, verbose: bool) -> None:
    """SQLite in the Linux kernel, or in a FUSE server, from the command line.

    The database is a mounted ksqlfs.  `ksqlctl COMMAND --help` tells more of each command.
    """
    from ksqlfs.cli.session import Session

    ctx.obj = Session(root=root, verbose=verbose)


def main() -> None:
    """Run `ksqlctl` with the arguments of this process."""
    # As other programs: whose reader has gone ends without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Where the locale lacks a character it is written as Python writes it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    cli.main(prog_name="ksqlctl")
