# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What only the kernel host has: the module, its mounts, the kernel log."""
