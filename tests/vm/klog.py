# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Judges a kernel log: says what in it means that a run has failed."""

from __future__ import annotations

import re
from pathlib import Path

# The guest writes this before it loads anything, so that what the kernel has to say about the
# emulated hardware at boot is not held against the module.
BEGIN_MARK = "ksqlfs-vm: begin"

_STAMPED = re.compile(r"\[\s*\d+\.\d{6}\](?:\[\s*[CT]\d+\])? (?P<text>.*)")

_WARNINGS = re.compile(
    "|".join(
        (
            r"WARNING:",
            r"\bBUG\b",
            r"\bOops\b",
            r"general protection",
            r"double fault",
            r"stack guard page",
            r"unable to handle",
            r"Call Trace:",
            r"Kernel panic",
            r"soft lockup",
            r"hard LOCKUP",
            r"detected stall",
            r"self-detected stall",
            r"INFO: task .* blocked for more than",
            r"Out of memory:",
            r"page allocation failure",
            r"usercopy: Kernel memory",
            r"refcount_t:",
            r"list_(?:add|del) corruption",
            r"Objects remaining in",
            r"Busy inodes after unmount",
            r"\b(?:KASAN|UBSAN|KCSAN|KFENCE|kmemleak):",
            r"DEBUG_LOCKS_WARN_ON",
            r"ksqlfs: .*still live",
        )
    )
)

# /proc/sys/kernel/tainted, by bit.  A module built outside the kernel's tree and not signed by
# Debian sets the first two; nothing else may be set.
_HARMLESS_TAINTS = {12: "out-of-tree module", 13: "unsigned module"}
_TAINTS = {
    0: "proprietary module",
    1: "module forced in",
    3: "module forced out",
    4: "machine check",
    5: "bad page",
    6: "tainted by user space",
    7: "kernel died (oops or BUG)",
    9: "kernel warning",
    14: "soft lockup",
}


def kernel_messages(log: str) -> list[str]:
    """Return the kernel's own messages of a console log, from the guest's mark on."""
    messages = [match["text"] for match in map(_STAMPED.search, log.splitlines()) if match]
    for index, message in enumerate(messages):
        if BEGIN_MARK in message:
            return messages[index + 1 :]
    return messages


def warnings(log: str) -> list[str]:
    """Return the messages that mean failure."""
    return [message for message in kernel_messages(log) if _WARNINGS.search(message)]


def taints(value: int) -> list[str]:
    """Name the bits of a kernel's taint value that mean failure."""
    return [
        _TAINTS.get(bit, f"taint bit {bit}")
        for bit in range(value.bit_length())
        if value >> bit & 1 and bit not in _HARMLESS_TAINTS
    ]


def tail(path: Path, lines: int = 40) -> str:
    """Return the end of a log file."""
    if not path.exists():
        return "(there is no kernel log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
