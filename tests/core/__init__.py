# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Tests of the engine in user space, by its C interface."""
