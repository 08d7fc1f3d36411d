# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The compiled module `_ksqlfs_fuse`: serve.h for Python, with the engine and libfuse3 inside.

Run by `pip install ./pyclient/fuse` in a clone of the repository. The engine is built by the
project's Makefile, with the one set of flags that it has.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
SOURCES = ("host.c", "request.c", "ops.c", "file.c", "nodes.c", "client.c")


def pkg_config(option: str) -> list[str]:
    """What pkg-config says of libfuse3; a sentence where it is not installed."""
    try:
        done = subprocess.run(
            ["pkg-config", option, "fuse3"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            "ksqlfs-fuse: pkg-config does not know fuse3: install libfuse3-dev and pkg-config"
        ) from error
    return shlex.split(done.stdout)


def declarations() -> str:
    """serve.h as cffi wants it: without the preprocessor's lines."""
    return re.sub(r"^#.*$", "", (HERE / "serve.h").read_text(), flags=re.MULTILINE)


subprocess.run(["make", "-C", str(PROJECT), "core"], check=True)

LIBRARY = PROJECT / "build/core/libksqlcore.a"
binding = FFI()
binding.cdef(declarations())
binding.set_source(
    "_ksqlfs_fuse",
    '#include "serve.h"',
    sources=[str((HERE / name).relative_to(Path.cwd())) for name in SOURCES],
    include_dirs=[str(HERE), str(PROJECT / "sqlite_core")],
    extra_compile_args=[
        "-std=gnu11",
        "-D_GNU_SOURCE",
        "-O2",
        "-g",
        "-Wall",
        "-Wextra",
        *pkg_config("--cflags"),
    ],
    extra_objects=[str(LIBRARY)],
    depends=[str(LIBRARY)],  # else what is linked already would do
    extra_link_args=["-Wl,-z,now", *pkg_config("--libs")],
)
