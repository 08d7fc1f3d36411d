# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl load` and `ksqlctl unload`: for real in the VM, elsewhere against invented programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Ctl
from tests.interface.hosts import Mounter
from tests.interface.tree import Tree

IN_VM = pytest.mark.skipif(
    "KSQL_VM" not in os.environ, reason="the module is loaded in the VM only"
)


@pytest.fixture
def module(ctl: Ctl, tree: Tree) -> Iterator[Path]:
    """The module's file; it is loaded and mounted before the test and after it."""
    path = Path(os.environ["KSQL_MODULE"])
    yield path
    if not tree.root.is_dir() or "query" not in os.listdir(tree.root):
        ctl("load", path)


@IN_VM
def test_unload_and_load_are_each_others_opposite(ctl: Ctl, tree: Tree, module: Path) -> None:
    ctl.environment["KSQL_ROOT"] = ""
    assert ctl.out("unload") == ""
    assert not Path("/sys/module/ksqlfs").exists()
    assert ctl("-v", "unload").stderr == "ksqlctl: the module is not loaded\n"
    assert ctl.out("load", module) == ""
    tree.works()
    assert ctl("-v", "load", module).stderr.endswith("is mounted already\n")


@IN_VM
def test_load_takes_options_and_parameters(ctl: Ctl, tree: Tree, module: Path) -> None:
    ctl("unload")
    ctl("load", "-o", "size=1m,busy=7", "--parameter", "mem_limit=100000000", module)
    assert "busy 7\n" in tree.text("info/limits")
    assert "limit 100000000\n" in tree.text("info/memory")
    ctl("unload")


@IN_VM
def test_a_mount_that_fails_leaves_no_module(ctl: Ctl, tree: Tree, module: Path) -> None:
    ctl("unload")
    assert "dmesg" in ctl.fails(3, "load", "-o", "nonsense=1", module)
    assert not Path("/sys/module/ksqlfs").exists()


@IN_VM
def test_unload_names_who_uses_the_tree(ctl: Ctl, tree: Tree, mount: Mounter) -> None:
    other = mount()
    with other.connect():
        failure = ctl.fails(1, "unload")
    assert f"({os.getpid()})" in failure
    assert "end that first" in failure
    tree.works()


@IN_VM
def test_unload_does_not_drop_data_unasked(ctl: Ctl, tree: Tree, module: Path) -> None:
    tree.run("CREATE TABLE t(a)")
    assert "1 table would be lost" in ctl("unload", code=2).stderr
    assert tree.tables() == ["t"]
    ctl("unload", "--yes")
    assert not Path("/sys/module/ksqlfs").exists()


# Elsewhere: what the programs say is invented, what is made of it is not


@pytest.fixture
def programs(bare_ctl: Ctl) -> Path:
    """A folder for programs that take the place of kmod's and mount's."""
    if os.geteuid() != 0:
        pytest.skip("only root gets as far as to call them")
    if Path("/sys/module/ksqlfs").exists():
        pytest.skip("the module is loaded here")
    folder = bare_ctl.folder / "bin"
    folder.mkdir()
    bare_ctl.environment["PATH"] = str(folder)
    return folder


def invent(folder: Path, name: str, text: str) -> None:
    """A program that says this and fails, and keeps what it was called with."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/{name}.words\necho '{text}' >&2\nexit 1\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("insmod: ERROR: could not insert module: Key was rejected by service", "Secure Boot"),
        ("insmod: ERROR: could not insert module: Invalid module format", "for another kernel"),
        ("insmod: ERROR: could not insert module: Operation not permitted", "`ksqlctl mount`"),
        ("something else", "something else"),
    ],
)
def test_what_insmod_says_is_explained(
    bare_ctl: Ctl, programs: Path, said: str, meaning: str
) -> None:
    invent(programs, "insmod", said)
    (bare_ctl.folder / "x.ko").touch()
    failure = bare_ctl.fails(3, "load", "x.ko", "--parameter", "mem_limit=5")
    assert failure.startswith(said)
    assert meaning in failure
    assert failure.count("\n") == 1
    assert (programs / "insmod.words").read_text() == "x.ko mem_limit=5\n"


def test_a_module_that_is_not_installed_is_told(bare_ctl: Ctl, programs: Path) -> None:
    invent(programs, "modprobe", "modprobe: FATAL: Module ksqlfs not found in directory /lib")
    assert "name the file that `make module` has built" in bare_ctl.fails(3, "load")
    failure = bare_ctl.fails(4, "load", "missing.ko")
    assert failure == "missing.ko: no such file; `make module` builds it\n"


def test_missing_programs_are_told(bare_ctl: Ctl, programs: Path) -> None:
    failure = bare_ctl.fails(3, "load")
    assert failure == "there is no modprobe here; install the packages kmod and mount\n"


def test_only_root_may(bare_ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner
    from ksqlfs.cli import cli

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in ("load", "unload"):
        done = CliRunner().invoke(cli, [command])
        assert done.exit_code == 3
        assert done.stderr == ("ksqlctl: only root can load and unload the module; use sudo\n")
