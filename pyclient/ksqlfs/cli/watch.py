# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl watch`."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from ksqlfs.cli.failure import Failure, NoTreeFailure
from ksqlfs.cli.render import lay_out
from ksqlfs.cli.request import read_parameters, read_sql, to_json
from ksqlfs.cli.rows import Answer, run
from ksqlfs.cli.session import Session, on_terminal, pass_session
from ksqlfs.errors import NotSupportedError

if TYPE_CHECKING:
    from ksqlfs import Connection

# Seconds between two runs where the tree does not tell of changes.
_INTERVAL = 2.0


@click.command()
@click.argument("sql")
@click.option("-p", "--param", "texts", metavar="TEXT", multiple=True, help="As of `query`.")
@click.option("-P", "--params", "as_json", metavar="JSON", help="As of `query`.")
@click.option(
    "-n",
    "--interval",
    type=click.FloatRange(min=0.05),
    metavar="SECONDS",
    help="Run every so many seconds instead of at every change.",
)
@click.option("-c", "--count", type=click.IntRange(1), metavar="N", help="End after N runs.")
@click.option("--plot", metavar="COLUMN", help="Draw this column of the first row over time.")
@click.option("--json", "lines", is_flag=True, help="Print a JSON object a run, each on a line.")
@pass_session
def watch(
    session: Session,
    sql: str,
    texts: tuple[str, ...],
    as_json: str | None,
    interval: float | None,
    count: int | None,
    plot: str | None,
    lines: bool,
) -> None:
    """Run a query again at every change of the database.

    Changes come from the tree's file `events`; where it has none, or with --interval, the query
    runs every so many seconds.  A terminal is cleared before each answer.  Ctrl-C ends it.
    """
    if plot is not None and lines:
        raise click.UsageError("--plot is for people, --json for programs: use one of them.")
    statements = read_sql(sql, None)
    parameters = read_parameters(texts, as_json)
    chart = None if plot is None else Chart(plot)
    with closing(session.connect()) as db:
        for _ in _occasions(db, interval, count):
            answer = run(db, statements, parameters)
            if lines:
                _print_json(answer)
            elif chart is not None:
                chart.take(answer)
                _print(chart.draw())
            else:
                _print("" if answer.columns is None else _table(answer))


def _occasions(db: Connection, interval: float | None, count: int | None) -> Iterator[None]:
    """Now, and whenever the query is to run again."""
    changes = None
    if interval is None:
        try:
            changes = db.watch()
        except NotSupportedError:
            interval = _INTERVAL
    with changes or nullcontext():
        runs = 0
        while True:
            yield
            runs += 1
            if runs == count:
                return
            if changes is None:
                time.sleep(interval or _INTERVAL)
            elif next(changes, None) is None:
                raise NoTreeFailure("the tree no longer tells of changes; is it unmounted?")


def _table(answer: Answer) -> str:
    return lay_out(answer.columns or [], answer.rows, "table")


def _print(text: str) -> None:
    """Show one run's text, on a terminal in place of the last one's."""
    if on_terminal():
        click.clear()
        click.secho(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}", dim=True)
    click.echo(text)
    sys.stdout.flush()


def _print_json(answer: Answer) -> None:
    run = {
        "time": datetime.now().astimezone().isoformat(timespec="milliseconds"),
        "columns": answer.columns or [],
        "rows": [[to_json(value) for value in row] for row in answer.rows],
    }
    click.echo(json.dumps(run, ensure_ascii=False))
    sys.stdout.flush()


class Chart:
    """A column of the first row over time, as a line in a terminal."""

    def __init__(self, column: str) -> None:
        try:
            import plotext
        except ImportError as error:
            raise NoTreeFailure(
                "--plot needs plotext; install it by `pip install 'ksqlfs[plot]'`"
            ) from error
        self._plotext = plotext
        self._column = column
        self._begun = time.monotonic()
        self._points: deque[tuple[float, float]] = deque(maxlen=1000)

    def take(self, answer: Answer) -> None:
        """Add the value of this run; NULL and no row leave a gap."""
        columns = answer.columns or []
        if self._column not in columns:
            raise Failure(
                f"the answer has no column {self._column!r}; it has {', '.join(columns) or 'none'}"
            )
        if not answer.rows:
            return
        value = answer.rows[0][columns.index(self._column)]
        if value is None:
            return
        if not isinstance(value, int | float):
            raise Failure(f"the column {self._column!r} holds {value!r}, which is no number")
        self._points.append((time.monotonic() - self._begun, float(value)))

    def draw(self) -> str:
        """The chart, as large as the terminal."""
        size = get_terminal_size()
        plotext = self._plotext
        plotext.clear_figure()
        plotext.theme("clear")
        plotext.plotsize(size.columns, max(size.lines - 3, 8))
        plotext.title(self._column)
        plotext.xlabel("seconds")
        if self._points:
            plotext.plot(*zip(*self._points, strict=True))
        text: str = plotext.uncolorize(plotext.build())
        return text.rstrip("\n")
