# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: an engine for every test, which must leave nothing behind."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.core.engine import ROOT, Db, Engine, library_path, load, running

settings.register_profile(
    "ksqlcore",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("ksqlcore")


@pytest.fixture(scope="session")
def lib() -> ctypes.CDLL:
    """The engine's library."""
    if not library_path().exists():
        pytest.fail(f"{library_path()} is not there: run `make core`")
    return load()


@pytest.fixture(scope="session")
def sanitized() -> bool:
    """Is this the library with sanitizers? (Slow, and its frames are larger.)"""
    return b"__asan_init" in library_path().read_bytes() or "asan" in os.environ.get(
        "LD_PRELOAD", ""
    )


@pytest.fixture
def engine(lib: ctypes.CDLL) -> Iterator[Engine]:
    """The engine, started; at the end nothing may be live."""
    with running(lib) as engine:
        yield engine


@pytest.fixture
def db(engine: Engine) -> Db:
    """An empty database."""
    return engine.db()


@pytest.fixture
def root() -> str:
    """The repository."""
    return str(ROOT)
