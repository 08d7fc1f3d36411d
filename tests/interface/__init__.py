# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The contract (docs/interface.md), rule by rule, on whatever host is mounted at $KSQL_ROOT."""
