# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mounts of who is not root: in a namespace where /dev/fuse is open to all, as on most machines."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.fuse import processes
from tests.fuse.namespaces import Namespace
from tests.fuse.servers import Servers, assert_sentence, ctl, environment
from tests.interface.tree import ENDLESS

USER = 12345
OTHER = 23456

USE = "echo 'CREATE TABLE t AS SELECT 6 * 7 AS n; SELECT n FROM t' > query && cat value"


@pytest.fixture
def place(servers: Servers) -> Path:
    """A directory of the user's own."""
    made = servers.directory()
    os.chown(made, USER, USER)
    return made


@pytest.fixture
def machine(namespace: Namespace) -> Namespace:
    """A machine where users may mount."""
    if shutil.which("fusermount3") is None:
        pytest.skip("fusermount3 is not installed")
    namespace.open_fuse()
    # fusermount3 wants them to have names.
    users = "".join(f"user{uid}:x:{uid}:{uid}::/:/bin/sh\n" for uid in (USER, OTHER))
    namespace.replace("/etc/passwd", Path("/etc/passwd").read_text() + users)
    return namespace


@pytest.fixture
def mounted(servers: Servers, machine: Namespace, place: Path) -> Namespace:
    """The same, with the user's mount at `place`."""
    done = machine.ctl("mount", "--source", servers.source(), place, user=USER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return machine


def test_a_user_mounts_uses_and_unmounts(mounted: Namespace, place: Path, servers: Servers) -> None:
    done = mounted.run("sh", "-c", USE, user=USER, cwd=place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    done = mounted.run("stat", "-c", "%u:%g %a", ".", "query", user=USER, cwd=place)
    assert done.stdout == f"{USER}:{USER} 750\n{USER}:{USER} 660\n"
    (options,) = mounted.mounts(place)
    assert f"user_id={USER}" in options
    assert "allow_other" not in options
    pid = servers.serving(place)
    assert processes.status(pid, "Uid").split() == [str(USER)] * 4
    done = mounted.ctl("umount", place, user=USER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    processes.wait_gone(pid)
    assert not mounted.mounts(place)


def test_the_client_and_the_command_find_it(mounted: Namespace, place: Path) -> None:
    env = environment(KSQL_ROOT=str(place))
    done = mounted.ctl("query", "SELECT 6 * 7 AS n", user=USER, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "n\n42\n", "")
    assert mounted.ctl("status", user=USER, env=env).returncode == 0


def test_nobody_else_gets_in(mounted: Namespace, place: Path) -> None:
    for user in (OTHER, None):
        done = mounted.run("ls", place, user=user)
        assert done.returncode != 0
        assert "Permission denied" in done.stderr
        done = mounted.ctl("status", user=user, env=environment(KSQL_ROOT=str(place)))
        assert_sentence(done, 3, str(place), "may not be entered")


def test_sigterm_unmounts(mounted: Namespace, place: Path, servers: Servers) -> None:
    pid = servers.serving(place)
    os.kill(pid, signal.SIGTERM)
    processes.wait_gone(pid)
    assert not mounted.mounts(place)


def test_a_killed_server_is_recovered_from(
    mounted: Namespace, place: Path, servers: Servers
) -> None:
    processes.kill_all([servers.serving(place)])
    done = mounted.run("ls", place, user=USER)
    assert "not connected" in done.stderr
    done = mounted.ctl("mount", "--source", servers.source(), place, user=USER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(mounted.mounts(place)) == 1
    assert mounted.run("sh", "-c", USE, user=USER, cwd=place).stdout == "42\n"
    processes.kill_all([servers.serving(place)])
    done = mounted.ctl("umount", place, user=USER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not mounted.mounts(place)


def test_options_of_a_users_mount(servers: Servers, machine: Namespace, place: Path) -> None:
    done = machine.ctl(
        *("mount", "--source", servers.source(), "-o", "timeout=123,mode=0700", place), user=USER
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run("cat", place / "info/limits", user=USER)
    assert "timeout 123\n" in done.stdout
    done = machine.ctl("mount", "-o", "remount,timeout=456", place, user=USER)
    assert (done.returncode, done.stderr) == (0, "")
    assert "timeout 456\n" in machine.run("cat", place / "info/limits", user=USER).stdout
    # The kernel lets root alone change its flags.
    done = machine.ctl("mount", "-o", "remount,ro,timeout=1", place, user=USER)
    assert_sentence(done, 3, str(place), "only root")
    assert "timeout 456\n" in machine.run("cat", place / "info/limits", user=USER).stdout
    machine.ctl("umount", place, user=USER)


def test_a_read_only_mount_of_a_user(servers: Servers, machine: Namespace, place: Path) -> None:
    done = machine.ctl("mount", "--source", servers.source(), "-o", "ro", place, user=USER)
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run("sh", "-c", "echo 'SELECT 1' > query", user=USER, cwd=place)
    assert "Read-only" in done.stderr
    machine.ctl("umount", place, user=USER)


def test_text_of_a_killed_writer_never_runs(mounted: Namespace, place: Path) -> None:
    script = "exec 3> query; printf 'CREATE TABLE t(a)' >&3; kill -KILL $$"
    done = mounted.run("sh", "-c", script, user=USER, cwd=place)
    assert done.returncode == 128 + signal.SIGKILL or done.returncode == -signal.SIGKILL
    # The file is given back some time after the end of its writer: what comes later waits for it.
    done = mounted.run("sh", "-c", "echo ';' > query; ls tables", user=USER, cwd=place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_statement_of_a_users_is_interrupted(
    mounted: Namespace, place: Path, servers: Servers
) -> None:
    script = f"timeout -s INT 0.2 sh -c \"echo '{ENDLESS};' > query\""
    done = mounted.run("sh", "-c", script, user=USER, cwd=place)
    assert done.returncode == 124
    processes.wait_idle(servers.serving(place))


def test_the_same_database_a_second_time_is_refused(
    servers: Servers, machine: Namespace, place: Path
) -> None:
    source, second = servers.source(), servers.directory()
    os.chown(second, USER, USER)
    assert machine.ctl("mount", "--source", source, place, user=USER).returncode == 0
    done = machine.ctl("mount", "--source", source, second, user=USER)
    assert_sentence(done, 3, source, str(place), "already", "--source")
    assert not machine.mounts(second)
    # Another user's database of that name is another database.
    os.chown(second, OTHER, OTHER)
    done = machine.ctl("mount", "--source", source, second, user=OTHER)
    assert (done.returncode, done.stderr) == (0, "")


# allow_other


@pytest.mark.parametrize("words", [["--allow-other"], ["-o", "allow_other"]], ids=" ".join)
def test_letting_others_in_needs_roots_consent(
    servers: Servers, machine: Namespace, place: Path, words: list[str]
) -> None:
    machine.replace("/etc/fuse.conf", "# nothing\n")
    done = machine.ctl("mount", "--source", servers.source(), *words, place, user=USER)
    assert_sentence(done, 3, "user_allow_other", "/etc/fuse.conf")
    assert servers.nothing_left(place)
    assert not machine.mounts(place)


def test_others_are_let_in_as_the_mode_says(
    servers: Servers, machine: Namespace, place: Path
) -> None:
    machine.replace("/etc/fuse.conf", "user_allow_other\n")
    done = machine.ctl(
        *("mount", "--allow-other", "-o", "mode=0755", "--source", servers.source(), place),
        user=USER,
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run("cat", place / "error", user=OTHER)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    done = machine.run("sh", "-c", "echo 'SELECT 1' > query", user=OTHER, cwd=place)
    assert "Permission denied" in done.stderr
    assert machine.run("sh", "-c", USE, cwd=place).stdout == "42\n"  # root


def test_text_of_another_users_killed_writer_never_runs(
    servers: Servers, machine: Namespace, place: Path
) -> None:
    """The server cannot see who was killed then, and takes every end without a close for it."""
    machine.replace("/etc/fuse.conf", "user_allow_other\n")
    done = machine.ctl(
        *("mount", "--allow-other", "-o", "mode=0777", "--source", servers.source(), place),
        user=USER,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for end in ("os.kill(os.getpid(), 9)", "os._exit(0)"):
        code = (
            "import os; batch = os.open('query', os.O_WRONLY);"
            f" os.write(batch, b'CREATE TABLE half(a)'); {end}"
        )
        machine.run(sys.executable, "-c", code, user=OTHER, cwd=place)
        done = machine.run("ls", "tables", user=OTHER, cwd=place)
        assert (done.stdout, done.stderr) == ("", "")
    # What closes it does run.
    scripts = {
        "1": "echo 'SELECT 1' > query",
        "2": "/bin/echo 'SELECT 2' > query",
        "3": "exec 4> query; printf 'SELECT 3' >&4; exec 4>&-",
        "4": "{ printf SELECT; echo ' 4'; } > query",
    }
    for value, script in scripts.items():
        machine.run("sh", "-c", script, user=OTHER, cwd=place)
        assert machine.run("cat", "value", user=OTHER, cwd=place).stdout == f"{value}\n"


# What is missing


def test_a_closed_device_is_a_sentence(servers: Servers, namespace: Namespace, place: Path) -> None:
    namespace.open_fuse()
    namespace.must("chmod", "600", "/dev/fuse")
    done = namespace.ctl("mount", "--source", servers.source(), place, user=USER)
    assert_sentence(done, 3, str(place), "/dev/fuse is closed to this user", "chmod 666")
    assert servers.nothing_left(place)


def test_no_device_is_a_sentence(servers: Servers, namespace: Namespace, place: Path) -> None:
    namespace.must("mount", "-t", "tmpfs", "tmpfs", "/dev")
    namespace.must("mknod", "-m", "666", "/dev/null", "c", "1", "3")
    for user in (USER, None):
        done = namespace.ctl("mount", "--source", servers.source(), place, user=user)
        assert_sentence(done, 3, str(place), "no /dev/fuse")
        assert servers.nothing_left(place)


def test_no_fusermount_is_a_sentence(servers: Servers, machine: Namespace, place: Path) -> None:
    found = shutil.which("fusermount3")
    assert found is not None
    machine.must("mount", "--bind", "/dev/null", found)
    done = machine.ctl("mount", "--source", servers.source(), place, user=USER)
    assert_sentence(done, 3, str(place), "fusermount3", "fuse3")
    assert servers.nothing_left(place)


def test_no_extension_is_a_sentence(servers: Servers, place: Path) -> None:
    module = servers.room / "_ksqlfs_fuse.py"
    module.write_text("raise ImportError('it is not there')\n")
    for words in ([], ["--foreground"], ["-o", "remount,timeout=1"]):
        done = ctl(
            "mount",
            "--source",
            servers.source(),
            *words,
            place,
            env=environment(PYTHONPATH=str(servers.room)),
        )
        assert_sentence(done, 3, "it is not there", "pip install")
        assert servers.nothing_left(place)


def test_a_directory_of_somebody_elses_is_a_sentence(servers: Servers, machine: Namespace) -> None:
    place = servers.directory()
    done = machine.ctl("mount", "--source", servers.source(), place, user=USER)
    assert_sentence(done, 3, str(place))
    assert servers.nothing_left(place)


def test_unmounting_somebody_elses_is_a_sentence(mounted: Namespace, place: Path) -> None:
    done = mounted.ctl("umount", place, user=OTHER)
    assert_sentence(done, 3, str(place))
    assert mounted.mounts(place)
