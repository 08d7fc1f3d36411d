# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What takes long inside one step of SQLite keeps neither the processor nor who is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.interface.tree import Tree, child, wait_until

# Each would take SQLite as it is hours, or so many megabytes that nothing else would run meanwhile.
LONG = {
    "a quadratic search": "length(trim(printf('%.*c', 30000000, 'a'), "
    "replace(printf('%.*c', 3000000, '.'), '.', 'ä') || 'a'))",
    "sorting doubles": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT "
    "9000000) SELECT median(abs(4500000 - i)) FROM n)",
    "many parts of a format": "length(printf(replace(printf('%.*c', 30000000, '.'), '.', '%d')))",
}


def spent(pid: int) -> int:
    """Ticks of a process inside the kernel."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[12])


@pytest.mark.parametrize("what", LONG)
def test_a_process_killed_in_a_long_function_ends(tree: Tree, what: str) -> None:
    def ask() -> None:
        tree.run(f"SELECT {LONG[what]};")

    # The child is waited for at the end: one that cannot be killed is the test's time limit.
    with child(ask) as pid:
        wait_until(lambda: spent(pid) >= os.sysconf("SC_CLK_TCK"), "a second in the kernel")
        os.kill(pid, signal.SIGKILL)
    tree.works()


def test_long_work_is_in_many_sections(tree: Tree) -> None:
    tree.works()
    before = {k: int(n) for k, n in map(str.split, tree.text("info/latency").splitlines())}
    assert before["longest"] > 0
    with child(lambda: tree.run(f"SELECT {LONG['a quadratic search']};")) as pid:
        wait_until(lambda: spent(pid) >= os.sysconf("SC_CLK_TCK"), "a second in the kernel")
        after = {k: int(n) for k, n in map(str.split, tree.text("info/latency").splitlines())}
    # A second of work without anybody who waits is in sections, too.
    keys = [key for key in before if key != "longest"]
    assert sum(after[key] - before[key] for key in keys) >= 20
