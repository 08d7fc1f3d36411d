# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Directories and mounts for as long as something is measured."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def directory() -> Iterator[Path]:
    """A folder to mount on."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def mounted(*command: str) -> Iterator[Path]:
    """A mount that `command DIRECTORY` makes."""
    with directory() as folder:
        subprocess.run([*command, str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
