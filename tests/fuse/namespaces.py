# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mount namespaces: what a test changes of the machine, for what runs there alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.fuse.servers import CTL, Done, environment

PROJECT = Path(__file__).resolve().parents[2]
FUSE_DEVICE = os.makedev(10, 229)


def _closed_ancestor(path: Path) -> Path | None:
    """The uppermost folder on the way to a path that others may not enter."""
    for folder in [*reversed(path.parents), path]:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


class Namespace:
    """A mount namespace, kept by a process that waits; ends with it.

    The interpreter and this project can be reached by every user in it, also where a folder above
    them is closed.
    """

    def __init__(self) -> None:
        # Not in a test's own room: a process that holds it is no server.
        self._stage = Path(tempfile.mkdtemp(prefix="ksqlfs-stage-"))
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"\n"
        self.must("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self._stage)
        needed = {Path(sys.base_prefix), Path(sys.prefix), PROJECT, *map(Path, sys.path)}
        self._open({path for path in needed if path.is_dir()})

    def _open(self, needed: set[Path]) -> None:
        """Let everybody in, and to nothing else of what was closed."""
        closed: dict[Path, list[Path]] = {}
        for path in sorted(needed):
            if (ancestor := _closed_ancestor(path)) is not None:
                closed.setdefault(ancestor, []).append(path)
        for ancestor, paths in closed.items():
            for number, path in enumerate(paths):
                self.must("mkdir", self._stage / str(number))
                self.must("mount", "--bind", path, self._stage / str(number))
            self.must("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", ancestor)
            for number, path in enumerate(paths):
                self.must("mkdir", "-p", path)
                self.must("mount", "--bind", self._stage / str(number), path)

    def run(
        self,
        *words: str | Path,
        user: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path = "/",
    ) -> Done:
        """A command in it, to its end, as root or as a user who is in no other group."""
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
        enter = ["nsenter", f"--target={self._keeper.pid}", "--mount", "--"]
        if user is None:
            become = []
        return subprocess.run(
            [*enter, *become, "env", f"--chdir={cwd}", *(os.fspath(word) for word in words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=env or environment(),
        )

    def must(self, *words: str | Path) -> None:
        """A command in it, as root, that must go well."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr

    def ctl(
        self, *words: str | Path, user: int | None = None, env: Mapping[str, str] | None = None
    ) -> Done:
        """`ksqlctl` in it."""
        return self.run(*CTL, *words, user=user, env=env)

    def open_fuse(self) -> None:
        """Let every user mount, as most machines do."""
        device = self._stage / "fuse"
        self.must("mknod", "-m", "666", device, "c", "10", "229")
        self.must("mount", "--bind", device, "/dev/fuse")

    def replace(self, path: str, text: str) -> None:
        """Another file in a file's place."""
        copy = self._stage / path.replace("/", "-")
        self.must("sh", "-c", 'printf %s "$1" > "$2"', "sh", text, copy)
        self.must("mount", "--bind", copy, path)

    def mounts(self, directory: Path) -> list[str]:
        """The options, as in /proc/mounts, of what is mounted on a directory."""
        lines = Path(f"/proc/{self._keeper.pid}/mounts").read_text().splitlines()
        return [line.split(" ")[3] for line in lines if line.split(" ")[1] == str(directory)]

    def finish(self) -> None:
        """End it; what is mounted there goes, once no process of it is left."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()
        self._stage.rmdir()
