# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The server as a process: daemon, foreground, signals, systemd."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.fuse import processes
from tests.fuse.clients import FAILED, client
from tests.fuse.servers import BIN, CTL, Servers, ctl, environment, run
from tests.interface.hosts import filesystem_of
from tests.interface.tree import ENDLESS, child, fails, wait_until

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
UNITS = Path(__file__).resolve().parents[2] / "pyclient" / "systemd"


# The daemon


def test_the_command_returns_when_the_tree_answers(servers: Servers) -> None:
    place = servers.directory()
    script = f'ksqlctl mount --source {servers.source()} "$0" && echo "SELECT 6*7" > "$0/query"'
    done = run("sh", "-c", f'{script} && cat "$0/value"', place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_daemon_keeps_nothing_of_who_called(servers: Servers) -> None:
    place, source = servers.directory(), servers.source()
    passed = os.open("/", os.O_RDONLY)
    # While the daemon has one of these pipes, communicate() does not end.
    with subprocess.Popen(
        [*CTL, "mount", "--source", source, os.fspath(place)],
        cwd=servers.room,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[passed],
        env=environment(),
    ) as command:
        assert command.communicate() == (b"", b"")
    os.close(passed)
    assert command.returncode == 0
    pid = servers.serving(place)
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    kept = processes.descriptors(pid)
    assert {kept.pop(number) for number in (0, 1, 2)} == {"/dev/null"}
    assert {path for path in kept.values() if path.startswith("/")} == {"/dev/fuse"}


def test_a_daemon_ends_when_it_is_unmounted(servers: Servers) -> None:
    server = servers.daemon()
    server.works()
    done = ctl("umount", server.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    server.wait_gone()
    assert servers.nothing_left(server.root)


def test_the_data_goes_with_the_mount(servers: Servers) -> None:
    place, source = servers.directory(), servers.source()
    for _ in range(2):
        server = servers.daemon(directory=place, source=source)
        assert server.tables() == []
        server.run("CREATE TABLE t(a)")
        ctl("umount", place)
        server.wait_gone()


def test_a_busy_mount_stays(servers: Servers) -> None:
    server = servers.daemon()
    with server.connect():
        done = ctl("umount", server.root)
        assert done.returncode == 3
        assert "busy" in done.stderr
        server.works()
    assert ctl("umount", server.root).returncode == 0
    server.wait_gone()


def test_a_lazily_unmounted_tree_lasts_as_long_as_its_users(servers: Servers) -> None:
    server = servers.daemon()
    with server.connect() as connection:
        assert ctl("umount", "--lazy", server.root).returncode == 0
        assert filesystem_of(server.root) is None
        assert connection.ask("SELECT 6 * 7 AS n") == "n\n42\n"
        assert processes.exists(server.pid)
    server.wait_gone()


# The foreground


def test_the_foreground_says_when_it_answers(servers: Servers) -> None:
    server = servers.foreground()  # which looks at the line
    server.works()
    assert processes.status(server.pid, "PPid") == str(os.getpid())
    assert server.stop() == 0
    assert servers.nothing_left(server.root)


def test_the_foreground_ends_when_it_is_unmounted(servers: Servers) -> None:
    server = servers.foreground()
    assert run("umount", server.root).returncode == 0
    assert server.wait_gone() == 0


@pytest.mark.parametrize("how", SIGNALS, ids=lambda how: how.name)
def test_a_signal_unmounts(servers: Servers, how: signal.Signals) -> None:
    server = servers.foreground()
    server.run("CREATE TABLE t(a)")
    assert server.stop(how) == 0
    assert servers.nothing_left(server.root)
    daemon = servers.daemon()
    daemon.stop(how)
    assert servers.nothing_left(daemon.root)


@pytest.mark.parametrize("how", SIGNALS, ids=lambda how: how.name)
@pytest.mark.parametrize("ends", [";", ""], ids=["write", "close"])
def test_a_signal_ends_endless_statements(servers: Servers, how: signal.Signals, ends: str) -> None:
    server = servers.foreground("-o", "timeout=0")

    def ask() -> None:
        with server.batch() as batch:
            batch.write(ENDLESS + ends)

    with client(ask) as asking:
        asking.wait_in_fuse()
        processes.wait_busy(server.pid)
        assert server.stop(how) == 0
        assert asking.end() == FAILED
    assert servers.nothing_left(server.root)


def test_a_signal_ends_a_server_whose_tree_is_in_use(servers: Servers) -> None:
    server = servers.foreground()
    server.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")

    def stay() -> None:
        os.chdir(server / "tables")
        signal.pause()

    with (
        child(stay) as pid,
        server.connect() as connection,
        server.batch() as batch,
        open(server / "tables/t/data.csv", "rb", buffering=0) as data,
    ):
        wait_until(lambda: os.readlink(f"/proc/{pid}/cwd").endswith("/tables"), "cd")
        connection.ask("BEGIN; INSERT INTO t VALUES(2);")
        batch.write("SELECT 1")
        assert server.stop() == 0
        assert servers.nothing_left(server.root)
        with fails("ENOTCONN", "ECONNABORTED"):
            connection.ask("SELECT 1")
        with fails("ENOTCONN", "ECONNABORTED"):
            data.read(100)
        with fails("ENOTCONN", "ECONNABORTED"):
            batch.close()


def test_a_server_can_be_started_anew_at_once(servers: Servers) -> None:
    place, source = servers.directory(), servers.source()
    for _ in range(3):
        server = servers.foreground(directory=place, source=source)
        server.works()
        assert server.stop() == 0


# systemd


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_is_told_when_it_answers(servers: Servers, abstract: bool) -> None:
    place, name = servers.directory(), os.fspath(servers.room / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind("\0" + name if abstract else name)
        process = subprocess.Popen(
            [*CTL, "mount", "--foreground", "--source", servers.source(), os.fspath(place)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(NOTIFY_SOCKET="@" + name if abstract else name),
        )
        assert notify.recv(100).split(b"\n")[0] == b"READY=1"
        assert os.listdir(place / "tables") == []
        process.terminate()
        assert process.communicate()[1] == b""
        assert process.returncode == 0


def test_a_notify_socket_that_nobody_has_is_a_sentence(servers: Servers) -> None:
    place = servers.directory()
    done = ctl(
        *("mount", "--foreground", "--source", servers.source(), place),
        env=environment(NOTIFY_SOCKET=os.fspath(servers.room / "none")),
    )
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert servers.nothing_left(place)


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda path: path.name)
def test_the_units_are_well_formed(servers: Servers, unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    # It looks whether the command is there.
    copy = servers.room / unit.name
    copy.write_text(unit.read_text().replace("ExecStart=ksqlctl ", f"ExecStart={BIN}/ksqlctl "))
    done = run(
        *("systemd-analyze", "verify", "--man=no", "--user", copy),
        env=environment(XDG_RUNTIME_DIR=str(servers.room)),
    )
    assert (done.returncode, done.stderr) == (0, "")
