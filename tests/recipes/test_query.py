# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ksqlfs_query, ksqlfs_value, ksqlfs_open and ksqlfs_close."""

from __future__ import annotations

import json
import math

import pytest

from tests.interface.tree import Tree, fails, parse_csv, rows_sql
from tests.recipes.conftest import Runner
from tests.sessions import MARK

AWKWARD = [
    " a  b ",
    'it\'s "so" `x`',
    '""',
    '"',
    "\n\na\n\n",
    "\n",
    "a\r\nb\r",
    "$HOME ${IFS} $(echo no) $1",
    "\\ \\n \\0 \\\\ \\x41 \\",
    "åß 漢字 🐘 \u00a0",
    "-n",
    "--",
    "-s",
    "",
    "%s %d %%",
    "* ? [a-z] ~ {a,b} !!",
    "\ta\tb",
    "\x01\x027",
    "\x05",
    "\x7f\x1b[0m",
    "Robert'); DROP TABLE t; --",
    "a,b,,",
    "=ls",
    "x'\"\n" * 5_000,
]


# Parameters and formats


def test_parameters_arrive_as_they_are(recipe: Runner) -> None:
    script = f"for a; do ksqlfs_query 'SELECT ? AS a, ? AS b' \"$a\" \"$a\"; echo '{MARK}'; done"
    answers = recipe.fine(script, *AWKWARD).split(f"{MARK}\n")
    assert [parse_csv(answer) for answer in answers[:-1]] == [
        [["a", "b"], [value, value]] for value in AWKWARD
    ]


def test_a_parameter_may_be_longer_than_an_argument_of_a_program(recipe: Runner) -> None:
    script = (
        "a=0123456789abcdef; while [ ${#a} -lt 1000000 ]; do a=$a$a; done;"
        " ksqlfs_query 'SELECT length(?)' \"$a\""
    )
    assert recipe.fine(script) == "length(?)\n1048576\n"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("csv", "a,b\n1,x\n"),
        ("json", '[{"a":1,"b":"x"}]\n'),
        ("ndjson", '{"a":1,"b":"x"}\n'),
        ("tsv", "a\tb\n1\tx\n"),
    ],
)
def test_answers_have_a_format(recipe: Runner, name: str, answer: str) -> None:
    script = "ksqlfs_query -f \"$1\" -p i 'SELECT ? AS a, ? AS b' 1 x"
    assert recipe.fine(script, name) == answer


def test_parameters_have_types(recipe: Runner) -> None:
    script = (
        "ksqlfs_query -f ndjson -p irbnti"
        " 'SELECT ? AS i, ? AS r, ? AS b, ? AS n, ? AS t, ? AS min, ? AS rest'"
        " 7 0.1 00ff '' 5 -9223372036854775808 9"
    )
    assert json.loads(recipe.fine(script)) == {
        "i": 7,
        "r": 0.1,
        "b": {"$base64": "AP8="},
        "n": None,
        "t": "5",
        "min": -(2**63),
        "rest": "9",
    }
    answer = recipe.fine("ksqlfs_query -f ndjson -p r 'SELECT ? AS r' -Inf")
    assert json.loads(answer)["r"] == -math.inf


def test_sql_without_parameters_may_be_many_statements(recipe: Runner, tree: Tree) -> None:
    script = "ksqlfs_query 'CREATE TABLE t(a);\nINSERT INTO t VALUES(1);\nINSERT INTO t VALUES(2);'"
    assert recipe.fine(script) == ""
    assert tree.text("tables/t/count") == "2\n"
    assert recipe.fine("ksqlfs_query -- '-- a comment\nSELECT 1 AS a;'") == "a\n1\n"
    assert recipe.fine("ksqlfs_query ''") == ""


def test_the_result_of_the_last_batch_stays(recipe: Runner, tree: Tree) -> None:
    tree.run("SELECT 'mine' AS a")
    recipe.fine("ksqlfs_query 'SELECT 1' > /dev/null; ksqlfs_value v 'SELECT 2'")
    assert tree.result() == "a\nmine\n"


# Failures


@pytest.mark.parametrize("end", ["", ";"])
def test_an_error_is_shown_with_its_caret(recipe: Runner, end: str) -> None:
    said = recipe.refused(1, 'ksqlfs_query "SELECT nope$1"', end)
    assert said.splitlines() == [
        "no such column: nope",
        "errno EINVAL (22) sqlite SQLITE_ERROR (1)",
        f"SELECT nope{end}",
        "       ^",
    ]


def test_nothing_runs_after_an_error(recipe: Runner, tree: Tree) -> None:
    """Each line is a write of its own in some shells, and a request of its own after an error."""
    tree.run("CREATE TABLE t(a)")
    script = "ksqlfs_query 'SELEC;\nINSERT INTO t VALUES(1);\nINSERT INTO t VALUES(2);\n'"
    assert "SELEC" in recipe.refused(1, script)
    assert tree.text("tables/t/count") == "0\n"


def test_rows_before_an_error_are_printed(recipe: Runner) -> None:
    sql = rows_sql(50_000, "CASE WHEN n < 50000 THEN n ELSE json('bad') END AS n")
    done = recipe('ksqlfs_query "$1"', sql)
    assert done.stdout.startswith("n\n1\n2\n")
    assert done.stderr.startswith("malformed JSON\n")
    assert done.returncode == 1


WRONG = [
    "ksqlfs_query",
    "ksqlfs_query -f xml 'SELECT 1'",
    "ksqlfs_query -p q 'SELECT ?' 1",
    "ksqlfs_query -p ii 'SELECT ?' 1",
    "ksqlfs_query -s 2 'SELECT 1'",
    "ksqlfs_query -s 7 'SELECT 1'",
    "ksqlfs_query -s '3; exit' 'SELECT 1'",
    "ksqlfs_value '' 'SELECT 1'",
    "ksqlfs_value 'a=1; b' 'SELECT 1'",
    "ksqlfs_value 1a 'SELECT 1'",
    "ksqlfs_value",
    "ksqlfs_value v",
    "ksqlfs_open",
    "ksqlfs_open 2",
    "ksqlfs_open 33",
    "ksqlfs_open 3 xml",
    "ksqlfs_close",
    "ksqlfs_close x",
]


def test_wrong_usage_is_one_sentence_and_status_2(recipe: Runner) -> None:
    recipe.wrong_usage(WRONG)
    assert recipe.refused(2, WRONG[0]).startswith("ksqlfs: usage: ")


PARAMETERS = {
    "ksqlfs_query 'SELECT ?'": "the statement has 1 parameter, 0 given",
    "ksqlfs_query 'SELECT ?' 1 2": "the statement has 1 parameter, 2 given",
    "ksqlfs_query -p i 'SELECT ?' x": "parameter 1 is not of the type it says",
    "ksqlfs_query -p b 'SELECT ?' 0": "parameter 1 is not of the type it says",
    "ksqlfs_query 'SELECT 1; SELECT ?; SELECT 2' x": "the statement has 1 parameter, 0 given",
}


def test_wrong_parameters_are_refused(recipe: Runner) -> None:
    for (status, said), expected in zip(recipe.each(PARAMETERS), PARAMETERS.values(), strict=True):
        assert (status, said.splitlines()[0]) == (1, expected)


def test_a_value_with_a_nul_is_never_two(recipe: Runner) -> None:
    """Only zsh can have one; the others cannot make it."""
    script = "a=$(printf 'x\\0y' 2> /dev/null); ksqlfs_query 'SELECT ? AS a, ? AS b' \"$a\""
    if recipe.shell[0] == "zsh":
        assert "NUL" in recipe.refused(2, script)
    else:
        assert recipe(script).returncode == 1


def test_a_full_disk_is_told_of(recipe: Runner) -> None:
    said = recipe.refused(1, "ksqlfs_query 'SELECT 1' > /dev/full")
    assert said == "ksqlfs: the answer cannot be written: No space left on device.\n"


def test_a_pipe_that_closes_ends_it_quietly(recipe: Runner) -> None:
    script = f'ksqlfs_query "{rows_sql(100_000)}" | head -n 2'
    assert recipe.fine(script) == "n\n1\n"


# A value in a variable


def test_a_value_is_whole(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
    for number, value in enumerate(AWKWARD, 1):
        tree.run("INSERT INTO t VALUES(?, ?)", number, value)
    script = f"""
        n=0
        for a; do
            n=$((n + 1))
            ksqlfs_value v -p i 'SELECT a, 1 FROM t WHERE id = ?' $n
            [ "$v" = "$a" ] && echo same
            printf '%s{MARK}' "$v"
        done
    """
    values = recipe.fine(script, *AWKWARD).split(MARK)
    assert values[:-1] == ["same\n" + value for value in AWKWARD]


FIRST = [
    ("SELECT 42", "42"),
    ("SELECT 0.1", "0.1"),
    ("SELECT x'00ff'", "\\x00ff"),
    ('SELECT 1 AS "a\nb, ""c""", 2 AS "x\ny"', "1"),
    ("VALUES('a'), ('b'), ('c\nd')", "a"),
    ("SELECT 'a', 'b\nc', '', NULL", "a"),
    ("SELECT '\\\\'", "\\\\"),
]


def test_a_value_is_the_first_of_the_first_row(recipe: Runner) -> None:
    script = 'for sql; do ksqlfs_value v "$sql"; printf \'[%s]\\n\' "$v"; done'
    printed = recipe.fine(script, *(sql for sql, _ in FIRST))
    assert printed.splitlines() == [f"[{value}]" for _, value in FIRST]


def test_a_value_has_parameters(recipe: Runner) -> None:
    script = "ksqlfs_value v -p i 'SELECT ? + ?' 40 2; printf '[%s]' \"$v\""
    assert recipe.fine(script) == "[42]"


def test_null_nothing_and_errors_differ(recipe: Runner) -> None:
    script = """
        for sql in "SELECT 1" "SELECT ''" "SELECT NULL" "SELECT 1 WHERE 0" "CREATE TABLE t(a)" \
            "SELECT nope"; do
            v=before
            ksqlfs_value v "$sql" 2> /dev/null && echo "$sql: [$v]" || echo "$sql: $? [$v]"
        done
    """
    assert recipe.fine(script).splitlines() == [
        "SELECT 1: [1]",
        "SELECT '': []",
        "SELECT NULL: 4 []",
        "SELECT 1 WHERE 0: 5 []",
        "CREATE TABLE t(a): 5 []",
        "SELECT nope: 1 [before]",
    ]


def test_a_value_that_fails_says_why(recipe: Runner) -> None:
    assert recipe.refused(1, "ksqlfs_value v 'SELECT nope'").startswith("no such column: nope\n")


# Private sessions


def test_a_session_holds_a_transaction(recipe: Runner, tree: Tree) -> None:
    script = """
        ksqlfs_open 3
        ksqlfs_query -s 3 'BEGIN; CREATE TABLE t(a)'
        ksqlfs_query -s 3 'INSERT INTO t VALUES(?)' "it's"
        ksqlfs_value v -s 3 'SELECT a FROM t'
        ls "$KSQL_ROOT/tables"
        ksqlfs_query -s 3 'COMMIT'
        ls "$KSQL_ROOT/tables"
        ksqlfs_close 3
        printf '%s\\n' "$v"
    """
    assert recipe.fine(script) == "t\nit's\n"


def test_closing_a_session_rolls_back(recipe: Runner, tree: Tree) -> None:
    script = """
        ksqlfs_open 7 json
        ksqlfs_query -s 7 'BEGIN; CREATE TABLE t(a); INSERT INTO t VALUES(1)'
        ksqlfs_query -s 7 'SELECT * FROM t'
        ksqlfs_close 7
    """
    assert recipe.fine(script) == '[{"a":1}]\n'
    assert tree.tables() == []


def test_two_sessions_at_once(recipe: Runner) -> None:
    script = """
        ksqlfs_open 3
        ksqlfs_open 4 tsv
        ksqlfs_query -s 3 'CREATE TEMP TABLE a(x); INSERT INTO a VALUES(3)'
        ksqlfs_query -s 4 'CREATE TEMP TABLE a(x); INSERT INTO a VALUES(4)'
        ksqlfs_query -s 3 'SELECT x, 0 FROM a'
        ksqlfs_query 'SELECT 5'
        ksqlfs_query -s 4 'SELECT x, 0 FROM a'
        ksqlfs_close 3
        ksqlfs_close 4
    """
    assert recipe.fine(script) == "x,0\n3,0\n5\n5\nx\t0\n4\t0\n"


def test_a_session_goes_on_after_an_error(recipe: Runner) -> None:
    script = """
        ksqlfs_open 3
        ksqlfs_query -s 3 'BEGIN; CREATE TABLE t(a)'
        ksqlfs_query -s 3 'SELEC' 2> /dev/null || echo "status $?"
        ksqlfs_query -s 3 'SELECT nope;' 2> /dev/null || echo "status $?"
        ksqlfs_query -s 3 'SELECT count(*) AS n FROM t'
        ksqlfs_close 3
    """
    assert recipe.fine(script) == "status 1\nstatus 1\nn\n0\n"


def test_an_answer_that_was_not_read_is_dropped(recipe: Runner) -> None:
    script = f"""
        ksqlfs_open 3
        ksqlfs_query -s 3 "{rows_sql(100_000)}" | head -n 1
        ksqlfs_query -s 3 'SELECT 1 AS a'
        ksqlfs_close 3
    """
    assert recipe.fine(script) == "n\na\n1\n"


def test_a_session_that_is_closed_is_refused(recipe: Runner) -> None:
    script = "ksqlfs_open 3; ksqlfs_close 3; ksqlfs_query -s 3 'SELECT 1'"
    assert "-s 3" in recipe.refused(2, script)


def test_the_lock_of_a_session_is_free_after_it(recipe: Runner, tree: Tree) -> None:
    recipe.fine("ksqlfs_open 3; ksqlfs_query -s 3 'BEGIN IMMEDIATE'; ksqlfs_close 3")
    with fails("EINVAL"):
        tree.run("BEGIN IMMEDIATE")
    tree.run("CREATE TABLE t(a)")
