# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""User namespaces, as containers have them: each uid of the machine is a user of its own."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child

T = TypeVar("T")

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
AT_EMPTY_PATH = 0x1000
OPEN_TREE_CLONE = 1
MOUNT_ATTR_IDMAP = 0x00100000
SYS_OPEN_TREE = 428
SYS_MOUNT_SETATTR = 442

# Where the uids and gids of two containers begin, and what is shown of what has no number there.
ONE, TWO = 100_000, 200_000
NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


def check(outcome: int) -> int:
    """A call of libc's that must go well."""
    if outcome < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return outcome


def enter(base: int) -> None:
    """Become root of a new user namespace, whose ids begin at `base` of the machine's."""
    me = os.getpid()
    left, right = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        try:
            os.read(left, 1)
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{me}/{name}").write_text(f"0 {base} 1000\n")
        finally:
            os._exit(0)
    check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    os.write(right, b"x")
    os.waitpid(mapper, 0)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def contained(base: int, function: Callable[[], T]) -> T:
    """What a function gives to root of a container."""

    def act() -> T:
        enter(base)
        return function()

    return in_child(act)


@pytest.fixture
def tree(mount: Mounter) -> Tree:
    """A tree for everybody."""
    made = mount(mode="0777")
    made.run("CREATE TABLE t(a)")
    return made


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can reach."""
    made = Path(tempfile.mkdtemp(prefix="ksqlfs-place-"))
    made.chmod(0o755)
    yield made
    made.rmdir()


def fail(tree: Tree, name: str) -> None:
    """Leave a line in the log, and an error."""
    with fails("ENOENT"):
        tree.run(f"SELECT 1 FROM no_{name};")


def test_roots_of_containers_are_two_users(tree: Tree) -> None:
    def ask(name: str) -> tuple[str, str, str, list[str]]:
        before = tree.result()
        fail(tree, name)
        tree.run(f"SELECT '{name}' AS a")
        (tree / f"sessions/{name}").mkdir()
        tree.run("BEGIN", file=f"sessions/{name}/query")
        return before, tree.result(), tree.text("log"), os.listdir(tree / "sessions")

    assert in_child(lambda: ask("root"))[1] == "a\nroot\n"
    for base, name in ((ONE, "one"), (TWO, "two")):
        before, result, log, sessions = contained(base, lambda name=name: ask(name))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        assert before == ""
        assert result == f"a\n{name}\n"
        assert f"no_{name}" in log
        assert log.count(" uid ") == 1
        assert sessions == [name]
    # Root of the machine has its own result, and everybody's sessions and failures.
    assert tree.result() == "a\nroot\n"
    assert sorted(os.listdir(tree / "sessions")) == ["one", "root", "two"]
    log = tree.text("log")
    assert [f"no_{name}" in log for name in ("root", "one", "two")] == [True] * 3
    assert f" uid {ONE} pid " in log
    assert f" uid {TWO} pid " in log
    for name in ("one", "two", "root"):
        (tree / f"sessions/{name}").rmdir()


def test_root_of_a_container_has_no_power_over_others(tree: Tree) -> None:
    contained(TWO, (tree / "sessions/two").mkdir)
    (tree / "sessions/root").mkdir()

    def act() -> list[str]:
        said = []
        for name in ("two", "root"):
            session = tree / f"sessions/{name}"
            for action in (
                session.rmdir,
                lambda session=session: os.listdir(session),
                lambda session=session: (session / "result").read_bytes(),
                lambda session=session: os.open(session / "query", os.O_WRONLY),
            ):
                try:
                    action()
                except OSError as error:
                    said.append(errno.errorcode[error.errno or 0])
                else:
                    said.append("ok")
        return said

    assert contained(ONE, act) == ["EPERM", "EACCES", "EACCES", "EACCES"] * 2
    assert sorted(os.listdir(tree / "sessions")) == ["root", "two"]
    for name in ("two", "root"):
        (tree / f"sessions/{name}").rmdir()


def test_modes_hold_for_root_of_a_container(mount: Mounter) -> None:
    closed = mount(mode="0750")
    with fails("EACCES"):
        contained(ONE, lambda: os.listdir(closed.root))
    # A tree that is a container's own: its root may, as the machine's numbers are its.
    own = mount(mode="0700", uid=ONE, gid=ONE)
    assert contained(ONE, lambda: own.ask("SELECT 1 AS a")) == "a\n1\n"
    with fails("EACCES"):
        contained(TWO, lambda: os.listdir(own.root))


def test_ids_are_shown_as_the_container_numbers_them(tree: Tree) -> None:
    (tree / "sessions/root").mkdir()

    def act() -> list[tuple[int, int]]:
        (tree / "sessions/mine").mkdir()
        paths = ("sessions/mine", "sessions/mine/query", "query", "")
        return [(status.st_uid, status.st_gid) for status in (os.stat(tree / p) for p in paths)]

    assert contained(ONE, act) == [(0, 0), (0, 0), (NOBODY, NOBODY), (NOBODY, NOBODY)]
    status = (tree / "sessions/mine").stat()
    assert (status.st_uid, status.st_gid) == (ONE, ONE)
    for name in ("mine", "root"):
        (tree / f"sessions/{name}").rmdir()


def test_users_without_a_number_do_not_share(tree: Tree) -> None:
    """Where no id is mapped each of them is shown as nobody, and is still who it was."""

    def ask(name: str) -> tuple[int, str, str]:
        check(_libc.unshare(CLONE_NEWUSER))
        before = tree.result()
        tree.run(f"SELECT '{name}' AS a")
        return os.getuid(), before, tree.result()

    assert in_child(lambda: ask("one"), uid=4001) == (NOBODY, "", "a\none\n")
    assert in_child(lambda: ask("two"), uid=4002) == (NOBODY, "", "a\ntwo\n")
    assert in_child(tree.result, uid=4001) == "a\none\n"
    assert in_child(tree.result, uid=NOBODY) == ""


def test_the_file_systems_uid_counts(tree: Tree) -> None:
    def act() -> str:
        _libc.setfsuid(4001)
        tree.run("SELECT 'acting' AS a")
        return tree.result()

    assert in_child(act) == "a\nacting\n"
    assert in_child(tree.result, uid=4001) == "a\nacting\n"
    assert tree.result() == ""


def test_a_container_cannot_mount(tree: Tree, place: Path) -> None:
    def act(source: bytes, options: bytes | None) -> None:
        check(_libc.mount(source, bytes(place), b"ksqlfs", 0, options))

    for options in (None, b"mode=0777", b"size=1m"):
        with fails("EPERM"):
            contained(ONE, lambda options=options: act(b"theirs", options))  # type: ignore[misc]

    def remount() -> None:
        check(_libc.mount(b"none", bytes(tree.root), b"ksqlfs", 32, b"size=1m"))

    before = tree.text("info/limits")
    with fails("EPERM"):
        contained(ONE, remount)
    assert tree.text("info/limits") == before


def test_a_bind_mount_works_in_a_container(tree: Tree, place: Path) -> None:
    def act() -> tuple[str, list[str]]:
        check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        check(_libc.mount(bytes(tree.root), bytes(place), None, MS_BIND, None))
        bound = Tree(place)
        bound.run("INSERT INTO t VALUES(7); SELECT a FROM t")
        return bound.result(), os.listdir(place / "tables")

    assert contained(ONE, act) == ("a\n7\n", ["t"])
    assert tree.text("tables/t/count") == "1\n"
    assert os.listdir(place) == []


def test_an_idmapped_mount_is_refused(tree: Tree) -> None:
    """Whose result would be shown there, the system's or the mount's idea of who asks?"""
    ready, tell = os.pipe()
    wait, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enter(ONE)
            os.write(tell, b"x")
            os.close(done)
            os.read(wait, 1)
        finally:
            os._exit(0)
    os.close(wait)
    os.read(ready, 1)
    namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    clone = check(_libc.syscall(SYS_OPEN_TREE, -100, bytes(tree.root), OPEN_TREE_CLONE))
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_IDMAP, 0, 0, namespace)
    with fails("EINVAL"):
        check(
            _libc.syscall(
                SYS_MOUNT_SETATTR,
                clone,
                b"",
                AT_EMPTY_PATH,
                ctypes.byref(attributes),
                ctypes.sizeof(attributes),
            )
        )
    for fd in (namespace, clone, done, ready, tell):
        os.close(fd)
    os.waitpid(pid, 0)
