# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Tests of what is the FUSE host's own; the tree it shows is tests/interface's matter."""
