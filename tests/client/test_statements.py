# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the client sees in a statement, against SQLite's own eyes."""

from __future__ import annotations

import sqlite3

import ksqlfs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ksqlfs.statements import Statement


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1", []),
        ("SELECT ?, ?", [None, None]),
        ("SELECT ?3", [None, None, None]),
        ("SELECT ?2, ?, ?1", [None, None, None]),
        ("SELECT :b, :a, :b", ["b", "a"]),
        ("SELECT :a, @a, $a", ["a", "a", "a"]),
        ("SELECT ?2, :x, ?", [None, None, "x", None]),
        ("SELECT :größe, :a$b, :_1", ["größe", "a$b", "_1"]),
        ("SELECT $a::b(c), $a::b(d)", ["a::b(c)", "a::b(d)"]),
        ("SELECT ':a', \":b\", `:c`, [:d] FROM t -- :e\n/* :f */ WHERE :g", ["g"]),
        ("SELECT 'it''s :a', :b", ["b"]),
        ("SELECT a:b", ["b"]),
        ("SELECT a$b, x1?", [None]),
        ("SELECT 1?2", [None, None]),
        ("SELECT 5 -- ?", []),
        ("SELECT 5 /* ? ", []),
        ("SELECT - - ?", [None]),
        ("SELECT '?", []),
    ],
)
def test_parameters_are_found(sql: str, names: list[str | None]) -> None:
    assert Statement(sql).names == names


pieces = st.sampled_from(
    [
        *("?", "?1", "?2", "?7", "?007", ":a", ":b", "@a", "$a", "$a::c", "$a(x)", ":a1", "?"),
        *("':a'", "'it''s ?'", "1", "x'00'", "/* ? */ 1", "-- :z\n 1", '"q"', "[?]", "`:b`"),
        *("1.5e3", "null", ":ä", "0x1F", "(:a)", "- -1"),
    ]
)


class Values(dict[str, int]):
    """A value for every name, another for each, as sqlite3 asks for it."""

    def __missing__(self, name: str) -> int:
        return sum(map(ord, name))


@given(st.lists(pieces, min_size=1, max_size=12))
@settings(max_examples=40)
def test_sqlite_gives_the_same_numbers(parts: list[str]) -> None:
    sql = "WITH t(q, [?], `:b`) AS (VALUES(-1, -2, -3)) SELECT " + ", ".join(parts) + " FROM t"
    statement = Statement(sql)
    # Python's module says how many there are, and numbers are told apart by their values.
    reference = sqlite3.connect(":memory:")
    values = [1000 + number for number in range(len(statement.names))]
    by_number = reference.execute(sql, values).fetchone()
    for wrong in ([*values, 0], values[1:]) if values else ([*values, 0],):
        with pytest.raises(sqlite3.ProgrammingError):
            reference.execute(sql, wrong)
    if None in statement.names:
        return
    by_name = reference.execute(sql, Values()).fetchone()
    ours = [sum(map(ord, name)) for name in statement.names if name is not None]
    expected = dict(zip(values, ours, strict=True))
    assert [expected.get(value, value) for value in by_number] == list(by_name)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 1 ; -- done\n ; ", "SELECT 1"),
        ("SELECT ';' ;", "SELECT ';'"),
        ("", ";"),
        (" ; -- nothing", ";"),
        (
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END",
        ),
        (
            "EXPLAIN QUERY PLAN CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END ; ",
            "EXPLAIN QUERY PLAN CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
        ),
    ],
)
def test_the_semicolon_at_the_end_goes(sql: str, text: str) -> None:
    assert Statement(sql).text == text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1;; x",
        "CREATE TABLE trigger_(a); SELECT 1",
        "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 2",
    ],
)
def test_one_statement_at_a_time(sql: str) -> None:
    with pytest.raises(ksqlfs.ProgrammingError, match=r"^Only one statement .* executescript"):
        Statement(sql)


@pytest.mark.parametrize(
    ("sql", "changes", "inserts"),
    [
        ("INSERT INTO t VALUES(1)", True, True),
        (" /* x */ -- y\n replace INTO t VALUES(1)", True, True),
        ("Update t SET a = 1", True, False),
        ("DELETE FROM t", True, False),
        ("SELECT 1", False, False),
        ("VALUES(1)", False, False),
        ("EXPLAIN INSERT INTO t VALUES(1)", False, False),
        ("CREATE TABLE t(a)", False, False),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", True, True),
        ("WITH x AS (SELECT 1), y(a) AS (VALUES(2)) DELETE FROM t", True, False),
        ("WITH x AS (SELECT 1) SELECT replace(a, 1, 2) FROM x", False, False),
        ("PRAGMA user_version", False, False),
        ("", False, False),
    ],
)
def test_kinds(sql: str, changes: bool, inserts: bool) -> None:
    statement = Statement(sql)
    assert (statement.changes, statement.inserts) == (changes, inserts)


@pytest.mark.parametrize(
    ("sql", "parameters", "sentence"),
    [
        ("SELECT ?", (), "The statement has 1 parameter, 0 given."),
        ("SELECT ?, ?", [1, 2, 3], "The statement has 2 parameters, 3 given."),
        ("SELECT 1", (1,), "The statement has 0 parameters, 1 given."),
        ("SELECT :a", {}, "No value is given for the parameter 'a'."),
        ("SELECT :a, ?", {"a": 1}, "Parameter 2 has no name, and the values were given by name."),
        ("SELECT ?", (object(),), "A value of type object cannot be a parameter: give an int,"),
        ("SELECT ?", (1j,), "A value of type complex cannot be a parameter: give an int,"),
        ("SELECT ?0", (1,), "A parameter's number must be between ?1 and ?32766, not ?0."),
        ("SELECT ?99999999", (), "A parameter's number must be between ?1 and ?32766, not"),
        ("SELECT \0", (), "SQL cannot hold a NUL character."),
        (5, (), "SQL must be a str, not int."),
        (b"SELECT 1", (), "SQL must be a str, not bytes."),
    ],
)
def test_wrong_parameters_are_one_sentence(sql: str, parameters: object, sentence: str) -> None:
    with pytest.raises(ksqlfs.ProgrammingError) as caught:
        Statement(sql).bind(parameters)  # type: ignore[arg-type]  # wrong on purpose
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "\ud800", "a\0\udfff"])
def test_values_that_cannot_be_stored(value: int | str) -> None:
    with pytest.raises(ksqlfs.DataError):
        Statement("SELECT ?").bind((value,))


def test_text_that_is_not_unicode() -> None:
    with pytest.raises(ksqlfs.DataError, match="lone surrogate"):
        Statement("SELECT '\ud800'").bind(())
