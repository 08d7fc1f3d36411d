# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Answers that one read does not bring whole: rows as they come, or kept for later."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ksqlfs.errors import OperationalError, error_of_answer
from ksqlfs.values import decode_lines

if TYPE_CHECKING:
    from ksqlfs.connection import Connection

# An answer ends with a line that is an object; a row's line ends in `]`.
END = b"}\n"
# Bytes of an answer that are kept when another statement needs the connection.
KEEP_LIMIT = 64 << 20


class Stream:
    """The rest of an answer. Its connection's lock is held by whoever calls it.

    Attributes:
        tail: The answer's last line, once rows() has come to it.
        wanted: False once nobody will ask for the rest.
    """

    __slots__ = (
        "__weakref__",
        "_come",
        "_connection",
        "_kept",
        "_lost",
        "_piece",
        "tail",
        "wanted",
    )

    def __init__(self, connection: Connection, begun: bytes) -> None:
        """Begin with the first bytes of an answer."""
        self._connection = connection
        self._kept = deque([begun])
        # The parts of a row whose end has not come.
        self._piece: list[bytes] = []
        # Has the end come, or will it never?
        self._come = False
        self._lost = False
        self.tail: dict[str, Any] | None = None
        self.wanted = True

    def rows(self) -> list[Any]:
        """Return some more rows, as lists; none when the answer is at its end.

        Raises:
            Error: The statement failed here, or what was left had to be dropped.
        """
        while self.tail is None:
            if not self._kept:
                if self._lost:
                    raise OperationalError(
                        "The rest of these rows was dropped when another statement used the"
                        " connection: fetch them all before, or use a second connection."
                    )
                self._read()
            data = self._kept.popleft()
            whole = data.rfind(b"\n") + 1
            if not whole:
                self._piece.append(data)
                continue
            items = decode_lines(b"".join([*self._piece, data[:whole]]))
            self._piece = [data[whole:]]
            if type(items[-1]) is dict:
                self.tail = items.pop()
                if not self._come:
                    self._connection.settle(self.tail)
            if items:
                return items
        if "error" in self.tail:
            tail, self.tail = self.tail, {}
            raise error_of_answer(tail)
        return []

    def ended_well(self) -> bool:
        """Whether all rows have been given out, and no failure is left to be told."""
        return self.tail is not None and "error" not in self.tail

    def keep(self) -> None:
        """Bring the rest into memory, so that the connection is free for another statement."""
        size = sum(map(len, self._kept))
        while size <= KEEP_LIMIT:
            self._read()
            size += len(self._kept[-1])
            if self._ends():
                self._come = True
                line = self._last_line()
                self._connection.settle(decode_lines(line)[0])
                return
        self._lost = True

    def _read(self) -> None:
        """Add what one read brings to what is kept."""
        data, failed = self._connection.read_on(self)
        if failed:
            # The line of the failure comes after what it cut off, which is no row.
            while self._kept:
                last = self._kept.pop()
                if whole := last.rfind(b"\n") + 1:
                    self._kept.append(last[:whole])
                    break
            else:
                self._piece.clear()
        self._kept.append(data)

    def _ends(self) -> bool:
        last = self._kept[-1]
        if len(last) == 1 and len(self._kept) > 1:
            last = self._kept[-2][-1:] + last
        return last.endswith(END)

    def _last_line(self) -> bytes:
        line = b""
        for part in reversed(self._kept):
            line = part + line
            if begin := line.rfind(b"\n", 0, -1) + 1:
                return line[begin:]
        return b"".join([*self._piece, line])
