# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Fixtures: servers of a test's own, and one that many tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fuse.namespaces import Namespace
from tests.fuse.servers import Server, Servers


@pytest.fixture(autouse=True, scope="session")
def _only_with_fuse() -> None:
    if os.geteuid() != 0:
        pytest.skip("these tests mount, and become other users: run them as root")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("this machine has no /dev/fuse")
    pytest.importorskip("_ksqlfs_fuse", reason="the FUSE host is not built: run `make fuse`")


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Start servers; what is left of them ends with the test."""
    started = Servers()
    yield started
    started.finish()


@pytest.fixture
def namespace(servers: Servers) -> Iterator[Namespace]:
    """A mount namespace of the test's own."""
    made = Namespace()
    yield made
    made.finish()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """A server for the tests of a module."""
    started = Servers()
    yield started.foreground("-o", "mode=0777")
    started.finish()


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The same, its database empty."""
    shared_server.clean()
    return shared_server
