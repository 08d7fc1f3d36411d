# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Build `_ksqlfs_fuse`; pyproject.toml holds all else."""

from setuptools import setup

setup(cffi_modules=["binding.py:binding"])
