# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The programs that people would point at a mounted tree, run for real."""
