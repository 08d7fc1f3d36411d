# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""query.rows: answers for programs, with their columns, their end, and their errors."""

from __future__ import annotations

import errno
import json
import math
import os
from typing import Any

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import (
    ENDLESS,
    ENDLESS_ROWS,
    Connection,
    Sql,
    Tree,
    as_bytes,
    fails,
    rows_sql,
)

DONE: dict[str, Any] = {"changes": 0, "last_insert_rowid": 0, "in_transaction": False}


def lines(answer: bytes) -> list[Any]:
    """An answer line by line."""
    assert answer.endswith(b"\n")
    return [json.loads(line) for line in answer.decode().split("\n")[:-1]]


def ask(connection: Connection, request: Sql) -> list[Any]:
    """What a request is answered."""
    connection.write(request)
    return lines(connection.answer())


def refused(connection: Connection, request: Sql) -> tuple[str, dict[str, Any]]:
    """The errno of a request, by name, and the line that tells of it."""
    try:
        connection.write(request)
        while connection.read():
            pass
    except OSError as error:
        name = errno.errorcode[error.errno or 0]
    else:
        pytest.fail("nothing failed")
    (line,) = lines(connection.read())
    assert connection.read() == b""
    return name, line


# An answer that goes well


def test_columns_then_rows_then_the_last_line(tree: Tree) -> None:
    tree.run("CREATE TABLE t(id INTEGER PRIMARY KEY, name); INSERT INTO t VALUES(1, 'it''s')")
    with tree.connect("query.rows") as connection:
        connection.write("SELECT * FROM t;")
        assert connection.answer() == (
            b'["id","name"]\n[1,"it\'s"]\n'
            b'{"changes":0,"last_insert_rowid":0,"in_transaction":false}\n'
        )


def test_names_of_columns_are_repeated_and_come_without_rows(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        assert ask(connection, 'SELECT 1 AS a, 2 AS a, 3 AS "b\n" WHERE 0') == [
            ["a", "a", "b\n"],
            DONE,
        ]


@pytest.mark.parametrize("request_", ["CREATE TABLE t(a)", "CREATE TABLE t(a);", ";", " ", "--\n"])
def test_a_request_without_columns_has_the_last_line_alone(tree: Tree, request_: str) -> None:
    with tree.connect("query.rows") as connection:
        assert ask(connection, request_) == [DONE]


def test_without_a_request_there_is_no_answer(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        assert connection.read() == b""
        connection.write("SELECT 1 AS a;")
        assert lines(connection.answer()) == [["a"], [1], DONE]
        assert [connection.read() for _ in range(3)] == [b"", b"", b""]


def test_values(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        connection.write(
            "SELECT 9223372036854775807 AS i, -9223372036854775807 - 1, 0.1, 1e15, 5e-324, -0.0,"
            " 9e999, -9e999, NULL, '', x'', x'00ff10', char(0, 10, 34, 0x1F600);"
        )
        _, row, _ = connection.answer().decode().splitlines()
    assert row == (
        "[9223372036854775807,-9223372036854775808,0.1,1.0e+15,5.0e-324,-0.0,"
        '9e999,-9e999,null,"",{"$base64":""},{"$base64":"AP8Q"},"\\u0000\\n\\"😀"]'
    )
    assert json.loads(row)[6] == math.inf


def test_a_bound_zero_keeps_its_sign(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        connection.write(b"SELECT ?;\0\x02-0.0\0")
        assert b"\n[-0.0]\n" in connection.answer()


def test_text_with_nul_goes_there_and_back(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        answer = ask(connection, b"SELECT ?;\0\x06" + "a\0é".encode().hex().encode() + b"\0")
    assert answer[1] == ["a\0é"]


def test_the_last_statement_with_columns_answers(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        assert ask(connection, "SELECT 1 AS a; SELECT 2 AS b, 3 AS c; CREATE TABLE t(a);") == [
            ["b", "c"],
            [2, 3],
            DONE,
        ]


def test_a_request_in_several_writes_has_one_last_line(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        for part in ("CREATE TABLE t(a);", "SELECT 1 AS a;", "INSERT INTO t VA", "LUES(5);", "\n"):
            connection.write(part)
        assert lines(connection.answer()) == [
            ["a"],
            [1],
            {"changes": 1, "last_insert_rowid": 1, "in_transaction": False},
        ]


# The last line


def test_changes_are_those_of_the_last_such_statement_of_the_request(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:

        def changes(request: str) -> object:
            return ask(connection, request)[-1]["changes"]

        assert changes("CREATE TABLE t(a); CREATE TABLE log(a);") == 0
        assert changes("INSERT INTO t VALUES(1), (2), (3);") == 3
        assert changes("SELECT * FROM t;") == 0
        assert changes("UPDATE t SET a = 9 WHERE a > 1; SELECT * FROM t;") == 2
        assert changes("INSERT INTO t VALUES(7); UPDATE t SET a = 1 WHERE 0;") == 0
        assert changes("UPDATE t SET a = 1 WHERE 0; CREATE TABLE u(a);") == 0
        assert changes("DELETE FROM t") == 4
        assert changes("INSERT INTO t VALUES(1) RETURNING a;") == 1
        connection.write("INSERT INTO t VALUES(1);")
        connection.write("INSERT INTO t VALUES(1), (2);")
        assert lines(connection.answer())[-1]["changes"] == 2


def test_changes_by_triggers_are_not_counted(tree: Tree) -> None:
    tree.run(
        "CREATE TABLE t(a); CREATE TABLE log(a); CREATE TRIGGER r AFTER INSERT ON t"
        " BEGIN INSERT INTO log VALUES(1), (2); END"
    )
    with tree.connect("query.rows") as connection:
        assert ask(connection, "INSERT INTO t VALUES(5);")[-1]["changes"] == 1


def test_changes_do_not_hide_what_sql_counts(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect("query.rows") as connection:
        ask(connection, "INSERT INTO t VALUES(1), (2);")
        assert ask(connection, "SELECT changes() AS n;")[1] == [2]


def test_last_insert_rowid_is_the_connections(tree: Tree) -> None:
    tree.run("CREATE TABLE t(id INTEGER PRIMARY KEY)")
    with tree.connect("query.rows") as one, tree.connect("query.rows") as two:
        assert ask(one, "INSERT INTO t VALUES(41);")[-1]["last_insert_rowid"] == 41
        assert ask(two, "INSERT INTO t VALUES(-7);")[-1]["last_insert_rowid"] == -7
        assert ask(one, "SELECT 1;")[-1]["last_insert_rowid"] == 41


def test_in_transaction(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        assert ask(connection, "BEGIN")[-1]["in_transaction"]
        assert ask(connection, "CREATE TABLE t(a);")[-1]["in_transaction"]
        assert refused(connection, "SELEC")[1]["in_transaction"]
        assert not ask(connection, "ROLLBACK;")[-1]["in_transaction"]
        assert not refused(connection, "SELEC;")[1]["in_transaction"]


# Long answers, and reads of every size


def test_a_long_answer_ends_in_the_last_line(tree: Tree) -> None:
    count = 60_000
    with tree.connect("query.rows") as connection:
        assert ask(connection, rows_sql(count)) == [["n"], *([i + 1] for i in range(count)), DONE]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_reads_of_any_size_give_the_same(tree: Tree, size: int) -> None:
    with tree.connect("query.rows") as connection:
        connection.write("SELECT 1 AS a, 'é' AS b;")
        assert lines(connection.answer(size)) == [["a", "b"], [1, "é"], DONE]


@pytest.mark.parametrize("rows", [1, 3000, 30_000])
def test_a_read_of_exactly_the_answer(tree: Tree, rows: int) -> None:
    with tree.connect("query.rows") as connection:
        connection.write(rows_sql(rows) + ";")
        whole = connection.answer()
        connection.write(rows_sql(rows) + ";")
        taken = b""
        while len(taken) < len(whole):
            part = connection.read(len(whole) - len(taken))
            assert part
            taken += part
        assert taken == whole
        assert connection.read() == b""


def test_an_answer_that_is_not_read_is_dropped(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        connection.write(ENDLESS_ROWS + ";")
        assert connection.read(20).startswith(b'["n"]\n[1]\n')
        assert ask(connection, "SELECT 2 AS b;") == [["b"], [2], DONE]


def test_a_batch_is_a_batch(tree: Tree) -> None:
    tree.run("SELECT 1 AS a", file="query.rows")
    assert tree.result() == "a\n1\n"
    assert not (tree / "result.rows").exists()


# Failures


def test_a_failure_in_write(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        with fails("ENOENT"):
            connection.write("SELECT * FROM x;")
        assert connection.answer() == (
            b'{"error":"no such table: x","errno":"ENOENT","sqlite":"SQLITE_ERROR",'
            b'"statement":"SELECT * FROM x;","offset":14,"in_transaction":false}\n'
        )
        assert ask(connection, "SELECT 1 AS a;") == [["a"], [1], DONE]


def test_a_failure_in_read(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        connection.write("SELECT 1 + nix")
        with fails("EINVAL"):
            connection.read()
        (line,) = lines(connection.answer())
        assert line == {
            "error": "no such column: nix",
            "errno": "EINVAL",
            "sqlite": "SQLITE_ERROR",
            "statement": "SELECT 1 + nix",
            "offset": 11,
            "in_transaction": False,
        }
        assert ask(connection, "SELECT 1 AS a;") == [["a"], [1], DONE]


def test_a_failure_after_rows(tree: Tree) -> None:
    rows = 20_000
    with tree.connect("query.rows") as connection:
        connection.write(rows_sql(rows, f"iif(n < {rows}, n, abs(-9223372036854775807 - 1)) AS n"))
        read = b""
        with fails("EINVAL"):
            while part := connection.read():
                read += part
        assert read.startswith(b'["n"]\n[1]\n')
        (line,) = lines(connection.answer())
        assert line["error"] == "integer overflow"
        assert ask(connection, "SELECT 1 AS a;") == [["a"], [1], DONE]


def test_a_failure_that_is_not_read_is_dropped(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        for _ in range(3):
            with fails("EINVAL"):
                connection.write("SELEC;")
        assert ask(connection, "SELECT 1 AS a;") == [["a"], [1], DONE]


def test_a_failure_takes_the_requests_rows_with_it(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        name, line = refused(connection, "SELECT 1; SELECT 2; SELEC; SELECT 3;")
        assert (name, line["statement"]) == ("EINVAL", "SELEC;")


def test_what_ran_before_a_failure_does_not_count_for_the_next_request(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        refused(connection, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2); SELEC;")
        assert ask(connection, "SELECT 1 AS a;")[-1] == {**DONE, "last_insert_rowid": 2}


@pytest.mark.parametrize(
    ("request_", "name", "sqlite", "offset"),
    [
        ("SELEC", "EINVAL", "SQLITE_ERROR", 0),
        ("SELECT 'é' +* 2", "EINVAL", "SQLITE_ERROR", 13),
        ("SELECT 'x", "EINVAL", "SQLITE_ERROR", 7),
        ("INSERT INTO one VALUES(1)", "EEXIST", "SQLITE_CONSTRAINT_PRIMARYKEY", None),
        ("INSERT INTO one VALUES(NULL)", "EDOM", "SQLITE_CONSTRAINT_NOTNULL", None),
        ("ATTACH '/etc/passwd' AS p", "EPERM", "SQLITE_AUTH", None),
        (b"SELECT '\xff'", "EINVAL", None, 8),
        (b"SELECT ?\0\x01x\0", "EINVAL", None, None),
        (b"SELECT ?", "EINVAL", None, None),
        (b"SELECT ?;", "EINVAL", None, None),
        (b"SELECT 1\0x", "EINVAL", None, None),
    ],
)
def test_what_is_told(
    tree: Tree, request_: Sql, name: str, sqlite: str | None, offset: int | None
) -> None:
    tree.run("CREATE TABLE one(a INT NOT NULL PRIMARY KEY); INSERT INTO one VALUES(1)")
    with tree.connect("query.rows") as connection:
        got, line = refused(connection, request_)
    statement = as_bytes(request_).split(b"\0")[0].decode(errors="replace")
    assert (got, line["errno"], line["sqlite"], line["offset"]) == (name, name, sqlite, offset)
    assert line["statement"] == statement
    assert line["error"] == tree.text("error").splitlines()[0]


def test_a_long_statement_is_cut_around_the_place(tree: Tree) -> None:
    sql = "SELECT 'é" + "x" * 5000 + "', nix, '" + "y" * 5000 + "'"
    with tree.connect("query.rows") as connection:
        _, line = refused(connection, sql)
    statement: str = line["statement"]
    assert len(statement) < 3000
    assert statement.startswith("...\nx")
    assert statement.endswith("y\n...")
    assert statement.encode()[line["offset"] :].startswith(b"nix, ")


def test_a_long_statement_is_cut_within_no_character(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        for shift in range(3):
            sql = "SELECT " + "x" * shift + "'" + "表" * 2000 + "', nix, '" + "表" * 2000 + "'"
            _, line = refused(connection, sql)
            assert "\ufffd" not in line["statement"]


@pytest.mark.parametrize(
    ("options", "request_", "name"),
    [
        ({"max_sql": 1024}, "SELECT '" + "x" * 2000 + "'", "EFBIG"),
        ({"max_result": 4096}, rows_sql(30_000) + "; CREATE TABLE t(a);", "EOVERFLOW"),
        ({"timeout": 100}, ENDLESS, "ETIMEDOUT"),
        ({"size": 1 << 20}, "CREATE TABLE t AS SELECT zeroblob(4000000) AS a", "ENOSPC"),
    ],
)
def test_limits_are_told(mount: Mounter, options: dict[str, int], request_: str, name: str) -> None:
    with mount(None, **options).connect("query.rows") as connection:
        got, line = refused(connection, request_)
        assert (got, line["errno"]) == (name, name)
        assert line["error"]
        assert ask(connection, "SELECT 1 AS a;") == [["a"], [1], DONE]


def test_a_failure_that_ends_the_transaction_says_so(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)")
    with tree.connect("query.rows") as connection:
        ask(connection, "BEGIN;")
        _, line = refused(connection, "INSERT OR ROLLBACK INTO t VALUES(1);")
        assert not line["in_transaction"]


def test_each_connection_has_its_own_failure(tree: Tree) -> None:
    with tree.connect("query.rows") as one, tree.connect("query.rows") as two:
        for connection, sql in ((one, "SELEC 1;"), (two, "SELEC 2;")):
            with fails("EINVAL"):
                connection.write(sql)
        assert lines(one.answer())[0]["statement"] == "SELEC 1;"
        assert lines(two.answer())[0]["statement"] == "SELEC 2;"


def test_the_features_name_it(tree: Tree) -> None:
    features = dict(line.split(" ", 1) for line in tree.text("info/features").splitlines())
    assert "rows" in features["query"].split()
    assert "rows" not in features["result"].split()
    assert features["parameters"] == "2"


def test_opened_read_only_it_is_empty(tree: Tree) -> None:
    fd = os.open(tree / "query.rows", os.O_RDONLY)
    try:
        assert os.read(fd, 10) == b""
    finally:
        os.close(fd)
