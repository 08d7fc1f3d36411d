# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mounts whose server a test holds by its process."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fuse import processes
from tests.interface.hosts import filesystem_of, mount_points
from tests.interface.tree import Tree, wait_until

CTL = [sys.executable, "-m", "ksqlfs.cli"]
# Where `ksqlctl` and `ksqlfs` are, for programs that look for them.
BIN = Path(sys.executable).parent

Done = subprocess.CompletedProcess[str]


def environment(**changes: str | None) -> dict[str, str]:
    """Ours, with the package's commands in PATH, and some changed or taken out."""
    found: dict[str, str | None] = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    found.update(changes)
    return {name: value for name, value in found.items() if value is not None}


def run(*words: str | Path, env: Mapping[str, str] | None = None) -> Done:
    """A command, to its end."""
    return subprocess.run(
        [os.fspath(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=env or environment(),
    )


def ctl(*words: str | Path, env: Mapping[str, str] | None = None) -> Done:
    """`ksqlctl`, to its end."""
    return run(*CTL, *words, env=env)


def assert_sentence(done: Done, code: int, *parts: str, by: str = "ksqlctl") -> None:
    """It ended with this code, and said one line, with these parts in it."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    if code == 2:  # click puts the usage first, and `Error:` before the sentence
        assert lines[0].startswith("Usage: ")
        lines = [line for line in lines if line.startswith("Error: ")]
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0], done.stderr


def mounted_below(directory: Path) -> list[Path]:
    """The mount points in a directory, the innermost first."""
    return [point for point, _ in mount_points() if point.is_relative_to(directory)][::-1]


@dataclass(frozen=True)
class Server(Tree):
    """A mounted tree and the process that serves it."""

    pid: int
    # None for a daemon.
    process: subprocess.Popen[bytes] | None = None

    def wait_gone(self) -> int | None:
        """Wait for its end: the exit code, None of a daemon."""
        if self.process is None:
            processes.wait_gone(self.pid)
            return None
        return self.process.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        """Ask it to end, and wait until it has."""
        os.kill(self.pid, how)
        return self.wait_gone()

    def kill(self) -> None:
        """End it as a crash does, and wait until the kernel says so of its mount.

        The connection ends a moment after the process: a request sent between has ECONNABORTED.
        """

        def dead() -> bool:
            try:
                os.stat(self.root)
            except OSError as error:
                return error.errno == errno.ENOTCONN
            return False

        self.stop(signal.SIGKILL)
        wait_until(dead, f"the mount {self.root} is dead")

    def memory(self, key: str) -> int:
        """A line of info/memory."""
        lines = dict(line.split(" ") for line in self.text("info/memory").splitlines())
        return int(lines[key])


class Servers:
    """Mounts in a directory of its own, and starts servers; ends what is left at the end."""

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        # Not pytest's tmp_path, which other users may not enter.
        self.room = Path(tempfile.mkdtemp(prefix="ksqlfs-fuse-"))
        self.room.chmod(0o755)
        self._started: list[Server] = []

    def directory(self) -> Path:
        """An empty directory to mount on."""
        place = self.room / f"mnt{next(self._numbers)}"
        place.mkdir()
        return place

    def source(self) -> str:
        """A database's name that nobody has."""
        return f"{self.room.name}-{next(self._numbers)}"

    def foreground(
        self,
        *words: str,
        directory: Path | None = None,
        source: str | None = None,
    ) -> Server:
        """`ksqlctl mount --foreground`, once it says that it answers."""
        place, name = directory or self.directory(), source or self.source()
        process = subprocess.Popen(
            [*CTL, "mount", "--foreground", "--source", name, *words, os.fspath(place)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        if line != f"ksqlfs: {name} is mounted at {place}\n":
            process.kill()
            pytest.fail(f"the server said {line}{process.communicate()[1].decode()}")
        self._started.append(Server(place, process.pid, process))
        return self._started[-1]

    def daemon(
        self, *words: str, directory: Path | None = None, source: str | None = None
    ) -> Server:
        """`ksqlctl mount`, which returns when the tree answers."""
        place = directory or self.directory()
        done = ctl("mount", "--source", source or self.source(), *words, place)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return Server(place, self.serving(place))

    def serving(self, directory: Path) -> int:
        """The one process that has the directory in its command line."""
        (pid,) = processes.mentioning(directory)
        return pid

    def nothing_left(self, directory: Path) -> bool:
        """Whether nothing is mounted there, and no process has to do with it."""
        return filesystem_of(directory) is None and not processes.mentioning(directory)

    def finish(self) -> None:
        """End all servers, and clean up; fails if one of them did not end well by SIGTERM."""
        bad = []
        for server in self._started:
            assert server.process is not None
            if server.process.poll() is None:
                server.process.terminate()
                try:
                    server.process.wait(20)
                except subprocess.TimeoutExpired:
                    bad.append(f"{server.root} ignores SIGTERM")
                    continue
                if server.process.returncode:
                    bad.append(f"{server.root} ended with {server.process.returncode}")
            assert server.process.stderr is not None
            if said := server.process.stderr.read():
                bad.append(f"{server.root} said {said.decode()}")
            server.process.stderr.close()
        for point in mounted_below(self.room):
            # Frees whoever waits for the server; what is no FUSE mount has nobody.
            run("umount", "-i", "-f", "-l", point)
        processes.kill_all(processes.mentioning(self.room))
        for server in self._started:
            assert server.process is not None
            server.process.wait()
        run("rm", "-r", "--one-file-system", self.room)
        assert not bad, bad
