# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""After a server has died: what clients are told, and how the mount comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import ksqlfs
import pytest

from tests.fuse import processes
from tests.fuse.clients import FAILED, client
from tests.fuse.servers import Server, Servers, assert_sentence, ctl, environment, run
from tests.interface.hosts import filesystem_of
from tests.interface.tree import ENDLESS, fails


@pytest.fixture
def dead(servers: Servers) -> Server:
    """A mount whose server was killed."""
    server = servers.daemon()
    server.run("CREATE TABLE t(a)")
    server.kill()
    return server


def test_a_dead_mount_says_so(dead: Server) -> None:
    assert filesystem_of(dead.root) == "fuse.ksqlfs"
    with fails("ENOTCONN"):
        os.listdir(dead.root)
    with fails("ENOTCONN"):
        dead.read("result")


def test_who_waits_for_a_killed_server_has_an_error(servers: Servers) -> None:
    server = servers.daemon("-o", "timeout=0")

    with client(lambda: server.run(ENDLESS + ";")) as waiting:
        waiting.wait_in_fuse()
        os.kill(server.pid, signal.SIGKILL)
        assert waiting.end() == FAILED


def test_open_files_of_a_killed_server_have_an_error(servers: Servers) -> None:
    server = servers.daemon()
    connection = server.connect()
    server.kill()
    with fails("ENOTCONN"):
        connection.ask("SELECT 1")
    connection.close()


def test_the_client_says_it_in_a_sentence(dead: Server) -> None:
    with pytest.raises(ksqlfs.NoTreeError) as caught:
        ksqlfs.connect(dead.root)
    text = str(caught.value)
    assert text.count("\n") == 0
    assert str(dead.root) in text
    assert "dead mount" in text
    assert "ksqlctl mount" in text


def test_an_open_connection_of_the_client_says_it(servers: Servers) -> None:
    server = servers.daemon()
    db = ksqlfs.connect(server.root)
    server.kill()
    with pytest.raises(ksqlfs.Error, match=f"{server.root}.*not connected") as caught:
        db.execute("SELECT 1")
    assert caught.value.errno_name == "ENOTCONN"
    db.close()


@pytest.mark.parametrize("words", [("status",), ("query", "SELECT 1"), ("tables",)], ids=str)
def test_the_command_says_it_in_a_sentence(dead: Server, words: tuple[str, ...]) -> None:
    done = ctl(*words, env=environment(KSQL_ROOT=str(dead.root)))
    assert_sentence(done, 3, str(dead.root), "dead mount")


def test_mounting_again_takes_the_dead_mount_away(servers: Servers, dead: Server) -> None:
    again = servers.daemon(directory=dead.root)
    assert again.tables() == []
    again.works()
    assert ctl("umount", dead.root).returncode == 0
    assert filesystem_of(dead.root) is None


def test_mounting_again_through_a_link_and_a_relative_path(servers: Servers, dead: Server) -> None:
    link = servers.room / "link"
    link.symlink_to(servers.room)
    script = f'cd "$0" && ksqlctl mount --source {servers.source()} link/{dead.root.name}/'
    done = run("sh", "-c", script, servers.room)
    assert (done.returncode, done.stderr) == (0, "")
    Server(dead.root, 0).works()


def test_mounting_again_over_several_dead_ones(servers: Servers) -> None:
    place = servers.directory()
    for _ in range(2):
        # Over a tree that answers another can be mounted, as everywhere.
        server = ctl("mount", "--source", servers.source(), place)
        assert server.returncode == 0
    dead = processes.mentioning(place)
    assert len(dead) == 2
    processes.kill_all(dead)
    servers.daemon(directory=place).works()
    assert ctl("umount", place).returncode == 0
    assert filesystem_of(place) is None


@pytest.mark.parametrize(
    "command", [["ksqlctl", "umount"], ["ksqlctl", "umount", "--lazy"], ["umount"]], ids=" ".join
)
def test_a_dead_mount_is_unmounted(dead: Server, command: list[str]) -> None:
    done = run(*command, dead.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert filesystem_of(dead.root) is None


def test_a_dead_mount_does_not_keep_another_source_from_mounting(
    servers: Servers, dead: Server
) -> None:
    mounts = (line.split(" ") for line in Path("/proc/mounts").read_text().splitlines())
    source = next(name for name, point, *_ in mounts if point == str(dead.root))
    server = servers.daemon(source=source)
    assert server.tables() == []
    server.works()
