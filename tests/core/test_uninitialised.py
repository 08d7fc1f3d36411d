# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""No byte that nobody has set is in anything that the engine gives to a host.

The same is done by processes whose fresh memory is filled with different bytes (by the address
sanitizer's malloc): whatever differs in what they show came from memory as it was.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from tests.core.engine import ROOT, Db, load, running
from tests.crafted import CONTENT, USES

# Of time and place: digits tell nothing there.
VARYING = re.compile(r"info/(memory|latency|limits)|metrics/|log$|status$|events$")
FILLS = (0x00, 0x5A, 0xFF)


def files(db: Db, at: str = "") -> Iterator[str]:
    """Every file of the tree that can be read to an end."""
    for name in sorted(db.names(at)):
        path = f"{at}/{name}" if at else name
        with db.node(path) as node:
            is_dir = db.lib.ksql_node_is_dir(node)
        if is_dir:
            yield from files(db, path)
        elif name != "changes":
            yield path


def show(db: Db, path: str) -> bytes:
    """A file's content, or why there is none."""
    try:
        content = db.cat(path)
    except OSError as error:
        content = str(error).encode()
    return re.sub(rb"[0-9]+", b"0", content) if VARYING.search(path) else content


def everything(db: Db) -> Iterator[tuple[str, bytes]]:
    """What is shown after each of many things that are done."""
    db.batch(CONTENT)
    for path in files(db):
        yield path, show(db, path)
    for number, sql in enumerate(USES):
        try:
            db.batch(sql)
        except OSError as error:
            yield f"use {number}", str(error).encode()
        for path in ("result", "result.json", "value", "error"):
            yield f"use {number} {path}", show(db, path)
    yield "image", show(db, "image")
    with db.session("query.rows") as session:
        yield "rows", session.ask("SELECT 1 AS one, 'two', x'03', 4.0, NULL;")


def main() -> None:
    """In a process of its own: all of it, in hexadecimal; first a byte of fresh memory."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    print("fill", ctypes.string_at(libc.malloc(5000), 5000)[4999:].hex())
    with running(load()) as engine:
        for name, content in everything(engine.db()):
            print(name.replace(" ", "-"), content.hex())


@cache
def shown(fill: int) -> dict[str, bytes]:
    """What a process shows whose fresh memory is full of one byte."""
    environment = dict(os.environ)
    environment["ASAN_OPTIONS"] = (
        environment.get("ASAN_OPTIONS", "")
        + f":malloc_fill_byte={fill}:max_malloc_fill_size={1 << 30}"
    )
    result = subprocess.run(
        [sys.executable, "-c", "from tests.core.test_uninitialised import main; main()"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.partition(" ") for line in result.stdout.splitlines())
    return {name: bytes.fromhex(content) for name, _, content in lines}


@pytest.fixture(autouse=True)
def _needs_sanitizer(sanitized: bool) -> None:
    if not sanitized:
        pytest.skip("only the address sanitizer's malloc can fill memory: make test-core")


@pytest.mark.parametrize("fill", FILLS)
def test_fresh_memory_is_filled(fill: int) -> None:
    assert shown(fill)["fill"] == bytes([fill])


def test_nothing_shown_depends_on_what_memory_held() -> None:
    first, *others = (
        {name: content for name, content in shown(fill).items() if name != "fill"} for fill in FILLS
    )
    assert len(first) > 250
    assert len(first["image"]) > 100_000
    for other in others:
        assert [name for name in first if first[name] != other.get(name)] == []
        assert list(first) == list(other)
