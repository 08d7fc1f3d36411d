# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl query`: where SQL comes from, how answers look, what failures say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ctl
from tests.cli.terminal import Terminal
from tests.interface.tree import Tree, rows_sql

Run = Callable[..., Terminal]

VALUES = "SELECT 1 AS i, -0.1 AS r, 'it''s, \"so\"' AS t, x'00ff' AS b, NULL AS n, '' AS e"


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "ndjson"])
def test_a_pipe_gets_what_the_tree_gives(ctl: Ctl, tree: Tree, form: str) -> None:
    with tree.connect("query" if form == "csv" else f"query.{form}") as connection:
        wanted = connection.ask(VALUES)
    assert ctl.out("query", "--format", form, VALUES) == wanted
    if form == "csv":
        assert ctl.out("query", VALUES) == wanted
    if form == "json":
        assert ctl.out("query", "--json", VALUES) == wanted


def test_a_long_answer_comes_whole(ctl: Ctl) -> None:
    text = ctl.out("query", rows_sql(300_000))
    assert text.count("\n") == 300_001
    assert text.endswith("\n300000\n")


def test_sql_comes_from_a_file_or_stdin(ctl: Ctl) -> None:
    (ctl.folder / "q.sql").write_text("\ufeffSELECT 'file' AS f")
    assert ctl.out("query", "-f", "q.sql") == "f\nfile\n"
    assert ctl.out("query", given="SELECT 'stdin' AS f") == "f\nstdin\n"
    assert ctl.out("query", "-", given="SELECT 'dash' AS f") == "f\ndash\n"
    assert ctl.out("query", "-f", "-", given="SELECT 'dash' AS f") == "f\ndash\n"


def test_the_answer_is_that_of_the_last_statement_with_columns(ctl: Ctl) -> None:
    ctl("query", "CREATE TABLE t(a)")
    sql = "SELECT 1 AS one; SELECT 2 AS two; INSERT INTO t VALUES(3); -- end\n"
    assert ctl.out("query", sql) == "two\n2\n"
    assert ctl.out("query", "--format", "line", sql) == "two = 2\n"


def test_no_columns_give_no_output(ctl: Ctl) -> None:
    assert ctl.out("query", "CREATE TABLE t(a)") == ""
    assert ctl.out("query", "--format", "table", "INSERT INTO t VALUES(1)") == ""
    assert ctl.out("query", "--format", "value", "SELECT a FROM t WHERE a = 2") == ""


# Parameters


def test_parameters_are_texts_in_their_order(ctl: Ctl) -> None:
    sql = "SELECT ? || ?2 AS t, typeof(?1) AS k"
    assert ctl.out("query", "-p", "it's; --", "-p", "5", sql) == "t,k\nit's; --5,text\n"


def test_parameters_in_json_have_types_and_names(ctl: Ctl) -> None:
    given = json.dumps([5, 2.5, "x", None, True, {"$base64": "AP8="}, 2**63 - 1])
    sql = "SELECT " + ", ".join(f"quote(?{n}) AS c{n}" for n in range(1, 8))
    answer = "5,2.5,'x',NULL,1,X'00FF',9223372036854775807"
    assert ctl.out("query", "-P", given, sql).splitlines()[1] == answer
    assert ctl.out("query", "-P", '{"n": 41}', "SELECT :n + 1 AS n") == "n\n42\n"
    assert ctl.out("query", "-P", '{"n": 41}', "--format", "value", "SELECT :n + 1") == "42\n"


def test_parameters_are_those_of_the_last_statement(ctl: Ctl) -> None:
    sql = "CREATE TABLE t(a); INSERT INTO t VALUES('x'); SELECT * FROM t WHERE a = ?; -- done"
    assert ctl.out("query", "-p", "x", sql) == "a\nx\n"


@pytest.mark.parametrize(
    "given", ["[1", "5", "[[1]]", '[{"a": 1}]', '[{"$base64": "*"}]', f"[{2**63}]"]
)
def test_parameters_that_are_no_values_are_wrong_usage(ctl: Ctl, given: str) -> None:
    done = ctl("query", "-P", given, "SELECT ?", code=2)
    assert "-P" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("form", ["csv", "table"])
@pytest.mark.parametrize("given", [[], ["-p", "1"], ["-p", "1", "-p", "2", "-p", "3"]])
def test_a_wrong_number_of_parameters_is_refused(ctl: Ctl, form: str, given: list[str]) -> None:
    failure = ctl.fails(1, "query", "--format", form, *given, "SELECT ?, ?").lower()
    assert failure.startswith(f"the statement has 2 parameters, {len(given) // 2} given")


# Failures


@pytest.mark.parametrize("form", ["csv", "json", "table", "value"])
def test_a_failure_has_the_statement_and_a_caret(ctl: Ctl, form: str) -> None:
    failure = ctl.fails(1, "query", "--format", form, "SELECT 1 +\n  nope +\n 3")
    assert failure == "no such column: nope\nSELECT 1 +\n  nope +\n  ^\n 3\n"


@pytest.mark.parametrize("form", ["csv", "table"])
def test_what_ran_before_a_failure_stays(ctl: Ctl, tree: Tree, form: str) -> None:
    ctl.fails(1, "query", "--format", form, "CREATE TABLE t(a); SELEC; CREATE TABLE u(a)")
    assert tree.tables() == ["t"]


@pytest.mark.parametrize("form", ["csv", "table"])
def test_a_transaction_left_open_is_a_failure(ctl: Ctl, tree: Tree, form: str) -> None:
    failure = ctl.fails(1, "query", "--format", form, "BEGIN; CREATE TABLE t(a)")
    assert failure == (
        "a transaction was left open at the end and is rolled back; end it by COMMIT\n"
    )
    assert tree.tables() == []
    assert ctl.out("query", "--format", form, "BEGIN; CREATE TABLE t(a); COMMIT") == ""
    assert tree.tables() == ["t"]


def test_a_failure_in_the_middle_of_an_answer_comes_after_its_rows(ctl: Ctl) -> None:
    sql = rows_sql(100_000, "CASE n WHEN 99999 THEN abs(-9223372036854775807 - 1) ELSE n END AS n")
    done = ctl("query", sql, code=1)
    assert done.stdout.startswith("n\n1\n2\n")
    assert "integer overflow" in done.stderr


@pytest.mark.parametrize("form", ["csv", "table"])
def test_nothing_runs_behind_a_failure_in_a_long_text(ctl: Ctl, tree: Tree, form: str) -> None:
    """Longer than what FUSE hands on at once, on both sides of the failure."""
    filler = f"-- {'x' * 100}\n" * 20_000
    sql = f"CREATE TABLE t(a);\n{filler}SELEC 1;\n{filler}CREATE TABLE u(a);\n"
    failure = ctl.fails(1, "query", "--format", form, given=sql)
    assert failure.startswith('near "SELEC": syntax error\n')
    assert tree.tables() == ["t"]


def test_control_characters_in_a_message_are_harmless(ctl: Ctl) -> None:
    for form in ("csv", "table"):
        failure = ctl.fails(1, "query", "--format", form, 'SELECT * FROM "\x1b[2J"')
        assert failure.startswith("no such table: \\x1b[2J\n")


def test_sql_that_is_no_text_is_told_with_its_line(ctl: Ctl) -> None:
    (ctl.folder / "bad.sql").write_bytes(b"SELECT 1;\nSELECT '\xff'")
    failure = ctl.fails(4, "query", "-f", "bad.sql")
    assert failure.startswith("bad.sql, line 2: byte 0xff is not UTF-8; convert it by `iconv")
    (ctl.folder / "bad.sql").write_bytes(b"SELECT 1;\n\nSELECT '\0'")
    assert ctl.fails(4, "query", "-f", "bad.sql").startswith("bad.sql, line 3: a NUL byte")
    missing = ctl.fails(4, "query", "-f", "missing.sql")
    assert missing == "missing.sql: No such file or directory; look at the name and the folder\n"


def test_sql_given_twice_is_wrong_usage(ctl: Ctl) -> None:
    assert "given twice" in ctl("query", "SELECT 1", "-f", "x", code=2).stderr


# Formats for people


def test_a_table_is_readable(ctl: Ctl) -> None:
    assert ctl.out("query", "--format", "table", VALUES + ", '5' AS five, '日本' AS w") == (
        "+-----+------+------------+--------+------+-----+--------+------+\n"
        "|   i |    r | t          | b      | n    | e   | five   | w    |\n"
        "|-----+------+------------+--------+------+-----+--------+------|\n"
        '|   1 | -0.1 | it\'s, "so" | \\x00ff | NULL |     | 5      | 日本 |\n'
        "+-----+------+------------+--------+------+-----+--------+------+\n"
    )


def test_other_formats_escape_what_is_theirs(ctl: Ctl) -> None:
    markdown = ctl.out("query", "--format", "markdown", "SELECT 'a|b' AS \"x|y\"")
    assert "x\\|y" in markdown
    assert "a\\|b" in markdown
    assert "&lt;b&gt;" in ctl.out("query", "--format", "html", "SELECT '<b>' AS a")


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 42", "42\n"),
        ("SELECT 0.1", "0.1\n"),
        ("SELECT 'a\nb,c'", "a\nb,c\n"),
        ("SELECT x'0aff'", "\\x0aff\n"),
        ("SELECT NULL", "\n"),
        ("SELECT 9e999", "Inf\n"),
        ("SELECT 1, 2 UNION SELECT 3, 4", "1\n"),
        ("SELECT 1 WHERE 0", ""),
    ],
)
def test_value_is_what_the_tree_says(ctl: Ctl, tree: Tree, sql: str, text: str) -> None:
    assert ctl.out("query", "--format", "value", sql) == text
    tree.run(sql)
    assert tree.text("value") == text


# In a terminal


def test_a_terminal_is_shown_a_table_and_a_count(terminal: Run) -> None:
    shown = terminal("query", "SELECT 1 AS a UNION SELECT 2")
    assert shown.end() == 0
    assert shown.text.endswith("|   2 |\n+-----+\n2 rows")


def test_a_terminal_is_shown_a_part_of_a_long_table(terminal: Run) -> None:
    shown = terminal("query", "--limit", "2", rows_sql(10))
    assert shown.end() == 0
    assert "|   2 |" in shown.text
    assert "|   3 |" not in shown.text
    assert "the first 2 rows; there are more: --limit 0 shows all" in shown.text


def test_a_terminal_is_told_of_changes(terminal: Run) -> None:
    shown = terminal("query", "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
    assert shown.end() == 0
    assert shown.text == "2 rows changed"


def test_without_sql_a_terminal_is_told_what_to_give(terminal: Run) -> None:
    shown = terminal("query")
    assert shown.end() == 2
    assert "No SQL: give it as an argument, by -f FILE, or on stdin." in shown.text


def test_the_format_may_be_asked_for_in_a_terminal(terminal: Run) -> None:
    shown = terminal("query", "--format", "csv", "SELECT 1 AS a")
    assert shown.end() == 0
    assert shown.text == "a\n1"


def test_a_locale_that_lacks_a_character_shows_its_number(ctl: Ctl) -> None:
    ctl.environment["PYTHONIOENCODING"] = "latin-1"
    assert "| \\u65e5 " in ctl.out("query", "--format", "table", "SELECT '日' AS u")
    assert ctl.out("query", "SELECT '日' AS u") == "u\n日\n"


def test_root_comes_before_the_environment(ctl: Ctl, tree: Tree, tmp_path: Path) -> None:
    ctl.environment["KSQL_ROOT"] = str(tmp_path / "elsewhere")
    assert ctl.out("--root", tree.root, "query", "SELECT 1 AS a") == "a\n1\n"
    assert f"the tree is at {tree.root}" in ctl("-v", "--root", tree.root, "tables").stderr
