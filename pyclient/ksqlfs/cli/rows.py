# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Running SQL by the client, and showing the rows to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ksqlfs.cli.render import Row, counted, lay_out
from ksqlfs.cli.script import split
from ksqlfs.cli.session import hint
from ksqlfs.statements import Parameters

if TYPE_CHECKING:
    from ksqlfs import Connection


@dataclass
class Answer:
    """What a text of one or more statements gave.

    `columns` is None if none of them returns any; `more` tells that rows beyond those asked for
    exist; `changes` counts the rows that the last statement changed.
    """

    columns: list[str] | None
    rows: list[Row]
    more: bool
    changes: int


def run(db: Connection, sql: str, parameters: Parameters = (), limit: int = 0) -> Answer:
    """Run statements one by one; the answer is that of the last one that returns columns.

    The parameters are those of the last statement.  Of the answer `limit` rows are kept at most,
    0: all.
    """
    answer = Answer(None, [], False, 0)
    statements = split(sql)
    for number, statement in enumerate(statements, 1):
        cursor = db.execute(statement, parameters if number == len(statements) else ())
        if cursor.description is not None:
            answer.columns = [column[0] for column in cursor.description]
            answer.rows = cursor.fetchmany(limit) if limit else cursor.fetchall()
            answer.more = bool(limit) and cursor.fetchone() is not None
        answer.changes = max(cursor.rowcount, 0)
    return answer


def show(answer: Answer, form: str, all_by: str = "--limit 0") -> None:
    """Print an answer in one of `FORMATS`; `all_by` is how to have the rows beyond a limit."""
    if answer.columns is None:
        if answer.changes:
            hint(f"{counted(answer.changes, 'row')} changed")
        return
    if text := lay_out(answer.columns, answer.rows, form):
        click.echo(text)
    rows = counted(len(answer.rows), "row")
    hint(f"the first {rows}; there are more: {all_by} shows all" if answer.more else rows)
