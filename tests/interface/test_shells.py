# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Real shells and tools on the tree, as a user types them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interface.tree import Tree


def sh(
    shell: list[str], script: str, tree: Tree, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a script with the tree as its directory."""
    return subprocess.run(
        [*shell, "-c", script, "sh", *arguments],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=False,
    )


# Scripts whose output is the result of `SELECT 1 AS a`.
ONE = {
    "echo": "echo 'SELECT 1 AS a' > query; cat result",
    "echo-terminated": "echo 'SELECT 1 AS a;' > query; cat result",
    "append": "printf 'SELECT 1 AS a' >> query; cat result",
    "echo-of-lines": "echo 'SELECT\n1\nAS\na' > query; cat result",
    "group": "{ echo 'SELECT'; echo '1 AS a'; } > query; cat result",
    "group-of-programs": "{ /bin/echo 'SELECT'; /bin/echo '1 AS a'; } > query; cat result",
    "group-of-statements": "{ echo 'SELECT 0 AS b;'; echo 'SELECT 1 AS a;'; } > query; cat result",
    "subshell-with-sleep": "( printf 'SELECT '; sleep 0.1; printf '1 AS a' ) > query; cat result",
    "subshell-of-programs": "( /bin/echo SELECT; sleep 0.1; /bin/echo 1 AS a ) > query; cat result",
    "heredoc": "cat > query <<'EOF'\nSELECT\n  1 AS a;\nEOF\ncat result",
    "pipe": "printf 'SELECT 1 AS a' | cat > query; cat result",
    "tee": "echo 'SELECT 1 AS a' | tee query > /dev/null; cat result",
    "loop": "for word in SELECT 1 AS a; do echo $word; done > query; cat result",
    "function": "ask() { echo \"$1\" > query && cat result; }; ask 'SELECT 1 AS a'",
    "variable": "sql='SELECT 1 AS a'; echo \"$sql\" > query; cat result",
    "kept-descriptor": (
        "exec 3> query; echo 'SELECT 0 AS b;' >&3; echo 'SELECT 1 AS a;' >&3; exec 3>&-; cat result"
    ),
    "read-write": "exec 3<> query; echo 'SELECT 1 AS a;' >&3; cat <&3; exec 3>&-",
    "read-write-twice": (
        "exec 3<> query; echo 'SELECT 0 AS b;' >&3; cat <&3 > /dev/null;"
        " echo 'SELECT 1 AS a;' >&3; cat <&3; exec 3>&-"
    ),
    "noclobber-off": "set +C; echo 'SELECT 1 AS a' > query; cat result",
    "clobber": "set -C; echo 'SELECT 1 AS a' >| query; cat result",
    "stderr-too": "echo 'SELECT 1 AS a' > query 2>&1; cat result",
    "background": "echo 'SELECT 1 AS a' > query & wait; cat result",
}


@pytest.mark.parametrize("script", ONE)
def test_the_shell_gets_its_result(tree: Tree, shell: list[str], script: str) -> None:
    done = sh(shell, ONE[script], tree)
    assert (done.stdout, done.stderr, done.returncode) == ("a\n1\n", "", 0)


def test_a_file_of_sql_is_run_by_cat(tree: Tree, shell: list[str], tmp_path: Path) -> None:
    file = tmp_path / "many.sql"
    insert = f"INSERT INTO t VALUES('{'x' * 200}');\n"
    file.write_text(f"CREATE TABLE t(a);\nBEGIN;\n{insert * 1500}COMMIT;\nSELECT count(*) FROM t")
    done = sh(shell, 'cat "$1" > query && cat value', tree, str(file))
    assert (done.stdout, done.stderr, done.returncode) == ("1500\n", "", 0)


def test_echo_shows_an_error_from_write(tree: Tree, shell: list[str]) -> None:
    done = sh(shell, "echo 'SELEC 1;' > query", tree)
    assert done.returncode != 0
    assert done.stderr != ""


@pytest.mark.parametrize("cat", ["cat", "busybox cat"])
def test_cat_shows_the_error_of_what_a_read_runs(tree: Tree, shell: list[str], cat: str) -> None:
    script = f"exec 3<> query; echo 'SELECT * FROM nowhere' >&3; {cat} <&3"
    done = sh(shell, script, tree)
    assert "No such file or directory" in done.stderr
    assert (done.stdout, done.returncode) == ("", 1)


@pytest.mark.parametrize("text", ["SELEC 1", "SELEC 1;"])
def test_cat_result_exits_1_after_a_failed_batch(tree: Tree, shell: list[str], text: str) -> None:
    done = sh(shell, 'echo "$1" > query 2> /dev/null; cat result || cat error', tree, text)
    assert "Invalid argument" in done.stderr
    assert done.stdout.startswith('near "SELEC": syntax error\n')
    assert done.returncode == 0


def test_parameters_from_printf(tree: Tree, shell: list[str]) -> None:
    script = "printf '%s\\0' 'SELECT ? AS name, ? AS b' \"$1\" '' > query; cat result"
    done = sh(shell, script, tree, "Robert'); DROP TABLE t; --")
    assert (done.stdout, done.returncode) == ('name,b\nRobert\'); DROP TABLE t; --,""\n', 0)


def test_value_is_made_for_command_substitution(tree: Tree, shell: list[str]) -> None:
    done = sh(shell, 'echo "SELECT \'a  b\'" > query; v=$(cat value); echo "[$v]"', tree)
    assert done.stdout == "[a  b]\n"


def test_rows_are_read_by_a_loop(tree: Tree, shell: list[str]) -> None:
    script = (
        "echo \"VALUES(1,'x'),(2,'y')\" > query;"
        ' while IFS=, read -r a b; do echo "$b$a"; done < result'
    )
    assert sh(shell, script, tree).stdout == "column2column1\nx1\ny2\n"


def test_removing_a_table_by_rm_is_refused(tree: Tree, shell: list[str]) -> None:
    tree.run("CREATE TABLE t(a)")
    done = sh(shell, "rm -rf tables", tree)
    assert done.returncode != 0
    assert tree.tables() == ["t"]


# Tools that write

SQL = "CREATE TABLE t(a);\nINSERT INTO t VALUES('x;y'), (2);\nSELECT count(*) AS n FROM t\n"

WRITERS = {
    "cp": ["cp", "{}", "query"],
    "busybox-cp": ["busybox", "cp", "{}", "query"],
    "dd": ["dd", "if={}", "of=query", "status=none"],
    "dd-by-bytes": ["dd", "if={}", "of=query", "bs=1", "status=none"],
    "dd-notrunc": ["dd", "if={}", "of=query", "conv=notrunc", "oflag=append", "status=none"],
    "busybox-dd": ["busybox", "dd", "if={}", "of=query", "bs=7"],
    "install-is-cat": ["sh", "-c", "cat {} > query"],
    "sed": ["sed", "-n", "w query", "{}"],
    "awk": ["awk", '{ print > "query" }', "{}"],
}


@pytest.mark.parametrize("tool", WRITERS)
def test_tools_can_write_a_batch(tree: Tree, tmp_path: Path, tool: str) -> None:
    file = tmp_path / "batch.sql"
    file.write_text(SQL)
    command = [word.format(file) if "{}" in word else word for word in WRITERS[tool]]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tree.result() == "n\n2\n"


@pytest.mark.parametrize(
    "command", [["cp", "{}", "query"], ["cat"], ["dd", "of=query"], ["tee", "query"]]
)
@pytest.mark.parametrize("text", ["SELEC 1", "SELEC 1;"])
def test_tools_report_a_failed_batch(
    tree: Tree, tmp_path: Path, command: list[str], text: str
) -> None:
    file = tmp_path / "wrong.sql"
    file.write_text(text)
    with file.open() as source, (tree / "query").open("wb", buffering=0) as sink:
        done = subprocess.run(
            [word.format(file) for word in command],
            stdin=source,
            stdout=sink if command == ["cat"] else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tree.root,
            check=False,
        )
        if command == ["cat"] and not text.endswith(";"):
            # The descriptor is this process's: cat's own close is not the batch's.
            with pytest.raises(OSError, match="Invalid argument"):
                sink.close()
            return
    assert done.returncode != 0
    assert "Invalid argument" in done.stderr


# Tools that read

READERS: dict[str, tuple[list[str], str]] = {
    "cat": (["cat", "result"], "a\n1\n2\n3\n"),
    "head": (["head", "-n", "2", "result"], "a\n1\n"),
    "tail": (["tail", "-n", "1", "result"], "3\n"),
    "tail-bytes": (["tail", "-c", "4", "result"], "2\n3\n"),
    "tac": (["tac", "result"], "3\n2\n1\na\n"),
    "wc": (["wc", "-c", "result"], "8 result\n"),
    "sort": (["sort", "-r", "result"], "a\n3\n2\n1\n"),
    "grep": (["grep", "-n", "2", "result"], "3:2\n"),
    "dd-skip": (["dd", "if=result", "bs=1", "skip=2", "count=2", "status=none"], "1\n"),
    "awk": (["awk", "NR > 1 { n += $1 } END { print n }", "result"], "6\n"),
    "python": (["python3", "-c", "print(open('result').read(3), end='')"], "a\n1"),
    "cmp": (["cmp", "result", "result"], ""),
    "stat": (["stat", "-c", "%s", "result"], "8\n"),
}


@pytest.mark.parametrize("tool", READERS)
def test_tools_can_read_a_result(tree: Tree, tool: str) -> None:
    command, expected = READERS[tool]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    tree.run("SELECT column1 AS a FROM (VALUES(1), (2), (3))")
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


def test_cp_copies_a_result_whole(tree: Tree, tmp_path: Path) -> None:
    tree.run("SELECT hex(zeroblob(150000)) AS a")
    for command in (["cp"], ["busybox", "cp"], ["install", "-m", "600"]):
        copy = tmp_path / f"{command[0]}.csv"
        subprocess.run([*command, tree / "result", copy], check=True)
        assert copy.read_bytes() == b"a\n" + b"0" * 300_000 + b"\n"


def test_find_walks_the_tree(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    done = subprocess.run(
        ["find", ".", "-name", "count", "-o", "-name", "sqlite_version"],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(done.stdout.split()) == ["./info/sqlite_version", "./tables/t/count"]


def test_ls_shows_everything_without_complaint(tree: Tree) -> None:
    tree.run('CREATE TABLE t(a); CREATE TABLE "a/b"(a)')
    with pytest.raises(OSError, match="Invalid argument"):
        tree.run("SELEC;")
    done = subprocess.run(
        ["ls", "-laR"], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert "./tables/a%2Fb:\n" in done.stdout
