# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The architecture's rules: what may know what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.engine import ROOT

CORE = ROOT / "sqlite_core"
MODULE = ROOT / "kfs_module"
FUSE = ROOT / "pyclient/fuse"
# All of C's own library that the engine's files may name; the port has stand-ins for them.
OURS = re.compile(r'"(port/)?[a-z0-9_/]+\.h"')


def sources(folder: Path, *patterns: str) -> list[Path]:
    """C files of a folder and below."""
    return sorted(path for pattern in patterns for path in folder.rglob(pattern))


def code(path: Path) -> str:
    """A file without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)


def includes(path: Path) -> Iterator[str]:
    """What it includes, with its quotes or brackets."""
    for line in code(path).splitlines():
        if match := re.match(r"\s*#\s*include\s*(\S+)", line):
            yield match[1]


HOSTS = sources(MODULE, "*.c", "*.h") + [
    path for path in sources(FUSE, "*.c", "*.h") if "build" not in path.relative_to(FUSE).parts
]
ENGINE = [path for path in sources(CORE, "*.c", "*.h") if path.parent == CORE]


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.name)
def test_the_engine_includes_no_header_of_a_host(path: Path) -> None:
    for name in includes(path):
        allowed = bool(OURS.fullmatch(name)) or (path.name == "render.c" and name == "<float.h>")
        assert allowed, f"{path.name} includes {name}"
        assert "port_linux" not in name
        assert "port_posix" not in name


@pytest.mark.parametrize("path", sources(CORE, "*.c", "*.h"), ids=lambda path: path.name)
def test_only_the_port_knows_whether_it_is_in_a_kernel(path: Path) -> None:
    if "port" in path.parts or path == CORE / "sqlite/config.h":
        return
    assert "__KERNEL__" not in code(path)
    assert "__linux__" not in code(path)


def test_hosts_include_one_header_of_the_engine() -> None:
    for path in HOSTS:
        for name in includes(path):
            if "sqlite" in name or "core" in name or "port" in name:
                assert name.strip('"<>').endswith(
                    ("ksql_core.h", "port/stack_linux.h", "port/port_linux.h", "port/port.h")
                ), f"{path.name} includes {name}"


SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|CREATE\s+(TABLE|VIEW|INDEX|TRIGGER)|DELETE\s+FROM|"
    r"PRAGMA\s+\w|DROP\s+TABLE|UPDATE\s+\w+\s+SET|BEGIN\s+IMMEDIATE|sqlite3_\w+)"
)


@pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.name)
def test_no_host_knows_sql(path: Path) -> None:
    assert not SQL.search(code(path))


def test_errnos_come_from_one_table() -> None:
    for path in ENGINE:
        if path.name not in ("error.c", "error.h"):
            assert "SQLITE_CONSTRAINT" not in code(path), path.name


def test_every_source_is_built() -> None:
    listed = (CORE / "sources.mk").read_text()
    for path in sources(CORE, "*.c"):
        relative = str(path.relative_to(CORE))
        if path.parent.name != "libc":
            assert re.search(rf"(^|[\s=]){re.escape(relative)}(\s|$)", listed), relative


def test_the_engine_calls_no_allocator_but_its_own() -> None:
    for path in ENGINE:
        assert not re.search(
            r"\b(malloc|calloc|realloc|free|kmalloc|kfree|vmalloc)\(", code(path)
        ), path.name
