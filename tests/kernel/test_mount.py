# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mounting: options, /proc/mounts, remount, sources and how long a database lives."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter, filesystem_of
from tests.interface.tree import ENDLESS, Tree, fails, in_child

LIMITS = {"size", "timeout", "busy", "max_result", "max_sql", "exact", "sessions", "rom"}
OPTIONS = {"uid", "gid", "mode", "metrics_mode", *LIMITS}


def mount_program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """mount(8)."""
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


def shown(tree: Tree) -> dict[str, str]:
    """The options that /proc/mounts shows."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, _, options, *_ = line.split(" ")
        if point == str(tree.root):
            pairs = (word.partition("=") for word in options.split(","))
            return {key: value for key, _, value in pairs}
    pytest.fail(f"{tree.root} is not in /proc/mounts")


# Options


def test_the_mount_program_mounts_and_unmounts(tmp_path: Path) -> None:
    done = mount_program("-t", "ksqlfs", "-o", "timeout=1000,mode=0700", "some name", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    try:
        Tree(tmp_path).works()
        assert tmp_path.stat().st_mode & 0o777 == 0o700
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert filesystem_of(tmp_path) is None


@pytest.mark.parametrize(
    "options",
    [
        {"nosuch": "1"},
        {"nosuch": ""},
        {"sizes": "1m"},
        {"uid": "x"},
        {"uid": ""},
        {"gid": "-1"},
        {"mode": "9"},
        {"mode": "77777"},
        {"metrics_mode": "0644"},
        {"timeout": "x"},
        {"timeout": "-1"},
        {"timeout": ""},
        {"busy": "1s"},
        {"size": "x"},
        {"size": ""},
        {"size": "-1"},
        {"size": "10q"},
        {"max_result": "many"},
        {"max_sql": "1.5"},
        {"max_sql": "99999999999999999999"},
    ],
    ids=str,
)
def test_a_wrong_option_fails_the_mount(mount: Mounter, options: dict[str, str]) -> None:
    with fails("EINVAL", "ERANGE"):
        mount(**options)


def test_the_default_options_are_not_shown(mount: Mounter) -> None:
    assert not OPTIONS & set(shown(mount()))


def test_options_that_differ_are_shown(mount: Mounter) -> None:
    given = {
        "uid": "12",
        "gid": "34",
        "timeout": "1234",
        "busy": "56",
        "size": "8388608",
        "max_result": "70000",
        "max_sql": "8000",
        "sessions": "7",
    }
    options = shown(mount(**given))
    assert {key: options[key] for key in OPTIONS & set(options)} == given


def test_the_mode_that_is_shown_is_octal(mount: Mounter) -> None:
    options = shown(mount(mode="0711", metrics_mode="0444"))
    assert int(options["mode"], 8) == 0o711
    assert int(options["metrics_mode"], 8) == 0o444


@pytest.mark.parametrize(
    ("text", "size"), [("1048576", 1 << 20), ("1024k", 1 << 20), ("4m", 4 << 20), ("4M", 4 << 20)]
)
def test_sizes_have_suffixes_as_those_of_tmpfs(mount: Mounter, text: str, size: int) -> None:
    assert shown(mount(size=text))["size"] == str(size)


def test_what_is_shown_mounts_the_same_again(mount: Mounter) -> None:
    first = mount(timeout=1234, size="3m", mode="0755", metrics_mode="0440", busy=7)
    ours = {key: value for key, value in shown(first).items() if key in OPTIONS}
    assert shown(mount(**ours)) == shown(first)


def test_remount_changes_limits(mount: Mounter) -> None:
    tree = mount()
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    done = mount_program("-o", "remount,timeout=300,max_result=9000,sessions=1", tree.root)
    assert (done.returncode, done.stderr) == (0, "")
    (tree / "sessions/one").mkdir()
    with fails("EDQUOT"):
        (tree / "sessions/two").mkdir()
    assert shown(tree)["timeout"] == "300"
    with fails("ETIMEDOUT"):
        tree.run(ENDLESS + ";")
    with fails("EOVERFLOW"):
        tree.run("SELECT hex(zeroblob(9000));")
    assert tree.text("tables/t/data.csv") == "a\n1\n"


@pytest.mark.parametrize("wrong", ["nosuch=1", "mode=0700", "metrics_mode=0444"])
def test_a_wrong_remount_changes_nothing(mount: Mounter, wrong: str) -> None:
    tree = mount(timeout=1234)
    before = shown(tree)
    assert mount_program("-o", f"remount,timeout=99,{wrong}", tree.root).returncode != 0
    assert shown(tree) == before
    tree.works()


def test_remount_read_only_and_back(mount: Mounter) -> None:
    tree = mount()
    tree.run("CREATE TABLE t(a)")
    assert mount_program("-o", "remount,ro", tree.root).returncode == 0
    with fails("EROFS"):
        tree.run("INSERT INTO t VALUES(1);")
    assert tree.text("tables/t/data.csv") == "a\n"
    assert mount_program("-o", "remount,rw", tree.root).returncode == 0
    tree.run("INSERT INTO t VALUES(2)")
    assert tree.text("tables/t/data.csv") == "a\n2\n"


def test_statfs_tells_the_size_and_what_is_free(mount: Mounter) -> None:
    tree = mount(size=4 << 20)
    empty = os.statvfs(tree.root)
    assert empty.f_blocks * empty.f_frsize == 4 << 20
    assert empty.f_namemax == 255
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(1000000))")
    full = os.statvfs(tree.root)
    taken = (empty.f_bfree - full.f_bfree) * full.f_frsize
    assert 1_000_000 <= taken <= 1_100_000


def test_only_the_machines_root_may_mount(tmp_path: Path) -> None:
    script = f"mount -t ksqlfs x {tmp_path} && echo mounted"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "mounted" not in done.stdout
    assert "permission denied" in done.stderr


# Sources


def test_two_mounts_of_one_source_share_it(mount: Mounter) -> None:
    source = f"shared-{os.getpid()}"
    one, two = mount(source), mount(source)
    one.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    assert two.text("tables/t/data.csv") == "a\n1\n"
    two.run("INSERT INTO t VALUES(2)")
    assert one.text("tables/t/count") == "2\n"


def test_two_sources_are_two_databases(mount: Mounter) -> None:
    one, two = mount(f"one-{os.getpid()}"), mount(f"two-{os.getpid()}")
    one.run("CREATE TABLE t(a); SELECT 1 AS a")
    assert two.tables() == []
    assert two.result() == ""


def test_a_database_lives_while_one_mount_holds_it(mount: Mounter) -> None:
    source = f"held-{os.getpid()}"
    one, two = mount(source), mount(source)
    one.run("CREATE TABLE t(a)")
    mount.unmount(one)
    assert two.tables() == ["t"]
    three = mount(source)
    assert three.tables() == ["t"]


def test_a_database_goes_with_its_last_mount(mount: Mounter) -> None:
    source = f"gone-{os.getpid()}"
    tree = mount(source)
    tree.run("CREATE TABLE t(a)")
    mount.unmount(tree)
    assert mount(source).tables() == []


@pytest.mark.parametrize("source", ["two words", "größe", "a/b", "x" * 255, "%2F", "none"])
def test_a_source_may_have_any_name(mount: Mounter, source: str) -> None:
    tree = mount(source)
    tree.run("CREATE TABLE t(a)")
    mount.unmount(tree)


def test_a_source_too_long_is_refused(mount: Mounter) -> None:
    with fails("EINVAL", "ENAMETOOLONG"):
        mount("x" * 256)


def test_results_of_two_databases_do_not_mix(mount: Mounter) -> None:
    one, two = mount(mode="0777"), mount(mode="0777")
    one.run("SELECT 1 AS a")
    two.run("SELECT 2 AS a")
    in_child(lambda: one.run("SELECT 3 AS a"), uid=4001)
    assert (one.result(), two.result()) == ("a\n1\n", "a\n2\n")
    assert in_child(two.result, uid=4001) == ""


def test_a_bind_mount_of_a_table_follows_it(mount: Mounter, tmp_path: Path) -> None:
    tree = mount()
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    assert mount_program("--bind", tree / "tables", tmp_path).returncode == 0
    try:
        assert os.listdir(tmp_path) == ["t"]
        tree.run("DROP TABLE t; CREATE TABLE u(a)")
        assert os.listdir(tmp_path) == ["u"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_mounting_and_unmounting_beside_queries(mount: Mounter) -> None:
    source = f"busy-{os.getpid()}"
    tree = mount(source)
    tree.run("CREATE TABLE n(v); INSERT INTO n VALUES(0)")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with tree.connect() as connection:
                for _ in range(200):
                    connection.ask("UPDATE n SET v = v + 1")
            code = 0
        finally:
            os._exit(code)
    for _ in range(20):
        other = mount(source)
        assert other.text("tables/n/count") == "1\n"
        mount.unmount(other)
    assert os.waitpid(pid, 0)[1] == 0
    assert tree.value("SELECT v FROM n") == "200"
