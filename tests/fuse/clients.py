# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Forked clients of a server, whose end tests look at."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.fuse import processes
from tests.interface.tree import wait_until

# What a client's exit code says.
WENT_WELL = 0
FAILED = 3
BROKE = 4


class Client:
    """A forked process that does something with a tree."""

    def __init__(self, does: Callable[[], object]) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._run(does)

    def _run(self, does: Callable[[], object]) -> None:
        code = BROKE
        try:
            # Not Python's, which makes it an exception.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            does()
            code = WENT_WELL
        except OSError:
            code = FAILED
        finally:
            os._exit(code)

    def wait_in_fuse(self) -> None:
        """Wait until it waits for the server."""
        wait_until(lambda: processes.in_fuse(self.pid), f"client {self.pid} waits for the server")

    def kill(self, how: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, how)

    def end(self) -> int:
        """Wait for its end: the exit code, or a signal's number below 0."""
        if self._code is None:
            _, how = os.waitpid(self.pid, 0)
            self._code = os.waitstatus_to_exitcode(how)
        return self._code

    def finish(self) -> None:
        """See to it that it has ended."""
        if self._code is None:
            self.kill(signal.SIGKILL)
            self.end()


@contextmanager
def client(does: Callable[[], object]) -> Iterator[Client]:
    """A client, killed at the end if it has not ended."""
    started = Client(does)
    try:
        yield started
    finally:
        started.finish()
