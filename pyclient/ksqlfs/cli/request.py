# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a command is told to run: SQL from an argument, a file or stdin, and parameters."""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from ksqlfs.cli.failure import BadFileFailure, not_utf8, unreadable
from ksqlfs.cli.render import Value
from ksqlfs.statements import Parameters


def read_sql(sql: str | None, file: str | None) -> str:
    """The SQL, from the argument, the file (`-` is stdin), or else from stdin."""
    if sql is not None and file is not None:
        raise click.UsageError("SQL is given twice, as an argument and by -f; leave one out.")
    if file is None and sql is None and sys.stdin.isatty():
        raise click.UsageError("No SQL: give it as an argument, by -f FILE, or on stdin.")
    if sql is not None and sql != "-":
        return _checked(sql.encode(errors="surrogateescape"), "the argument")
    if file is None or file == "-":
        return _checked(sys.stdin.buffer.read(), "<stdin>")
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    return _checked(data, file)


def _checked(data: bytes, name: str) -> str:
    """The SQL as text, if it is any; a NUL would begin parameters."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(name, data.count(b"\n", 0, error.start) + 1, error) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadFileFailure(f"{name}, line {line}: a NUL byte, which no SQL has; remove it")
    return text


def read_parameters(texts: tuple[str, ...], as_json: str | None) -> Parameters:
    """The parameters: texts as they are, or values from a JSON array or object."""
    if as_json is None:
        return list(texts)
    if texts:
        raise click.UsageError("Parameters are given by -p and by -P; use one of them.")
    try:
        given = json.loads(as_json)
    except ValueError as error:
        raise click.UsageError(f'-P is no JSON ({error}); write [5, "text", null].') from error
    if isinstance(given, list):
        return [_value(value, str(number)) for number, value in enumerate(given, 1)]
    if isinstance(given, dict):
        return {name: _value(value, name) for name, value in given.items()}
    raise click.UsageError('-P is neither a JSON array nor an object; write [5, "text", null].')


def _value(value: Any, which: str) -> Value:
    try:
        return from_json(value)
    except ValueError as error:
        raise click.UsageError(f"Parameter {which} of -P {error}.") from error


def from_json(value: Any) -> Value:
    """A value of JSON as one of SQL; blobs are written as the tree writes them."""
    if isinstance(value, dict) and list(value) == ["$base64"]:
        try:
            return base64.b64decode(value["$base64"], validate=True)
        except (TypeError, binascii.Error) as error:
            raise ValueError(f"has a $base64 that is none ({error})") from error
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("is an integer of more than 64 bits")
    if value is None or isinstance(value, int | float | str):
        return value
    raise ValueError("is a list or an object, which SQL has not")


def to_json(value: Value) -> Any:
    """A value of SQL as one of JSON: blobs as the tree writes them, infinity as a word."""
    if isinstance(value, bytes):
        return {"$base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return value
