# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl tables` and `ksqlctl schema`."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ksqlfs.cli.failure import Failure
from ksqlfs.cli.render import Row, lay_out, printable, quote
from ksqlfs.cli.session import Session, on_terminal, pass_session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ksqlfs import Connection

# Shadow tables belong to the virtual table that makes them.
_SCHEMA = """
SELECT type, name, tbl_name AS "table", sql FROM sqlite_schema
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
ORDER BY type = 'trigger', type = 'view', type = 'index', rowid
"""


def names(db: Connection) -> list[str]:
    """The names of all tables and views."""
    return [*db.tables, *db.views]


def no_such_table(db: Connection, name: str) -> Failure:
    """The failure for a name that is neither a table's nor a view's, with the nearest ones."""
    known = names(db)
    near = get_close_matches(name, known, n=1) or get_close_matches(
        name.lower(), [other.lower() for other in known], n=1
    )
    if near:
        return Failure(f"no table or view is named {name!r}; did you mean {near[0]!r}?")
    return Failure(f"no table or view is named {name!r}; `ksqlctl tables` lists them")


def complete_table(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - as click calls it
    incomplete: str,
) -> list[str | CompletionItem]:
    """Complete the name of a table or view; where there is no tree, nothing."""
    import ksqlfs

    found: list[str | CompletionItem] = []
    root = ctx.find_root().params.get("root")
    with (
        suppress(ksqlfs.Error, OSError),
        closing(ksqlfs.connect(root and Path(root))) as db,
    ):
        found += [name for name in names(db) if name.startswith(incomplete)]
    return found


@click.command()
@click.option("--count", is_flag=True, help="Count the rows of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def tables(session: Session, count: bool, as_json: bool) -> None:
    """List tables and views.

    A terminal is shown a table, a pipe gets the names, one a line, and with --count the number of
    rows and a tab before each.
    """
    with closing(session.connect()) as db:
        rows: list[tuple[str, str]] = [(name, "table") for name in db.tables]
        rows += [(name, "view") for name in db.views]
        counts = [_count(db, name) for name, _ in rows] if count else []
    columns = ["name", "type", "rows"] if count else ["name", "type"]
    full: list[Row] = [(*row, *counts[number : number + 1]) for number, row in enumerate(rows)]
    if as_json:
        objects = [dict(zip(columns, row, strict=True)) for row in full]
        click.echo(json.dumps(objects, ensure_ascii=False))
    elif on_terminal():
        click.echo(lay_out(columns, full, "table"))
    else:
        for name, _, *number in full:
            click.echo("\t".join([*map(str, number), printable(str(name))]))


def _count(db: Connection, name: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {quote(name)}").fetchone()[0])


@click.command()
@click.argument("name", required=False, shell_complete=complete_table)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def schema(session: Session, name: str | None, as_json: bool) -> None:
    """Print the SQL that makes the tables.

    Of one table or view if NAME is given, with its indexes and triggers; else of all.
    """
    with closing(session.connect()) as db:
        rows = [
            row
            for row in db.execute(_SCHEMA).fetchall()
            if name is None or name.lower() in (row[1].lower(), row[2].lower())
        ]
        if name is not None and not rows:
            raise no_such_table(db, name)
    if as_json:
        keys = ("type", "name", "table", "sql")
        click.echo(
            json.dumps([dict(zip(keys, row, strict=True)) for row in rows], ensure_ascii=False)
        )
    else:
        for row in rows:
            click.echo(f"{row[3]};")
