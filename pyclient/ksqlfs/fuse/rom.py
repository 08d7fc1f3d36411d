# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The mount option rom=FILE: a database file that is only read, with its checksum beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


class RomError(Exception):
    """A file that cannot be had, or is not what its checksum says: one sentence."""


@dataclass(frozen=True)
class Rom:
    """An image in memory.

    Attributes:
        name: The file's, without its folder.
        data: All of it.  Whoever changes the file changes nothing here.
        sha256: Of the data, in hexadecimal.
    """

    name: str
    data: bytes
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Rom:
        """Read FILE, and FILE.sha256, which is as sha256sum(1) writes it.

        Raises:
            RomError: One of them cannot be read, or they do not fit.
        """
        try:
            expected = Path(f"{path}.sha256").read_text(errors="replace").split(maxsplit=1)
            data = path.read_bytes()
        except OSError as error:
            raise RomError(f"rom={path}: {error.filename}: {error.strerror}") from error
        digest = hashlib.sha256(data).hexdigest()
        if [word.lower() for word in expected[:1]] != [digest]:
            raise RomError(f"rom={path}: its SHA-256 is {digest}, and not that in {path}.sha256")
        return cls(path.name, data, digest)
