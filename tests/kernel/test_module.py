# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The module itself: what it says of itself, loading, unloading, and what stays behind."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.interface.hosts import MNT_DETACH, Mounter, kernel_mount, kernel_unmount
from tests.interface.tree import Tree, fails
from tests.kernel.conftest import Module

ROOT = Path("/sys/kernel/ksql")
CYCLES = 100


def modinfo(module: Module, field: str) -> list[str]:
    done = subprocess.run(
        ["modinfo", "-F", field, module.file], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


# What it says


def test_modinfo_is_complete(module: Module) -> None:
    assert modinfo(module, "license") == ["Dual MIT/GPL"]
    assert modinfo(module, "alias") == ["fs-ksqlfs"]
    for field in ("description", "author", "version"):
        (text,) = modinfo(module, field)
        assert text.strip()


def test_every_parameter_is_described(module: Module) -> None:
    described = {line.partition(":")[0]: line.partition(":")[2] for line in modinfo(module, "parm")}
    assert set(described) == set(os.listdir("/sys/module/ksqlfs/parameters"))
    for name, text in described.items():
        assert len(text) > len(" (ulong)"), name


def test_versions_agree(shared_tree: Tree, module: Module) -> None:
    version = shared_tree.text("info/version").split()[0]
    assert modinfo(module, "version") == [version]
    assert Path("/sys/module/ksqlfs/version").read_text().strip() == version


def test_the_filesystem_is_registered() -> None:
    assert "nodev\tksqlfs" in Path("/proc/filesystems").read_text().splitlines()


def test_info_names_the_host(shared_tree: Tree) -> None:
    assert "kernel" in shared_tree.text("info/features")


# Loading and unloading


def test_it_is_gone_when_unloaded(unloaded: Module) -> None:
    assert not ROOT.exists()
    assert "ksqlfs" not in Path("/proc/filesystems").read_text()
    assert not unloaded.is_loaded()


def test_it_cannot_be_unloaded_while_it_is_mounted(shared_tree: Tree, module: Module) -> None:
    with fails("EAGAIN", "EBUSY"):
        module.unload()
    shared_tree.works()


def test_it_stays_while_a_file_is_open(unloaded: Module) -> None:
    unloaded.load()
    kernel_mount("ksqlfs", ROOT, {})
    tree = Tree(ROOT)
    with tree.connect() as connection, (tree / "info/version").open() as version:
        connection.ask("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
        kernel_unmount(ROOT, MNT_DETACH)
        with fails("EAGAIN", "EBUSY"):
            unloaded.unload()
        assert connection.ask("SELECT a FROM t") == "a\n1\n"
        assert version.read()
    assert unloaded.holders() == 0
    unloaded.unload()


def test_unmounting_while_a_file_is_open_is_ebusy(mount: Mounter) -> None:
    tree = mount()
    with tree.connect() as connection:
        with fails("EBUSY"):
            kernel_unmount(tree.root)
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


def free_memory() -> int:
    """Kilobytes, once everything that can be dropped has been."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
    fields = dict(re.findall(r"(\w+):\s+(\d+)", Path("/proc/meminfo").read_text()))
    return int(fields["MemFree"])


def nameless_vmallocs() -> int:
    """Areas of vmalloc whose caller's module is gone."""
    lines = Path("/proc/vmallocinfo").read_text().splitlines()
    return sum(1 for line in lines if re.search(r"^\S+\s+\d+ 0x[0-9a-f]+", line))


def use(tree: Tree) -> None:
    """A bit of everything that takes memory."""
    tree.run("CREATE TABLE t(a, b); CREATE INDEX i ON t(b); CREATE VIRTUAL TABLE f USING fts5(x)")
    tree.run("INSERT INTO t VALUES(1, randomblob(3000000)); INSERT INTO f VALUES('some words')")
    with pytest.raises(OSError, match="Invalid argument"):
        tree.run("SELEC;")
    tree.run("SELECT a, length(b) FROM t")
    with tree.connect("query.json") as connection:
        connection.write("SELECT hex(b) FROM t;")
        connection.read(10)
    tree.read("tables/t/schema")


@pytest.mark.timeout(600)
def test_a_hundred_loads_and_unloads_leave_nothing(unloaded: Module) -> None:
    def cycle(number: int) -> None:
        unloaded.load()
        kernel_mount("ksqlfs", ROOT, {})
        if number % 3 == 0:
            use(Tree(ROOT))
        else:
            Tree(ROOT).works()
        kernel_unmount(ROOT)
        assert unloaded.holders() == 0
        unloaded.unload()

    cycle(0)
    before, areas = free_memory(), nameless_vmallocs()
    for number in range(CYCLES):
        cycle(number)
    assert nameless_vmallocs() == areas
    # Kilobytes: what comes and goes by itself is a third of this, the databases are thrice it.
    assert before - free_memory() < 40_000
    assert "ksql" not in Path("/proc/slabinfo").read_text()


def test_its_memory_is_bounded_by_its_parameter(unloaded: Module) -> None:
    unloaded.load(mem_limit=16 << 20)
    kernel_mount("ksqlfs", ROOT, {})
    tree = Tree(ROOT)
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection, fails("ENOSPC", "ENOMEM"):
        for _ in range(100):
            connection.ask("INSERT INTO t VALUES(randomblob(1000000))")
    assert 1 <= int(tree.text("tables/t/count")) <= 16
    assert tree.value("PRAGMA integrity_check") == "ok"
    kernel_unmount(ROOT)
    unloaded.unload()
