# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""CSV and NDJSON files as records, every fault told with its line and what to do about it."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NoReturn, Protocol

from ksqlfs.cli.failure import BadFileFailure, not_utf8
from ksqlfs.cli.render import Value, counted
from ksqlfs.cli.request import from_json

# The names of the columns that a record has, and its values.
Record = tuple[tuple[str, ...], list[Value]]

_BLOB = re.compile(r"\\x((?:[0-9a-f]{2})*)")


class Reader(Protocol):
    """A file as records.

    `line` is the line at which the record begins that was last given, counted from 1; `taken` is
    how many bytes of the file's `size` have been read.
    """

    name: str
    size: int
    line: int
    taken: int

    def records(self) -> Iterator[Record]:
        """Read the file from its beginning."""

    def fail(self, what: str) -> NoReturn:
        """Fail at the present line."""


class _Lines:
    """The lines of a file as text."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        self._source = source
        self.name = name
        self.size = source.seek(0, io.SEEK_END)
        self.line = 1
        self.taken = 0

    def fail(self, what: str) -> NoReturn:
        """Fail at the present line."""
        raise BadFileFailure(f"{self.name}, line {self.line}: {what}")

    def _lines(self) -> Iterator[str]:
        """Each line with its end, from the beginning; `line` is its number."""
        self._source.seek(0)
        self.line = self.taken = 0
        for raw in self._source:
            self.line += 1
            self.taken += len(raw)
            if self.line == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                raise not_utf8(self.name, self.line, error) from error
            yield text


class CsvReader(_Lines):
    """CSV as RFC 4180 has it, with what the tree makes of it: NULL, the empty text, blobs.

    `columns` are the names of the columns if the file has no header.
    """

    def __init__(
        self,
        source: BinaryIO,
        name: str,
        delimiter: str = ",",
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(source, name)
        self._delimiter = delimiter
        self._columns = None if columns is None else tuple(columns)
        self._field = re.compile(rf'"(?:[^"]|"")*"|[^{re.escape(delimiter)}\r\n]*')
        self._raw: list[str] = []

    def width(self) -> int:
        """How many fields the first record has, 0 if there is none."""
        return next((len(fields) for fields in self._fields()), 0)

    def records(self) -> Iterator[Record]:
        """Read the file from its beginning."""
        columns = self._columns
        for fields in self._fields():
            if columns is None:
                columns = self._header(fields)
                continue
            if len(fields) != len(columns):
                if not fields and len(columns) > 1:
                    continue  # an empty line
                fields = fields or [""]
                if len(fields) != len(columns):
                    self._fail_ragged(len(fields), len(columns))
            yield columns, self._values(fields)
        if columns is None:
            self.line = 1
            self.fail("the file is empty; it needs a line of column names, or --no-header")

    def _fields(self) -> Iterator[list[str]]:
        """The fields of each record; `line` is where it begins, `_raw` what it was."""
        csv.field_size_limit(1 << 30)
        reader = csv.reader(self._kept_lines(), delimiter=self._delimiter, strict=True)
        begin = 1
        while True:
            self._raw.clear()
            try:
                fields = next(reader, None)
            except csv.Error as error:
                self.line = begin
                what = "a quoted field has no end" if "end of data" in str(error) else str(error)
                self.fail(f"{what}; put the field into double quotes, and double those in it")
            if fields is None:
                return
            self.line, begin = begin, self.line + 1
            yield fields

    def _kept_lines(self) -> Iterator[str]:
        for text in self._lines():
            self._raw.append(text)
            yield text

    def _header(self, names: list[str]) -> tuple[str, ...]:
        seen: set[str] = set()
        for number, name in enumerate(names, 1):
            if not name.strip():
                self.fail(f"column {number} has no name; give it one, or use --no-header")
            if name.lower() in seen:
                self.fail(f"two columns are named {name!r}; rename one")
            seen.add(name.lower())
        if not names:
            self.fail("the line of column names is empty; fill it, or use --no-header")
        return tuple(names)

    def _fail_ragged(self, has: int, wanted: int) -> NoReturn:
        hint = "quote fields that hold the delimiter, or name another by --delimiter"
        self.fail(f"{counted(has, 'field')} instead of {wanted}; {hint}")

    def _values(self, fields: list[str]) -> list[Value]:
        """NULL and the empty text are told apart by the quotes, which the csv module drops."""
        values: list[Value] = [
            bytes.fromhex(blob[1])
            if text[:2] == "\\x" and (blob := _BLOB.fullmatch(text))
            else text
            for text in fields
        ]
        if "" in fields:
            raw = "".join(self._raw)
            place = 0
            for number, text in enumerate(fields):
                found = self._field.match(raw, place)
                if text == "" and not (found and found[0]):
                    values[number] = None
                place = found.end() + 1 if found else place
        return values


class NdjsonReader(_Lines):
    """A JSON object a line."""

    def records(self) -> Iterator[Record]:
        """Read the file from its beginning."""
        decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant)
        for text in self._lines():
            if not text.strip():
                continue
            if text.lstrip().startswith("["):
                self.fail("a JSON array; make it lines of objects by `jq -c '.[]'`")
            try:
                record = decoder.decode(text)
            except json.JSONDecodeError as error:
                self.fail(f"{error.msg} at character {error.colno}; each line must be an object")
            except RecursionError:
                self.fail("the JSON is too deep; make it flat")
            if not isinstance(record, dict):
                self.fail("not a JSON object, which each line must be")
            yield tuple(record), [self._value(key, value) for key, value in record.items()]

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                self.fail(f"the key {key!r} comes twice; rename one")
            found[key] = value
        return found

    def _constant(self, name: str) -> NoReturn:
        self.fail(f"{name} is not JSON; write null, or 9e999 for infinity")

    def _value(self, key: str, value: Any) -> Value:
        if not key.strip():
            self.fail("a key is empty; name it")
        if isinstance(value, list) or (isinstance(value, dict) and list(value) != ["$base64"]):
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        try:
            return from_json(value)
        except ValueError as error:
            self.fail(f"the value of {key!r} {error}")


def find_columns(records: Iterable[Record], fail: Callable[[str], NoReturn]) -> list[str]:
    """The columns of the records in the order of their appearance."""
    seen: dict[str, str] = {}
    for keys, _ in records:
        for key in keys:
            if seen.setdefault(key.lower(), key) != key:
                fail(f"{key!r} and another column differ in case alone; rename one")
    return list(seen.values())
