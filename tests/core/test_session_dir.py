# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""sessions/: connections that last; what two calls at once, and rmdir() amid them, do."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

import pytest

from tests.core.engine import BOTH, READ, WRITE, Db, Engine, File, Flag
from tests.core.test_api import errno_of
from tests.core.test_memvfs import Together

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
ROWS = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500000) SELECT n FROM c"
)
FILES = [
    "query",
    "query.json",
    "query.ndjson",
    "query.rows",
    "query.tsv",
    "result",
    "result.json",
    "result.ndjson",
    "result.tsv",
    "value",
    "error",
    "status",
]


@pytest.fixture
def made(db: Db) -> Db:
    """A database with the session sessions/s, root's."""
    db.make("sessions/s")
    return db


def value(db: Db, sql: str, path: str = "sessions/s", uid: int = 0) -> str:
    """The first value of a batch in a session."""
    db.batch(sql, path=f"{path}/query", uid=uid)
    return db.text(f"{path}/value", uid).removesuffix("\n")


def test_a_session_has_its_files(made: Db) -> None:
    assert made.names("sessions/s") == FILES
    assert made.text("sessions/s/error") == "ok\n"
    assert made.facts("sessions/s/status")["state"] == "none"
    assert made.text("sessions/s/result.json") == "[]\n"


def test_a_transaction_lasts_over_batches(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    made.batch("BEGIN; INSERT INTO t VALUES(1)", path="sessions/s/query")
    assert made.facts("sessions/s/status")["state"] == "ok"
    assert value(made, "SELECT count(*) FROM t") == "1"
    assert made.value("SELECT count(*) FROM t") == "0"
    made.batch("COMMIT", path="sessions/s/query")
    assert made.value("SELECT count(*) FROM t") == "1"


def test_temporary_tables_settings_and_counts_last(made: Db) -> None:
    made.batch("CREATE TEMP TABLE mine(a); PRAGMA query_only = 1", path="sessions/s/query")
    assert value(made, "SELECT count(*) FROM mine") == "0"
    assert value(made, "PRAGMA query_only") == "1"
    assert errno_of(made.batch, "CREATE TABLE u(a)", path="sessions/s/query") == errno.EROFS
    made.batch("CREATE TABLE u(a); INSERT INTO u VALUES(5)")
    made.batch("PRAGMA query_only = 0; INSERT INTO u VALUES(6), (7)", path="sessions/s/query")
    assert value(made, "SELECT last_insert_rowid()") == "3"


def test_program_and_batch_share_the_connection(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    with made.session("sessions/s/query.json") as file:
        assert file.ask("BEGIN; INSERT INTO t VALUES(1);") == b""
        assert value(made, "SELECT count(*) FROM t") == "1"
    assert value(made, "SELECT count(*) FROM t") == "1"  # closing rolls nothing back
    assert made.value("SELECT count(*) FROM t") == "0"


def test_outcomes_are_the_sessions_own(made: Db) -> None:
    made.batch("SELECT 'root' AS a")
    made.batch("SELECT 'session' AS a", path="sessions/s/query")
    assert (made.text("value"), made.text("sessions/s/value")) == ("root\n", "session\n")
    assert errno_of(made.batch, "SELEC", path="sessions/s/query") == errno.EINVAL
    assert made.text("error") == "ok\n"
    assert made.facts("sessions/s/status")["errno"] == "EINVAL"
    assert errno_of(made.cat, "sessions/s/result") == errno.EINVAL
    with made.session("sessions/s/query") as file:
        assert errno_of(file.ask, "SELECT nowhere;") == errno.EINVAL
    assert "nowhere" in made.text("sessions/s/error")
    assert made.text("error") == "ok\n"
    assert errno_of(made.batch, "SELECT nothing") == errno.EINVAL
    assert "nothing" not in made.text("sessions/s/error")


def test_owner_and_modes(db: Db) -> None:
    db.make("sessions/s", uid=7)
    assert db.owner("sessions") is None
    assert db.mode("sessions") == 0o1770
    assert db.mode("sessions", 0o755) == 0o1775
    assert db.mode("sessions", 0o700) == 0o1700
    assert db.mode("sessions", 0o777) == 0o1777
    for mount_mode in (0o000, 0o750, 0o777):
        assert db.owner("sessions/s") == (7, 7)
        assert db.mode("sessions/s", mount_mode) == 0o700
        assert db.owner("sessions/s/query") == (7, 7)
        assert db.mode("sessions/s/query", mount_mode) == 0o600
        assert db.mode("sessions/s/result", mount_mode) == 0o400


def test_only_the_owner_and_root_remove(db: Db) -> None:
    db.make("sessions/s", uid=7)
    assert errno_of(db.remove, "sessions/s", uid=8) == errno.EPERM
    db.remove("sessions/s", uid=7)
    assert errno_of(db.remove, "sessions/s", uid=7) == errno.ENOENT
    db.make("sessions/s", uid=7)
    db.remove("sessions/s", uid=0)
    assert db.names("sessions") == []


def test_a_listing_has_the_callers_own(db: Db) -> None:
    for name, uid in (("a", 1), ("b", 2), ("c", 1)):
        db.make(f"sessions/{name}", uid=uid)
    assert sorted(db.names("sessions", 1)) == ["a", "c"]
    assert sorted(db.names("sessions", 2)) == ["b"]
    assert sorted(db.names("sessions", 3)) == []
    assert sorted(db.names("sessions", 0)) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["n" * 255, "ä" * 127, " ", "%2F", "a\nb", "\udcff", "..."])
def test_any_file_name_will_do(db: Db, name: str) -> None:
    db.make(f"sessions/{name}")
    assert errno_of(db.make, f"sessions/{name}") == errno.EEXIST
    with db.node(b"sessions/" + name.encode(errors="surrogateescape")):
        pass


def test_bad_names_and_places(db: Db) -> None:
    assert errno_of(db.make, "sessions/" + "n" * 256) == errno.ENAMETOOLONG
    assert errno_of(db.make, "sessions/file", is_dir=False) == errno.EPERM
    assert errno_of(db.make, "tables/t") == errno.EPERM
    db.make("sessions/s")
    assert errno_of(db.make, "sessions/s/more") == errno.EPERM
    assert errno_of(db.make, "query/more") == errno.ENOTDIR
    assert errno_of(db.remove, "sessions") == errno.EPERM
    assert errno_of(db.remove, "sessions/s/query") == errno.EPERM


def test_so_many_for_each_user(engine: Engine) -> None:
    db = engine.db(sessions=3)
    for number in range(3):
        db.make(f"sessions/{number}", uid=1)
    assert errno_of(db.make, "sessions/more", uid=1) == errno.EDQUOT
    db.make("sessions/other", uid=2)
    db.remove("sessions/1", uid=1)
    db.make("sessions/more", uid=1)
    db.configure(sessions=2)
    db.remove("sessions/more", uid=1)
    assert errno_of(db.make, "sessions/more", uid=1) == errno.EDQUOT
    db.configure(sessions=4)
    db.make("sessions/more", uid=1)
    db.configure(sessions=0)
    assert errno_of(db.make, "sessions/none", uid=9) == errno.EDQUOT
    assert db.facts("info/limits")["sessions"] == "0"


def test_rmdir_rolls_back_and_frees(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    made.batch("SELECT count(*) FROM t")
    before = made.memory("blocks")
    for _ in range(20):
        made.make("sessions/big")
        made.batch("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)", path="sessions/big/query")
        made.batch(f"CREATE TEMP TABLE big AS {ROWS}", path="sessions/big/query")
        made.batch("SELECT * FROM big LIMIT 100000", path="sessions/big/query")
        made.remove("sessions/big")
        made.batch("INSERT INTO t VALUES(2)")  # the lock is free
    assert made.value("SELECT group_concat(DISTINCT a) FROM t") == "2"
    made.batch("SELECT count(*) FROM t")
    assert made.memory("blocks") < before + 300_000


def test_what_is_left_goes_with_the_database(engine: Engine) -> None:
    db = engine.db("left")
    for number in range(5):
        db.make(f"sessions/{number}", uid=number)
        db.batch("CREATE TEMP TABLE t(a); BEGIN; SELECT 1", path=f"sessions/{number}/query")


def test_a_name_made_again_is_another_session(made: Db) -> None:
    made.batch("CREATE TEMP TABLE t(a)", path="sessions/s/query")
    old = made.get_node("sessions/s")
    first = made.lib.ksql_node_ino(old)
    made.remove("sessions/s")
    made.make("sessions/s")
    assert made.lib.ksql_node_exists(made.handle, old) == 0
    made.lib.ksql_node_put(old)
    assert made.attr("sessions/s").ino != first
    assert errno_of(made.batch, "SELECT * FROM t", path="sessions/s/query") == errno.ENOENT


def test_inode_numbers_are_those_listed(made: Db) -> None:
    made.make("sessions/u")
    seen = set()
    for path in ("sessions", "sessions/s", "sessions/u"):
        with made.node(path) as node:
            for name, _, ino in made.entries(node):
                assert made.attr(f"{path}/{name}").ino == ino
                seen.add(ino)
    assert len(seen) == 2 + 2 * len(FILES)


def test_open_files_of_a_removed_session_say_ecanceled(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    made.batch("SELECT 'kept' AS a", path="sessions/s/query")
    program, half = made.session("sessions/s/query"), made.session("sessions/s/query.rows")
    batch, idle = made.open("sessions/s/query", WRITE), made.open("sessions/s/query", WRITE)
    result = made.open("sessions/s/result", READ)
    half.write(ROWS)
    assert half.read(100)
    batch.write("INSERT INTO t VALUES('half')")
    made.remove("sessions/s")
    assert errno_of(program.write, "SELECT 1;") == errno.ECANCELED
    assert program.read() == b""
    assert errno_of(half.read_all) == errno.ECANCELED
    assert errno_of(half.write, "SELECT 1;") == errno.ECANCELED
    assert errno_of(batch.finish) == errno.ECANCELED
    idle.finish()
    assert result.read_all() == b"a\nkept\n"
    for file in (program, half, batch, idle, result):
        file.release()
    assert made.value("SELECT count(*) FROM t") == "0"
    with pytest.raises(OSError, match="lookup"):
        made.open("sessions/s/query")


def test_half_read_answers_do_not_keep_a_removed_session(made: Db) -> None:
    made.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    files = [made.session("sessions/s/query") for _ in range(5)]
    for file in files:
        file.write(ROWS + ";")
        assert file.read(64)
    files.pop(2).release()
    made.remove("sessions/s")
    files.pop(0).release()
    made.batch("VACUUM")
    for file in files:
        file.release()


def test_two_half_read_answers_on_one_connection(made: Db) -> None:
    with made.session("sessions/s/query") as one, made.session("sessions/s/query") as two:
        one.write("SELECT 1 AS a UNION ALL SELECT 2;")
        two.write("SELECT 3 AS b UNION ALL SELECT 4;")
        assert one.read_all() == b"a\n1\n2\n"
        assert two.read_all() == b"b\n3\n4\n"


def running(file: File, sql: str, together: Together, expected: int) -> None:
    """Start a statement that runs until it is stopped, and wait until it does."""
    entered = threading.Event()

    def work() -> None:
        entered.set()
        got = errno.EBUSY
        while got == errno.EBUSY:  # by who looks whether this has the session
            got = errno_of(file.write, sql + ";")
        assert got == expected

    together.start(work)
    entered.wait()


def until_busy(db: Db) -> None:
    """Wait until a statement has taken the session; busy= is 0 here."""
    for _ in range(100_000):
        if errno_of(db.batch, "SELECT 1;", path="sessions/s/query") == errno.EBUSY:
            return
    raise AssertionError("never taken")


def test_calls_on_one_session_wait_and_are_bounded_by_busy(made: Db) -> None:
    made.configure(busy_ms=0)
    flag, together = Flag(), Together()
    with made.session("sessions/s/query", cancel=flag) as endless:
        running(endless, ENDLESS, together, errno.EINTR)
        until_busy(made)
        assert "another call uses the session" in made.text("sessions/s/error")
        assert made.value("SELECT 1") == "1"
        with made.session("sessions/s/query") as other:
            assert errno_of(other.write, "SELECT 1;") == errno.EBUSY
            assert other.read() == b""
        flag.set()
        together.join()
    assert value(made, "SELECT 2") == "2"


def test_a_statement_that_lost_its_turn_halfway_never_runs(made: Db) -> None:
    made.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    made.configure(busy_ms=0)
    flag, together = Flag(), Together()
    with (
        made.session("sessions/s/query", cancel=flag) as endless,
        made.open("sessions/s/query", WRITE) as batch,
        made.session("sessions/s/query") as program,
    ):
        batch.write("DELETE FROM t ")
        program.write("DELETE FROM t ")
        running(endless, ENDLESS, together, errno.EINTR)
        until_busy(made)
        assert errno_of(batch.write, "WHERE a = 2") == errno.EBUSY
        assert errno_of(program.write, "WHERE a = 2") == errno.EBUSY
        flag.set()
        together.join()
        assert errno_of(batch.write, ";") == errno.ECANCELED
        batch.finish()
        assert made.facts("sessions/s/status")["errno"] == "EBUSY"
        assert program.read() == b""
        assert program.ask("SELECT count(*) AS n FROM t") == b"n\n1\n"


def test_text_that_waits_for_a_turn_at_the_close_is_dropped_without_it(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    made.configure(busy_ms=0)
    flag, together = Flag(), Together()
    with (
        made.session("sessions/s/query", cancel=flag) as endless,
        made.open("sessions/s/query", WRITE) as batch,
    ):
        batch.write("INSERT INTO t VALUES(1)")
        running(endless, ENDLESS, together, errno.EINTR)
        until_busy(made)
        assert errno_of(batch.finish) == errno.EBUSY
        assert made.facts("sessions/s/status")["errno"] == "EBUSY"
        flag.set()
        together.join()
    assert made.value("SELECT count(*) FROM t") == "0"


def test_who_waits_can_be_interrupted(made: Db) -> None:
    made.configure(busy_ms=0)
    flag, raised, together = Flag(), Flag(), Together()
    raised.set()
    with (
        made.session("sessions/s/query", cancel=flag) as endless,
        made.session("sessions/s/query", cancel=raised) as waiting,
    ):
        running(endless, ENDLESS, together, errno.EINTR)
        until_busy(made)
        made.configure(busy_ms=600_000)
        assert errno_of(waiting.write, "SELECT 1;") == errno.EINTR
        flag.set()
        together.join()


def test_who_waits_has_its_turn_then(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    together = Together()

    def work(number: int) -> None:
        path = "sessions/s/query"
        for i in range(20):
            if number % 2:
                made.batch(f"INSERT INTO t VALUES({i});", path=path)
                continue
            with made.session(path) as file:
                file.ask(f"INSERT INTO t VALUES({i})")
                file.write("SELECT * FROM t, t AS u, t AS v;")
                file.read(100)

    for number in range(6):
        together.start(work, number)
    together.join()
    assert made.value("SELECT count(*) FROM t") == "120"


def test_rmdir_ends_what_runs_and_waits_for_nothing(made: Db) -> None:
    made.batch("CREATE TABLE t(a)")
    made.configure(busy_ms=0)
    together = Together()
    with made.session("sessions/s/query") as endless:
        endless.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1);")
        running(endless, ENDLESS, together, errno.ECANCELED)
        until_busy(made)
        made.remove("sessions/s")
        assert made.names("sessions") == []
        together.join()
        made.batch("INSERT INTO t VALUES(2)")  # the lock is free
    assert made.value("SELECT group_concat(a) FROM t") == "2"


def test_close_waits_for_nothing(made: Db) -> None:
    made.configure(busy_ms=0)
    flag, together = Flag(), Together()
    with made.session("sessions/s/query", cancel=flag) as endless:
        halves = [made.session("sessions/s/query") for _ in range(3)]
        for half in halves:
            half.write(ROWS + ";")
            half.read(10)
        running(endless, ENDLESS, together, errno.EINTR)
        until_busy(made)
        for half in halves:
            half.release()
        flag.set()
        together.join()
    assert value(made, "SELECT 1") == "1"
    made.batch("VACUUM")


def test_makers_and_removers_at_once(engine: Engine) -> None:
    db = engine.db(sessions=1000)
    db.batch("CREATE TABLE t(a)")
    together = Together()
    fine = {0, errno.EEXIST, errno.ENOENT, errno.ECANCELED, errno.EBUSY, errno.EINVAL}

    def quietly(call: Callable[..., object], *args: object) -> None:
        assert errno_of(call, *args) in fine

    def work() -> None:
        for i in range(60):
            path = f"sessions/{i % 3}"
            quietly(db.make, path)
            quietly(db.names, path)
            quietly(use, path)
            quietly(db.remove, path)

    def use(path: str) -> None:
        with db.open(f"{path}/query", BOTH) as file:
            file.ask("BEGIN; INSERT INTO t VALUES(1);")
            file.write(ROWS + ";")
            file.read(10)
            file.ask("ROLLBACK;")

    for _ in range(4):
        together.start(work)
    together.join()
    assert db.value("SELECT count(*) FROM t") == "0"


def test_a_half_read_answer_hides_no_change(made: Db) -> None:
    made.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
    assert made.attr("tables/t/data.csv").size == len("a\n1\n2\n")
    changes = made.open("tables/t/changes")
    with made.session("sessions/s/query") as half:
        half.write("SELECT * FROM t, (" + ROWS + ");")
        half.read(100)
        before = made.text("events")
        made.batch("INSERT INTO t VALUES(3)", path="sessions/s/query")
        assert made.text("events") != before
        assert made.attr("tables/t/data.csv").size == len("a\n1\n2\n3\n")
        assert b'"insert"' in changes.read()
        made.batch("BEGIN; DELETE FROM t; ROLLBACK", path="sessions/s/query")
    assert made.value("SELECT count(*) FROM t") == "3"
    changes.release()
    assert value(made, "SELECT count(*) FROM t") == "3"
