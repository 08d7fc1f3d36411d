# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the module needs of the kernel: nothing that has not been looked at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel.conftest import Module

REVIEWED = Path(__file__).resolve().parents[2] / "kfs_module/imports.txt"


def reviewed() -> dict[str, bool]:
    """The list: a name, and whether the kernel has it for GPL modules alone."""
    found: dict[str, bool] = {}
    for line in REVIEWED.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, note = line.partition("\t")
            assert name not in found, f"{name} stands there twice"
            assert note in ("", "GPL"), line
            found[name] = note == "GPL"
    return found


def symbols(module: Module, *options: str) -> set[str]:
    """What nm(1) tells."""
    done = subprocess.run(
        ["nm", "--format=just-symbols", *options, os.environ["KSQL_MODULE"]],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def exported() -> dict[str, bool]:
    """What this kernel exports, and whether to GPL modules alone."""
    release = os.uname().release
    # The VM has its own /lib/modules, without the link to the headers.
    places = (f"/lib/modules/{release}/build", f"/usr/src/linux-headers-{release}")
    tables = [table for place in places if (table := Path(place, "Module.symvers")).exists()]
    if not tables:
        pytest.skip(f"the headers of {release} are not installed")
    table = tables[0]
    fields = (line.split("\t") for line in table.read_text().splitlines())
    return {name: kind.endswith("_GPL") for _, name, _, kind, *_ in fields}


def test_every_import_is_on_the_list(module: Module) -> None:
    needed = symbols(module, "--undefined-only")
    assert len(needed) > 50
    unknown = sorted(needed - set(reviewed()))
    assert not unknown, f"not in {REVIEWED.name}: {' '.join(unknown)}"


def test_the_list_knows_which_are_for_gpl_modules(module: Module) -> None:
    kernel, listed = exported(), reviewed()
    needed = symbols(module, "--undefined-only") & set(kernel)
    assert {name: listed[name] for name in needed} == {name: kernel[name] for name in needed}


def test_nothing_is_listed_that_is_not_needed(module: Module) -> None:
    """But for what only another kernel exports."""
    spare = set(reviewed()) & set(exported()) - symbols(module, "--undefined-only")
    assert not spare


def test_it_exports_nothing(module: Module) -> None:
    assert not [name for name in symbols(module) if name.startswith(("__ksymtab", "__kstrtab"))]
