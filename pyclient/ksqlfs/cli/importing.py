# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl import`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ksqlfs.cli.failure import refused, unreadable
from ksqlfs.cli.files import bar
from ksqlfs.cli.reading import CsvReader, NdjsonReader, Reader, Record, guess_types
from ksqlfs.cli.render import Value, counted, quote
from ksqlfs.cli.session import Session, hint, pass_session
from ksqlfs.cli.tables import complete_table
from ksqlfs.errors import DatabaseError
from ksqlfs.transfer import read_facts

if TYPE_CHECKING:
    from ksqlfs import Connection

# Values of one INSERT: beyond this nothing is gained.
_MOST_VALUES = 1000
# By the ending of a file's name, its format.
_FORMATS = {"csv": "csv", "ndjson": "ndjson", "jsonl": "ndjson"}


def _delimiter(
    ctx: click.Context,  # noqa: ARG001 - as click calls it
    param: click.Parameter,  # noqa: ARG001 - as click calls it
    value: str,
) -> str:
    value = {"tab": "\t", "\\t": "\t"}.get(value, value)
    if len(value) != 1 or value in '"\r\n' or ord(value) > 127:
        raise click.BadParameter("must be one character, such as ; or tab")
    return value


@click.command("import")
@click.argument("file", type=click.Path(allow_dash=True, readable=False))
@click.argument("table", required=False, shell_complete=complete_table)
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(set(_FORMATS.values()))),
    help="The format.  [default: as FILE's name ends, else csv]",
)
@click.option("--delimiter", default=",", callback=_delimiter, metavar="C", help="Of CSV.")
@click.option("--no-header", is_flag=True, help="The CSV has no line of column names.")
@click.option("--text", is_flag=True, help="Make a new table's columns all TEXT.")
@click.option("--replace", is_flag=True, help="Delete the rows that an existing table has.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done, as JSON.")
@pass_session
def import_(
    session: Session,
    file: str,
    table: str | None,
    form: str | None,
    delimiter: str,
    no_header: bool,
    text: bool,
    replace: bool,
    as_json: bool,
) -> None:
    r"""Put the rows of a CSV or NDJSON file into a table, all or none.

    FILE - is stdin; then TABLE must be named, which is otherwise the file's name without its
    ending.  A table that exists gets the rows added, and its columns' types decide what the values
    become.  One that does not is made, with types found from the data.

    In CSV an empty field is NULL, "" is the empty text, and \x with hexadecimal digits a blob.
    """
    if table is None:
        if file == "-":
            raise click.UsageError("stdin has no name: name the table.")
        table = Path(file).stem
    form = form or _FORMATS.get(Path(file).suffix[1:].lower(), "csv")
    if form != "csv" and (delimiter != "," or no_header):
        raise click.UsageError("--delimiter and --no-header are for CSV.")

    name = "<stdin>" if file == "-" else file
    with _open(file) as source, closing(session.connect()) as db:
        columns = _columns(db, table)
        reader: Reader
        if form == "ndjson":
            reader = NdjsonReader(source, name)
        elif no_header:
            reader = CsvReader(source, name, delimiter, columns or _numbered(source, delimiter))
        else:
            reader = CsvReader(source, name, delimiter)
        create = None
        if columns is None:
            types = guess_types(_watched(reader, "look through"), reader.fail, form == "ndjson")
            if not types:
                reader.fail("nothing says which columns the new table has; make it by SQL first")
            columns = list(types)
            create = _create(table, dict.fromkeys(types, "TEXT") if text else types)
        db.execute("BEGIN IMMEDIATE")
        if create:
            db.execute(create)
        elif replace:
            db.execute(f"DELETE FROM {quote(table)}")
        rows = _insert(db, table, columns, reader)
        db.execute("COMMIT")
    if as_json:
        click.echo(json.dumps({"table": table, "rows": rows, "created": create is not None}))
    else:
        hint(f"{counted(rows, 'row')} into {table}")


def _columns(db: Connection, table: str) -> list[str] | None:
    """The names of a table's columns, None if there is no such table."""
    rows = db.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
    return [name for (name,) in rows] or None


def _numbered(source: BinaryIO, delimiter: str) -> list[str]:
    """Names for the columns of a CSV that has none."""
    width = CsvReader(source, "", delimiter).width()
    return [f"c{number}" for number in range(1, width + 1)]


def _create(table: str, types: dict[str, str]) -> str:
    """The SQL that makes the table."""
    columns = (f"{quote(name)} {kind}".rstrip() for name, kind in types.items())
    return f"CREATE TABLE {quote(table)}({', '.join(columns)})"


@dataclass
class _Batch:
    """Records of the same columns, which one statement inserts."""

    columns: tuple[str, ...]
    rows: list[list[Value]]
    lines: list[int]


def _batches(reader: Reader, most_bytes: int) -> Iterator[_Batch]:
    """The file in batches, of which a request stays below so many bytes if its rows do."""
    batch = _Batch((), [], [])
    begun = full = 0
    for columns, values in _watched(reader, "import"):
        # A blob is written longer in a request than in NDJSON, and each value has a type.
        grown = 2 * (reader.taken - begun) >= most_bytes
        if batch.rows and (columns != batch.columns or len(batch.rows) >= full or grown):
            yield batch
            batch = _Batch(columns, [], [])
        if not batch.rows:
            batch.columns, begun = columns, reader.taken
            full = min(_MOST_VALUES, most_bytes // 8) // max(len(columns), 1)
        batch.rows.append(values)
        batch.lines.append(reader.line)
    if batch.rows:
        yield batch


def _insert(db: Connection, table: str, columns: list[str], reader: Reader) -> int:
    """Insert all records; how many they were."""
    known = {name.lower() for name in columns}
    inserted = 0
    for batch in _batches(reader, int(read_facts(db.root / "info/limits")["max_sql"])):
        for key in batch.columns:
            if key.lower() not in known:
                reader.line = batch.lines[0]
                reader.fail(
                    f"the table {table!r} has no column {key!r}; it has {', '.join(columns)}"
                )
        try:
            _insert_rows(db, table, batch.columns, batch.rows)
        except DatabaseError as error:
            if db.in_transaction:
                _find_fault(db, table, batch, reader.name)
            where = f"{reader.name}, lines {batch.lines[0]} to {batch.lines[-1]}"
            raise refused(f"{where}: {error}; nothing is imported", error.errno) from error
        inserted += len(batch.rows)
    return inserted


def _insert_rows(
    db: Connection, table: str, columns: tuple[str, ...], rows: list[list[Value]]
) -> None:
    if not columns:  # {} in NDJSON
        for _ in rows:
            db.execute(f"INSERT INTO {quote(table)} DEFAULT VALUES")
        return
    places = f"({', '.join('?' * len(columns))})"
    sql = f"INSERT INTO {quote(table)}({', '.join(map(quote, columns))}) VALUES"
    db.execute(sql + ", ".join([places] * len(rows)), [value for row in rows for value in row])


def _find_fault(db: Connection, table: str, batch: _Batch, name: str) -> None:
    """Fail at the line of a batch that cannot be inserted."""
    for line, row in zip(batch.lines, batch.rows, strict=True):
        try:
            _insert_rows(db, table, batch.columns, [row])
        except DatabaseError as error:
            sentence = f"{name}, line {line}: {error}; nothing is imported"
            raise refused(sentence, error.errno) from error


def _watched(reader: Reader, label: str) -> Iterator[Record]:
    """The records, with a progress bar."""
    with bar(label, reader.size) as shown:
        for number, record in enumerate(reader.records()):
            if number % 1000 == 0:
                shown.update(reader.taken - shown.pos)
            yield record
        shown.update(reader.taken - shown.pos)


def _open(file: str) -> BinaryIO:
    """The file, such that it can be read twice."""
    try:
        if file == "-":
            return _spooled(sys.stdin.buffer)
        source = Path(file).open("rb")  # noqa: SIM115 - the caller closes it
        if source.seekable():
            source.peek(1)  # a directory fails here
            return source
        with source:
            return _spooled(source)
    except OSError as error:
        raise unreadable(file, error) from error


def _spooled(source: BinaryIO) -> BinaryIO:
    """What can be read once, in a file without a name."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(source, spool)
    return spool
