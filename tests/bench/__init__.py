# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What `make bench` runs: figures, each beside its reference."""
