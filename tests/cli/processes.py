# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Processes that run `ksqlctl`.

In the VM, where the processor is emulated, Python needs seconds to start. There `ksqlctl` is run by
a fork of this process instead of a new interpreter: its pipes, signals and exit codes are as real.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ksqlfs.cli

COMMAND = [sys.executable, "-m", "ksqlfs.cli"]
# What only a new interpreter looks at.
_OF_THE_START = {"PYTHONIOENCODING", "PYTHONPATH"}


def forked(
    arguments: Sequence[str | Path], environment: Mapping[str, str]
) -> Callable[[], None] | None:
    """What to call in a forked child in place of exec(); None where it is to exec."""
    if "KSQL_VM" not in os.environ or _OF_THE_START & set(environment):
        return None
    for module in pkgutil.iter_modules(ksqlfs.cli.__path__, "ksqlfs.cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return lambda: _run(arguments, environment)


def _run(arguments: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    code: object = 1
    try:
        # Also what would tell the parent that exec() has failed: it goes on.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(environment)
        sys.argv = ["ksqlctl", *map(str, arguments)]
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
        ksqlfs.cli.main()
    except SystemExit as ended:
        code = ended.code
        sys.stdout.flush()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code if isinstance(code, int) else 0)
