# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`python -m ksqlfs.cli` is `ksqlctl`."""

from ksqlfs.cli import main

main()
