# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Batches: files opened write-only. Splitting, when what runs, what an error leaves behind."""

from __future__ import annotations

import os

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child


def write_in_pieces(tree: Tree, pieces: list[bytes]) -> None:
    with tree.batch() as batch:
        for piece in pieces:
            batch.write(piece)


# Each text and the CSV it gives, however it is cut.
TEXTS = {
    "two-statements": ("SELECT 1 AS a; SELECT 2 AS b;", "b\n2\n"),
    "unterminated": ("SELECT 1 AS a; SELECT 2 AS b", "b\n2\n"),
    "semicolons-quoted": (
        """SELECT 'x;y' AS ";a", [c;d], `e;f` FROM (SELECT 3 AS "c;d", 4 AS "e;f");""",
        ";a,c;d,e;f\nx;y,3,4\n",
    ),
    "quotes-doubled": ("SELECT 'it''s;' AS a, '\"' AS b;", 'a,b\nit\'s;,""""\n'),
    "line-comment": ("SELECT 1 AS a -- ; 'not the end\n, 2 AS b; -- the end;", "a,b\n1,2\n"),
    "block-comment": ("/* ; ' */ SELECT 1 /* ;** / */ AS a; /* SELECT 2; */", "a\n1\n"),
    "no-comments": ("SELECT 4 - -2 AS a, 8 / 2 AS b, '/*;--' AS c;", "a,b,c\n6,4,/*;--\n"),
    "utf-8": ("SELECT 'ä€😀;' AS größe;", "größe\nä€😀;\n"),
    "trigger": (
        "CREATE TEMP TABLE l(x); CREATE TEMP TABLE t(a);"
        "CREATE TEMP TRIGGER tr AFTER INSERT ON t BEGIN"
        " INSERT INTO l VALUES(CASE new.a WHEN 1 THEN 'one;' ELSE 'end;' END);"
        " INSERT INTO l VALUES('END;'); END;"
        "INSERT INTO t VALUES(1); SELECT group_concat(x, '|') AS x FROM l;",
        "x\none;|END;\n",
    ),
    "begin-end": (
        "BEGIN; CREATE TEMP TABLE t(a); INSERT INTO t VALUES(5); END; SELECT a FROM t;",
        "a\n5\n",
    ),
    "explain-trigger": (
        "CREATE TEMP TABLE t(a); EXPLAIN CREATE TRIGGER temp.tr AFTER INSERT ON t BEGIN SELECT 1;"
        " SELECT 2; END; SELECT 7 AS a;",
        "a\n7\n",
    ),
    "empty-statements": (";; ;\n; SELECT 1 AS a;;\n;", "a\n1\n"),
    "crlf": ("SELECT 1\r\nAS a;\r\n", "a\n1\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_gives_the_same_in_one_write(tree: Tree, name: str) -> None:
    text, expected = TEXTS[name]
    assert tree.ask(text) == expected


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_gives_the_same_cut_in_two_anywhere(tree: Tree, name: str) -> None:
    text, expected = TEXTS[name]
    data = text.encode()
    for cut in range(1, len(data)):
        tree.run("SELECT 'stale'")
        write_in_pieces(tree, [data[:cut], data[cut:]])
        assert tree.result() == expected, f"cut before {data[cut:]!r}"


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_gives_the_same_byte_by_byte(tree: Tree, name: str) -> None:
    text, expected = TEXTS[name]
    write_in_pieces(tree, [bytes([byte]) for byte in text.encode()])
    assert tree.result() == expected


def test_a_persistent_trigger_arrives_byte_by_byte(tree: Tree) -> None:
    text = (
        "CREATE TABLE t(a);CREATE TABLE l(x);"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO l VALUES(new.a); END;"
        "INSERT INTO t VALUES(3);"
    )
    write_in_pieces(tree, [bytes([byte]) for byte in text.encode()])
    assert tree.ask("SELECT x FROM l") == "x\n3\n"


def test_writev_counts_as_one_text(tree: Tree) -> None:
    pieces = [b"SEL", b"ECT 1", b" AS a", b";"]
    with tree.batch() as batch:
        assert os.writev(batch.fd, pieces) == sum(map(len, pieces))
    assert tree.result() == "a\n1\n"


def test_a_long_statement_arrives_in_any_chunks(tree: Tree) -> None:
    text = b"SELECT length('" + b"x" * 600_000 + b"') AS n;"
    for size in [4096, 8191, 131_072]:
        write_in_pieces(tree, [text[at : at + size] for at in range(0, len(text), size)])
        assert tree.result() == "n\n600000\n"
        tree.run("SELECT 'stale'")


# When what runs


def test_a_statement_runs_in_the_write_that_completes_it(tree: Tree) -> None:
    with tree.batch() as batch:
        batch.write("CREATE TABLE t(a)")
        assert tree.tables() == []
        batch.write(";")
        assert tree.tables() == ["t"]
        batch.write("DROP TABLE t; CREATE TABLE u(a)")
        assert tree.tables() == []
    assert tree.tables() == ["u"]


def test_what_is_unterminated_runs_at_close(tree: Tree) -> None:
    with tree.batch() as batch:
        batch.write("CREATE TABLE t(a)")
        assert tree.tables() == []
    assert tree.tables() == ["t"]


def test_the_error_is_that_of_the_completing_write(tree: Tree) -> None:
    with tree.batch() as batch:
        batch.write("SELECT a FROM nowhere")
        with fails("ENOENT"):
            batch.write(";")


def test_the_error_of_what_is_unterminated_is_that_of_close(tree: Tree) -> None:
    batch = tree.batch()
    batch.write("SELECT a FROM nowhere")
    with fails("ENOENT"):
        batch.close()


@pytest.mark.parametrize(
    "text", ["SELECT 'abc", 'SELECT "abc', "SELECT [abc", "SELECT 1 +", "CREATE TABLE t(", "SELEC"]
)
def test_an_incomplete_statement_is_an_error_at_close(tree: Tree, text: str) -> None:
    batch = tree.batch()
    batch.write(text)
    with fails("EINVAL"):
        batch.close()
    with fails("EINVAL"):
        tree.result()


def test_an_unfinished_trigger_is_an_error_at_close(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    batch = tree.batch()
    batch.write("CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1;")
    with fails("EINVAL"):
        batch.close()


def test_the_result_is_there_after_close_and_not_before(tree: Tree) -> None:
    tree.run("SELECT 'before' AS a")
    with tree.batch() as batch:
        batch.write("SELECT 'after' AS a;")
        assert tree.result() == "a\nbefore\n"
    assert tree.result() == "a\nafter\n"


def test_two_batches_at_once_do_not_mix(tree: Tree) -> None:
    with tree.batch() as one, tree.batch() as two:
        one.write("SELECT ")
        two.write("SELECT ")
        one.write("1 AS a")
        two.write("2 AS a")
        one.close()
        assert tree.result() == "a\n1\n"
        two.close()
        assert tree.result() == "a\n2\n"


# Errors


def test_a_batch_stops_at_its_first_error(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EINVAL"):
        tree.run("INSERT INTO t VALUES(1); SELEC; INSERT INTO t VALUES(2);")
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_later_writes_of_a_failed_batch_are_cancelled(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.batch() as batch:
        batch.write("INSERT INTO t VALUES(1);")
        with fails("EINVAL"):
            batch.write("SELEC;")
        for text in ["INSERT INTO t VALUES(2);", "INSERT", "\n", ";"]:
            with fails("ECANCELED"):
                batch.write(text)
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_a_failed_batch_does_not_hinder_the_next(tree: Tree) -> None:
    with fails("EINVAL"):
        tree.run("SELEC;")
    assert tree.ask("SELECT 1 AS a") == "a\n1\n"


def test_an_open_failed_batch_does_not_hinder_others(tree: Tree) -> None:
    with tree.batch() as failed:
        with fails("EINVAL"):
            failed.write("SELEC;")
        tree.works()


def test_a_transaction_left_open_is_rolled_back_and_an_error(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    batch = tree.batch()
    batch.write("BEGIN; INSERT INTO t VALUES(1); SELECT 1 AS a;")
    with pytest.raises(OSError) as caught:
        batch.close()
    assert tree.text("tables/t/count") == "0\n"
    assert tree.text("error") != "ok\n"
    with pytest.raises(OSError) as reopened:
        tree.result()
    assert reopened.value.errno == caught.value.errno


def test_a_savepoint_left_open_is_rolled_back_and_an_error(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    batch = tree.batch()
    batch.write("SAVEPOINT s; INSERT INTO t VALUES(1);")
    with pytest.raises(OSError):
        batch.close()
    assert tree.text("tables/t/count") == "0\n"


def test_an_error_in_a_transaction_rolls_all_of_it_back(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EINVAL"):
        tree.run("INSERT INTO t VALUES(0); BEGIN; INSERT INTO t VALUES(1); SELEC; COMMIT;")
    assert tree.text("tables/t/data.csv") == "a\n0\n"


def test_a_batch_may_have_whole_transactions(tree: Tree) -> None:
    tree.run(
        "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1); COMMIT;"
        " BEGIN; INSERT INTO t VALUES(2); ROLLBACK; BEGIN IMMEDIATE; INSERT INTO t VALUES(3); END"
    )
    assert tree.text("tables/t/data.csv") == "a\n1\n3\n"


def test_an_open_transaction_lasts_over_the_writes_of_a_batch(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.batch() as batch:
        batch.write("BEGIN;")
        batch.write("INSERT INTO t VALUES(1);")
        assert tree.text("tables/t/count") == "0\n"
        batch.write("COMMIT;")
        assert tree.text("tables/t/count") == "1\n"


def test_batches_share_no_connection_state(tree: Tree) -> None:
    tree.run("CREATE TEMP TABLE x(a); PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON")
    with fails("ENOENT"):
        tree.run("SELECT * FROM x")
    assert tree.value("PRAGMA foreign_keys") == "1"
    assert tree.value("PRAGMA recursive_triggers") == "0"


# Which result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 AS a; SELECT 2 AS b", "b\n2\n"),
        ("SELECT 1 AS a; SELECT 2 AS b WHERE 0", "b\n"),
        ("SELECT 1 AS a; CREATE TABLE t(x); INSERT INTO t VALUES(1)", "a\n1\n"),
        ("SELECT 1 AS a; BEGIN; COMMIT;", "a\n1\n"),
        ("CREATE TABLE t(x); INSERT INTO t VALUES(7) RETURNING x;", "x\n7\n"),
        ("SELECT 1 AS a; CREATE TABLE t(x); DELETE FROM t RETURNING x;", "x\n"),
        ("SELECT 1 AS a; VALUES(1, 2);", "column1,column2\n1,2\n"),
        ("SELECT 1 AS a; PRAGMA user_version;", "user_version\n0\n"),
    ],
)
def test_the_result_is_that_of_the_last_statement_with_columns(
    tree: Tree, text: str, expected: str
) -> None:
    assert tree.ask(text) == expected


def test_a_batch_without_columns_has_an_empty_result(tree: Tree) -> None:
    tree.run("SELECT 1 AS a")
    tree.run("CREATE TABLE t(x)")
    assert tree.result() == ""
    assert tree.text("result.json") == "[]\n"
    assert tree.text("result.ndjson") == ""


@pytest.mark.parametrize("text", ["", "\n", " \t\r\n", ";", " ; ;\n", "-- nothing\n", "/* ; */"])
def test_an_empty_batch_does_nothing(tree: Tree, text: str) -> None:
    tree.run("SELECT 1 AS a")
    tree.run(text)
    assert tree.result() == "a\n1\n"


def test_an_empty_batch_forgives_no_error(tree: Tree) -> None:
    with fails("EINVAL"):
        tree.run("SELEC;")
    tree.run("\n")
    with fails("EINVAL"):
        tree.result()


def test_before_any_batch_there_is_nothing(mount: Mounter) -> None:
    tree = mount()
    assert tree.result() == ""
    assert tree.text("error") == "ok\n"
    assert tree.status()["state"] == "none"


def test_a_batch_to_query_json_has_its_result_in_every_format(tree: Tree) -> None:
    tree.run("SELECT 1 AS a", file="query.json")
    assert tree.text("result") == "a\n1\n"
    assert tree.text("result.json") == '[{"a":1}]\n'
    assert tree.text("result.ndjson") == '{"a":1}\n'


def test_many_statements_in_one_write(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); BEGIN;" + "INSERT INTO t VALUES(1);" * 5_000 + "COMMIT;")
    assert tree.text("tables/t/count") == "5000\n"


# Close, by whom


def test_a_forked_child_that_exits_ends_nothing(tree: Tree) -> None:
    with tree.batch() as batch:
        batch.write("SELECT ")
        fd = batch.fd
        in_child(lambda: None)
        in_child(lambda: os.write(fd, b"1 AS "))
        in_child(lambda: os.close(fd))
        batch.write("a")
    assert tree.result() == "a\n1\n"


def test_a_copied_descriptor_writes_the_same_batch(tree: Tree) -> None:
    # What a shell does for `>`: open, dup2, close the first, write.
    batch = tree.batch()
    copy = os.dup(batch.fd)
    batch.close()
    os.write(copy, b"SELECT ")
    os.write(copy, b"1 AS a")
    os.close(copy)
    assert tree.result() == "a\n1\n"


def test_a_child_may_be_the_last_to_close(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    ready, go = os.pipe()
    batch = tree.batch()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(go)
            os.read(ready, 1)
            os.write(batch.fd, b"INSERT INTO t VALUES(2)")
        finally:
            os._exit(0)
    os.close(ready)
    batch.write("INSERT INTO t VALUES(1)")
    batch.close()
    assert tree.text("tables/t/data.csv") == "a\n1\n"
    os.close(go)
    os.waitpid(pid, 0)
    assert tree.text("tables/t/data.csv") == "a\n1\n2\n"


def test_a_batch_opened_in_a_child_ends_with_the_child(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")

    def leave_open() -> None:
        os.write(os.open(tree / "query", os.O_WRONLY), b"INSERT INTO t VALUES(1)")

    in_child(leave_open)
    assert tree.text("tables/t/count") == "1\n"
