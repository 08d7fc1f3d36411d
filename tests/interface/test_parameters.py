# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Parameters: what follows a NUL byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.interface.tree import Tree, fails, request

TYPED = "SELECT typeof(?1) AS t, ?1 AS v"


def ask(tree: Tree, text: bytes) -> str:
    tree.run(text)
    return tree.result()


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        (b"x", "text,x"),
        (b"", 'text,""'),
        (b"42", "text,42"),
        (b"NULL", "text,NULL"),
        (b"it's", "text,it's"),
        (b"a;b", "text,a;b"),
        ("größe 表 😀".encode(), "text,größe 表 😀"),
        (b"\x0142", "integer,42"),
        (b"\x01-7", "integer,-7"),
        (b"\x010", "integer,0"),
        (b"\x019223372036854775807", "integer,9223372036854775807"),
        (b"\x01-9223372036854775808", "integer,-9223372036854775808"),
        (b"\x021.5", "real,1.5"),
        (b"\x022", "real,2.0"),
        (b"\x02-1e-3", "real,-0.001"),
        (b"\x03x", "text,x"),
        (b"\x03", 'text,""'),
        (b"\x03\x01", "text,\x01"),
        (b"\x04", "blob,\\x"),
        (b"\x0400ff", "blob,\\x00ff"),
        (b"\x0400FF", "blob,\\x00ff"),
        (b"\x05", "null,"),
        (b"\x06", 'text,""'),
        (b"\x06c3A9", "text,é"),
        (b"\x07", "text,\x07"),
        (b"\x1b", "text,\x1b"),
    ],
)
def test_a_parameter_has_the_type_of_its_first_byte(
    tree: Tree, param: bytes, expected: str
) -> None:
    tree.run(TYPED.encode() + b"\0" + param + b"\0")
    assert tree.result() == f"t,v\n{expected}\n"


@pytest.mark.parametrize(
    "param",
    [
        b"\x01",
        b"\x01x",
        b"\x0112x",
        b"\x011.5",
        b"\x019223372036854775808",
        b"\x01-9223372036854775809",
        b"\x02",
        b"\x02x",
        b"\x021.5x",
        b"\x04f",
        b"\x04xy",
        b"\x066",
        b"\x06xy",
        b"\x06c3",
        b"\x0400 ff",
        b"\xff",
        b"abc\xc3",
        b"\x03\xe2\x82",
        b"\xed\xa0\x80",
        b"\xc0\x80",
    ],
)
def test_a_malformed_parameter_is_einval(tree: Tree, param: bytes) -> None:
    with fails("EINVAL"):
        tree.run(TYPED.encode() + b"\0" + param + b"\0")
    tree.works()


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT ? AS a, ? AS b", ["x", "y"], "a,b\nx,y\n"),
        ("SELECT ?2 AS a, ?1 AS b", ["x", "y"], "a,b\ny,x\n"),
        ("SELECT ?1 AS a, ?1 AS b", ["x"], "a,b\nx,x\n"),
        ("SELECT :b AS a, :a AS b, :b AS c", ["x", "y"], "a,b,c\nx,y,x\n"),
        ("SELECT @p AS a, $q AS b, :p AS c", ["x", "y", "z"], "a,b,c\nx,y,z\n"),
        ("SELECT ?3 AS a, ? AS b, ?1 AS c", ["x", "y", "z", "w"], "a,b,c\nz,w,x\n"),
        ("SELECT :n AS a, ?1 AS b", ["x"], "a,b\nx,x\n"),
    ],
)
def test_parameters_are_bound_in_sqlites_own_order(
    tree: Tree, sql: str, params: list[str], expected: str
) -> None:
    assert ask(tree, request(sql, *params)) == expected


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT ?", []),
        ("SELECT ?, ?", ["x"]),
        ("SELECT ?", ["x", "y"]),
        ("SELECT 1", ["x"]),
        ("SELECT ?2", ["x"]),
        ("SELECT :a, :b", ["x", "y", "z"]),
    ],
)
@pytest.mark.parametrize("end", ["", ";"])
def test_a_wrong_number_of_parameters_is_einval(
    tree: Tree, sql: str, params: list[str], end: str
) -> None:
    with fails("EINVAL"):
        tree.run(request(sql + end, *params))
    tree.works()


@pytest.mark.parametrize("end", ["", ";", " ; ", ";\n", "; -- done\n"])
def test_the_statement_may_be_terminated_before_the_nul(tree: Tree, end: str) -> None:
    assert ask(tree, request(f"SELECT ? AS a{end}", "x")) == "a\nx\n"


@pytest.mark.parametrize("end", ["", ";"])
def test_parameters_may_be_split_over_writes_anywhere(tree: Tree, end: str) -> None:
    text = request(f"SELECT ?1 AS a, ?2 AS b, ?3 AS c{end}", "x;y", 42, None)
    for cut in range(1, len(text)):
        tree.run("SELECT 'stale'")
        with tree.batch() as batch:
            batch.write(text[:cut])
            batch.write(text[cut:])
        assert tree.result() == "a,b,c\nx;y,42,\n", f"cut before {text[cut:]!r}"


def test_parameters_may_come_byte_by_byte(tree: Tree) -> None:
    with tree.batch() as batch:
        for byte in request("SELECT ? AS a, ? AS b", "it's", "größe"):
            batch.write(bytes([byte]))
    assert tree.result() == "a,b\nit's,größe\n"


def test_parameters_are_never_sql(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    attack = "'); DROP TABLE t; SELECT ('"
    tree.run("INSERT INTO t VALUES(?)", attack)
    assert tree.rows("SELECT a FROM t") == [{"a": attack}]


def test_statements_before_the_last_have_no_parameters(tree: Tree) -> None:
    sql = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a, ? AS b FROM t"
    assert ask(tree, request(sql, "x")) == "a,b\n1,x\n"


def test_a_long_parameter(tree: Tree) -> None:
    tree.run("SELECT length(?1) AS n, substr(?1, -3) AS tail", "x" * 1_000_000 + "end")
    assert tree.result() == "n,tail\n1000003,end\n"


def test_a_thousand_parameters(tree: Tree) -> None:
    marks = ",".join("?" * 1_000)
    tree.run(f"SELECT 0 AS m WHERE 999 IN ({marks})", *range(1_000))
    assert tree.result() == "m\n0\n"


def test_a_nul_and_nothing_after_it_is_no_parameter(tree: Tree) -> None:
    assert ask(tree, b"SELECT 1 AS a\0") == "a\n1\n"


def test_a_connection_takes_parameters_with_each_request(tree: Tree) -> None:
    tree.run("CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('a', 1), ('b', 2)")
    with tree.connect() as connection:
        for key, expected in [("a", "v\n1\n"), ("b", "v\n2\n"), ("c", "v\n"), ("a", "v\n1\n")]:
            assert connection.ask("SELECT v FROM t WHERE k = ?", key) == expected
        assert connection.ask("SELECT 3 AS v") == "v\n3\n"


def test_a_connection_keeps_no_parameters_from_one_request_to_the_next(tree: Tree) -> None:
    with tree.connect() as connection:
        assert connection.ask("SELECT ? AS a", "secret") == "a\nsecret\n"
        with fails("EINVAL"):
            connection.ask("SELECT ? AS a")
        assert connection.ask("SELECT ? AS a", "x") == "a\nx\n"


def test_wrong_parameters_end_that_request_only(tree: Tree) -> None:
    with tree.connect() as connection:
        with fails("EINVAL"):
            connection.ask("SELECT ? AS a", "x", "y")
        assert connection.ask("SELECT ? AS a", "x") == "a\nx\n"


texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=12),
)


@given(st.lists(values, min_size=60, max_size=120))
def test_every_value_comes_back_as_it_was_given(
    shared_tree: Tree, params: list[str | bytes | int | float | None]
) -> None:
    columns = ", ".join(
        f"typeof(?{n}) AS t{n}, iif(typeof(?{n}) = 'blob', hex(?{n}), ?{n}) AS v{n}"
        for n in range(1, len(params) + 1)
    )
    (row,) = shared_tree.rows(f"SELECT {columns}", *params)
    for number, value in enumerate(params, 1):
        kind, back = row[f"t{number}"], row[f"v{number}"]
        if value is None:
            assert (kind, back) == ("null", None)
        elif isinstance(value, bytes):
            assert (kind, back) == ("blob", value.hex().upper())
        elif isinstance(value, float):
            assert kind == "real"
            assert struct.pack(">d", back + 0.0) == struct.pack(">d", value + 0.0)
        else:
            assert (kind, back) == ("integer" if isinstance(value, int) else "text", value)
