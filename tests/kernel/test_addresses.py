# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""No address of the kernel's is in anything that the module shows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tests.crafted import CONTENT
from tests.interface.tree import Tree, fails

# Where the kernel and its modules are on this processor, as digits and as bytes of a word.
DIGITS = re.compile(rb"(?i)(?<![0-9a-f])(0x)?ffff[89a-f][0-9a-f]{11}(?![0-9a-f])")
BYTES = re.compile(rb"[^\0\xff][^\xff]..[^\xff][\x80-\xff]\xff\xff", re.DOTALL)


def files(at: Path) -> Iterator[Path]:
    """Every file that can be read to an end."""
    for folder, _, names in os.walk(at):
        yield from (Path(folder) / name for name in names if name != "changes")


def test_an_address_would_be_found() -> None:
    symbols = Path("/proc/kallsyms").read_bytes()
    address = next(line for line in symbols.splitlines() if line.endswith(b"[ksqlfs]")).split()[0]
    assert DIGITS.search(b"at " + address + b",")
    assert BYTES.search(b"ab" + (int(address, 16) | 0x1234).to_bytes(8, "little") + b"c")


def test_no_file_shows_an_address(tree: Tree) -> None:
    tree.run(CONTENT)
    with fails("ENOENT"):
        tree.run("SELECT * FROM nowhere;")
    looked, refused = 0, set()
    for path in files(tree.root):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # as the batch has failed
            refused.add(path.name)
            continue
        assert not DIGITS.search(content), path
        assert not BYTES.search(content), path
        looked += len(content)
    assert looked > 300_000
    assert refused == {"result", "result.json", "result.ndjson", "result.tsv", "value"}
