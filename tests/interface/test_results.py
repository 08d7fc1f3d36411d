# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a batch leaves: result*, value, error and status. Whose, since when, and how large."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, child, fails, in_child, rows_sql

RESULT_FILES = ["result", "result.json", "result.ndjson"]
EXACT = [*RESULT_FILES, "value", "error", "status"]


# Pinned


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("result", "a\nold\n", "a\nnew\n"),
        ("result.json", '[{"a":"old"}]\n', '[{"a":"new"}]\n'),
        ("result.ndjson", '{"a":"old"}\n', '{"a":"new"}\n'),
        ("value", "old\n", "new\n"),
    ],
)
def test_what_was_opened_does_not_change(tree: Tree, name: str, old: str, new: str) -> None:
    tree.run("SELECT 'old' AS a")
    with (tree / name).open() as before:
        tree.run("SELECT 'new' AS a")
        with (tree / name).open() as after:
            assert after.read() == new
        assert before.read() == old
        before.seek(0)
        assert before.read() == old


def test_error_and_status_are_pinned_too(tree: Tree) -> None:
    tree.run("SELECT 1")
    with (tree / "error").open() as error, (tree / "status").open() as status:
        with fails("EINVAL"):
            tree.run("SELEC;")
        assert error.read() == "ok\n"
        assert status.read().startswith("state ok\n")


def test_a_result_opened_before_a_failure_can_still_be_read(tree: Tree) -> None:
    tree.run("SELECT 'old' AS a")
    with (tree / "result").open() as before:
        with fails("EINVAL"):
            tree.run("SELEC;")
        assert before.read() == "a\nold\n"


def test_a_result_does_not_follow_the_data(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t")
    with tree.connect() as other:
        other.ask("DROP TABLE t")
    assert tree.result() == "a\n1\n"


def test_a_reader_never_sees_half_of_two(tree: Tree) -> None:
    tree.run(rows_sql(4_000, "'old' AS a"))
    fd = os.open(tree / "result", os.O_RDONLY)
    try:
        data = os.read(fd, 10)
        tree.run(rows_sql(4_000, "'new' AS a"))
        while piece := os.read(fd, 1_000):
            data += piece
    finally:
        os.close(fd)
    assert data == b"a\n" + b"old\n" * 4_000


def test_a_result_is_whole_whoever_else_is_writing(tree: Tree) -> None:
    def write(letter: str) -> None:
        for _ in range(1_000_000):
            tree.run(rows_sql(500, f"'{letter * 20}' AS a"))

    def whole(letter: str) -> bytes:
        return ("a\n" + (letter * 20 + "\n") * 500).encode()

    tree.run(rows_sql(500, f"'{'x' * 20}' AS a"))
    with child(lambda: write("x")), child(lambda: write("y")):
        seen = set()
        for number in range(100_000):
            seen.add(tree.read("result"))
            if len(seen) > 1 and number > 50:
                break
    assert seen == {whole("x"), whole("y")}


# Sizes and positions


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a",
        "SELECT 'größe' AS a, NULL AS b UNION ALL VALUES(x'00', 1.5)",
        "SELECT 1 AS a WHERE 0",
        rows_sql(3_000, "n, hex(n) AS h"),
        "SELECT hex(zeroblob(5000)) AS a",
        "DROP TABLE IF EXISTS nope",
    ],
)
def test_the_size_is_exact(tree: Tree, name: str, sql: str) -> None:
    tree.run(sql)
    assert (tree / name).stat().st_size == len(tree.read(name))


def test_the_size_of_an_error_is_exact(tree: Tree) -> None:
    for sql in ["SELEC;", "SELECT nope\nFROM t;" + " " * 100]:
        with fails("EINVAL", "ENOENT"):
            tree.run(sql)
        for name in ["error", "status"]:
            assert (tree / name).stat().st_size == len(tree.read(name))


def test_the_size_follows_each_result(tree: Tree) -> None:
    for length in [1, 500, 20, 0, 3]:
        tree.run(f"SELECT hex(zeroblob({length})) AS a")
        assert (tree / "result").stat().st_size == len(tree.read("result"))


@pytest.mark.parametrize("name", EXACT)
def test_files_can_be_read_from_anywhere(tree: Tree, name: str) -> None:
    tree.run(rows_sql(2_000, "n, 'x' || n AS x"))
    whole = tree.read(name)
    fd = os.open(tree / name, os.O_RDONLY)
    try:
        assert os.lseek(fd, 0, os.SEEK_END) == len(whole)
        assert os.read(fd, 10) == b""
        assert os.pread(fd, 10, len(whole) - 1) == whole[-1:]
        assert os.pread(fd, 10, len(whole)) == b""
        assert os.pread(fd, 10, len(whole) + 1_000_000) == b""
        for at in (0, 1, len(whole) // 2, len(whole) // 3):
            assert os.lseek(fd, at, os.SEEK_SET) == at
            assert os.read(fd, 5) == whole[at : at + 5]
            assert os.lseek(fd, 0, os.SEEK_CUR) == len(whole[: at + 5])
            assert os.pread(fd, 7, at) == whole[at : at + 7]
        with fails("EINVAL"):
            os.lseek(fd, -1, os.SEEK_SET)
        os.lseek(fd, 0, os.SEEK_SET)
        assert b"".join(iter(lambda: os.read(fd, 333), b"")) == whole
    finally:
        os.close(fd)


def test_a_result_of_megabytes(tree: Tree) -> None:
    tree.run(rows_sql(50_000, "hex(zeroblob(50)) AS a"))
    assert (tree / "result").stat().st_size == 2 + 50_000 * 101
    assert tree.read("result") == b"a\n" + (b"0" * 100 + b"\n") * 50_000


# By user


def test_every_uid_has_its_own_result(mount: Mounter) -> None:
    tree = mount(mode="0777")
    tree.run("SELECT 'root' AS a")
    assert in_child(lambda: tree.ask("SELECT 'one' AS a"), uid=4001) == "a\none\n"
    assert in_child(lambda: tree.ask("SELECT 'two' AS a"), uid=4002) == "a\ntwo\n"
    assert tree.result() == "a\nroot\n"
    assert in_child(tree.result, uid=4001) == "a\none\n"
    assert in_child(lambda: tree.text("value"), uid=4002) == "two\n"
    assert in_child(lambda: tree.text("result.json"), uid=4001) == '[{"a":"one"}]\n'


def test_a_user_without_a_batch_has_nothing(mount: Mounter) -> None:
    tree = mount(mode="0777")
    tree.run("SELECT 'root' AS a")
    assert in_child(tree.result, uid=4001) == ""
    assert in_child(lambda: tree.text("error"), uid=4001) == "ok\n"
    assert in_child(tree.status, uid=4001)["state"] == "none"


def test_every_uid_has_its_own_error(mount: Mounter) -> None:
    tree = mount(mode="0777")
    tree.run("SELECT 'root' AS a")
    with fails("EINVAL"):
        in_child(lambda: tree.run("SELEC;"), uid=4001)
    with fails("EINVAL"):
        in_child(tree.result, uid=4001)
    assert "SELEC" in in_child(lambda: tree.text("error"), uid=4001)
    assert in_child(tree.status, uid=4001)["state"] == "error"
    assert tree.result() == "a\nroot\n"
    assert tree.text("error") == "ok\n"
    assert tree.status()["state"] == "ok"


def test_every_uid_sees_the_size_of_its_own_result(mount: Mounter) -> None:
    tree = mount(mode="0777")
    tree.run("SELECT 'a long one' AS a")
    in_child(lambda: tree.run("SELECT 1 AS a"), uid=4001)
    assert in_child(lambda: (tree / "result").stat().st_size, uid=4001) == 4
    assert (tree / "result").stat().st_size == 13


def test_processes_of_one_uid_share_their_result(mount: Mounter) -> None:
    tree = mount(mode="0777")
    in_child(lambda: tree.run("SELECT 'shared' AS a"), uid=4001)
    assert in_child(tree.result, uid=4001) == "a\nshared\n"


# Failure


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELEC;", "EINVAL"),
        ("SELECT * FROM nowhere;", "ENOENT"),
        ("CREATE TABLE t(a NOT NULL); INSERT INTO t VALUES(NULL);", "EDOM"),
        ("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1),(1);", "EEXIST"),
    ],
)
def test_after_a_failed_batch_opening_fails_with_its_errno(tree: Tree, sql: str, name: str) -> None:
    with fails(name):
        tree.run(sql)
    for file in [*RESULT_FILES, "value"]:
        with fails(name):
            os.open(tree / file, os.O_RDONLY)
    assert tree.text("error") != "ok\n"
    assert tree.status()["errno"] == name


def test_after_a_failed_close_opening_fails_with_its_errno(tree: Tree) -> None:
    batch = tree.batch()
    batch.write("SELECT * FROM nowhere")
    with fails("ENOENT"):
        batch.close()
    for file in [*RESULT_FILES, "value"]:
        with fails("ENOENT"):
            os.open(tree / file, os.O_RDONLY)


def test_a_batch_that_failed_late_has_no_result_of_its_beginning(tree: Tree) -> None:
    with fails("EINVAL"):
        tree.run("SELECT 1 AS a; SELEC;")
    with fails("EINVAL"):
        tree.result()


def test_success_ends_the_failure(tree: Tree) -> None:
    with fails("EINVAL"):
        tree.run("SELEC;")
    tree.run("SELECT 1 AS a")
    assert tree.result() == "a\n1\n"
    assert tree.text("error") == "ok\n"
    assert tree.status()["state"] == "ok"


# error


def caret_points_at(text: str) -> str:
    """What of the statement begins above the caret."""
    lines = text.split("\n")
    (at,) = [number for number, line in enumerate(lines) if line.strip() == "^"]
    return lines[at - 1][lines[at].index("^") :]


def test_error_says_ok(tree: Tree) -> None:
    tree.run("SELECT 1")
    assert tree.text("error") == "ok\n"


@pytest.mark.parametrize(
    ("sql", "message", "codes", "fault"),
    [
        (
            "SELEC 1;",
            'near "SELEC": syntax error',
            "errno EINVAL (22) sqlite SQLITE_ERROR (1)",
            "SELEC 1",
        ),
        (
            "SELECT a, nope FROM (SELECT 1 AS a);",
            "no such column: nope",
            "errno EINVAL (22) sqlite SQLITE_ERROR (1)",
            "nope FROM",
        ),
        (
            "SELECT 1,\n  2,\n  nope\nFROM (SELECT 1);",
            "no such column: nope",
            "errno EINVAL (22) sqlite SQLITE_ERROR (1)",
            "nope",
        ),
        (
            "SELECT 'größe 表', nope;",
            "no such column: nope",
            "errno EINVAL (22) sqlite SQLITE_ERROR (1)",
            "nope",
        ),
        (
            "SELECT 1; SELECT nosuch(1);",
            "no such function: nosuch",
            "errno EINVAL (22) sqlite SQLITE_ERROR (1)",
            "nosuch(1)",
        ),
    ],
)
def test_error_has_message_codes_and_a_caret_under_the_fault(
    tree: Tree, sql: str, message: str, codes: str, fault: str
) -> None:
    with pytest.raises(OSError):
        tree.run(sql)
    text = tree.text("error")
    assert text.endswith("\n")
    assert text.split("\n")[:2] == [message, codes]
    assert caret_points_at(text).startswith(fault)


def test_error_without_a_place_has_message_codes_and_statement(tree: Tree) -> None:
    # SQLite does not say where in the text a missing table is.
    with fails("ENOENT"):
        tree.run("SELECT *\nFROM nowhere;")
    lines = tree.text("error").split("\n")
    assert lines[:2] == ["no such table: nowhere", "errno ENOENT (2) sqlite SQLITE_ERROR (1)"]
    assert [line.rstrip(";") for line in lines[2:4]] == ["SELECT *", "FROM nowhere"]


@pytest.mark.parametrize("text", [b"SELECT '\xff' FROM;", b"SELECT 1 AS \xe2\x82;"])
def test_error_is_utf8_whatever_was_written(tree: Tree, text: bytes) -> None:
    with fails("EINVAL"):
        tree.run(text)
    assert "\ufffd" in tree.text("error")


def test_error_shows_the_whole_statement_and_no_other(tree: Tree) -> None:
    with fails("EINVAL"):
        tree.run("SELECT 'first';\nSELECT 1,\n  nope,\n  3;\nSELECT 'last';")
    text = tree.text("error")
    for line in ["SELECT 1,", "  nope,", "  3"]:
        assert line in text
    assert "first" not in text
    assert "last" not in text


@pytest.mark.parametrize(
    ("sql", "message", "codes"),
    [
        (
            "INSERT INTO t VALUES(1, 0);",
            "UNIQUE constraint failed: t.a",
            "errno EEXIST (17) sqlite SQLITE_CONSTRAINT_UNIQUE (2067)",
        ),
        (
            "INSERT INTO t VALUES(2, NULL);",
            "NOT NULL constraint failed: t.b",
            "errno EDOM (33) sqlite SQLITE_CONSTRAINT_NOTNULL (1299)",
        ),
    ],
)
def test_error_of_a_constraint(tree: Tree, sql: str, message: str, codes: str) -> None:
    tree.run("CREATE TABLE t(a UNIQUE, b NOT NULL); INSERT INTO t VALUES(1, 1)")
    with pytest.raises(OSError):
        tree.run(sql)
    assert tree.text("error").split("\n")[:2] == [message, codes]
    assert sql.rstrip(";") in tree.text("error")


def test_error_keeps_the_message_of_the_first_failure(tree: Tree) -> None:
    with tree.batch() as batch:
        with fails("EINVAL"):
            batch.write("SELEC one;")
        with fails("ECANCELED"):
            batch.write("SELEC two;")
    assert tree.text("error").startswith('near "SELEC"')
    assert "one" in tree.text("error")


# status

KEYS = ["state", "errno", "sqlite", "rows", "changes", "last_insert_rowid", "usec", "truncated"]


@pytest.mark.parametrize("sql", ["SELECT 1;", "SELEC;"])
def test_status_has_its_keys_in_order(tree: Tree, sql: str) -> None:
    with suppress(OSError):
        tree.run(sql)
    assert list(tree.status()) == KEYS


def test_status_before_any_batch(mount: Mounter) -> None:
    tree = mount()
    assert list(tree.status()) == KEYS
    assert tree.status()["state"] == "none"
    assert tree.status()["errno"] == "0"


def test_status_of_a_select(tree: Tree) -> None:
    tree.run("VALUES(1),(2),(3)")
    status = tree.status()
    assert status["state"] == "ok"
    assert status["errno"] == "0"
    assert status["sqlite"] == "0"
    assert status["rows"] == "3"
    assert status["truncated"] == "0"
    assert int(status["usec"]) >= 0


def test_status_of_an_insert(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    tree.run("INSERT INTO t(rowid, a) VALUES(41, 0), (42, 0), (43, 0)")
    status = tree.status()
    assert (status["changes"], status["last_insert_rowid"]) == ("3", "43")
    tree.run("UPDATE t SET a = 1 WHERE rowid > 41")
    assert tree.status()["changes"] == "2"


def test_status_of_a_failure(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a UNIQUE)")
    with fails("EEXIST"):
        tree.run("INSERT INTO t VALUES(1), (1);")
    status = tree.status()
    assert (status["state"], status["errno"], status["sqlite"]) == ("error", "EEXIST", "2067")


# value


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 1", "1\n"),
        ("SELECT 1.0", "1.0\n"),
        ("SELECT 'a,b', 2 UNION ALL VALUES(3, 4)", "a,b\n"),
        ("SELECT 'say \"hi\"'", 'say "hi"\n'),
        ("SELECT 'two' || char(10) || 'lines'", "two\nlines\n"),
        ("SELECT ' x '", " x \n"),
        ("SELECT ''", "\n"),
        ("SELECT NULL", "\n"),
        ("SELECT -9223372036854775808", "-9223372036854775808\n"),
        ("SELECT 'größe'", "größe\n"),
    ],
)
def test_value_is_the_first_of_the_first_row_bare(tree: Tree, sql: str, text: str) -> None:
    tree.run(sql)
    assert tree.text("value") == text
    assert (tree / "value").stat().st_size == len(text.encode())
