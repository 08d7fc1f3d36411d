# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Python's values as the tree takes them, and back."""

from __future__ import annotations

import binascii
import json.scanner
import operator
from collections.abc import Callable
from typing import Any

from ksqlfs.errors import DataError, ProgrammingError

# docs/interface.md, Parameters: the first character says the type, and a NUL ends each.
_LEAST, _MOST = -(2**63), 2**63 - 1
_NULL = "\x05\0"


def _encode_none(_value: None) -> str:
    return _NULL


def _encode_int(value: int) -> str:
    if _LEAST <= value <= _MOST:
        return f"\x01{value}\0"
    raise DataError("An int outside of 64 bits cannot be stored.", "EINVAL")


def _encode_bool(value: bool) -> str:
    return "\x011\0" if value else "\x010\0"


def _encode_float(value: float) -> str:
    # repr() is the shortest text that reads back as the same number; inf and nan are other words.
    text = repr(value)
    if text[-1] in "fn":
        return {"inf": "\x02Inf\0", "-inf": "\x02-Inf\0"}.get(text, _NULL)
    return f"\x02{text}\0"


def _encode_str(value: str) -> str:
    if "\0" in value:
        return f"\x06{value.encode().hex()}\0"
    return f"\x03{value}\0"


def _encode_bytes(value: bytes | bytearray | memoryview) -> str:
    return f"\x04{value.hex()}\0"


ENCODERS: dict[type, Callable[[Any], str]] = {
    type(None): _encode_none,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    str: _encode_str,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,
}


def encode_other(value: Any) -> str:
    """Encode a value whose type is not in ENCODERS: a subclass, or what is as good as an int."""
    if isinstance(value, int):
        return _encode_int(int(value))
    if isinstance(value, float):
        return _encode_float(float(value))
    if isinstance(value, str):
        return _encode_str(str.__str__(value))
    if isinstance(value, bytes | bytearray):
        return _encode_bytes(value)
    try:
        return _encode_int(operator.index(value))
    except TypeError:
        raise ProgrammingError(
            f"A value of type {type(value).__name__} cannot be a parameter: give an int, float,"
            " str, bytes or None."
        ) from None


def _blob(found: dict[str, Any]) -> Any:
    """What a JSON object stands for: in rows there are none but blobs."""
    encoded = found.get("$base64")
    return found if encoded is None else binascii.a2b_base64(encoded)


_decoder = json.JSONDecoder(object_hook=_blob)
# Gives the value at a place of a text, and where it ends; raw_decode() without its checks.
scan: Callable[[str, int], tuple[Any, int]] = json.scanner.make_scanner(
    _decoder  # type: ignore[arg-type]  # typeshed is wrong: JSONDecoder gives itself
)


def decode_lines(lines: bytes) -> list[Any]:
    """Return the value of each line of JSON; the last is ended too.

    Rows come as lists. A raw newline in JSON is never part of a value.
    """
    return _decoder.raw_decode((b"[" + lines[:-1].replace(b"\n", b",") + b"]").decode())[0]  # type: ignore[no-any-return]  # an array is a list
