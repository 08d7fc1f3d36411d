# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""How `ksqlctl` ends: exit codes, signals, broken pipes, trees that are not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.cli.conftest import Ctl
from tests.cli.processes import COMMAND
from tests.cli.terminal import Terminal
from tests.interface.hosts import Mounter
from tests.interface.tree import ENDLESS, ENDLESS_ROWS, Tree

Run = Callable[..., Terminal]


def test_the_package_installs_the_command() -> None:
    [entry] = entry_points(group="console_scripts", name="ksqlctl")
    assert entry.value == "ksqlfs.cli:main"


# Signals and pipes


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_reader_that_goes_ends_it_without_a_word(ctl: Ctl, form: str) -> None:
    with ctl.started("query", "--format", form, ENDLESS_ROWS) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE


@pytest.mark.parametrize(
    "words",
    [["tables"], ["query", "--format", "table", "SELECT 1"], ["status"], ["doctor"], ["--help"]],
)
def test_a_reader_that_was_never_there_ends_it_without_a_word(ctl: Ctl, words: list[str]) -> None:
    ctl("query", "CREATE TABLE t(a)")
    reader, writer = os.pipe()
    os.close(reader)
    with ctl.started(*words, stdout=writer) as process:
        os.close(writer)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE


def test_a_full_disk_is_one_sentence(ctl: Ctl) -> None:
    for words in (["query", "SELECT 1"], ["query", "--format", "table", "SELECT 1"], ["status"]):
        with open("/dev/full", "wb") as full, ctl.started(*words, stdout=full) as process:
            _, errors = process.communicate()
        assert errors == b"ksqlctl: writing the output failed: No space left on device\n"
        assert process.returncode == 4


@pytest.mark.parametrize("form", ["csv", "table"])
def test_ctrl_c_stops_a_query_without_a_traceback(ctl: Ctl, mount: Mounter, form: str) -> None:
    """What has begun is seen by the transaction that it holds."""
    tree = mount(busy=0)
    tree.run("CREATE TABLE t(a)")
    sql = f"BEGIN IMMEDIATE; INSERT INTO t VALUES(1); {ENDLESS}"
    with ctl.started("--root", tree.root, "query", "--format", form, sql) as process:
        while not begun(tree):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate()
    assert (process.returncode, out, errors.strip()) == (-signal.SIGINT, b"", b"")
    assert tree.value("SELECT count(*) FROM t") == "0"


def begun(tree: Tree) -> bool:
    """Whether somebody else is writing."""
    with tree.connect() as connection:
        try:
            connection.write("BEGIN IMMEDIATE; ROLLBACK;")
        except OSError:
            return True
    return False


def test_ctrl_c_in_a_terminal_stops_it(terminal: Run, mount: Mounter) -> None:
    tree = mount(busy=0)
    sql = f"BEGIN IMMEDIATE; CREATE TABLE t(a); {ENDLESS}"
    shown = terminal("--root", tree.root, "query", sql)
    while not begun(tree):
        pass
    shown.type("\x03")
    assert shown.end() == -signal.SIGINT
    assert shown.text.strip() == "^C"


def test_a_shell_sees_141_of_a_broken_pipe(ctl: Ctl) -> None:
    script = 'set -o pipefail; "$@" | head -n 1; echo $?'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *COMMAND, "query", ENDLESS_ROWS],
        env={**os.environ, **ctl.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("n\n141\n", "")


# Usage


@pytest.mark.parametrize("words", [["nope"], ["query", "--nope"], ["--nope"], ["import"]])
def test_wrong_usage_ends_with_2(bare_ctl: Ctl, words: list[str]) -> None:
    assert "Usage:" in bare_ctl(*words, code=2).stderr


def test_version_and_help_need_no_tree(bare_ctl: Ctl) -> None:
    assert bare_ctl.out("--version").startswith("ksqlctl ")
    assert "Exit codes:" in bare_ctl.out("--help")
    assert bare_ctl.out("-h") == bare_ctl.out("--help")


# Trees that are not there

NEEDS_A_TREE = [
    ["query", "SELECT 1"],
    ["query", "--format", "table", "SELECT 1"],
    ["shell"],
    ["tables"],
    ["schema"],
    ["import", "t.csv"],
    ["export", "t"],
    ["watch", "SELECT 1"],
    ["save", "f.db"],
    ["restore", "f.db"],
    ["status"],
]


@pytest.mark.parametrize("words", NEEDS_A_TREE, ids=" ".join)
def test_without_a_tree_each_command_says_so(bare_ctl: Ctl, words: list[str]) -> None:
    (bare_ctl.folder / "t.csv").write_text("a\n1\n")
    place = bare_ctl.folder / "empty"
    place.mkdir()
    failure = bare_ctl.fails(3, "--root", place, *words)
    assert failure.startswith(f"{place} is not a ksqlfs tree: mount one there by `ksqlctl mount")
    assert failure.count("\n") == 1
    gone = bare_ctl.fails(3, "--root", place / "gone", *words)
    assert gone.startswith(f"{place}/gone does not exist")


# Imports all first: the interpreter may lie where nobody else may read.
AS_NOBODY = """
import encodings.utf_8_sig, os, pkgutil, sys
from importlib import import_module
import ksqlfs.cli
for module in pkgutil.iter_modules(ksqlfs.cli.__path__, "ksqlfs.cli."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
ksqlfs.cli.main()
"""


@pytest.mark.parametrize("words", NEEDS_A_TREE[:4], ids=" ".join)
def test_a_tree_that_is_closed_to_the_user_is_told(
    ctl: Ctl, mount: Mounter, words: list[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run it as somebody else")
    closed = mount(mode="0700")
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "--root", closed.root, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "may not be entered by this user" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == 3


def test_a_read_only_tree_is_told_and_can_be_exported(ctl: Ctl, mount: Mounter) -> None:
    readable = mount(ro="")
    failure = ctl.fails(3, "--root", readable.root, "query", "SELECT 1")
    assert "Read-only file system" in failure
    assert "`ro`" in failure
    table = ctl.fails(3, "--root", readable.root, "query", "--format", "table", "SELECT 1")
    assert "read-only" in table.lower()
    assert ctl("--root", readable.root, "status", code=1).stdout.startswith("root ")


def test_a_busy_database_is_told_with_a_remedy(ctl: Ctl, mount: Mounter) -> None:
    other = mount(busy=0)
    other.run("CREATE TABLE t(a)")
    with other.connect() as connection:
        connection.ask("BEGIN IMMEDIATE")
        for form in ("csv", "table"):
            words = ["query", "--format", form, "INSERT INTO t VALUES(1)"]
            failure = ctl.fails(1, "--root", other.root, *words)
            assert (
                "another transaction is writing: try again, or raise the mount's busy=" in failure
            )


@pytest.mark.parametrize(
    ("options", "sql", "remedy"),
    [
        ({"timeout": 50}, ENDLESS, "raise the mount's timeout="),
        ({"max_sql": 1024}, f"SELECT '{'x' * 2000}'", "raise the mount's max_sql="),
        ({"size": 65536}, "CREATE TABLE t AS SELECT randomblob(900000)", "the mount's size="),
    ],
)
@pytest.mark.parametrize("form", ["csv", "table"])
def test_a_limit_is_told_with_a_remedy(
    ctl: Ctl, mount: Mounter, options: dict[str, str | int], sql: str, remedy: str, form: str
) -> None:
    other = mount(None, **options)
    assert remedy in ctl.fails(1, "--root", other.root, "query", "--format", form, sql)


def test_a_dead_mount_is_told(bare_ctl: Ctl, shared_tree: Tree, tmp_path: Path) -> None:
    if "host fuse" not in shared_tree.text("info/features"):
        pytest.skip("only a FUSE server can die under its mount")
    place = tmp_path / "dead"
    place.mkdir()
    server = bare_ctl.started("mount", "--foreground", "--source", f"dead-{os.getpid()}", place)
    with server:
        assert server.stderr is not None
        server.stderr.readline()  # mounted
        server.kill()
    try:
        failure = bare_ctl.fails(3, "--root", place, "query", "SELECT 1")
        assert failure.startswith(f"{place} is a dead mount")
        assert f"ksqlctl mount {place}" in failure
        doctor = bare_ctl("--root", place, "doctor", code=1).stdout
        assert f"{place} is dead" in doctor
    finally:
        bare_ctl("umount", "--lazy", place)
