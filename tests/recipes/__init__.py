# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The shell functions of docs/recipes, in each shell, on the tree at $KSQL_ROOT."""
