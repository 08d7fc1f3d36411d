# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the client must know of a statement: its kind, its end, its parameters' names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ksqlfs.errors import DataError, ProgrammingError
from ksqlfs.values import ENCODERS, encode_other

# SQLite's tokens, as far as they matter here (its tokenize.c): what is quoted, comments, words,
# variables. A word may hold `$`, and any character that is not ASCII.
_WORD = r"[A-Za-z0-9_$\x80-\U0010ffff]"
_TOKEN = re.compile(
    rf"""
      (?P<space>     [ \t\n\f\r]+ | --[^\n]* | /\*(?s:.)*?(?:\*/|\Z) )
    | (?P<quoted>    '(?:[^']|'')*'? | "(?:[^"]|"")*"? | `(?:[^`]|``)*`? | \[[^\]]*\]? )
    | (?P<variable>  \?[0-9]* | [:@$](?:{_WORD}|::)+(?:\([^ \t\n\f\r)]*\))? )
    | (?P<word>      {_WORD}+ )
    | (?P<end>       ; )
    | (?P<other>     (?s:.) )
    """,
    re.VERBOSE,
)

# SQLite's SQLITE_LIMIT_VARIABLE_NUMBER.
_MOST_PARAMETERS = 32766
_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})
_MAIN_VERBS = _CHANGING | {"SELECT", "VALUES"}
# What may stand before and within CREATE TRIGGER.
_BEFORE_HEAD = frozenset({"EXPLAIN", "QUERY", "PLAN", "TEMP", "TEMPORARY", ";"})

Parameters = Sequence[Any] | Mapping[str, Any]
Adapter = Callable[[Any], str]


class Statement:
    """One SQL statement as the client sends it.

    Attributes:
        text: The SQL without the `;` at its end: so it runs in the read that fetches its answer,
            and a write that the system must repeat repeats nothing.
        names: The name of each parameter by its number, without its `:`, `@` or `$`; None for
            one that has no name.
        changes: Is it an INSERT, UPDATE, DELETE or REPLACE?
        inserts: Is it an INSERT or REPLACE?
        reads: Is it a SELECT or VALUES, which changes nothing of the connection?
        count: How many parameters it has.
        begun: The text as a request begins with it: with a NUL if parameters follow.
        frame: The first line, the last line, and what follows that (nothing), of its last whole
            answer that had columns; before there is one, what no answer has.
    """

    __slots__ = ("begun", "changes", "count", "frame", "inserts", "names", "reads", "text")

    def __init__(self, sql: str) -> None:
        """Look through a statement.

        Raises:
            ProgrammingError: It is no text, holds a NUL, or is more than one statement.
        """
        if not isinstance(sql, str):
            raise ProgrammingError(f"SQL must be a str, not {type(sql).__name__}.")
        if "\0" in sql:
            raise ProgrammingError("SQL cannot hold a NUL character.")
        numbers = _Numbers()
        begun, end = False, None
        for token, kind, place in _statement_tokens(sql):
            if kind == "end":
                if begun and end is None:
                    end = place
                continue
            begun = True
            if end is not None:
                raise ProgrammingError(
                    "Only one statement can be executed at a time: use executescript() for more."
                )
            if kind == "variable":
                numbers.add(token)
        verb = _verb(sql)
        # A request of nothing has no answer; that of an empty statement has one.
        self.text = sql[:end].rstrip() if verb else ";"
        self.names = numbers.names()
        self.changes = verb in _CHANGING
        self.count = len(self.names)
        self.begun = f"{self.text}\0" if self.names else self.text
        self.frame = (b"", b"", b"\0")
        self.reads = verb in ("SELECT", "VALUES")
        self.inserts = verb in ("INSERT", "REPLACE")

    def bind(self, parameters: Parameters, before: str = "") -> bytes:
        """Return the request: the text, and the parameters as the tree takes them.

        Args:
            parameters: The values.
            before: SQL to be run before it, ended by `;`.

        Raises:
            ProgrammingError: Too many, too few, or one that is missing, or of a type that
                SQLite has not.
            DataError: A value that cannot be stored.
        """
        if type(parameters) is not tuple and isinstance(parameters, Mapping):
            parameters = self._in_order(parameters)
        elif len(parameters) != self.count:
            raise ProgrammingError(
                f"The statement has {_count(self.count)}, {len(parameters)} given."
            )
        request = before + self.begun
        try:
            for value in parameters:
                try:
                    encode = ENCODERS[type(value)]
                except KeyError:
                    encode = encode_other
                request += encode(value)
            return request.encode()
        except UnicodeEncodeError as error:
            raise not_unicode(error) from None

    def _in_order(self, parameters: Mapping[str, Any]) -> list[Any]:
        values = []
        for number, name in enumerate(self.names, 1):
            if name is None:
                raise ProgrammingError(
                    f"Parameter {number} has no name, and the values were given by name."
                )
            try:
                values.append(parameters[name])
            except KeyError:
                raise ProgrammingError(f"No value is given for the parameter {name!r}.") from None
        return values


def not_unicode(error: UnicodeEncodeError) -> DataError:
    """Make the exception for a text that has no UTF-8."""
    return DataError(
        f"Text with the lone surrogate {error.object[error.start]!a} is not Unicode: it cannot be"
        " stored."
    )


def _count(number: int) -> str:
    return "1 parameter" if number == 1 else f"{number} parameters"


class _Numbers:
    """Parameters get their numbers as in SQLite: docs/interface.md, Parameters."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._highest = 0

    def add(self, variable: str) -> None:
        if variable == "?":
            self._highest += 1
        elif variable[0] == "?":
            digits = variable[1:].lstrip("0")
            number = int(digits) if 0 < len(digits) < 6 else 0
            if not 1 <= number <= _MOST_PARAMETERS:
                raise ProgrammingError(
                    f"A parameter's number must be between ?1 and ?{_MOST_PARAMETERS},"
                    f" not {variable}."
                )
            self._highest = max(self._highest, number)
        elif variable not in self._by_name:
            self._highest += 1
            self._by_name[variable] = self._highest

    def names(self) -> list[str | None]:
        found: list[str | None] = [None] * self._highest
        for name, number in self._by_name.items():
            found[number - 1] = name[1:]
        return found


def _tokens(sql: str) -> Iterator[tuple[str, str, int]]:
    """Text, kind and place of each token but spaces and comments."""
    for found in _TOKEN.finditer(sql):
        kind = str(found.lastgroup)
        if kind != "space":
            yield found[0], kind, found.start()


def _statement_tokens(sql: str) -> Iterator[tuple[str, str, int]]:
    """The same, with each `;` inside the body of a CREATE TRIGGER as `other`.

    Such a body ends at `; END ;` (SQLite's complete.c).
    """
    head: list[str] = []
    in_trigger = False
    before = ("", "")
    for token, kind, place in _tokens(sql):
        word = token.upper()
        if len(head) < 2 and word not in _BEFORE_HEAD:
            head.append(word)
            in_trigger = head == ["CREATE", "TRIGGER"]
        if kind == "end" and in_trigger:
            in_trigger = before != (";", "END")
            yield token, "other" if in_trigger else kind, place
        else:
            yield token, kind, place
        before = (before[1], word)


def _verb(sql: str) -> str:
    """The word that says what a statement does, in capitals: that after the WITH, if it has one."""
    depth = 0
    first = ""
    for token, kind, _place in _tokens(sql):
        if not first:
            if kind == "end":
                continue
            first = token.upper()
            if first != "WITH":
                return first
        elif token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
        elif depth == 0 and kind == "word" and token.upper() in _MAIN_VERBS:
            return token.upper()
    return first
