# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mount options as text: the one parser of all hosts."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from tests.core.engine import Engine, Options

FIELDS = {
    "size": "size",
    "timeout": "timeout_ms",
    "busy": "busy_ms",
    "max_result": "max_result",
    "max_sql": "max_sql",
    "sessions": "sessions",
    "statements": "statements",
    "zero": "zero",
}


def set_option(engine: Engine, options: Options, key: str, value: str) -> int:
    """The errno of setting one."""
    ret: int = engine.lib.ksql_option_set(
        ctypes.byref(options), key.encode(), value.encode(errors="surrogateescape")
    )
    return -ret


def listed(engine: Engine, options: Options) -> dict[str, int]:
    """All of them, as a host that shows them has them."""
    found: dict[str, int] = {}
    value = ctypes.c_uint64()
    while key := engine.lib.ksql_option_get(ctypes.byref(options), len(found), ctypes.byref(value)):
        found[key.decode()] = value.value
    return found


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("size", "0", 0),
        ("size", "65536", 65536),
        ("size", "007", 7),
        ("size", "64k", 64 << 10),
        ("size", "3M", 3 << 20),
        ("size", "2g", 2 << 30),
        ("size", "1t", 1 << 40),
        ("size", "1p", 1 << 50),
        ("size", "15E", 15 << 60),
        ("size", "18446744073709551615", (1 << 64) - 1),
        ("max_result", "1k", 1024),
        ("max_sql", "16m", 16 << 20),
        ("max_sql", "4294967295", (1 << 32) - 1),
        ("timeout", "0", 0),
        ("timeout", "4294967295", (1 << 32) - 1),
        ("busy", "12", 12),
        ("sessions", "0", 0),
        ("sessions", "007", 7),
    ],
)
def test_a_value_is_read(engine: Engine, key: str, text: str, value: int) -> None:
    options = engine.options()
    others = listed(engine, options)
    assert set_option(engine, options, key, text) == 0
    assert getattr(options, FIELDS[key]) == value
    assert listed(engine, options) == {**others, key: value}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(
            (key, text)
            for key in FIELDS
            for text in ("", "x", "-1", "+1", " 1", "1 ", "0x10", "1.5")
        ),
        *((key, "99999999999999999999") for key in FIELDS),
        ("timeout", "4294967296"),
        ("timeout", "1k"),
        ("timeout", "10%"),
        ("max_sql", "4g"),
        ("size", "k"),
        ("size", "1kb"),
        ("size", "1q"),
        ("size", "1\udcff"),
        ("size", "16e"),
        ("size", "%"),
        ("size", "101%"),
        ("size", "10%%"),
        ("size", "18446744073709551616"),
    ],
)
def test_a_wrong_value_changes_nothing(engine: Engine, key: str, text: str) -> None:
    options = engine.options()
    before = options.values()
    assert set_option(engine, options, key, text) == errno.EINVAL
    assert options.values() == before


@pytest.mark.parametrize("key", ["", "siz", "sizes", "SIZE", "mode", "source", "ro"])
def test_a_key_of_somebody_else(engine: Engine, key: str) -> None:
    options = engine.options()
    before = options.values()
    assert set_option(engine, options, key, "1") == errno.ENOENT
    assert options.values() == before


def test_a_percentage_is_of_the_memory(engine: Engine) -> None:
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    options = engine.options()
    for percent in (0, 1, 50, 100):
        assert set_option(engine, options, "size", f"{percent}%") == 0
        assert options.size % 4096 == 0
        assert 0 <= ram * percent // 100 - options.size < 4096
    assert set_option(engine, options, "size", "50%") == 0
    assert options.size == engine.options().size


def test_what_is_listed_sets_the_same(engine: Engine) -> None:
    options = engine.options(size=1 << 33, timeout_ms=1, busy_ms=2, max_result=3, max_sql=4)
    again = engine.options()
    for key, value in listed(engine, options).items():
        assert set_option(engine, again, key, str(value)) == 0
    assert again.values() == options.values()
