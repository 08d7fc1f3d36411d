# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What /proc tells of a process."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from tests.interface.tree import wait_until


def exists(pid: int) -> bool:
    """Whether a thread of the process is there and is no zombie."""
    return any(state(pid, thread) not in ("", "Z", "X") for thread in threads(pid))


def _read(path: str) -> str:
    """A file of /proc; empty for a process that has gone."""
    try:
        return Path(path).read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(pid: int, thread: int | None = None) -> str:
    """The letter of proc(5) for what a process or a thread does; empty if it has gone."""
    return _read(f"/proc/{pid}/task/{thread or pid}/stat").rpartition(")")[2][1:2]


def status(pid: int, key: str) -> str:
    """A line of /proc/PID/status."""
    found = re.search(rf"^{key}:\s*(.*)$", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return found[1] if found else ""


def threads(pid: int) -> list[int]:
    """The threads of a process."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descriptors(pid: int) -> dict[int, str]:
    """Where a process's descriptors lead to."""
    folder = Path(f"/proc/{pid}/fd")
    return {int(name): os.readlink(folder / name) for name in os.listdir(folder)}


def ran_ns(pid: int) -> int:
    """Nanoseconds of processor time that the threads of a process have had."""
    texts = [_read(f"/proc/{pid}/task/{thread}/schedstat") for thread in threads(pid)]
    return sum(int(text.split()[0]) for text in texts if text)


def mentioning(text: str | os.PathLike[str]) -> list[int]:
    """The processes, but for this one, in whose command line the text stands."""
    wanted = os.fspath(text).encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if wanted in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def in_fuse(pid: int) -> bool:
    """Whether a process waits for a FUSE server's answer."""
    return _read(f"/proc/{pid}/wchan").startswith("request_wait_answer")


def wait_busy(pid: int) -> None:
    """Wait until a process has used 10 ms of processor time more."""
    begin = ran_ns(pid)
    wait_until(lambda: ran_ns(pid) > begin + 10_000_000, f"process {pid} works")


def wait_idle(pid: int) -> None:
    """Wait until no thread of a process runs, nor wants to, nor did meanwhile."""

    def idle() -> bool:
        before = ran_ns(pid)
        time.sleep(0.03)
        return (
            all(state(pid, thread) in ("S", "") for thread in threads(pid))
            and ran_ns(pid) == before
        )

    wait_until(idle, f"process {pid} is idle")


def wait_gone(pid: int) -> None:
    """Wait until a process that is no child of ours has ended."""
    wait_until(lambda: not exists(pid), f"process {pid} ends")


def kill_all(pids: list[int]) -> None:
    """SIGKILL them, and wait until they are gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for pid in pids:
        wait_gone(pid)
