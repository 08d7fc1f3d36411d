# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""mount(8) and umount(8): `mount -t fuse.ksqlfs`, a line of fstab, remounting."""

from __future__ import annotations

import pytest

from tests.fuse import processes
from tests.fuse.namespaces import Namespace
from tests.fuse.servers import BIN, Servers

WORKS = 'echo "SELECT 6 * 7" > query && cat value'


@pytest.fixture
def system(namespace: Namespace) -> Namespace:
    """Where the package is installed for the whole system: mount(8) hands no PATH on."""
    namespace.must("mount", "-t", "tmpfs", "tmpfs", "/usr/local/bin")
    namespace.must("ln", "-s", BIN / "ksqlfs", "/usr/local/bin/ksqlfs")
    return namespace


def test_it_mounts_by_type(servers: Servers, system: Namespace) -> None:
    place, source = servers.directory(), servers.source()
    done = system.run(
        *("mount", "-t", "fuse.ksqlfs", "-o", "timeout=1234,mode=0711,nodev", source, place)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    done = system.run("sh", "-c", f"{WORKS}; grep timeout info/limits; stat -c %a .", cwd=place)
    assert done.stdout == "42\ntimeout 1234\n711\n"
    done = system.run("findmnt", "-n", "-o", "SOURCE,FSTYPE", place)
    assert done.stdout.split() == [source, "fuse.ksqlfs"]
    done = system.run("umount", place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    assert not system.mounts(place)


def test_it_mounts_by_fstab(servers: Servers, system: Namespace) -> None:
    place, source = servers.directory(), servers.source()
    fstab = servers.room / "fstab"
    words = "defaults,noauto,nofail,_netdev,x-systemd.requires=network.target,size=1m,uid=77"
    fstab.write_text(f"{source} {place} fuse.ksqlfs {words} 0 0\n")
    done = system.run("mount", "-T", fstab, place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    done = system.run("sh", "-c", f"{WORKS}; grep ^size info/limits; stat -c %u .", cwd=place)
    assert done.stdout == "42\nsize 1048576\n77\n"
    system.must("umount", place)


def test_it_remounts(servers: Servers, system: Namespace) -> None:
    place = servers.directory()
    system.must("mount", "-t", "fuse.ksqlfs", servers.source(), place)
    done = system.run("mount", "-o", "remount,timeout=4321", place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    assert "timeout 4321\n" in system.run("cat", place / "info/limits").stdout
    for word, code in (("ro", 2), ("rw", 0)):
        done = system.run("mount", "-o", f"remount,{word}", place)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
        assert system.mounts(place)[0].startswith(word + ",")
        assert system.run("sh", "-c", "echo ';' > query", cwd=place).returncode == code
    system.must("umount", place)


def test_what_it_says_when_it_fails(servers: Servers, system: Namespace) -> None:
    place = servers.directory()
    done = system.run("mount", "-t", "fuse.ksqlfs", "-o", "nosuch", servers.source(), place)
    assert done.returncode == 2
    assert "no option nosuch" in done.stderr
    assert "Traceback" not in done.stderr
    assert not system.mounts(place)


def test_it_mounts_over_a_dead_one(servers: Servers, system: Namespace) -> None:
    place, source = servers.directory(), servers.source()
    for _ in range(2):
        system.must("mount", "-t", "fuse.ksqlfs", source, place)
        assert len(system.mounts(place)) == 1
        assert system.run("sh", "-c", WORKS, cwd=place).stdout == "42\n"
        pid = servers.serving(place)
        system.must("kill", "-KILL", str(pid))
        processes.wait_gone(pid)
    system.must("umount", place)
