# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl status` and `ksqlctl doctor`, on a real machine and on invented ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ksqlfs.cli import doctor
from ksqlfs.cli.session import Session
from pyfakefs.fake_filesystem import FakeFilesystem

from tests.cli.conftest import Ctl
from tests.interface.hosts import Mounter
from tests.interface.tree import Tree


def test_status_tells_which_tree_it_is(ctl: Ctl, tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    facts = json.loads(ctl.out("status", "--json"))
    assert facts["root"] == str(tree.root)
    assert f"host {facts['host']}" in tree.text("info/features").splitlines()
    assert facts["version"] == tree.text("info/version").strip()
    assert facts["sqlite"] == tree.value("SELECT sqlite_version()")
    assert facts["tables"] == 1
    assert facts["answers"] is True
    limits = dict(line.split() for line in tree.text("info/limits").splitlines())
    assert facts["limits"] == {key: int(value) for key, value in limits.items()}
    assert facts["memory"]["held"] > 0


def test_status_for_people_has_units(ctl: Ctl) -> None:
    text = ctl.out("status")
    assert "answers   yes\n" in text
    assert "busy 5000 ms" in text
    assert "max_sql 16 MiB" in text


def test_status_of_a_read_only_tree_says_that_it_does_not_answer(ctl: Ctl, mount: Mounter) -> None:
    readable = mount(ro="")
    done = ctl("--root", readable.root, "status", "--json", code=1)
    assert "read-only" in json.loads(done.stdout)["answers"]


def test_doctor_finds_this_machine_well(ctl: Ctl, tree: Tree) -> None:
    """But for dead mounts of somebody else's, of which it tells too."""
    with ctl.started("doctor", "--json") as process:
        told = json.loads(process.communicate()[0])
    missing = [check for check in told["checks"] if check["state"] == "missing"]
    assert all(check["name"] == "mount" for check in missing)
    assert told["well"] is not bool(missing)
    assert process.returncode == bool(missing)
    checks = {(check["topic"], check["name"]): check for check in told["checks"]}
    assert checks["Tree", "found"]["found"] == str(tree.root)
    assert checks["Tree", "answers"] == {
        "topic": "Tree",
        "name": "answers",
        "state": "ok",
        "found": "SELECT 6 * 7 gives 42",
        "remedy": "",
    }
    with ctl.started("doctor") as process:
        text = process.communicate()[0].decode()
    assert "  ok          answers: SELECT 6 * 7 gives 42\n" in text
    for check in (check for check in told["checks"] if check["name"] != "mount"):
        assert check["state"] == "ok" or check["remedy"]
        assert check["remedy"] in text


def test_doctor_without_a_tree_says_what_is_missing(bare_ctl: Ctl) -> None:
    place = bare_ctl.folder / "gone"
    done = bare_ctl("--root", place, "doctor", "--json", code=1)
    told = json.loads(done.stdout)
    assert told["well"] is False
    [tree] = [check for check in told["checks"] if check["name"] == "answers"]
    assert tree["state"] == "missing"
    assert tree["found"] == f"{place} does not exist"
    assert f"ksqlctl mount {place}" in tree["remedy"]


def test_where_a_tree_answers_nothing_else_is_needed(
    ctl: Ctl, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "import_module", failing_import("no module"))
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    checks = [check for check in doctor.examine(Session(tree.root, False)) if check.name != "mount"]
    assert {"ok", "not needed"} == {check.state for check in checks}


# Machines that are not this one

RELEASE = "6.1.0-test"


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeFilesystem:
    """A machine of an ordinary user on x86-64 with nothing of ours, no mounts, no programs."""
    if "KSQL_VM" in os.environ:
        pytest.skip("invented machines are slow in the VM, and know no host: tested outside of it")
    fs: FakeFilesystem = request.getfixturevalue("fs")  # building it is what is slow
    fs.create_file("/proc/self/mountinfo", contents="")
    fs.create_file("/dev/fuse", st_mode=0o100600)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.release", lambda: RELEASE)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda *_words, **_more: None)
    monkeypatch.setattr(doctor, "import_module", failing_import("no libfuse3.so.3: cannot open"))
    monkeypatch.setenv("KSQL_ROOT", "/mnt/none")
    monkeypatch.setattr(os, "access", lambda path, mode: os.stat(path).st_mode & 0o006 == 0o006)
    return fs


def failing_import(sentence: str) -> Any:
    def fail(_name: str) -> None:
        raise ImportError(sentence)

    return fail


def states() -> dict[str, doctor.Check]:
    """What the doctor finds, by name."""
    return {check.name: check for check in doctor.examine(Session(None, False))}


def test_a_machine_with_nothing_lacks_both_ways(machine: FakeFilesystem) -> None:
    found = states()
    assert {name for name, check in found.items() if check.state == "missing"} == {
        "answers",
        "headers",
        "module",
        "/dev/fuse",
        "fusermount3",
        "libfuse3",
    }
    assert found["headers"].remedy == f"install linux-headers-{RELEASE}"
    assert found["/dev/fuse"].found == "mode 0600, closed to this user"
    assert found["/dev/fuse"].remedy == "as root: chmod 666 /dev/fuse"
    assert found["libfuse3"].remedy == "install the package libfuse3-3"
    assert found["user_allow_other"].state == "not needed"


def test_a_loaded_module_needs_nothing_else(machine: FakeFilesystem) -> None:
    machine.create_dir("/sys/module/ksqlfs")
    found = states()
    assert found["module"].found == "loaded"
    assert {name for name, check in found.items() if check.state == "missing"} == {"answers"}


def test_fuse_needs_no_module(machine: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.chmod("/dev/fuse", 0o666)
    machine.create_file("/etc/fuse.conf", contents="# a comment\nuser_allow_other\n")
    monkeypatch.setattr(
        "shutil.which",
        lambda *words, **_: f"/bin/{words[0]}" if words[0] == "fusermount3" else None,
    )
    monkeypatch.setattr(doctor, "import_module", lambda _name: None)
    found = states()
    assert found["module"].state == "not needed"
    assert found["fusermount3"].found == "/bin/fusermount3"
    assert found["user_allow_other"].state == "ok"
    assert {name for name, check in found.items() if check.state == "missing"} == {"answers"}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (doctor.EFI_SECURE_BOOT, b"\x06\0\0\0\x01"),
        ("/sys/kernel/security/lockdown", b"none [integrity] confidentiality\n"),
        ("/sys/module/module/parameters/sig_enforce", b"Y\n"),
    ],
)
def test_a_kernel_that_wants_signatures_is_told(
    machine: FakeFilesystem, path: str, content: bytes
) -> None:
    assert states()["signature"].state == "ok"
    machine.create_file(path, contents=content)
    found = states()["signature"]
    assert found.state == "missing"
    assert "mokutil" in found.remedy


def test_another_processor_has_no_module(
    machine: FakeFilesystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert states()["processor"].state == "missing"
    assert states()["processor"].found == "aarch64"


def test_dead_mounts_are_found(machine: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "1 1 0:1 / /mnt/dead rw - fuse.ksqlfs name rw,user_id=0\n"
    machine.remove("/proc/self/mountinfo")
    machine.create_file("/proc/self/mountinfo", contents=line)
    found = states()["mount"]
    assert found.state == "missing"
    assert found.found.startswith("/mnt/dead is dead")
    assert found.remedy == "ksqlctl umount --lazy /mnt/dead"


def test_extras_are_never_needed(machine: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda _name: None)
    found = states()
    assert found["prompt_toolkit"].state == "not needed"
    assert found["prompt_toolkit"].remedy == "pip install 'ksqlfs[shell]'"
    assert Path("/dev/fuse").exists()
