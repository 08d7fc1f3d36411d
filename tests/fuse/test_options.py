# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Mount options: their effect, what is said of bad ones, remounting."""

from __future__ import annotations

import os
from pathlib import Path

import ksqlfs
import pytest
from ksqlfs import fuse
from ksqlfs.mounts import mount_at

from tests.fuse.servers import Servers, assert_sentence, ctl
from tests.interface.tree import Tree, fails, in_child

USER = 12345

LIMITS = {
    "size": ("1m", 1 << 20),
    "max_result": ("2k", 2048),
    "max_sql": ("4096", 4096),
    "timeout": ("1234", 1234),
    "busy": ("56", 56),
}


def limits(tree: Tree) -> dict[str, int]:
    """info/limits."""
    return {
        key: int(value)
        for key, value in (line.split(" ") for line in tree.text("info/limits").splitlines())
    }


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_is_shown_in_info(servers: Servers, key: str) -> None:
    text, value = LIMITS[key]
    default = limits(servers.foreground())
    tree = servers.foreground("-o", f"{key}={text}")
    assert limits(tree) == {**default, key: value}
    tree.works()


def test_limits_hold(servers: Servers) -> None:
    tree = servers.foreground("-o", "size=256k,max_result=1k,max_sql=1k", "-o", "timeout=50")
    with fails("EOVERFLOW"):
        tree.run("SELECT hex(zeroblob(1024));")
    with fails("EFBIG"):
        tree.run(f"SELECT '{'x' * 1024}';")
    with fails("ENOSPC"):
        tree.run("CREATE TABLE t AS SELECT zeroblob(300000) AS x;")
    with fails("ETIMEDOUT"):
        tree.run(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n FROM c) SELECT count(*) FROM c;"
        )
    assert os.statvfs(tree.root).f_blocks * 4096 == 256 * 1024


def test_owner_group_and_mode(servers: Servers) -> None:
    tree = servers.foreground("-o", f"uid={USER},gid={USER + 1},mode=0705")
    for path, mode in (("", 0o40705), ("query", 0o100604), ("error", 0o100404)):
        status = (tree / path).stat()
        assert (status.st_uid, status.st_gid) == (USER, USER + 1)
        assert status.st_mode == mode, f"{path} {status.st_mode:o}"


def test_they_are_roots_by_default(servers: Servers) -> None:
    tree = servers.foreground()
    status = tree.root.stat()
    assert (status.st_uid, status.st_gid, status.st_mode) == (0, 0, 0o40750)


def test_a_read_only_mount(servers: Servers) -> None:
    tree = servers.foreground("-o", "ro")
    with fails("EROFS"):
        tree.batch()
    with fails("EROFS"):
        tree.connect()
    assert tree.text("error") == "ok\n"
    assert tree.tables() == []
    with pytest.raises(ksqlfs.Error, match=r"(?i)read-only"):
        ksqlfs.connect(tree.root).execute("SELECT 1")


def test_the_kernels_flags_are_given_to_it(servers: Servers) -> None:
    tree = servers.foreground("-o", "rw,defaults,nodev,_netdev,x-systemd.automount,nofail")
    mount = mount_at(tree.root)
    assert mount is not None
    assert {"rw", "nosuid", "nodev", "noexec", "noatime"} <= set(mount.options)


BAD = {
    "nosuch": "no option nosuch",
    "nosuch=1": "no option nosuch",
    "timeout=1,sizes=1m": "no option sizes",
    "size=x": "size=x",
    "size=1": "",  # below 64 KiB
    "size=": "size=",
    "max_sql=1": "",
    "max_sql=1.5": "max_sql=1.5",
    "max_result=many": "max_result=many",
    "timeout=-1": "timeout=-1",
    "timeout=99999999999999999999": "timeout=99999999999999999999",
    "busy=1s": "busy=1s",
    "busy": "busy=",
    "uid=x": "uid=x",
    "uid": "uid=",
    "uid=-1": "uid=-1",
    "gid=4294967295": "gid=4294967295",
    "mode=9": "mode=9",
    "mode=1777": "mode=1777",
    "metrics_mode=0644": "metrics_mode=0644",
    "metrics_mode=world": "metrics_mode=world",
    "ro=1": "no option ro",
    "fsname=other": "no option fsname",
}


@pytest.mark.parametrize("foreground", [False, True], ids=["daemon", "foreground"])
@pytest.mark.parametrize("words", BAD)
def test_a_bad_option_is_a_sentence(servers: Servers, words: str, foreground: bool) -> None:
    place = servers.directory()
    mode = ["--foreground"] if foreground else []
    done = ctl("mount", *mode, "--source", servers.source(), "-o", words, place)
    assert_sentence(done, 2, BAD[words])
    assert servers.nothing_left(place)


def test_a_place_that_is_none_is_a_sentence(servers: Servers) -> None:
    file = servers.room / "file"
    file.touch()
    for place in (file, servers.room / "nosuch"):
        done = ctl("mount", "--source", servers.source(), place)
        assert_sentence(done, 3, str(place), "not a directory")


def test_a_bad_name_is_a_sentence(servers: Servers) -> None:
    for source in ("", "x" * 256):
        done = ctl("mount", "--source", source, servers.directory())
        assert_sentence(done, 3, "1 to 255 bytes")


@pytest.mark.parametrize("source", ["with space", "with,comma", "back\\slash", "x" * 255, "ü#"])
def test_names_are_shown_as_they_are(servers: Servers, source: str) -> None:
    source = source[: 255 - len(servers.room.name)] + servers.room.name
    tree = servers.foreground(source=source)
    mount = mount_at(tree.root)
    assert mount is not None
    assert mount.source == source
    tree.works()


# Remount


def test_a_remount_changes_limits_that_begin_later(servers: Servers) -> None:
    tree = servers.foreground("-o", "timeout=1000,busy=7")
    before = limits(tree)
    done = ctl("mount", "-o", "remount,timeout=2000,size=1m,sessions=0", tree.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert limits(tree) == {**before, "timeout": 2000, "size": 1 << 20, "sessions": 0}
    with fails("EDQUOT"):
        (tree / "sessions/one").mkdir()


def test_a_remount_makes_it_read_only_and_back(servers: Servers) -> None:
    tree = servers.foreground()
    tree.run("CREATE TABLE t(a)")
    assert ctl("mount", "-o", "remount,ro", tree.root).returncode == 0
    with fails("EROFS"):
        tree.batch()
    assert tree.tables() == ["t"]
    assert ctl("mount", "-o", "remount,rw", tree.root).returncode == 0
    tree.run("CREATE TABLE u(a)")


@pytest.mark.parametrize("words", ["nosuch=1", "timeout=x", "size=1", "timeout=9,size=1"])
def test_a_bad_remount_changes_nothing(servers: Servers, words: str) -> None:
    tree = servers.foreground()
    before = limits(tree)
    done = ctl("mount", "-o", f"remount,ro,{words}", tree.root)
    assert_sentence(done, 2, str(tree.root))
    assert limits(tree) == before
    tree.works()


@pytest.mark.parametrize("word", ["uid=1", "gid=0", "mode=0777", "metrics_mode=0444"])
def test_a_remount_changes_no_owner_nor_mode(servers: Servers, word: str) -> None:
    tree = servers.foreground()
    before = tree.root.stat()
    assert_sentence(ctl("mount", "-o", f"remount,{word}", tree.root), 3, "mode= or metrics_mode=")
    after = tree.root.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        *(before.st_uid, before.st_gid, before.st_mode),
    )


def test_a_remount_of_nothing_is_a_sentence(servers: Servers) -> None:
    place = servers.directory()
    assert_sentence(ctl("mount", "-o", "remount,timeout=1", place), 3, str(place))
    assert servers.nothing_left(place)


def test_only_owner_and_root_remount(servers: Servers) -> None:
    tree = servers.foreground("-o", f"mode=0777,uid={USER}")

    def remount() -> str:
        with pytest.raises(fuse.MountError) as caught:
            fuse.remount(tree.root, fuse.Options.parse(["timeout=1"]))
        return str(caught.value)

    before = limits(tree)
    # The owner of its files is not who mounted it.
    assert "permitted" in in_child(remount, USER)
    assert limits(tree) == before


def test_a_remount_of_a_folder_in_it_is_refused(servers: Servers) -> None:
    tree = servers.foreground()
    place: Path = tree / "tables"
    assert_sentence(ctl("mount", "-o", "remount,timeout=1", place), 3, "no mount")
