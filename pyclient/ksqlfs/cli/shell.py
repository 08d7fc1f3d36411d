# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl shell`: statements and dot commands, whoever reads the lines."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import click

from ksqlfs.cli.answer import ENDINGS, Query
from ksqlfs.cli.failure import Failure, NoTreeFailure, of_client
from ksqlfs.cli.lines import Lines, open_lines
from ksqlfs.cli.render import FORMATS
from ksqlfs.cli.request import read_sql
from ksqlfs.cli.rows import run, show
from ksqlfs.cli.script import is_blank, is_complete, split
from ksqlfs.cli.session import Session, on_terminal, pass_session
from ksqlfs.cli.words import Words
from ksqlfs.errors import Error

if TYPE_CHECKING:
    from ksqlfs import Connection

# Dot commands that are commands of ksqlctl, with all their options.
_COMMANDS = ("tables", "schema", "import", "export", "save", "restore", "status", "doctor", "watch")


@click.command()
@pass_session
def shell(session: Session) -> None:
    """Type SQL and see the answers.

    A statement may take several lines and ends at its `;`.  Lines that begin with a dot are
    commands of the shell: .help lists them.  Tab completes keywords, tables and columns.  Ctrl-C
    drops what is typed, or stops what runs; Ctrl-D leaves.

    Where stdin is no terminal, its lines are run until one fails, and at the end what is left
    without a `;`.
    """
    root = session.find_root()
    with closing(Console(Session(root, session.verbose))) as console:
        lines = open_lines(Words(root, [*_DOTS, *_COMMANDS]), is_ready)
        if lines.interactive:
            click.echo(f"ksqlfs at {root}.  .help tells more, .quit or Ctrl-D leaves.", err=True)
        with closing(lines):
            console.serve(lines)


def is_ready(text: str) -> bool:
    """Whether a text can be run: a dot command, statements that are ended, or nothing."""
    return text.lstrip().startswith(".") or is_complete(text) or is_blank(text)


class Console:
    """A connection, and what may be asked of it.

    With a format of people's the connection is the client's.  Those of programs are the tree's own
    to write, so theirs is an open file of that format.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.form = "table" if on_terminal() else "csv"
        self.limit = 1000 if on_terminal() else 0
        self.over = False
        self.db: Connection | None
        self.raw: Query | None
        self._connect()

    def _connect(self) -> None:
        assert self.session.root is not None
        self.db = self.raw = None
        if self.form in ENDINGS:
            self.raw = Query(self.session.root, self.form)
        else:
            self.db = self.session.connect()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        for connection in (self.db, self.raw):
            if connection is not None:
                connection.close()

    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.raw.in_transaction() if self.raw is not None else self._shows_transaction()

    def _shows_transaction(self) -> bool:
        """The same, where it costs nothing to know."""
        return self.db is not None and self.db.in_transaction

    def serve(self, lines: Lines) -> None:
        """Run all lines; whenever Ctrl-C comes, a person's next statement can be typed."""
        text = ""
        while not self.over:
            typing = True
            try:
                text += lines.read("ksql*> " if self._shows_transaction() else "ksql> ", bool(text))
                typing = False
                text += "\n"
                if is_ready(text):
                    ready, text = text, ""
                    self._run(ready, lines.interactive)
            except EOFError:
                break
            except (KeyboardInterrupt, click.Abort):
                if not lines.interactive:
                    raise
                text = ""
                if not typing:
                    click.echo("ksqlctl: interrupted", err=True)
        if not lines.interactive and not self.over:
            self._run(text, interactive=False)

    def _run(self, text: str, interactive: bool) -> None:
        """Run a text; a person is told of a failure and goes on."""
        try:
            if text.lstrip().startswith("."):
                self.run_dot(text.strip())
            else:
                self.run_sql(text)
        except (click.ClickException, Error) as error:
            failure = of_client(error) if isinstance(error, Error) else error
            if not interactive or isinstance(failure, NoTreeFailure):
                raise failure from error
            failure.show()

    def run_sql(self, sql: str) -> None:
        """Run statements and print the answer of each."""
        for statement in split(sql):
            if self.raw is not None:
                self.raw.write(statement.encode())
                while chunk := self.raw.read():
                    sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            elif self.db is not None:
                show(run(self.db, statement, limit=self.limit), self.form, all_by=".limit 0")

    def run_dot(self, line: str) -> None:
        """Run a line that begins with a dot."""
        try:
            name, *words = shlex.split(line)
        except ValueError as error:
            raise Failure(f"{line}: {error}; close the quotes") from error
        name = name[1:]
        if name in _COMMANDS:
            from ksqlfs.cli import cli

            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            command.main(words, f".{name}", standalone_mode=False, obj=self.session)
            return
        if name not in _DOTS:
            raise Failure(f".{name} is no command; .help lists them")
        _, least, most, what = _DOTS[name]
        if not least <= len(words) <= most:
            needs = "one argument" if least else "one argument at most" if most else "no argument"
            raise Failure(f".{name} takes {needs}")
        what(self, *words)

    # What dot commands do

    def _help(self) -> None:
        from ksqlfs.cli import COMMANDS

        rows = [(f".{name}", text) for name, (text, *_) in _DOTS.items()]
        rows += [(f".{name}", COMMANDS[name][1]) for name in _COMMANDS]
        formatter = click.HelpFormatter(max_width=100)
        formatter.write_dl(rows)
        click.echo(
            formatter.getvalue() + "\nThe latter take the options of `ksqlctl`: .export --help"
        )

    def _quit(self) -> None:
        self.over = True

    def _mode(self, form: str | None = None) -> None:
        known = (*FORMATS, *ENDINGS)
        if form is None:
            click.echo(f"{self.form}; there are {', '.join(known)}")
            return
        if form not in known:
            raise Failure(f"there is no format {form!r}; there are {', '.join(known)}")
        if form not in FORMATS or self.form not in FORMATS:
            if self.in_transaction():
                raise Failure(
                    "a transaction is open, and another format needs another connection;"
                    " end it by COMMIT or ROLLBACK"
                )
            self.close()
            before, self.form = self.form, form
            try:
                self._connect()
            except click.ClickException:
                self.form = before
                self._connect()
                raise
        self.form = form

    def _limit(self, number: str | None = None) -> None:
        if number is None:
            click.echo(str(self.limit))
        elif number.isdecimal():
            self.limit = int(number)
        else:
            raise Failure(f"{number!r} is no number of rows; 0 shows all")

    def _read(self, file: str) -> None:
        self.run_sql(read_sql(None, file))


_DOTS: dict[str, tuple[str, int, int, Callable[..., None]]] = {
    "help": ("Show this list.", 0, 0, Console._help),
    "quit": ("Leave; an open transaction is rolled back.", 0, 0, Console._quit),
    "exit": ("The same.", 0, 0, Console._quit),
    "mode": ("Show or set the format of answers.", 0, 1, Console._mode),
    "limit": ("Show or set how many rows of a table are shown; 0: all.", 0, 1, Console._limit),
    "read": ("Run the SQL of a file.", 1, 1, Console._read),
}
