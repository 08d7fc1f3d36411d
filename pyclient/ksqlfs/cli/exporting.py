# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ksqlfs.cli.answer import CHUNK, ENDINGS, stream
from ksqlfs.cli.failure import is_unreachable, refused, unreachable
from ksqlfs.cli.files import pulse, undone_by_signals, written
from ksqlfs.cli.render import quote
from ksqlfs.cli.request import read_parameters, read_sql
from ksqlfs.cli.script import encode
from ksqlfs.cli.session import Session, hint, pass_session
from ksqlfs.cli.tables import complete_table, no_such_table
from ksqlfs.paths import escape_name


def _complete(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[str | CompletionItem]:
    """A table, and behind it a file."""
    if ctx.params.get("names") or ctx.params.get("sql"):
        return [CompletionItem(incomplete, type="file")]
    return complete_table(ctx, param, incomplete)


@click.command()
@click.argument("names", nargs=-1, metavar="[TABLE] [FILE]", shell_complete=_complete)
@click.option("-q", "--query", "sql", metavar="SQL", help="Export the answer of this instead.")
@click.option("-p", "--param", "texts", metavar="TEXT", multiple=True, help="As of `query`.")
@click.option("-P", "--params", "as_json", metavar="JSON", help="As of `query`.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(ENDINGS)),
    help="The format.  [default: as FILE's name ends, else csv]",
)
@pass_session
def export(
    session: Session,
    names: tuple[str, ...],
    sql: str | None,
    texts: tuple[str, ...],
    as_json: str | None,
    form: str | None,
) -> None:
    """Write a table, a view or an answer to a file.

    Without FILE, or with -, it goes to stdout.  A file appears, or takes the place of the one that
    was there, once it is whole.
    """
    places = list(names)
    if sql is None and not places:
        raise click.UsageError("Nothing to export: name a table, or give SQL by -q.")
    table = places.pop(0) if sql is None else None
    if len(places) > 1:
        raise click.UsageError(f"Too many arguments: {' '.join(names)}.")
    if table is not None and (texts or as_json):
        raise click.UsageError("Parameters belong to -q, and there is none.")
    target = places[0] if places else "-"
    ending = Path(target).suffix[1:].lower()
    form = form or (ending if ending in ENDINGS else "csv")

    root = session.find_root()
    if sql is not None:
        request = encode(read_sql(sql, None), read_parameters(texts, as_json))
        chunks = stream(root, form, request)
    else:
        assert table is not None
        chunks = _of_table(session, root, table, form)
    if target == "-":
        write = sys.stdout.buffer.write
        for chunk in chunks:
            write(chunk)
        return
    with undone_by_signals(), written(Path(target)) as file, pulse("export", chunks) as pieces:
        for chunk in pieces:
            file.write(chunk)
    hint(f"exported to {target}")


def _of_table(session: Session, root: Path, table: str, form: str) -> Iterator[bytes]:
    """The rows of a table, or of a view."""
    fd, path = _open(root, table, form)
    if fd is None:
        yield from _of_view(session, root, table, form)
        return
    with open(fd, "rb", buffering=0) as file:
        try:
            while chunk := file.read(CHUNK):
                yield chunk
        except OSError as error:
            if is_unreachable(error.errno):
                raise unreachable(path, error) from error
            raise refused(f"{path}: {error.strerror}", error.errno) from error


def _open(root: Path, table: str, form: str) -> tuple[int | None, Path]:
    """The file in the tree that has the rows, if there is one."""
    for folder in ("tables", "views"):
        path = root / folder / escape_name(table) / f"data.{form}"
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC), path
        except OSError as error:
            # Why else it cannot be opened, as for a view over what is gone, SQL tells in words.
            if is_unreachable(error.errno):
                raise unreachable(path, error) from error
    return None, root


def _of_view(session: Session, root: Path, name: str, form: str) -> Iterator[bytes]:
    with closing(session.connect()) as db:
        if name not in db.views:
            raise no_such_table(db, name)
    return stream(root, form, f"SELECT * FROM {quote(name)}".encode())
