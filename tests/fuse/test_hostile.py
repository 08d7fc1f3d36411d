# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a review with bad intent found: forged handles, mounts above ours, nodes opened again."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from pathlib import Path

import pytest
from ksqlfs.mounts import ksqlfs_mounts, mount_at

from tests.fuse.servers import Server, Servers, assert_sentence, ctl, run
from tests.interface.hosts import filesystem_of
from tests.interface.tree import ENDLESS, child, fails, in_child, wait_until

_libc = ctypes.CDLL(None, use_errno=True)
FILEID_INO64_GEN = 0x81


def test_a_forged_handle_is_estale(server: Server) -> None:
    # Of a node that never was: the server must not take it for one of its addresses.
    handle = ctypes.create_string_buffer(struct.pack("=Ii3I", 12, FILEID_INO64_GEN, 0x1234, 8, 1))
    top = os.open(server.root, os.O_RDONLY)
    try:
        assert _libc.open_by_handle_at(top, handle, os.O_RDONLY) == -1
        assert ctypes.get_errno() == errno.ESTALE
    finally:
        os.close(top)
    server.works()


def test_what_is_mounted_above_is_left_alone(servers: Servers) -> None:
    tree = servers.foreground()
    assert run("mount", "-t", "tmpfs", "tmpfs", tree.root).returncode == 0
    try:
        assert mount_at(tree.root) is None
        assert_sentence(ctl("umount", tree.root), 3, "no ksqlfs is mounted")
        assert filesystem_of(tree.root) == "tmpfs"
    finally:
        assert run("umount", tree.root).returncode == 0
    tree.works()


def test_a_server_unmounts_nobody_else(servers: Servers) -> None:
    old = servers.foreground()
    with (old.root / "info/version").open():
        # Still served, as somebody has a file open, but not mounted there any more.
        assert ctl("umount", "--lazy", old.root).returncode == 0
        assert run("mount", "-t", "tmpfs", "tmpfs", old.root).returncode == 0
        try:
            assert old.stop() == 0
            assert filesystem_of(old.root) == "tmpfs"
        finally:
            assert run("umount", old.root).returncode == 0


def test_a_mount_is_found_by_a_link(servers: Servers, tmp_path: Path) -> None:
    tree = servers.foreground()
    link = tmp_path / "link"
    link.symlink_to(tree.root)
    found = mount_at(link)
    assert found is not None
    assert found.directory == tree.root
    assert ctl("umount", link).returncode == 0
    assert filesystem_of(tree.root) is None
    assert tree.wait_gone() == 0


def test_names_of_other_mounts_may_be_anything(servers: Servers) -> None:
    tree = servers.foreground()
    strange = os.fsencode(servers.directory()) + b"/a\rb \n\xff"
    os.mkdir(strange)
    assert _libc.mount(b"x\r\xff", strange, b"tmpfs", 0, None) == 0
    try:
        assert tree.root in [mount.directory for mount in ksqlfs_mounts()]
    finally:
        assert _libc.umount2(strange, 0) == 0
        os.rmdir(strange)


def test_an_error_is_told_at_the_close_of_a_node_opened_again(server: Server) -> None:
    with server.batch() as batch:
        again = os.open(f"/proc/self/fd/{batch.fd}", os.O_WRONLY)
        os.write(again, b"SELECT nope")
        with fails("EINVAL"):
            os.close(again)


def test_signals_count_of_who_is_in_many_groups(server: Server) -> None:
    server.run("CREATE TABLE mark(a)")

    def client() -> None:
        os.setgroups(range(4_000_000_000, 4_000_000_400))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        server.run(f"INSERT INTO mark VALUES(1); {ENDLESS};")

    with child(client) as pid:
        wait_until(lambda: server.text("tables/mark/count") == "1\n", "the statement before it")
        os.kill(pid, signal.SIGTERM)
        pidfd = os.pidfd_open(pid)
        wait_until(
            lambda: os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None,
            "the client's end",
        )
        os.close(pidfd)


def test_opening_to_truncate_asks_for_the_right_to_write(servers: Servers) -> None:
    tree = servers.foreground("-o", "mode=0755")

    def open_it() -> None:
        os.close(os.open(tree.root / "query", os.O_RDONLY | os.O_TRUNC))

    with pytest.raises(PermissionError):
        in_child(open_it, uid=1234)
