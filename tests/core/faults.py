# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A library whose allocations can be made to fail, each of them one of the host's."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.core.engine import ROOT, library_path, load

INCLUDE = ("sqlite_core", "sqlite_core/port", "sqlite_core/sqlite", "build/sqlite")
FLAGS = ("-std=gnu11", "-O1", "-g", "-fPIC", "-fvisibility=hidden", "-pthread")


def faulty_library() -> Path:
    """The library under test if it has the hooks, else its objects with two compiled anew."""
    library = library_path()
    if hasattr(ctypes.CDLL(str(library)), "ksql_fault_in"):
        return library
    made = ROOT / "build/core-faults"
    made.mkdir(parents=True, exist_ok=True)
    objects = library.parent / "obj"
    environment = {**os.environ, "LD_PRELOAD": ""}
    for name in ("mem", "port/port_posix"):
        command = ["cc", *FLAGS, "-DKSQL_POOL=0", "-DKSQL_FAULTS", "-c", f"sqlite_core/{name}.c"]
        command += [f"-I{folder}" for folder in INCLUDE]
        command += ["-o", str(made / f"{Path(name).name}.o")]
        subprocess.run(command, cwd=ROOT, check=True, env=environment)
    theirs = sorted(p for p in objects.rglob("*.o") if p.stem not in ("mem", "port_posix"))
    target = made / "libksqlcore.so"
    subprocess.run(
        ["cc", "-shared", "-pthread", "-o", target, *theirs, made / "mem.o", made / "port_posix.o"],
        check=True,
        env=environment,
    )
    return target


class Faults:
    """Makes allocations fail."""

    def __init__(self) -> None:
        self.lib = load(faulty_library())
        self.lib.ksql_fault_in.argtypes = (ctypes.c_long, ctypes.c_bool)
        self.lib.ksql_fault_left.restype = ctypes.c_long

    @contextmanager
    def after(self, count: int, every: bool = False) -> Iterator[None]:
        """Let `count` allocations pass and the next fail, or every one from there on."""
        self.lib.ksql_fault_in(count, every)
        try:
            yield
        finally:
            self.reached = self.lib.ksql_fault_left() < 0
            self.lib.ksql_fault_in(-1, False)
