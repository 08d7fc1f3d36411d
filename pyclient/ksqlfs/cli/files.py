# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Files of the user's own: written whole or not at all, and progress bars."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, TypeVar

import click

from ksqlfs.cli.failure import Ended, unreadable
from ksqlfs.replacing import replacing

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

Item = TypeVar("Item")


def pulse(label: str, items: Iterable[Item]) -> ProgressBar[Item]:
    """The items, with something that moves on a terminal's stderr as they are taken."""
    return click.progressbar(items, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def bar(label: str, length: int) -> ProgressBar[int]:
    """A progress bar on a terminal's stderr, moved by its `update()`."""
    hidden = not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)


def _end(number: int, _frame: object) -> NoReturn:
    raise Ended(number)


@contextmanager
def undone_by_signals() -> Iterator[None]:
    """Let the signals that ask a process to end raise `Ended` in the block."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the path's place once the block is done.

    What is no regular file, such as a pipe or a device, is written to as it is.
    """
    try:
        regular = not path.exists() or path.is_file()
        with replacing(path) if regular else path.open("wb", buffering=0) as file:
            yield file
    except OSError as error:
        raise unreadable(path, error) from error
