# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Connections: query files opened read-write. Requests, streams, transactions, isolation."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import ENDLESS, ENDLESS_ROWS, Connection, Tree, fails, in_child, rows_sql

# More rows than any buffer between SQLite and the reader holds.
MANY = 60_000


def fill(tree: Tree, rows: int = MANY) -> None:
    tree.run(f"CREATE TABLE t(n INTEGER, pad TEXT); INSERT INTO t {rows_sql(rows, 'n, 0')}")


def test_a_request_is_answered_on_the_same_descriptor(tree: Tree) -> None:
    with tree.connect() as connection:
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("query", "a,b\n1,\n"),
        ("query.tsv", "a\tb\n1\t\n"),
        ("query.json", '[{"a":1,"b":null}]\n'),
        ("query.ndjson", '{"a":1,"b":null}\n'),
    ],
)
def test_each_query_file_answers_in_its_format(tree: Tree, file: str, expected: str) -> None:
    with tree.connect(file) as connection:
        assert connection.ask("SELECT 1 AS a, NULL AS b") == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [("query", "a\n"), ("query.tsv", "a\n"), ("query.json", "[]\n"), ("query.ndjson", "")],
)
def test_no_rows_in_each_format(tree: Tree, file: str, expected: str) -> None:
    with tree.connect(file) as connection:
        assert connection.ask("SELECT 1 AS a WHERE 0") == expected


def test_requests_follow_one_another(tree: Tree) -> None:
    with tree.connect() as connection:
        for number in range(100):
            assert connection.ask(f"SELECT {number} AS a;") == f"a\n{number}\n"


def test_the_same_request_again_sees_new_data(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        for number in range(1, 20):
            tree.run("INSERT INTO t VALUES(1)")
            assert connection.ask("SELECT count(*) AS n FROM t") == f"n\n{number}\n"


def test_a_request_is_prepared_anew_after_a_change_of_schema(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with tree.connect() as connection:
        assert connection.ask("SELECT * FROM t") == "a\n1\n"
        tree.run("ALTER TABLE t ADD COLUMN b DEFAULT 2")
        assert connection.ask("SELECT * FROM t") == "a,b\n1,2\n"
        tree.run("DROP TABLE t")
        with fails("ENOENT"):
            connection.ask("SELECT * FROM t;")


def test_a_request_sees_a_table_made_anew_by_others(tree: Tree) -> None:
    # SQLite itself says "table t has 2 columns but 1 values were supplied" of the table that was.
    tree.run("CREATE TABLE t(a, b)")
    with tree.connect() as connection:
        assert connection.ask("SELECT * FROM t") == "a,b\n"
        tree.run("DROP TABLE t; CREATE TABLE t(a)")
        connection.ask("INSERT INTO t VALUES(1)")
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_a_batch_sees_a_table_made_anew_by_others(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a, b)")
    with tree.connect() as one, tree.connect() as two:
        for connection in (one, two):
            connection.ask("SELECT * FROM t")
    tree.run("DROP TABLE t; CREATE TABLE t(a)")
    for _ in range(2):
        tree.run("INSERT INTO t VALUES(1)")
        with tree.connect() as one, tree.connect() as two:
            one.ask("INSERT INTO t VALUES(2)")
            two.ask("INSERT INTO t VALUES(3)")
    assert tree.text("tables/t/count") == "6\n"


def test_a_request_may_come_in_pieces(tree: Tree) -> None:
    with tree.connect() as connection:
        for byte in b"SELECT 'a;b' AS a":
            connection.write(bytes([byte]))
        assert connection.answer() == b"a\na;b\n"


def test_what_is_unterminated_runs_at_the_first_read(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write("CREATE TABLE t(a)")
        assert tree.tables() == []
        assert connection.read() == b""
        assert tree.tables() == ["t"]


def test_what_is_terminated_runs_in_the_write(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write("CREATE TABLE t(a);")
        assert tree.tables() == ["t"]


def test_an_answer_without_columns_is_empty(tree: Tree) -> None:
    with tree.connect() as connection:
        assert connection.ask("CREATE TABLE t(a);") == ""


def test_reading_without_a_request_gives_nothing(tree: Tree) -> None:
    with tree.connect() as connection:
        assert connection.read() == b""


def test_the_end_of_an_answer_stays_the_end(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.ask("SELECT 1 AS a")
        assert [connection.read() for _ in range(3)] == [b"", b"", b""]


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_the_answer_is_the_same_in_reads_of_any_size(tree: Tree, size: int) -> None:
    sql = "SELECT 'x,y' AS \"a,b\", NULL AS c, x'00ff' AS d, 1.5 AS e UNION ALL VALUES(1,2,3,4)"
    with tree.connect() as connection:
        whole = connection.ask(sql)
        connection.write(sql)
        assert connection.answer(size).decode() == whole


def test_a_long_answer_is_the_same_in_reads_of_odd_sizes(tree: Tree) -> None:
    with tree.connect() as connection:
        whole = connection.ask(rows_sql(2_000, "n, hex(zeroblob(n % 40)) AS h")).encode()
        assert whole.count(b"\n") == 2_001
        connection.write(rows_sql(2_000, "n, hex(zeroblob(n % 40)) AS h"))
        assert connection.answer(1_021) == whole


def test_after_a_write_reading_starts_at_the_first_byte(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write(rows_sql(5_000) + ";")
        assert connection.read(10) == b"n\n1\n2\n3\n4\n"
        assert connection.ask("SELECT 'next' AS a;") == "a\nnext\n"


def test_an_answer_not_read_is_dropped_by_the_next_request(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write("SELECT 1 AS a;")
        connection.write("SELECT 2 AS a;")
        assert connection.answer() == b"a\n2\n"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t", "a\n1\n"),
        ("SELECT 1 AS a; SELECT 2 AS b;", "b\n2\n"),
        ("CREATE TABLE t(a); INSERT INTO t VALUES(1),(2) RETURNING a;", "a\n1\n2\n"),
        ("BEGIN; CREATE TABLE t(a); COMMIT; SELECT count(*) AS n FROM t;", "n\n0\n"),
    ],
)
def test_a_request_may_have_several_statements(tree: Tree, sql: str, expected: str) -> None:
    with tree.connect() as connection:
        assert connection.ask(sql) == expected


@pytest.mark.parametrize("text", ["", "\n", ";", "-- nothing"])
def test_an_empty_request_has_an_empty_answer(tree: Tree, text: str) -> None:
    with tree.connect() as connection:
        assert connection.ask(text) == ""
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


# Streams


def test_an_endless_answer_is_streamed(mount: Mounter) -> None:
    tree = mount(max_result=65_536)
    with tree.connect() as connection:
        connection.write(ENDLESS_ROWS)
        data = b""
        while len(data) < 2_000_000:
            piece = connection.read()
            assert piece
            data += piece
    lines = data.decode().split("\n")
    assert lines[0] == "n"
    assert lines[1:-1] == [str(number) for number in range(1, len(lines) - 1)]
    tree.works()


def test_streaming_takes_no_memory_by_the_row(tree: Tree) -> None:
    def most() -> int:
        return max(int(number) for number in re.findall(r"\d+", tree.text("info/memory")))

    with tree.connect() as connection:
        connection.ask("SELECT 1")
        connection.write(rows_sql(1_000_000, "hex(zeroblob(100)) AS a"))
        connection.read()
        limit = most() + 1_000_000
        for _ in range(50):
            connection.read()
        assert most() < limit


@pytest.mark.parametrize(
    "call",
    [
        lambda fd: os.lseek(fd, 0, os.SEEK_SET),
        lambda fd: os.lseek(fd, 0, os.SEEK_CUR),
        lambda fd: os.lseek(fd, 0, os.SEEK_END),
        lambda fd: os.pread(fd, 10, 0),
        lambda fd: os.pwrite(fd, b"SELECT 1;", 0),
    ],
    ids=["seek-set", "seek-cur", "seek-end", "pread", "pwrite"],
)
def test_query_files_are_streams(tree: Tree, call: object) -> None:
    assert callable(call)
    with tree.connect() as connection:
        connection.write("SELECT 1 AS a")
        with fails("ESPIPE"):
            call(connection.fd)
        assert connection.answer() == b"a\n1\n"


def test_a_json_answer_in_pieces_is_json(tree: Tree) -> None:
    with tree.connect("query.json") as connection:
        connection.write(rows_sql(1_000))
        assert json.loads(connection.answer(100)) == [{"n": n} for n in range(1, 1_001)]


# Transactions and errors


def test_a_transaction_lasts_over_requests(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.ask("BEGIN")
        connection.ask("INSERT INTO t VALUES(1)")
        assert connection.ask("SELECT count(*) AS n FROM t") == "n\n1\n"
        assert tree.text("tables/t/count") == "0\n"
        connection.ask("COMMIT")
        assert tree.text("tables/t/count") == "1\n"


def test_closing_rolls_back(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.ask("BEGIN; INSERT INTO t VALUES(1)")
    assert tree.text("tables/t/count") == "0\n"
    tree.run("INSERT INTO t VALUES(2)")


def test_savepoints_last_over_requests(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        for sql in [
            "BEGIN",
            "INSERT INTO t VALUES(1)",
            "SAVEPOINT s",
            "INSERT INTO t VALUES(2)",
            "ROLLBACK TO s",
            "RELEASE s",
            "COMMIT",
        ]:
            connection.ask(sql)
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_an_error_ends_that_request_only(tree: Tree) -> None:
    with tree.connect() as connection:
        with fails("EINVAL"):
            connection.write("SELEC;")
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


def test_the_error_of_what_is_unterminated_is_that_of_the_first_read(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write("SELECT a FROM nowhere")
        with fails("ENOENT"):
            connection.read()
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


def test_an_error_in_the_middle_of_the_rows_is_that_of_a_read(tree: Tree) -> None:
    rows = rows_sql(MANY, f"CASE n WHEN {MANY} THEN abs(-9223372036854775807 - 1) ELSE n END AS n")
    with tree.connect() as connection:
        with fails("EINVAL"):
            connection.write(rows)
            connection.answer()
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


@pytest.mark.parametrize("file", ["query", "query.json", "query.ndjson", "query.tsv"])
def test_a_failed_read_fails_again_until_the_next_write(tree: Tree, file: str) -> None:
    with tree.connect(file) as connection:
        connection.write("SELECT * FROM nowhere")
        for _ in range(3):
            with fails("ENOENT"):
                connection.read()
        assert connection.ask("CREATE TABLE t(a)") == ""
        assert connection.read() == b""


def test_a_failed_read_of_rows_is_followed_by_its_reason(tree: Tree) -> None:
    with tree.connect("query.rows") as connection:
        connection.write("SELECT * FROM nowhere")
        with fails("ENOENT"):
            connection.read()
        assert b'"errno":"ENOENT"' in connection.read()
        assert connection.read() == b""


def test_who_tries_an_interrupted_read_again_is_told_otherwise(tree: Tree) -> None:
    def read_with_an_alarm() -> None:  # Python itself tries again after EINTR
        signal.signal(signal.SIGALRM, lambda number, frame: None)
        with tree.connect() as connection:
            connection.write(ENDLESS)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            connection.read()

    with fails("ECANCELED"):
        in_child(read_with_an_alarm)


def test_statements_before_the_error_stay_done(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        with fails("EINVAL"):
            connection.write("INSERT INTO t VALUES(1); SELEC; INSERT INTO t VALUES(2);")
        assert connection.ask("SELECT a FROM t") == "a\n1\n"


def test_an_error_does_not_end_the_transaction(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a UNIQUE)")
    with tree.connect() as connection:
        connection.ask("BEGIN; INSERT INTO t VALUES(1)")
        with fails("EEXIST"):
            connection.write("INSERT INTO t VALUES(1);")
        connection.ask("INSERT INTO t VALUES(2); COMMIT")
    assert tree.text("tables/t/data.csv") == "a\n1\n2\n"


def test_a_connection_leaves_the_result_alone(tree: Tree) -> None:
    tree.run("SELECT 'mine' AS a")
    with tree.connect() as connection:
        connection.ask("SELECT 'other' AS a")
        with fails("EINVAL"):
            connection.write("SELEC;")
        assert tree.result() == "a\nmine\n"
    assert tree.result() == "a\nmine\n"
    assert tree.text("value") == "mine\n"


def test_rows_returned_but_never_read_are_written_all_the_same(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.write("INSERT INTO t VALUES(1) RETURNING a;")
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_closing_with_text_that_never_ran_runs_nothing(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.write("CREATE TABLE t(a)")
    assert tree.tables() == []


# Isolation


def test_connections_are_isolated(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as one, tree.connect() as two:
        one.ask("BEGIN; INSERT INTO t VALUES(1)")
        assert two.ask("SELECT count(*) AS n FROM t") == "n\n0\n"
        one.ask("COMMIT")
        assert two.ask("SELECT count(*) AS n FROM t") == "n\n1\n"


def test_a_half_read_answer_blocks_no_writer(tree: Tree) -> None:
    fill(tree)
    with tree.connect() as reader:
        reader.write("SELECT n FROM t")
        head = reader.read(100)
        tree.run("INSERT INTO t VALUES(-1, 0); DELETE FROM t WHERE n % 2 = 0; UPDATE t SET n = -n")
        tree.run("CREATE TABLE u(a); DROP TABLE t")
        numbers = (head + reader.answer()).decode().split()
    assert numbers == ["n", *map(str, range(1, MANY + 1))]


def test_a_half_read_answer_is_as_old_as_its_request(tree: Tree) -> None:
    fill(tree)
    with tree.connect() as reader, tree.connect() as writer:
        reader.write("SELECT n FROM t;")
        writer.ask("DELETE FROM t")
        assert len(reader.answer().split()) == MANY + 1
        assert reader.ask("SELECT count(*) AS n FROM t") == "n\n0\n"


def test_a_transaction_reads_from_one_moment(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as reader:
        reader.ask("BEGIN")
        assert reader.ask("SELECT count(*) AS n FROM t") == "n\n0\n"
        tree.run("INSERT INTO t VALUES(1)")
        assert reader.ask("SELECT count(*) AS n FROM t") == "n\n0\n"
        reader.ask("COMMIT")
        assert reader.ask("SELECT count(*) AS n FROM t") == "n\n1\n"


def test_many_readers_and_a_writer(tree: Tree) -> None:
    fill(tree, 5_000)
    readers: list[Connection] = []
    try:
        for expected in range(30):
            reader = tree.connect()
            readers.append(reader)
            reader.ask("BEGIN")
            assert reader.ask("SELECT count(*) AS n FROM t") == f"n\n{5_000 + expected}\n"
            tree.run("INSERT INTO t VALUES(0, 0)")
        for expected, reader in enumerate(readers):
            assert reader.ask("SELECT count(*) AS n FROM t") == f"n\n{5_000 + expected}\n"
    finally:
        for reader in readers:
            reader.close()
    assert tree.text("tables/t/count") == "5030\n"


def test_a_lock_not_had_in_time_is_ebusy(mount: Mounter) -> None:
    tree = mount(busy=20)
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as holder, tree.connect() as other:
        holder.ask("BEGIN IMMEDIATE")
        with fails("EBUSY"):
            other.write("BEGIN IMMEDIATE;")
        with fails("EBUSY"):
            tree.run("INSERT INTO t VALUES(1);")
        assert other.ask("SELECT count(*) AS n FROM t") == "n\n0\n"
        holder.ask("COMMIT")
        other.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(2); COMMIT")
    assert tree.text("tables/t/data.csv") == "a\n2\n"


def test_a_lock_is_waited_for(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as holder:
        holder.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)")
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with tree.connect() as waiter:
                    os.write(tell, b"x")
                    waiter.ask("INSERT INTO t VALUES(2)")
                    code = 0
            finally:
                os._exit(code)
        os.read(told, 1)
        holder.ask("COMMIT")
        assert os.waitpid(pid, 0)[1] == 0
        os.close(told)
        os.close(tell)
    assert tree.text("tables/t/data.csv") == "a\n1\n2\n"


def test_writing_on_an_outdated_snapshot_is_ebusy(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as connection:
        connection.ask("BEGIN; SELECT * FROM t")
        tree.run("INSERT INTO t VALUES(1)")
        with fails("EBUSY"):
            connection.write("INSERT INTO t VALUES(2);")
        connection.ask("ROLLBACK; INSERT INTO t VALUES(2)")
    assert tree.text("tables/t/data.csv") == "a\n1\n2\n"


def test_temp_tables_are_private(tree: Tree) -> None:
    with tree.connect() as one, tree.connect() as two:
        one.ask("CREATE TEMP TABLE x(a); INSERT INTO x VALUES(1)")
        assert one.ask("SELECT a FROM x") == "a\n1\n"
        with fails("ENOENT"):
            two.write("SELECT a FROM x;")
        with fails("ENOENT"):
            tree.run("SELECT a FROM x;")
        assert tree.tables() == []
        two.ask("CREATE TEMP TABLE x(b)")
        assert one.ask("SELECT a FROM x") == "a\n1\n"
    with tree.connect() as three, fails("ENOENT"):
        three.write("SELECT a FROM x;")


def test_settings_of_a_connection_are_its_own(tree: Tree) -> None:
    with tree.connect() as one, tree.connect() as two:
        one.ask("PRAGMA foreign_keys = OFF")
        assert one.ask("PRAGMA foreign_keys") == "foreign_keys\n0\n"
        assert two.ask("PRAGMA foreign_keys") == "foreign_keys\n1\n"


def test_last_insert_rowid_and_changes_are_the_connections_own(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    with tree.connect() as one, tree.connect() as two:
        one.ask("INSERT INTO t(rowid, a) VALUES(77, 0)")
        two.ask("INSERT INTO t(rowid, a) VALUES(88, 0), (89, 0)")
        assert one.ask("SELECT last_insert_rowid() AS r, changes() AS c") == "r,c\n77,1\n"
        assert two.ask("SELECT last_insert_rowid() AS r, changes() AS c") == "r,c\n89,2\n"


def test_a_child_that_exits_does_not_end_its_parents_connection(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.ask("CREATE TEMP TABLE x(a)")
        in_child(lambda: None)
        assert connection.ask("SELECT count(*) AS n FROM x") == "n\n0\n"


def test_processes_writing_at_once_lose_nothing(tree: Tree) -> None:
    tree.run("CREATE TABLE n(v); INSERT INTO n VALUES(0)")
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with tree.connect() as connection:
                    for _ in range(50):
                        connection.ask("UPDATE n SET v = v + 1")
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0, 0]
    assert tree.value("SELECT v FROM n") == "200"
