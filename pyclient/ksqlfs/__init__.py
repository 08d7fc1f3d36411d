# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A client of ksqlfs: SQLite in the Linux kernel, reached as files."""

__version__ = "0.1.0"

__all__ = ["__version__"]
