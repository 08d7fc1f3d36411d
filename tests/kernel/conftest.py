# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures for what only the kernel host has."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interface.conftest import mount, shared_tree, tree
from tests.interface.hosts import filesystem_of, kernel_mount, kernel_unmount
from tests.interface.tree import Tree

__all__ = ["mount", "shared_tree", "tree"]


@pytest.fixture(scope="session", autouse=True)
def _is_a_kernel_mount(shared_tree: Tree) -> None:
    """These tests are for one host."""
    if filesystem_of(shared_tree.root) != "ksqlfs":
        pytest.skip(f"{shared_tree.root} is not a mount of the kernel module")


_SYS_DELETE_MODULE = 176
_SYS_FINIT_MODULE = 313
_libc = ctypes.CDLL(None, use_errno=True)


def _check(outcome: int) -> None:
    if outcome < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Module:
    """The module: load it, unload it; by system calls, which is faster than by programs."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def load(self, **parameters: str | int) -> None:
        """Load it, as insmod does."""
        words = " ".join(f"{key}={value}" for key, value in parameters.items())
        fd = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.syscall(_SYS_FINIT_MODULE, fd, words.encode(), 0))
        finally:
            os.close(fd)

    def unload(self) -> None:
        """Unload it, as rmmod does: not while it is in use."""
        _check(_libc.syscall(_SYS_DELETE_MODULE, b"ksqlfs", os.O_NONBLOCK))

    def is_loaded(self) -> bool:
        """Whether it is there."""
        return Path("/sys/module/ksqlfs").exists()

    def holders(self) -> int:
        """The reference count."""
        return int(Path("/sys/module/ksqlfs/refcnt").read_text())


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    """The module's file, without what is for debuggers, where it is read fast."""
    if "KSQL_MODULE" not in os.environ:
        pytest.skip("KSQL_MODULE does not name the module: run these by `make test-vm`")
    copy = tmp_path_factory.mktemp("module") / "ksqlfs.ko"
    subprocess.run(["strip", "--strip-debug", "-o", copy, os.environ["KSQL_MODULE"]], check=True)
    return Module(copy)


@pytest.fixture
def unloaded(shared_tree: Tree, module: Module) -> Iterator[Module]:
    """The module, not loaded; afterwards all is as before."""
    kernel_unmount(shared_tree.root)
    module.unload()
    yield module
    if not module.is_loaded():
        module.load()
    if filesystem_of(shared_tree.root) is None:
        kernel_mount("ksqlfs", shared_tree.root, {})
