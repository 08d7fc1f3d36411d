# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""rom=NAME of the module: by the firmware loader, and from a section of its own."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interface.hosts import MS_REMOUNT, Mounter, kernel_mount
from tests.interface.tree import Tree, fails
from tests.kernel.conftest import Module

PROJECT = Path(__file__).resolve().parents[2]
# Where the kernel looks first.  It looks in the first process's mount namespace, which is not that
# of the tests: /run is in both.
SEARCHED = Path("/sys/module/firmware_class/parameters/path")
FIRMWARE = Path("/run/ksqlfs-test-firmware")


def database(*statements: str) -> bytes:
    """A file of Python's SQLite."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.executescript(statement)
        return connection.serialize()


PARTS = database(
    "CREATE TABLE part(code INTEGER PRIMARY KEY, name)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
    " INSERT INTO part SELECT i, 'part ' || i FROM n",
)
DAMAGED = PARTS[:-4096] + bytes(4096)


class Firmware:
    """Files that the kernel finds as firmware."""

    def write(self, name: str, data: bytes, digest: str | None = None) -> None:
        """An image, and the checksum beside it."""
        digest = digest or hashlib.sha256(data).hexdigest()
        (FIRMWARE / "ksqlfs" / name).write_bytes(data)
        (FIRMWARE / "ksqlfs" / f"{name}.sha256").write_text(f"{digest}  {name}\n")


@pytest.fixture
def firmware() -> Iterator[Firmware]:
    """A folder for them."""
    before = SEARCHED.read_text().strip()
    (FIRMWARE / "ksqlfs").mkdir(parents=True)
    SEARCHED.write_text(str(FIRMWARE))
    yield Firmware()
    SEARCHED.write_text(before or "\n")
    shutil.rmtree(FIRMWARE)


def facts(tree: Tree) -> dict[str, str]:
    """info/rom."""
    return dict(line.split(" ", 1) for line in tree.text("info/rom").splitlines())


def shown(tree: Tree) -> str:
    """Its line of /proc/mounts."""
    (line,) = (
        line for line in Path("/proc/mounts").read_text().splitlines() if f" {tree.root} " in line
    )
    return line


def test_an_image_by_the_firmware_loader(firmware: Firmware, mount: Mounter) -> None:
    firmware.write("parts.db", PARTS)
    tree = mount("with-rom", rom="parts.db", size="1m")
    assert tree.value("SELECT name FROM rom.part WHERE code = 77") == "part 77"
    assert tree.value("SELECT count(*), sum(code) FROM part") == "5000"
    assert facts(tree) == {
        "name": "parts.db",
        "source": "firmware",
        "size": str(len(PARTS)),
        "sha256": hashlib.sha256(PARTS).hexdigest(),
    }
    assert ",rom=parts.db," in shown(tree)
    # In place: whatever happens to the file.
    shutil.rmtree(FIRMWARE / "ksqlfs")
    (FIRMWARE / "ksqlfs").mkdir()
    assert tree.value("SELECT max(name) FROM rom.part") == "part 999"
    for sql, code in (
        ("INSERT INTO rom.part VALUES(0, 'new')", "EROFS"),
        ("DROP TABLE rom.part", "EROFS"),
        ("DETACH rom", "EPERM"),
    ):
        with fails(code):
            tree.run(sql)
    tree.run("CREATE TABLE mine AS SELECT * FROM rom.part WHERE code < 10")
    assert tree.tables() == ["mine"]


def test_mounts_of_one_source_have_the_same(firmware: Firmware, mount: Mounter) -> None:
    firmware.write("parts.db", PARTS)
    firmware.write("other.db", PARTS)
    tree = mount("with-rom", rom="parts.db")
    assert mount("with-rom", rom="parts.db").value("SELECT count(*) FROM rom.part") == "5000"
    assert mount("with-rom").value("SELECT count(*) FROM rom.part") == "5000"
    with fails("EBUSY"):
        mount("with-rom", rom="other.db")
    mount("without-rom")
    with fails("EBUSY"):
        mount("without-rom", rom="parts.db")
    kernel_mount("with-rom", tree.root, {"rom": "parts.db", "busy": "7"}, MS_REMOUNT)
    with fails("EINVAL"):
        kernel_mount("with-rom", tree.root, {"rom": "other.db"}, MS_REMOUNT)
    assert tree.value("SELECT count(*) FROM rom.part") == "5000"


def said(since: int) -> str:
    """What the kernel logged since its log was so long."""
    return subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout[since:]


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("missing.db", errno.ENOENT, "ksqlfs/missing.db"),
        ("alone.db", errno.ENOENT, "ksqlfs/alone.db.sha256"),
        ("wrong.db", errno.EUCLEAN, "its SHA-256 is"),
        ("damaged.db", errno.EUCLEAN, "damaged"),
        ("text.db", errno.EUCLEAN, "not a database"),
        ("empty.db", errno.ENOENT, "empty.db"),
        ("../ksqlfs/good.db", errno.EINVAL, "no name"),
        (".good.db", errno.EINVAL, "no name"),
        ("x" * 64, errno.EINVAL, "no name"),
    ],
)
def test_one_that_cannot_be_had(
    firmware: Firmware, mount: Mounter, name: str, code: int, why: str
) -> None:
    firmware.write("good.db", PARTS)
    firmware.write("alone.db", PARTS)
    (FIRMWARE / "ksqlfs/alone.db.sha256").unlink()
    firmware.write("wrong.db", PARTS, digest="0" * 64)
    firmware.write("damaged.db", DAMAGED)
    firmware.write("text.db", b"hello, world\n" * 100)
    firmware.write("empty.db", b"")
    since = len(said(0))
    with pytest.raises(OSError) as caught:
        mount(rom=name)
    assert caught.value.errno == code
    assert why in said(since)
    assert mount(rom="good.db").value("SELECT count(*) FROM rom.part") == "5000"


def test_one_inside_the_module(mount: Mounter, unloaded: Module, tmp_path: Path) -> None:
    (tmp_path / "parts.db").write_bytes(PARTS)
    program = PROJECT / "kfs_module/rom.py"
    section, file = tmp_path / "section", tmp_path / "ksqlfs.ko"
    subprocess.run([sys.executable, program, tmp_path / "parts.db", section], check=True)
    update = f"ksqlfs_rom={section}"
    subprocess.run(["objcopy", "--update-section", update, unloaded.file, file], check=True)
    module = Module(file)
    module.load()
    tree = mount(rom="parts.db")
    assert tree.value("SELECT name FROM rom.part WHERE code = 4711") == "part 4711"
    assert tree.value("PRAGMA rom.integrity_check") == "ok"
    assert facts(tree)["source"] == "builtin"
    assert facts(tree)["sha256"] == hashlib.sha256(PARTS).hexdigest()
    with fails("EROFS"):
        tree.run("DELETE FROM rom.part")
    with fails("ENOENT"):
        mount(rom="other.db")
    mount.unmount(tree)
    module.unload()
    # One that was changed after.
    data = bytearray(section.read_bytes())
    data[-1] ^= 1
    section.write_bytes(data)
    subprocess.run(["objcopy", "--update-section", update, unloaded.file, file], check=True)
    module.load()
    with fails("EUCLEAN"):
        mount(rom="parts.db")
    module.unload()
    assert not os.path.exists("/sys/module/ksqlfs")
