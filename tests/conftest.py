# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""For every test that runs in a VM: the kernel must have nothing to complain about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm import klog

IN_VM = "KSQL_VM" in os.environ


class KernelLog:
    """The kernel's log from now on."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)

    def complaints(self) -> list[str]:
        """What the kernel has complained of since this was last asked."""
        records = []
        while True:
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except BlockingIOError:
                break
            except BrokenPipeError:  # some were overwritten; the next read goes on after them
                continue
            records.append(record.partition(";")[2].partition("\n")[0])
        return klog.warnings("\n".join(f"[    0.000000] {record}" for record in records))

    def close(self) -> None:
        """Stop listening."""
        os.close(self._fd)


def taints() -> list[str]:
    """What this kernel is tainted by that no module from outside the tree explains."""
    return klog.taints(int(Path("/proc/sys/kernel/tainted").read_text()))


@pytest.fixture(scope="session")
def kernel_log() -> Iterator[KernelLog | None]:
    """The log of the VM's kernel; nothing where tests do not run in a VM."""
    if not IN_VM:
        yield None
        return
    log = KernelLog()
    yield log
    log.close()


@pytest.fixture(autouse=True)
def _the_kernel_has_no_complaint(kernel_log: KernelLog | None) -> Iterator[None]:
    """Fail a test when the kernel complains during it."""
    yield
    if kernel_log is None:
        return
    if complaints := kernel_log.complaints():
        pytest.fail("the kernel complained:\n" + "\n".join(complaints), pytrace=False)
    if tainted := taints():
        pytest.fail("the kernel is tainted: " + ", ".join(tainted), pytrace=False)
