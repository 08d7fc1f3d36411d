# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Shell sessions shown in documentation: found on a page, typed in a shell, compared.

A session is a `console` block under a comment that marks it. A line that begins with `$ ` is a
command, and the lines up to the next one are what it prints, both streams together.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
# Where documentation says the tree is.
SHOWN_ROOT = "/sys/kernel/ksql"
PROMPT = "$ "
# Stands between the outputs of two commands.
MARK = "--- next ---"

Exchange = tuple[str, str]


def sessions(pages: Iterable[Path], comment: str) -> Iterator[tuple[str, str]]:
    """Name and text of each session on these pages that stands under the comment."""
    pattern = re.compile(
        rf"^<!-- {re.escape(comment)} -->\n```console\n(.*?)^```$", re.DOTALL | re.MULTILINE
    )
    for page in pages:
        for number, text in enumerate(pattern.findall(page.read_text()), 1):
            yield f"{page.name}-{number}", text


def exchanges(text: str) -> list[Exchange]:
    """A session's commands, each with the output that is shown below it."""
    found: list[Exchange] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT).rstrip("\n"), ""))
        else:
            command, output = found.pop()
            found.append((command, output + line))
    return found


def typed(
    text: str,
    shell: Sequence[str] = ("bash",),
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> list[Exchange]:
    """A session's commands, each with what a shell prints for it, both streams together."""
    commands = [command for command, _ in exchanges(text)]
    script = "exec 2>&1\n" + "".join(f"{command}\necho '{MARK}'\n" for command in commands)
    done = subprocess.run(
        [*shell, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=env,
    )
    return list(zip(commands, done.stdout.split(f"{MARK}\n"), strict=False))
