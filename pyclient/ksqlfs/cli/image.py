# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl save` and `ksqlctl restore`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from ksqlfs.cli.failure import BadFileFailure, unreadable
from ksqlfs.cli.files import undone_by_signals
from ksqlfs.cli.render import counted
from ksqlfs.cli.session import Session, confirm, hint, pass_session
from ksqlfs.errors import DatabaseError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@pass_session
def save(session: Session, file: Path) -> None:
    """Save the whole database as an SQLite file.

    It is the state of one moment; others may go on writing.  FILE appears, or takes the place of
    the one that was there, once it is whole.
    """
    with closing(session.connect()) as db, undone_by_signals():
        try:
            db.save(file)
        except OSError as error:
            raise unreadable(file, error) from error
    hint(f"{file.stat().st_size} bytes into {file}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("-y", "--yes", is_flag=True, help="Replace what the database has without asking.")
@pass_session
def restore(session: Session, file: Path, yes: bool) -> None:
    """Put an SQLite file in the database's place.

    The file is checked first.  The whole database is replaced in one step, or nothing changes.
    """
    with closing(session.connect()) as db:
        there = [(len(db.tables), "table"), (len(db.views), "view")]
        held = " and ".join(counted(number, thing) for number, thing in there if number)
        if held and not yes:
            confirm(f"{db.root} holds {held}, which {file} would replace.")
        try:
            if file.is_file() and not file.stat().st_size:
                raise BadFileFailure(f"{file} is empty, and no database; nothing is changed")
            db.load(file)
        except OSError as error:
            raise unreadable(file, error) from error
        except DatabaseError as error:
            if error.errno_name != "EUCLEAN":
                raise
            raise BadFileFailure(f"{error}; nothing is changed") from error
