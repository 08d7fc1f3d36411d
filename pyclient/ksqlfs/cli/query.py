# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl query`."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from ksqlfs.cli.answer import ENDINGS, stream
from ksqlfs.cli.failure import LEFT_OPEN, Failure
from ksqlfs.cli.render import FORMATS, bare
from ksqlfs.cli.request import read_parameters, read_sql
from ksqlfs.cli.rows import run, show
from ksqlfs.cli.script import encode
from ksqlfs.cli.session import Session, on_terminal, pass_session


@click.command(context_settings={"max_content_width": 100})
@click.argument("sql", required=False)
@click.option("-f", "--file", metavar="FILE", help="Read the SQL from a file; - is stdin.")
@click.option(
    "-p",
    "--param",
    "texts",
    metavar="TEXT",
    multiple=True,
    help="A parameter of the SQL, as text; may be repeated.",
)
@click.option(
    "-P",
    "--params",
    "as_json",
    metavar="JSON",
    help='All parameters, typed: [5, "text", null], or {"name": 5} for :name.',
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, *ENDINGS, "value"]),
    help="How to print the answer.  [default: table on a terminal, else csv]",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Rows of a table that a terminal is shown; 0: all.",
)
@pass_session
def query(
    session: Session,
    sql: str | None,
    file: str | None,
    texts: tuple[str, ...],
    as_json: str | None,
    form: str | None,
    limit: int,
) -> None:
    """Run SQL and print the answer.

    The SQL is the argument, or comes from a file or stdin.  It may be several statements: the
    answer is that of the last one that returns columns.  They run on one connection; a transaction
    that they leave open is rolled back, and that is an error.

    CSV, TSV, JSON and NDJSON are printed as they come, however long the answer.
    """
    statements = read_sql(sql, file)
    parameters = read_parameters(texts, as_json)
    form = form or ("table" if on_terminal() else "csv")
    if form in ENDINGS:
        write = sys.stdout.buffer.write
        for chunk in stream(session.find_root(), form, encode(statements, parameters)):
            write(chunk)
            sys.stdout.buffer.flush()
        return
    limit = limit if on_terminal() else 0
    with closing(session.connect()) as db:
        answer = run(db, statements, parameters, 1 if form == "value" else limit)
        if form == "value":
            click.echo("".join(f"{bare(row[0])}\n" for row in answer.rows[:1]), nl=False)
        else:
            show(answer, form)
        if db.in_transaction:
            raise Failure(LEFT_OPEN)
