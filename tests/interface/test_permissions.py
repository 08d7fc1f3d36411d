# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Who may do what, by mode, owner, and all groups of who asks."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.interface.hosts import Mounter, host_of
from tests.interface.tree import Tree, in_child

OWNER = 10001
GROUP = 10002
STRANGER = 10003


@dataclass(frozen=True)
class Who:
    """A user with groups."""

    uid: int
    gid: int
    groups: list[int] = field(default_factory=list)

    def tries(self, action: Callable[[], object]) -> str:
        """Do it as this user: `ok`, or the errno's name."""

        def act() -> str:
            os.setgroups(self.groups)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
            try:
                action()
            except OSError as error:
                return errno.errorcode[error.errno or 0]
            return "ok"

        return in_child(act)


ROOT = Who(0, 0)
WHO = {
    "owner": Who(OWNER, OWNER),
    "member": Who(STRANGER, GROUP),
    "member2": Who(STRANGER, STRANGER, [1, GROUP, 7]),
    # More groups than fit into one request's answer.
    "member99": Who(STRANGER, STRANGER, [*range(20000, 20099), GROUP]),
    "other": Who(STRANGER, STRANGER, [1, 7]),
}

# By mode: who may list and enter, read, and write to `query`.
MAY = {
    "0750": ("owner member member2 member99", "owner member member2 member99", "members"),
    "0755": ("everyone", "everyone", "members"),
    "0777": ("everyone", "everyone", "everyone"),
    "0700": ("owner", "owner", "owner"),
    "0705": ("owner other", "owner other", "owner"),
    "0711": ("owner", "owner", "owner"),
}
SETS = {
    "everyone": set(WHO),
    "members": {"owner", "member", "member2", "member99"},
}


def named(text: str) -> set[str]:
    return SETS.get(text) or set(text.split())


@pytest.fixture(scope="module", params=MAY)
def moded(shared_tree: Tree, request: pytest.FixtureRequest) -> Iterator[tuple[str, Tree]]:
    """A mode, and a tree that has it."""
    host = host_of(shared_tree.root)
    if host is None:
        pytest.skip("these tests cannot yet mount on this host")
    mounter = Mounter(host)
    mode: str = request.param
    mounted = mounter(mode=mode, uid=OWNER, gid=GROUP)
    mounted.run("CREATE TABLE t(a)")
    yield mode, mounted
    mounter.finish()


def allowed(action: Callable[[], object], refusal: str = "EACCES") -> set[str]:
    """Who may; the others must be refused so."""
    outcomes = {name: who.tries(action) for name, who in WHO.items()}
    assert set(outcomes.values()) <= {"ok", refusal}, outcomes
    return {name for name, outcome in outcomes.items() if outcome == "ok"}


def test_who_may_list(moded: tuple[str, Tree]) -> None:
    mode, tree = moded
    assert allowed(lambda: os.listdir(tree.root)) == named(MAY[mode][0])
    assert allowed(lambda: os.listdir(tree / "tables/t")) == named(MAY[mode][0])


def test_who_may_read(moded: tuple[str, Tree]) -> None:
    mode, tree = moded
    for name in ("error", "tables/t/schema", "tables/t/data.csv", "info/limits", "query"):
        assert allowed(partial(tree.read, name)) == named(MAY[mode][1]), name


def test_who_may_write(moded: tuple[str, Tree]) -> None:
    mode, tree = moded
    assert allowed(lambda: tree.run("SELECT 1")) == named(MAY[mode][2])
    assert allowed(lambda: tree.connect().ask("SELECT 1")) == named(MAY[mode][2])


def test_who_may_enter(moded: tuple[str, Tree]) -> None:
    mode, tree = moded
    may_enter = {"owner", *named(MAY[mode][0])} | (set(WHO) if mode == "0711" else set())
    assert allowed(lambda: os.chdir(tree.root)) == may_enter
    assert allowed(lambda: os.stat(tree / "tables/t/schema")) == may_enter
    # Permission is looked at before the name is.
    missing = {name: who.tries(lambda: os.stat(tree / "none")) for name, who in WHO.items()}
    assert {name for name, outcome in missing.items() if outcome == "ENOENT"} == may_enter


def test_access_says_the_same(moded: tuple[str, Tree]) -> None:
    mode, tree = moded

    def access(name: str, mask: int) -> None:
        if not os.access(tree / name, mask):
            raise PermissionError(errno.EACCES, "access() says no")

    assert allowed(lambda: access("", os.R_OK)) == named(MAY[mode][0])
    assert allowed(lambda: access("query", os.W_OK)) == named(MAY[mode][2])
    assert allowed(lambda: access("error", os.R_OK)) == named(MAY[mode][1])
    assert allowed(lambda: access("error", os.W_OK)) == set()
    assert allowed(lambda: access("error", os.X_OK)) == set()


def test_who_may_touch(moded: tuple[str, Tree]) -> None:
    mode, tree = moded
    assert allowed(lambda: os.utime(tree / "query")) == named(MAY[mode][2])
    assert allowed(lambda: os.truncate(tree / "query", 0)) == named(MAY[mode][2])


def test_nobody_changes_mode_or_owner(moded: tuple[str, Tree]) -> None:
    _, tree = moded
    for who in (ROOT, WHO["owner"]):
        assert who.tries(lambda: os.chmod(tree / "query", 0o600)) == "EPERM"
        assert who.tries(lambda: os.chown(tree / "query", OWNER, -1)) == "EPERM"
        assert who.tries(lambda: os.chmod(tree.root, 0o700)) == "EPERM"
    for who in (WHO["member"], WHO["other"]):
        assert who.tries(lambda: os.chmod(tree / "query", 0o600)) in ("EPERM", "EACCES")


def test_names_change_for_nobody(moded: tuple[str, Tree]) -> None:
    mode, tree = moded
    changes: list[Callable[[], object]] = [
        lambda: os.mkdir(tree / "new"),
        lambda: os.mknod(tree / "new"),
        lambda: os.open(tree / "new", os.O_CREAT | os.O_WRONLY),
        lambda: os.symlink("x", tree / "new"),
        lambda: os.link(tree / "error", tree / "new"),
        lambda: os.unlink(tree / "error"),
        lambda: os.rmdir(tree / "info"),
        lambda: os.rename(tree / "error", tree / "info/error"),
        lambda: os.mkfifo(tree / "tables/t/new"),
    ]
    for number, change in enumerate(changes):
        assert ROOT.tries(change) == "EPERM", number
        assert WHO["owner"].tries(change) == "EPERM", number
        said = WHO["other"].tries(change)
        # A link to what is somebody else's many kernels refuse first (fs.protected_hardlinks).
        assert said == ("EPERM" if mode == "0777" else "EACCES") or (number, said) == (4, "EPERM")


def test_root_may(moded: tuple[str, Tree]) -> None:
    _, tree = moded
    for action in (
        lambda: os.listdir(tree.root),
        lambda: tree.run("SELECT 1"),
        lambda: tree.read("tables/t/data.csv"),
        lambda: os.utime(tree / "query"),
        lambda: os.chdir(tree / "tables"),
    ):
        assert ROOT.tries(action) == "ok"


def test_root_may_not_what_no_file_has(moded: tuple[str, Tree]) -> None:
    _, tree = moded
    assert ROOT.tries(lambda: os.execv(tree / "query", ["query"])) == "EACCES"
    assert ROOT.tries(lambda: os.open(tree / "error", os.O_WRONLY)) == "EPERM"
