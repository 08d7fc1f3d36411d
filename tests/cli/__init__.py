# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Tests of the command `ksqlctl`, run as people and programs run it."""
