# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Whole files of the tree: texts, and the database as an image."""

from __future__ import annotations

import os
from pathlib import Path

from ksqlfs.errors import (
    DatabaseError,
    Error,
    NotSupportedError,
    errno_name,
    error_class,
    error_of_call,
)
from ksqlfs.replacing import replacing

_PIECE = 1 << 20


def read_text(path: Path) -> str:
    """Return a file of the tree as text; its line ends stay."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise error_of_call(error, f"reading {path}") from None


def read_facts(path: Path) -> dict[str, str]:
    """Return a file of lines "key value" of the tree."""
    pairs = (line.partition(" ") for line in read_text(path).splitlines())
    return {key: value for key, _, value in pairs}


def _open_image(root: Path, flags: int) -> int:
    image = root / "image"
    try:
        return os.open(image, flags)
    except FileNotFoundError:
        raise NotSupportedError(
            f"{root} has no `image`: this ksqlfs cannot save or load a database whole.", "ENOENT"
        ) from None
    except OSError as error:
        raise error_of_call(error, f"opening {image}") from None


def save(root: Path, path: str | os.PathLike[str]) -> None:
    """Copy `image` to a file, which appears whole or not at all."""
    source = _open_image(root, os.O_RDONLY)
    try:
        with replacing(path) as sink:
            while data := _read_image(root, source):
                sink.write(data)
    finally:
        os.close(source)


def _read_image(root: Path, source: int) -> bytes:
    try:
        return os.read(source, _PIECE)
    except OSError as error:
        raise error_of_call(error, f"reading {root / 'image'}") from None


def load(root: Path, path: str | os.PathLike[str]) -> None:
    """Copy a file into `image`, which checks it when it is closed."""
    with open(path, "rb", buffering=0) as source:
        first = source.read(_PIECE)
        sink = _open_image(root, os.O_WRONLY)
        try:
            try:
                data = first
                while data:
                    os.write(sink, data)
                    data = source.read(_PIECE)
            finally:
                os.close(sink)
        except OSError as error:
            raise _load_error(root, path, error) from None


def _load_error(root: Path, path: str | os.PathLike[str], error: OSError) -> Error:
    """Why an image was refused: the tree's words are in its `error`."""
    name = errno_name(error)
    try:
        words = read_text(root / "error").partition("\n")[0]
    except DatabaseError:
        words = "ok"
    if words == "ok":
        words = error.strerror or name
    return error_class(name, None)(f"{os.fspath(path)} cannot be loaded: {words}", name)
