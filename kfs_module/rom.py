#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Write what the module's section for a database holds (rom.h): rom.py FILE SECTION."""

from __future__ import annotations

import hashlib
import re
import struct
import sys
from pathlib import Path


def section(name: str, data: bytes) -> bytes:
    """Return a header, and the file behind it."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}", name):
        raise SystemExit(f"{name}: rom= takes letters, digits, '.', '_' and '-', 63 at most")
    if not data.startswith(b"SQLite format 3\0"):
        raise SystemExit(f"{name} is no database file of SQLite 3")
    digest = hashlib.sha256(data).hexdigest().encode()
    header = struct.pack("<8sQ65s64s", b"ksqlrom1", len(data), digest, name.encode())
    return header.ljust(4096, b"\0") + data


def main() -> None:
    """Read one file and write the other."""
    file, target = map(Path, sys.argv[1:])
    target.write_bytes(section(file.name, file.read_bytes()))


if __name__ == "__main__":
    main()
