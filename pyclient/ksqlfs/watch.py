# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Waiting for changes of the database, by poll() on `events`."""

from __future__ import annotations

import os
import select
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ksqlfs.errors import NotSupportedError, ProgrammingError, error_of_call


class Version(NamedTuple):
    """Two numbers that only grow.

    Attributes:
        data_version: Grows with each commit that changed something.
        schema_version: Grows with each that changed the schema.
    """

    data_version: int
    schema_version: int


class Watch:
    """An iterator of the Version after each change since it was made, or since its last one.

    Commits that come while nobody waits are told of once, together. close() it, or use it in
    `with`; the end of the iteration closes it too.

    Attributes:
        version: The Version that was seen last.
    """

    def __init__(self, root: Path, timeout: float | None) -> None:
        """Begin to watch; Connection.watch() makes these.

        Args:
            root: The tree's root.
            timeout: Seconds to wait for a change before the iteration ends; None for ever.
        """
        self._path = root / "events"
        self._timeout = None if timeout is None else max(0, round(timeout * 1000))
        self._fd = -1
        try:
            self._fd = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            raise NotSupportedError(
                f"{root} has no `events`: this ksqlfs cannot tell of changes.", "ENOENT"
            ) from None
        except OSError as error:
            raise error_of_call(error, f"opening {self._path}") from None
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLPRI)
        self.version = self._read()

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Version:
        if self._fd < 0:
            raise StopIteration
        while True:
            try:
                events = self._poll.poll(self._timeout)
            except OSError as error:
                raise error_of_call(error, f"waiting for {self._path}") from None
            if not events:
                self.close()
                raise StopIteration
            version = self._read()
            if version != self.version:
                self.version = version
                return version

    def close(self) -> None:
        """Stop watching. Closing again is nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _read(self) -> Version:
        if self._fd < 0:
            raise ProgrammingError("Cannot operate on a closed watch.")
        try:
            text = os.pread(self._fd, 4096, 0).decode()
        except OSError as error:
            raise error_of_call(error, f"reading {self._path}") from None
        facts = dict(line.split() for line in text.splitlines())
        return Version(int(facts["data_version"]), int(facts["schema_version"]))
