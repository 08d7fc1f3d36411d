# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Names that the kernel keeps of a FUSE mount: still for nobody who may not see them."""

from __future__ import annotations

import os
from functools import partial

from tests.fuse.servers import Servers
from tests.interface.test_permissions import GROUP, OWNER, WHO
from tests.interface.tree import in_child


def test_names_that_the_kernel_keeps_are_for_nobody_else(servers: Servers) -> None:
    """The kernel keeps directories' names, and does not ask who else may walk there."""
    server = servers.daemon("--allow-other", "-o", f"uid={OWNER},gid={GROUP}")
    server.run("CREATE TABLE t(a)")
    for _ in range(2):
        assert os.stat(server / "tables/t")
        assert sorted(os.listdir(server / "tables/t"))
    for path in ("tables", "tables/t", "tables/t/count", "info"):
        assert WHO["other"].tries(partial(os.stat, server / path)) == "EACCES"
        assert WHO["member"].tries(partial(os.stat, server / path)) == "ok"
    assert WHO["other"].tries(lambda: os.listdir(server / "tables/t")) == "EACCES"
    assert WHO["other"].tries(lambda: os.chdir(server / "tables/t")) == "EACCES"


def test_who_may_reach_metrics_sees_no_name_that_the_kernel_keeps(servers: Servers) -> None:
    server = servers.daemon("--allow-other", "-o", f"uid={OWNER},gid={GROUP},metrics_mode=0444")
    server.run("CREATE TABLE t(a)")
    (server / "sessions/s").mkdir()
    assert os.stat(server / "tables/t")
    for path, outcome in {
        "metrics/ksqlfs.prom": "ok",
        "tables": "ok",
        "tables/t": "EACCES",
        "tables/t/count": "EACCES",
        "sessions/s": "EACCES",
    }.items():
        assert WHO["other"].tries(partial(os.stat, server / path)) == outcome, path
        assert WHO["member"].tries(partial(os.stat, server / path)) == "ok"


def test_a_dropped_table_is_gone_for_all_at_once(servers: Servers) -> None:
    server = servers.daemon()
    for _ in range(50):
        server.run("CREATE TABLE t(a)")
        assert in_child(lambda: os.path.isdir(server / "tables/t"))
        server.run("DROP TABLE t;")
        assert not in_child(lambda: os.path.exists(server / "tables/t"))
        assert not os.path.exists(server / "tables/t")
