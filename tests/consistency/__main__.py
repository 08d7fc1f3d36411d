# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`python -m tests.consistency --seconds N`: run it on the mounted tree, which must be empty."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from tests.consistency.driver import run
from tests.interface.conftest import find_root


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to run.")
@click.option("--clients", default=6, show_default=True, help="How many at a time.")
@click.option(
    "--keep",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="An empty folder for the histories, to keep them.",
)
@click.argument("root", type=click.Path(path_type=Path), default=find_root)
def main(seconds: float, clients: int, keep: Path | None, root: Path) -> None:
    """Kill clients of the tree at ROOT at random, and check what they saw."""
    with tempfile.TemporaryDirectory(prefix="consistency-") as folder:
        report = run(root, keep or Path(folder), seconds, clients)
    click.echo(report)
    for complaint in report.complaints:
        click.echo(complaint, err=True)
    sys.exit(bool(report.complaints))


if __name__ == "__main__":
    main()
