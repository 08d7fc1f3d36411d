# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the functions say of a FUSE mount whose server has died."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.fuse.servers import Servers
from tests.interface.hosts import FuseHost, host_of
from tests.interface.tree import Tree
from tests.recipes.conftest import runner


def test_a_dead_mount_is_told_of(
    shared_tree: Tree, shell: list[str], servers: Servers, tmp_path: Path
) -> None:
    if not isinstance(host_of(shared_tree.root), FuseHost):
        pytest.skip("this host has no server that could die")
    server = servers.daemon()
    os.kill(server.pid, signal.SIGKILL)
    server.wait_gone()
    for script in ("ksqlfs_query 'SELECT 1'", "ksqlfs_value v 'SELECT 1'", "ksqlfs_open 3"):
        done = runner(shell, server.root, tmp_path)(script)
        assert done.returncode == 3
        assert f"ksqlfs: {server.root} is a dead mount: unmount it" in done.stderr
