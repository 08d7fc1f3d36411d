# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Who may do what: the server itself looks at mode, owner, and all groups of who asks."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.fuse.servers import Server, Servers
from tests.interface.tree import in_child

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
def tree(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server]]:
    """A mode, and a tree that has it."""
    servers = Servers()
    mode: str = request.param
    server = servers.foreground("-o", f"mode={mode},uid={OWNER},gid={GROUP}")
    server.run("CREATE TABLE t(a)")
    yield mode, server
    servers.finish()


def allowed(action: Callable[[], object], refusal: str = "EACCES") -> set[str]:
    """Who may; the others must be refused so."""
    outcomes = {name: who.tries(action) for name, who in WHO.items()}
    assert set(outcomes.values()) <= {"ok", refusal}, outcomes
    return {name for name, outcome in outcomes.items() if outcome == "ok"}


def test_who_may_list(tree: tuple[str, Server]) -> None:
    mode, server = tree
    assert allowed(lambda: os.listdir(server.root)) == named(MAY[mode][0])
    assert allowed(lambda: os.listdir(server / "tables/t")) == named(MAY[mode][0])


def test_who_may_read(tree: tuple[str, Server]) -> None:
    mode, server = tree
    for name in ("error", "tables/t/schema", "tables/t/data.csv", "info/limits", "query"):
        assert allowed(partial(server.read, name)) == named(MAY[mode][1]), name


def test_who_may_write(tree: tuple[str, Server]) -> None:
    mode, server = tree
    assert allowed(lambda: server.run("SELECT 1")) == named(MAY[mode][2])
    assert allowed(lambda: server.connect().ask("SELECT 1")) == named(MAY[mode][2])


def test_who_may_enter(tree: tuple[str, Server]) -> None:
    mode, server = tree
    may_enter = {"owner", *named(MAY[mode][0])} | (set(WHO) if mode == "0711" else set())
    assert allowed(lambda: os.chdir(server.root)) == may_enter
    assert allowed(lambda: os.stat(server / "tables/t/schema")) == may_enter
    # Permission is looked at before the name is.
    missing = {name: who.tries(lambda: os.stat(server / "none")) for name, who in WHO.items()}
    assert {name for name, outcome in missing.items() if outcome == "ENOENT"} == may_enter


def test_access_says_the_same(tree: tuple[str, Server]) -> None:
    mode, server = tree

    def access(name: str, mask: int) -> None:
        if not os.access(server / name, mask):
            raise PermissionError(errno.EACCES, "access() says no")

    assert allowed(lambda: access("", os.R_OK)) == named(MAY[mode][0])
    assert allowed(lambda: access("query", os.W_OK)) == named(MAY[mode][2])
    assert allowed(lambda: access("error", os.R_OK)) == named(MAY[mode][1])
    assert allowed(lambda: access("error", os.W_OK)) == set()
    assert allowed(lambda: access("error", os.X_OK)) == set()


def test_who_may_touch(tree: tuple[str, Server]) -> None:
    mode, server = tree
    assert allowed(lambda: os.utime(server / "query")) == named(MAY[mode][2])
    assert allowed(lambda: os.truncate(server / "query", 0)) == named(MAY[mode][2])


def test_nobody_changes_mode_or_owner(tree: tuple[str, Server]) -> None:
    _, server = tree
    for who in (ROOT, WHO["owner"]):
        assert who.tries(lambda: os.chmod(server / "query", 0o600)) == "EPERM"
        assert who.tries(lambda: os.chown(server / "query", OWNER, -1)) == "EPERM"
        assert who.tries(lambda: os.chmod(server.root, 0o700)) == "EPERM"
    for who in (WHO["member"], WHO["other"]):
        assert who.tries(lambda: os.chmod(server / "query", 0o600)) in ("EPERM", "EACCES")


def test_names_change_for_nobody(tree: tuple[str, Server]) -> None:
    mode, server = tree
    changes: list[Callable[[], object]] = [
        lambda: os.mkdir(server / "new"),
        lambda: os.mknod(server / "new"),
        lambda: os.open(server / "new", os.O_CREAT | os.O_WRONLY),
        lambda: os.symlink("x", server / "new"),
        lambda: os.link(server / "error", server / "new"),
        lambda: os.unlink(server / "error"),
        lambda: os.rmdir(server / "info"),
        lambda: os.rename(server / "error", server / "info/error"),
        lambda: os.mkfifo(server / "tables/t/new"),
    ]
    for number, change in enumerate(changes):
        assert ROOT.tries(change) == "EPERM", number
        assert WHO["owner"].tries(change) == "EPERM", number
        expected = "EPERM" if mode == "0777" else "EACCES"
        assert WHO["other"].tries(change) == expected, number


def test_root_may(tree: tuple[str, Server]) -> None:
    _, server = tree
    for action in (
        lambda: os.listdir(server.root),
        lambda: server.run("SELECT 1"),
        lambda: server.read("tables/t/data.csv"),
        lambda: os.utime(server / "query"),
        lambda: os.chdir(server / "tables"),
    ):
        assert ROOT.tries(action) == "ok"


def test_root_may_not_what_no_file_has(tree: tuple[str, Server]) -> None:
    _, server = tree
    assert ROOT.tries(lambda: os.execv(server / "query", ["query"])) == "EACCES"
    assert ROOT.tries(lambda: os.open(server / "error", os.O_WRONLY)) == "EPERM"


def test_names_that_the_kernel_keeps_are_for_nobody_else(servers: Servers) -> None:
    """The kernel keeps directories' names, and does not ask who else may walk there."""
    server = servers.daemon("--allow-other", "-o", f"uid={OWNER},gid={GROUP}")
    server.run("CREATE TABLE t(a)")
    for _ in range(2):
        assert os.stat(server / "tables/t")
        assert sorted(os.listdir(server / "tables/t"))
    for path in ("tables", "tables/t", "tables/t/count", "info"):
        assert WHO["other"].tries(partial(os.stat, server / path)) == "EACCES"
        assert WHO["member"].tries(partial(os.stat, server / path)) == "ok"
    assert WHO["other"].tries(lambda: os.listdir(server / "tables/t")) == "EACCES"
    assert WHO["other"].tries(lambda: os.chdir(server / "tables/t")) == "EACCES"


def test_who_may_reach_metrics_sees_no_name_that_the_kernel_keeps(servers: Servers) -> None:
    server = servers.daemon("--allow-other", "-o", f"uid={OWNER},gid={GROUP},metrics_mode=0444")
    server.run("CREATE TABLE t(a)")
    (server / "sessions/s").mkdir()
    assert os.stat(server / "tables/t")
    for path, outcome in {
        "metrics/ksqlfs.prom": "ok",
        "tables": "ok",
        "tables/t": "EACCES",
        "tables/t/count": "EACCES",
        "sessions/s": "EACCES",
    }.items():
        assert WHO["other"].tries(partial(os.stat, server / path)) == outcome, path
        assert WHO["member"].tries(partial(os.stat, server / path)) == "ok"


def test_a_dropped_table_is_gone_for_all_at_once(servers: Servers) -> None:
    server = servers.daemon()
    for _ in range(50):
        server.run("CREATE TABLE t(a)")
        assert in_child(lambda: os.path.isdir(server / "tables/t"))
        server.run("DROP TABLE t;")
        assert not in_child(lambda: os.path.exists(server / "tables/t"))
        assert not os.path.exists(server / "tables/t")
