# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where the shell's lines come from: prompt_toolkit, readline, or a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import click

from ksqlfs.cli.failure import not_utf8
from ksqlfs.cli.words import Words

_MORE = "  ...> "
Ready = Callable[[str], bool]


class Lines(Protocol):
    """Lines that people type, or that come from elsewhere."""

    interactive: bool

    def read(self, prompt: str, more: bool) -> str:
        """Some more text; `more` says that a statement is begun.

        Raises EOFError at the end, and KeyboardInterrupt where what is typed is to be dropped.
        """

    def close(self) -> None:
        """Keep the history."""


def open_lines(words: Words, ready: Ready) -> Lines:
    """The best there is; `ready` says whether a text can be run as it is."""
    if not sys.stdin.isatty():
        return PipedLines()
    if find_spec("prompt_toolkit") is not None and sys.stdout.isatty():
        return ToolkitLines(words, ready)
    return ReadlineLines(words)


class PipedLines:
    """Lines of a file or a pipe."""

    interactive = False

    def __init__(self) -> None:
        self._line = 0

    def read(self, prompt: str, more: bool) -> str:  # noqa: ARG002 - as Lines has it
        """The next line."""
        self._line += 1
        raw = sys.stdin.buffer.readline()
        if not raw:
            raise EOFError
        try:
            return raw.decode().removesuffix("\n")
        except UnicodeDecodeError as error:
            raise not_utf8("<stdin>", self._line, error) from error

    def close(self) -> None:
        """There is no history."""


class ReadlineLines:
    """A terminal, with Python's readline if it has that."""

    interactive = True

    def __init__(self, words: Words) -> None:
        self._history: Path | None = None
        # A prompt is no part of what goes into a pipe.
        self._silent = not sys.stdout.isatty()
        with suppress(ImportError):
            import readline

            self._history = history_file("history.readline")
            if self._history is not None:
                with suppress(OSError):
                    readline.read_history_file(self._history)
            readline.set_history_length(1000)
            readline.set_completer_delims(" \t\n(),;=<>+-*/|")
            readline.set_completer(_Completer(words, readline.get_line_buffer, readline.get_endidx))
            readline.parse_and_bind("tab: complete")

    def read(self, prompt: str, more: bool) -> str:
        """The next line."""
        if self._silent:
            prompt = ""
        try:
            return input(_MORE if more and prompt else prompt)
        except (EOFError, KeyboardInterrupt):
            click.echo(err=True)  # what comes next begins a line
            raise

    def close(self) -> None:
        """Keep the history."""
        if self._history is not None:
            import readline

            with suppress(OSError):
                readline.write_history_file(self._history)


class _Completer:
    """What readline calls for one candidate after the other."""

    def __init__(self, words: Words, line: Callable[[], str], end: Callable[[], int]) -> None:
        self._words = words
        self._line = line
        self._end = end
        self._found: list[str] = []

    def __call__(self, typed: str, state: int) -> str | None:
        if state == 0:
            known, found = self._words.after(self._line()[: self._end()])
            # readline's word may begin before ours, as in table.column.
            before = typed[: len(typed) - len(known)]
            self._found = [before + word for word in found]
        return self._found[state] if state < len(self._found) else None


class ToolkitLines:
    """A terminal by prompt_toolkit: statements of several lines are edited as one."""

    interactive = True

    def __init__(self, words: Words, ready: Ready) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import CompleteEvent, Completer, Completion
        from prompt_toolkit.document import Document
        from prompt_toolkit.history import FileHistory, InMemoryHistory
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

        class WordCompleter(Completer):
            def get_completions(
                self,
                document: Document,
                complete_event: CompleteEvent,  # noqa: ARG002 - as prompt_toolkit calls it
            ) -> Iterator[Completion]:
                typed, found = words.after(document.text_before_cursor)
                return (Completion(word, start_position=-len(typed)) for word in found)

        keys = KeyBindings()

        @keys.add("enter")
        def enter(event: KeyPressEvent) -> None:
            """Run what is complete; else begin another line."""
            typed = event.current_buffer
            if typed.complete_state is not None and typed.complete_state.current_completion:
                typed.complete_state = None
            elif ready(typed.text):
                typed.validate_and_handle()
            else:
                typed.insert_text("\n")

        history = history_file("history")
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory() if history is None else FileHistory(str(history)),
            completer=WordCompleter(),
            complete_while_typing=False,
            key_bindings=keys,
            multiline=True,
            prompt_continuation=_MORE,
        )

    def read(self, prompt: str, more: bool) -> str:
        """A text that is ready."""
        return self._session.prompt(_MORE if more else prompt)

    def close(self) -> None:
        """prompt_toolkit keeps each entry as it comes."""


def history_file(name: str) -> Path | None:
    """A file for the history that only this user can read; None if there can be none."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        path = Path(state).expanduser() / "ksqlfs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
    except (OSError, RuntimeError) as error:
        click.echo(f"ksqlctl: no history is kept: {error}", err=True)
        return None
    return path
