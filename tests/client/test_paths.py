# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Finding the tree: on a file system that pyfakefs makes up."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import ksqlfs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksqlfs.paths import escape_name, unescape_name
from pyfakefs.fake_filesystem import FakeFilesystem


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("KSQL_ROOT", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return monkeypatch


def plant(fs: FakeFilesystem, root: str) -> Path:
    """A tree as far as finding it goes."""
    fs.create_file(f"{root}/info/features")
    return Path(root)


def fails_on(monkeypatch: pytest.MonkeyPatch, function: str, path: str, number: int) -> None:
    """Make a call fail below a path as it does on what pyfakefs has no likes of."""
    real = getattr(os, function)

    def call(name: str, *args: object, **options: object) -> object:
        if os.fspath(name).startswith(path):
            raise OSError(number, os.strerror(number), name)
        return real(name, *args, **options)

    monkeypatch.setattr(os, function, call)


def test_the_argument_counts_before_all(
    fs: FakeFilesystem, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("KSQL_ROOT", str(plant(fs, "/b")))
    plant(fs, "/sys/kernel/ksql")
    assert str(ksqlfs.find_root(plant(fs, "/a"))) == "/a"
    assert str(ksqlfs.find_root("/a")) == "/a"


def test_then_the_environment(fs: FakeFilesystem, environment: pytest.MonkeyPatch) -> None:
    plant(fs, "/sys/kernel/ksql")
    environment.setenv("KSQL_ROOT", str(plant(fs, "/b")))
    assert str(ksqlfs.find_root()) == "/b"


def test_an_empty_variable_is_none(fs: FakeFilesystem, environment: pytest.MonkeyPatch) -> None:
    plant(fs, "/run/ksql")
    environment.setenv("KSQL_ROOT", "")
    assert str(ksqlfs.find_root()) == "/run/ksql"


def test_then_the_usual_places_in_their_order(
    fs: FakeFilesystem, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    for root in ("/run/user/7/ksql", "/run/ksql", "/sys/kernel/ksql"):
        plant(fs, root)
        assert str(ksqlfs.find_root()) == root


def test_a_place_that_is_no_tree_is_passed_over(fs: FakeFilesystem) -> None:
    fs.create_dir("/sys/kernel/ksql")  # the module is loaded, nothing is mounted
    plant(fs, "/run/ksql")
    assert str(ksqlfs.find_root()) == "/run/ksql"


def test_none_found_names_all_places_and_the_remedy(
    fs: FakeFilesystem, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    with pytest.raises(ksqlfs.NoTreeError) as caught:
        ksqlfs.find_root()
    assert str(caught.value) == (
        "No ksqlfs tree is mounted at /sys/kernel/ksql, /run/ksql, /run/user/7/ksql: mount one by"
        " `ksqlctl mount DIR` and name it by KSQL_ROOT=DIR, or load the kernel module."
    )
    assert caught.value.errno == errno.ENOENT
    assert caught.value.errno_name == "ENOENT"


def test_a_named_place_that_is_not_there(fs: FakeFilesystem) -> None:
    plant(fs, "/run/ksql")
    with pytest.raises(ksqlfs.NoTreeError, match=r"^/nowhere does not exist: .*ksqlctl mount"):
        ksqlfs.find_root("/nowhere")


def test_a_named_place_that_is_no_tree(fs: FakeFilesystem, environment: pytest.MonkeyPatch) -> None:
    fs.create_dir("/srv")
    environment.setenv("KSQL_ROOT", "/srv")
    with pytest.raises(ksqlfs.NoTreeError, match=r"^/srv is not a ksqlfs tree: "):
        ksqlfs.connect()


def test_a_file_is_no_tree(fs: FakeFilesystem) -> None:
    fs.create_file("/srv/file")
    with pytest.raises(ksqlfs.NoTreeError, match=r"^/srv/file is not a ksqlfs tree: "):
        ksqlfs.find_root("/srv/file")


def test_a_dead_mount(fs: FakeFilesystem, environment: pytest.MonkeyPatch) -> None:
    plant(fs, "/mnt")
    fails_on(environment, "stat", "/mnt", errno.ENOTCONN)
    with pytest.raises(ksqlfs.NoTreeError) as caught:
        ksqlfs.find_root("/mnt")
    assert str(caught.value) == (
        "/mnt is a dead mount (Transport endpoint is not connected): mount again over it by"
        " `ksqlctl mount /mnt`, or take it away by `umount -l /mnt`."
    )
    assert caught.value.errno == errno.ENOTCONN


def test_a_dead_mount_at_a_usual_place_is_told_of(
    fs: FakeFilesystem, environment: pytest.MonkeyPatch
) -> None:
    fails_on(environment, "stat", "/run/ksql", errno.ENOTCONN)
    with pytest.raises(ksqlfs.NoTreeError, match=r"^/run/ksql is a dead mount"):
        ksqlfs.find_root()
    assert str(ksqlfs.find_root(plant(fs, "/sys/kernel/ksql"))) == "/sys/kernel/ksql"


def test_no_permission(fs: FakeFilesystem, environment: pytest.MonkeyPatch) -> None:
    plant(fs, "/mnt")
    fails_on(environment, "stat", "/mnt", errno.EACCES)
    with pytest.raises(ksqlfs.NoTreeError, match=r"^/mnt may not be entered by this user"):
        ksqlfs.find_root("/mnt")


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.EROFS, ksqlfs.OperationalError, "mounted read-only"),
        (errno.EACCES, ksqlfs.NoTreeError, "may not be written by this user"),
        (errno.ENOENT, ksqlfs.NoTreeError, "has no query.rows"),
        (errno.ENOTCONN, ksqlfs.InterfaceError, "Transport endpoint is not connected"),
        (errno.EMFILE, ksqlfs.OperationalError, "Too many open files"),
    ],
)
def test_a_tree_that_cannot_be_connected_to(
    fs: FakeFilesystem,
    environment: pytest.MonkeyPatch,
    number: int,
    kind: type[ksqlfs.Error],
    sentence: str,
) -> None:
    root = plant(fs, "/mnt")
    fails_on(environment, "open", "/mnt/query.rows", number)
    with pytest.raises(kind, match=sentence) as caught:
        ksqlfs.connect(root)
    assert caught.value.errno == number
    assert "/mnt" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        (".hidden", "%2Ehidden"),
        ("a.b", "a.b"),
        ("line\nbreak\x7f", "line%0Abreak%7F"),
        ("größe 😀", "größe 😀"),
    ],
)
def test_names_are_escaped_as_in_the_tree(name: str, escaped: str) -> None:
    assert escape_name(name) == escaped
    assert unescape_name(escaped) == name


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_escaping_loses_nothing(name: str) -> None:
    escaped = escape_name(name)
    assert unescape_name(escaped) == name
    assert "/" not in escaped
    assert not escaped.startswith(".")
