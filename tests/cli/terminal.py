# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A terminal that runs `ksqlctl`: what a person would type, and what the screen shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pexpect
import pyte

from tests.cli.processes import COMMAND, forked

COLUMNS, LINES = 100, 40
# Seconds for what should take none; a test that waits so long has failed.
PATIENCE = 25


class _Screen(pyte.HistoryScreen):
    """A screen that answers when it is asked where its cursor stands."""

    def __init__(self, send: Callable[[str], object]) -> None:
        super().__init__(COLUMNS, LINES)
        self._send = send

    def write_process_input(self, data: str) -> None:
        self._send(data)


class Terminal:
    """A process and the screen before it."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.variables = environment
        environment = {"TERM": "xterm", **environment}
        self._child: pexpect.spawn[bytes] = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *arguments],
            env={**os.environ, **environment},
            preexec_fn=forked(arguments, environment),
            dimensions=(LINES, COLUMNS),
            timeout=PATIENCE,
            echo=True,
        )
        self._screen = _Screen(lambda data: self._child.send(data))
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.close(force=True)

    @property
    def text(self) -> str:
        """What the screen shows, without the spaces at the ends."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def type(self, text: str) -> None:
        """Type; a line ends in a carriage return."""
        self._child.send(text.replace("\n", "\r"))

    def wait(self, *wanted: str) -> None:
        """Wait until the screen shows all of these, anywhere."""
        self.wait_until(lambda text: all(word in text for word in wanted), " and ".join(wanted))

    def wait_line(self, wanted: str) -> None:
        """Wait until this is the last line of the screen: a prompt."""
        self.wait_until(lambda text: text.rpartition("\n")[2] == wanted, f"{wanted!r} at its end")

    def wait_until(self, good: Callable[[str], bool], what: str) -> None:
        """Wait until what the screen shows is good."""
        while not good(self.text):
            try:
                data = self._child.read_nonblocking(65536, PATIENCE)
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                raise AssertionError(f"the screen never showed {what}:\n{self.text}") from error
            self.raw += data
            self._stream.feed(data)

    def end(self) -> int:
        """Wait for the process to end; its exit code, or the negative number of a signal."""
        while True:
            try:
                data = self._child.read_nonblocking(65536, PATIENCE)
            except pexpect.EOF:
                break
            self.raw += data
            self._stream.feed(data)
        self._child.wait()
        if self._child.signalstatus is not None:
            return -int(self._child.signalstatus)
        return int(self._child.exitstatus or 0)
