# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Databases by their names: the same one twice, two at once."""

from __future__ import annotations

from pathlib import Path

from tests.fuse import processes
from tests.fuse.servers import Servers, assert_sentence, ctl, run
from tests.interface.hosts import filesystem_of
from tests.interface.tree import Tree


def second(servers: Servers, source: str, *words: str) -> Tree:
    """Another directory that shows a database."""
    place = servers.directory()
    done = ctl("mount", "--source", source, *words, place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return Tree(place)


def test_two_sources_are_two_databases(servers: Servers) -> None:
    one, two = servers.foreground(), servers.foreground()
    one.run("CREATE TABLE t(a)")
    assert one.tables() == ["t"]
    assert two.tables() == []
    assert two.text("status").startswith("state none\n")


def test_a_second_directory_shows_the_same_database(servers: Servers) -> None:
    source = servers.source()
    one = servers.foreground(source=source)
    two = second(servers, source)
    # By the same server.
    assert not processes.mentioning(two.root)
    two.run("CREATE TABLE t(a)")
    assert one.tables() == ["t"]
    assert one.text("status") == two.text("status")
    with one.connect() as writer, two.connect() as reader:
        writer.ask("BEGIN; INSERT INTO t VALUES(1);")
        assert reader.ask("SELECT count(*) AS n FROM t") == "n\n0\n"
        writer.ask("COMMIT")
        assert reader.ask("SELECT count(*) AS n FROM t") == "n\n1\n"
    assert ctl("umount", two.root).returncode == 0


def test_the_database_lives_while_one_of_them_is_mounted(servers: Servers) -> None:
    source = servers.source()
    one = servers.daemon(source=source)
    two = second(servers, source)
    one.run("CREATE TABLE t(a)")
    assert ctl("umount", one.root).returncode == 0
    assert two.tables() == ["t"]
    assert processes.exists(one.pid)
    assert run("umount", two.root).returncode == 0
    one.wait_gone()


def test_a_signal_ends_both(servers: Servers) -> None:
    source = servers.source()
    one = servers.foreground(source=source)
    two = second(servers, source)
    assert one.stop() == 0
    assert filesystem_of(one.root) is None
    assert filesystem_of(two.root) is None


def test_both_can_be_mounted_again_when_the_server_was_killed(servers: Servers) -> None:
    source = servers.source()
    one = servers.daemon(source=source)
    two = second(servers, source)
    processes.kill_all([one.pid])
    servers.daemon(directory=two.root, source=source).works()
    done = ctl("mount", "--source", source, one.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    two.run("CREATE TABLE t(a)")
    assert one.tables() == ["t"]


def test_a_second_one_in_the_foreground(servers: Servers) -> None:
    source = servers.source()
    servers.foreground(source=source)
    place = servers.directory()
    done = ctl("mount", "--foreground", "--source", source, place)
    # There is nothing to serve.
    assert_sentence(done, 3, source, "already")
    assert filesystem_of(place) is None


def refused(servers: Servers, source: str, first: Path, *words: str) -> None:
    """A second mount with options fails."""
    place = servers.directory()
    done = ctl("mount", "--source", source, *words, place)
    assert_sentence(done, 3, source, str(first), "already", "remount")
    assert servers.nothing_left(place)


def test_a_second_one_with_options_is_refused(servers: Servers) -> None:
    source = servers.source()
    first = servers.foreground("-o", "timeout=100", source=source)
    for words in ("timeout=200", "uid=1", "gid=1", "mode=0777", "ro", "allow_other"):
        refused(servers, source, first.root, "-o", words)
    assert "timeout 100\n" in first.text("info/limits")
