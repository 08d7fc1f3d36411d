# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl import`.

The tree's own `import/` and `insert.*` take the file, find the types of a new table and put the
rows in.  What they have no words for, --text and --replace, is done by SQL.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
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
from ksqlfs.cli.reading import CsvReader, NdjsonReader, Reader, Record, find_columns
from ksqlfs.cli.render import Value, counted, quote
from ksqlfs.cli.session import Session, hint, pass_session
from ksqlfs.cli.tables import complete_table
from ksqlfs.errors import DatabaseError
from ksqlfs.paths import escape_name, unescape_name
from ksqlfs.transfer import read_facts, read_text

if TYPE_CHECKING:
    from ksqlfs import Connection

# Values of one INSERT: beyond this nothing is gained.
_MOST_VALUES = 1000
_NO_COLUMNS = "nothing says which columns the new table has; make it by SQL first"
# Bytes of one write.
_PIECE = 1 << 17
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

    In CSV an empty field is NULL, "" is the empty text, and \x with hexadecimal digits a blob if
    its column takes blobs.
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
        created = columns is None
        target = _target(db, table, columns, form)
        if target and not (text if created else replace):
            plain = delimiter == "," and not no_header
            pieces = _pieces(source, reader) if plain else _as_csv(reader)
            rows = _feed(db, target, pieces, reader, columns)
        else:
            rows = _by_sql(db, table, columns, reader, replace)
    if as_json:
        click.echo(json.dumps({"table": table, "rows": rows, "created": created}))
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


# By the tree's files


def _target(db: Connection, table: str, columns: list[str] | None, form: str) -> Path | None:
    """The file of the tree that takes the rows, None if only SQL can (a view with triggers)."""
    if columns is None:
        return db.root / "import" / f"{escape_name(table)}.{form}"
    sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE"
    for (name,) in db.execute(sql, (table,)):
        path = db.root / "tables" / escape_name(name) / f"insert.{form}"
        if path.exists():
            return path
    return None


def _pieces(source: BinaryIO, reader: Reader) -> Iterator[bytes]:
    """The file as it is."""
    source.seek(0)
    with bar("import", reader.size) as shown:
        while piece := source.read(_PIECE):
            yield piece
            shown.update(len(piece))


def _as_csv(reader: Reader) -> Iterator[bytes]:
    """The records of another dialect as CSV with a header."""
    header: tuple[str, ...] | None = None
    text = ""
    for columns, values in _watched(reader, "import"):
        if header is None:
            header = columns
            text = ",".join(map(_field, header)) + "\n"
        text += ",".join(map(_field, values)) + "\n"
        if len(text) >= _PIECE:
            yield text.encode()
            text = ""
    yield text.encode()


def _field(value: Value) -> str:
    if value is None:
        return ""
    text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
    if text and not any(mark in text for mark in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _feed(
    db: Connection,
    target: Path,
    pieces: Iterator[bytes],
    reader: Reader,
    columns: list[str] | None,
) -> int:
    """Write to a file of the tree; how many rows it took."""
    try:
        file = os.open(target, os.O_WRONLY | (os.O_CREAT | os.O_EXCL if columns is None else 0))
    except OSError as error:
        sentence = f"{target}: {error.strerror}; nothing is imported"
        raise refused(sentence, error.errno) from error
    written = 0
    try:
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[os.write(file, view) :]
                written += len(piece)
        except BaseException:
            _give_up(file)
            raise
        os.close(file)
    except OSError as error:
        if error.errno == errno.EINVAL:
            _explain(reader, target, columns)
        said = read_text(db.root / "error").partition("\n")[0]
        where = ", " if said.startswith("line ") else ": "
        sentence = f"{reader.name}{where}{said}; nothing is imported"
        raise refused(sentence, error.errno) from error
    if not written:  # no outcome tells of that
        _explain(reader, target, columns)
        return 0
    return int(read_facts(db.root / "status")["rows"])


def _give_up(file: int) -> None:
    """Close it such that what was written is not taken for all: a NUL is in no row."""
    with contextlib.suppress(OSError):
        os.write(file, b"\0")
    with contextlib.suppress(OSError):
        os.close(file)


def _explain(reader: Reader, target: Path, columns: list[str] | None) -> None:
    """Say what is wrong with a file, and what to do about it, if that can be found."""
    known = None if columns is None else {name.lower() for name in columns}
    named = False
    for keys, _ in reader.records():
        named |= bool(keys)
        for key in keys:
            if known is not None and key.lower() not in known:
                reader.fail(
                    f"the table {unescape_name(target.parent.name)!r} has no column {key!r};"
                    f" it has {', '.join(columns or ())}"
                )
    if not named and columns is None:
        reader.fail(_NO_COLUMNS)


# By SQL


def _by_sql(
    db: Connection, table: str, columns: list[str] | None, reader: Reader, replace: bool
) -> int:
    """Insert the rows by statements, into a new table of text or in the old ones' place."""
    create = None
    if columns is None:
        columns = find_columns(_watched(reader, "look through"), reader.fail)
        if not columns:
            reader.fail(_NO_COLUMNS)
        create = ", ".join(f"{quote(name)} TEXT" for name in columns)
    db.execute("BEGIN IMMEDIATE")
    if create:
        db.execute(f"CREATE TABLE {quote(table)}({create})")
    elif replace:
        db.execute(f"DELETE FROM {quote(table)}")
    rows = _insert(db, table, columns, reader)
    db.execute("COMMIT")
    return rows


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
