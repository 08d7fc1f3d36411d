# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The FUSE host: the tree without a kernel module.

The server itself is compiled: the module `_ksqlfs_fuse` of the distribution `ksqlfs-fuse`.  Here is
what goes before and after it: options, daemons, dead mounts.
"""

from __future__ import annotations

from ksqlfs.fuse.mounting import MountError, mount, remount, unmount
from ksqlfs.fuse.options import OptionError, Options

__all__ = ["MountError", "OptionError", "Options", "mount", "remount", "unmount"]
