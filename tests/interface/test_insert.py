# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""tables/NAME/insert.csv and insert.ndjson: rows added by programs that write files."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, child, fails, in_child, rows_sql, wait_until

TABLE = "CREATE TABLE t(a INTEGER NOT NULL, b TEXT DEFAULT 'd', c BLOB)"


def insert(tree: Tree, text: str | bytes, form: str = "csv", table: str = "t") -> None:
    with tree.batch(f"tables/{table}/insert.{form}") as file:
        file.write(text)


def test_they_are_files_to_write(tree: Tree) -> None:
    tree.run(TABLE)
    for form in ("csv", "ndjson"):
        path = tree / f"tables/t/insert.{form}"
        status = path.stat()
        assert stat.S_ISREG(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == stat.S_IMODE((tree / "query").stat().st_mode)
        assert status.st_size == 0
        assert path.read_bytes() == b""
        with fails("EPERM"):
            os.close(os.open(path, os.O_RDWR))
    assert "insert csv ndjson" in tree.text("info/features").splitlines()


def test_rows_are_added(tree: Tree) -> None:
    tree.run(TABLE)
    insert(tree, 'A,c\r\n1,\\x00ff\r\n2,""\r\n')
    insert(tree, '{"a": 3, "b": null}\n{"c": {"$base64": "AP8="}, "a": "4"}', "ndjson")
    assert tree.text("tables/t/data.csv") == 'a,b,c\n1,d,\\x00ff\n2,d,""\n3,,\n4,d,\\x00ff\n'
    assert tree.text("error") == "ok\n"
    assert tree.status()["changes"] == "2"


def test_the_shell_shows_that_it_failed(tree: Tree, shell: list[str]) -> None:
    tree.run(TABLE)
    script = "printf 'a\\n1\\n2\\n3\\nx,y\\n' > tables/t/insert.csv || cat error"
    ended = subprocess.run(
        [*shell, "-c", script], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert ended.stdout.startswith("line 5: 2 fields instead of 1\nerrno EINVAL")
    assert tree.text("tables/t/count") == "0\n"


def test_an_error_is_told_once_and_nothing_is_changed(tree: Tree) -> None:
    tree.run(TABLE + "; INSERT INTO t VALUES(1, 'x', 'y'); SELECT 5 AS five")
    with tree.batch("tables/t/insert.csv") as file:
        file.write("a\n2\n")
        with fails("EDOM"):
            file.write("\n")
        with fails("ECANCELED"):
            file.write("3\n")
    assert tree.text("error").startswith("line 3: NOT NULL constraint failed: t.a\nerrno EDOM")
    assert tree.status()["state"] == "error"
    assert tree.status()["changes"] == "0"
    assert tree.result() == "five\n5\n"
    assert tree.text("tables/t/count") == "1\n"


@pytest.mark.parametrize(
    ("text", "errno", "line"),
    [
        ("a,b\n1,2\n3\n", "EINVAL", 3),
        ("a,b\n1,2\n3,4,5\n", "EINVAL", 3),
        ("a,A\n1,2\n", "EINVAL", 1),
        ("a,,b\n1,2,3\n", "EINVAL", 1),
        ("a,nowhere\n1,2\n", "EINVAL", 1),
        ('a,b\n1,"2"3\n', "EINVAL", 2),
        ("a,b\n1,2\0\n", "EINVAL", 2),
        (b"a,b\n1,2\n3,\xff\n", "EINVAL", 3),
        ("a,b\none,2\n", "EDOM", 2),
        ("a,b\n1,2\n,3\n", "EDOM", 3),
        ("a,b\n1,2\n2,2\n1,4\n", "EEXIST", 4),
    ],
)
def test_bad_rows(tree: Tree, text: str | bytes, errno: str, line: int) -> None:
    tree.run("CREATE TABLE t(a INTEGER NOT NULL UNIQUE, b TEXT) STRICT")
    with fails(errno):
        insert(tree, text)
    assert tree.text("error").startswith(f"line {line}: ")
    assert tree.text("tables/t/count") == "0\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [('{"a":1}\n{"a":}\n', 2), ("[1]\n", 1), ('{"a":1}\n\n{"x":1}\n', 3), ('{"a":1,"a":2}\n', 1)],
)
def test_bad_lines(tree: Tree, text: str, line: int) -> None:
    tree.run(TABLE)
    with fails("EINVAL"):
        insert(tree, text, "ndjson")
    assert tree.text("error").startswith(f"line {line}: ")
    assert tree.text("tables/t/count") == "0\n"


def test_what_the_close_finds_the_close_tells(tree: Tree) -> None:
    tree.run(TABLE)
    file = tree.batch("tables/t/insert.csv")
    file.write('a,b\n1,"unclosed\n')
    with fails("EINVAL"):
        file.close()
    assert tree.text("error").startswith("line 2: a quote that is not closed\n")


def test_nobody_sees_a_part(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.batch("tables/t/insert.csv") as file:
        file.write("a\n1\n2\n")
        assert tree.text("tables/t/count") == "0\n"
        file.write("3")
    assert tree.text("tables/t/data.csv") == "a\n1\n2\n3\n"


def test_programs_append_and_copy(tree: Tree, tmp_path: Path) -> None:
    tree.run("CREATE TABLE t(n INTEGER, w TEXT)")
    source = tmp_path / "rows.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([("n", "w"), *((i, f'a "{i}",\n') for i in range(40_000))])
    target = tree / "tables/t/insert.csv"
    subprocess.run(["cp", source, target], check=True)
    subprocess.run(["dd", f"if={source}", f"of={target}", "bs=777", "status=none"], check=True)
    subprocess.run(f"cat {source} >> {target}", shell=True, check=True)
    assert tree.value("SELECT count(*) || ' ' || sum(n) FROM t") == f"120000 {3 * 799980000}"
    assert tree.value("SELECT count(DISTINCT w) FROM t") == "40000"
    assert tree.value("SELECT w FROM t WHERE n = 7").startswith('a "7",\n')


def test_what_a_table_shows_goes_into_another(tree: Tree) -> None:
    tree.run(
        "CREATE TABLE t(i INTEGER, r REAL, t TEXT, b BLOB);"
        f"INSERT INTO t {rows_sql(1000, 'n, n / 7.0, char(34, 44, n), randomblob(n % 5)')};"
        "INSERT INTO t VALUES(NULL, 9e999, '', x'')"
    )
    for form in ("csv", "ndjson"):
        tree.run("CREATE TABLE u(i INTEGER, r REAL, t TEXT, b BLOB)")
        insert(tree, tree.read(f"tables/t/data.{form}"), form, "u")
        assert tree.read(f"tables/u/data.{form}") == tree.read(f"tables/t/data.{form}")
        assert tree.value("SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM u)") == "0"
        tree.run("DROP TABLE u")


def test_jq_feeds_it(tree: Tree) -> None:
    tree.run("CREATE TABLE t(name, port INTEGER)")
    data = json.dumps([{"name": "http", "port": 80}, {"name": "ntp", "port": 123}])
    with (tree / "tables/t/insert.ndjson").open("wb") as target:
        subprocess.run(["jq", "-c", ".[]"], input=data.encode(), stdout=target, check=True)
    assert tree.text("tables/t/data.csv") == "name,port\nhttp,80\nntp,123\n"


def test_a_killed_writer_leaves_nothing(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE TABLE ready(a)")

    def write() -> None:
        file = tree.batch("tables/t/insert.csv")
        file.write("a\n1\n2\n")
        os.close(ready)
        signal.pause()

    waits, ready = os.pipe()
    with child(write):
        os.close(ready)
        assert os.read(waits, 1) == b""
    os.close(waits)
    tree.run("INSERT INTO t VALUES('not locked')")
    assert tree.text("tables/t/data.csv") == "a\nnot locked\n"


def test_the_lock_is_held_from_the_first_row(mount: Mounter) -> None:
    tree = mount(busy=50)
    tree.run("CREATE TABLE t(a)")
    with tree.batch("tables/t/insert.csv") as file:
        file.write("a\n")
        tree.run("INSERT INTO t VALUES('free')")
        file.write("1\n")
        with fails("EBUSY"):
            tree.run("INSERT INTO t VALUES('held')")
        assert tree.value("SELECT count(*) FROM t") == "1"
    assert tree.text("tables/t/count") == "2\n"


def test_who_may_not_write_to_query_may_not_insert(mount: Mounter) -> None:
    if os.getuid():
        pytest.skip("needs another user")
    tree = mount(mode="0755", **({"allow_other": ""} if mount.host.name == "fuse" else {}))
    tree.run("CREATE TABLE t(a)")

    def write() -> None:
        insert(tree, "a\n1\n")

    with fails("EACCES"):
        in_child(write, 12345)
    assert tree.text("tables/t/count") == "0\n"


def test_events_count_one_commit(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    before = tree.text("events").split()
    insert(tree, "a\n" + "1\n" * 5000)
    after = tree.text("events").split()
    assert int(after[1]) == int(before[1]) + 1
    assert after[3] == before[3]


def test_two_writers_one_after_the_other(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")

    def write() -> None:
        insert(tree, "a\n" + "child\n" * 1000)

    with child(write):
        insert(tree, "a\n" + "parent\n" * 1000)
        wait_until(lambda: tree.text("tables/t/count") == "2000\n", "both have written")
