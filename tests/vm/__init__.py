# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Runs a command in a virtual machine whose kernel has ksqlfs loaded.

``python -m tests.vm --help`` says how.  The machine boots an unmodified Debian kernel over the
host's own files: it sees the same folders, the same Python environment and this project at the
same path.  What it writes is gone when it ends, except below ``build/vm/out``.

The host starts the machine (``vm``), has the kernel image brought (``kernel``) and judges the
kernel's log (``klog``); ``guest.sh`` is all that runs inside besides the command.
"""
