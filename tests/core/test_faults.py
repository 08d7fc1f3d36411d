# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Every allocation fails once: ENOMEM, or the right answer; and the next try works."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest

from tests.core.engine import BOTH, WRITE, Db, Engine, File, running
from tests.core.faults import Faults
from tests.core.test_image import made

PAGES = made("CREATE TABLE t(a)", "CREATE TABLE u(a UNIQUE)", "INSERT INTO u VALUES(1)")
SMALL_PAGES = made("PRAGMA page_size = 512", "CREATE TABLE t(a)", "CREATE TABLE u(a UNIQUE)")

SETUP = (
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);"
    "CREATE INDEX tb ON t(b);"
    "CREATE VIRTUAL TABLE f USING fts5(x);"
    "INSERT INTO f VALUES('one two three'), ('two');"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 40) "
    "INSERT INTO t SELECT i, 'row ' || i FROM n;"
    "CREATE VIEW m AS SELECT b AS label, a AS value, 'help' AS help FROM t;"
)


@pytest.fixture(scope="module")
def faults() -> Faults:
    """The library with hooks."""
    return Faults()


def session(request: bytes | str, path: str = "query") -> Callable[[Db], object]:
    """A request on a connection of its own."""

    def run(db: Db) -> object:
        with db.open(path, BOTH) as file:
            return file.ask(request)

    return run


def batch(sql: bytes | str, *files: str) -> Callable[[Db], object]:
    """A batch, and what it leaves."""

    def run(db: Db) -> object:
        db.batch(sql)
        return [db.cat(file) for file in files]

    return run


def in_pieces(db: Db) -> object:
    """A batch that comes in pieces."""
    db.batch("SELE", "CT 'a", "b' AS x; SEL", "ECT 2 AS y")
    return db.cat("result")


def failing_batch(db: Db) -> object:
    """A batch that is wrong, and what is told of it; the message may be wanting."""
    try:
        db.batch("SELECT 1; SELECT nowhere")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        raise AssertionError("a wrong batch was right")
    said = db.text("error")
    if said == "out of memory\nerrno ENOMEM (12)\n":  # none to say what it was
        return True
    return "errno EINVAL (22)" in said and "SELECT nowhere\n" in said


def failing_request(db: Db) -> object:
    """A program's request that is wrong, and the line that tells of it, if there was memory."""
    with db.open("query.rows", BOTH) as file:
        try:
            file.write("SELECT 1; SELECT nowhere;")
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            raise AssertionError("a wrong request was right")
        line = file.read_all()
    return not line or b'"errno":"EINVAL"' in line


def two_requests(db: Db) -> object:
    """A transaction over requests; by the next try it is gone."""
    with db.open("query.json", BOTH) as file:
        file.ask("BEGIN; UPDATE t SET b = 'x' || b;")
        answer = file.ask("SELECT count(*) AS n FROM t WHERE b LIKE 'xrow%';")
        file.ask("ROLLBACK;")
        return answer


def new_database(db: Db) -> object:
    """Another database, used and put."""
    other = db.engine.db("other")
    try:
        return other.value("SELECT 1")
    finally:
        db.engine.dbs.remove(other)
        other.put()


def fill(file: File, text: str) -> bool:
    """Write rows and close; True if they are there now, which a failure says they are not."""
    for at in range(0, len(text), 30):
        file.write(text[at : at + 30])
    file.finish()
    return True


def rows_inserted(form: str, text: str) -> Callable[[Db], object]:
    """Rows added, and taken away again; when it fails, none is there the next time."""
    added = False

    def run(db: Db) -> object:
        nonlocal added
        there = db.value("SELECT count(*) FROM t WHERE a > 900") != "0"
        assert there <= added
        db.batch("DELETE FROM t WHERE a > 900")
        added = False
        with db.open(f"tables/t/insert.{form}", WRITE) as file:
            added = fill(file, text)
        return db.result("SELECT * FROM t WHERE a > 900")

    return run


def table_made(form: str, text: str) -> Callable[[Db], object]:
    """A table made; when it fails, it is not there the next time."""
    made = False

    def run(db: Db) -> object:
        nonlocal made
        assert ("made" in db.names("tables")) <= made
        db.batch("DROP TABLE IF EXISTS made")
        made = False
        with db.create(f"import/made.{form}") as file:
            made = fill(file, text)
        return db.cat("tables/made/data.csv"), db.cat("tables/made/schema")

    return run


def images(db: Db) -> object:
    """The whole database replaced, by one of other pages and by one of ours."""
    for new in (SMALL_PAGES, PAGES):
        with db.open("image", WRITE) as file:
            file.write(new)
            file.finish()
    return db.value("SELECT count(*) FROM u")


def changes(db: Db) -> object:
    """Changed rows; without memory to keep them their reader must read the table anew."""
    with db.open("tables/t/changes") as file:
        db.batch(
            "UPDATE t SET b = b WHERE a < 4; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; RELEASE s"
        )
        said = file.read()
    return said.count(b'"update"') == 3 or b'"reset"' in said


def sizes(db: Db) -> object:
    """What stat() says, found out and kept."""
    return [db.attr(f"tables/t/{file}").size for file in ("data.csv", "data.json", "count") * 2]


def in_a_session(db: Db) -> object:
    """A transaction over batches and a request, rolled back by rmdir(); as well the last try's."""
    for name in db.names("sessions"):
        db.remove(f"sessions/{name}")
    db.make("sessions/s")
    db.batch("BEGIN; UPDATE t SET b = 'x' || b;", path="sessions/s/query")
    with db.open("sessions/s/query.json", BOTH) as file:
        answer = file.ask("SELECT count(*) AS n FROM t WHERE b LIKE 'xrow%';")
        file.write("SELECT hex(zeroblob(70000)) UNION ALL SELECT b FROM t;")
        db.batch("SELECT max(b) FROM t", path="sessions/s/query")
        value = db.text("sessions/s/value")
        db.remove("sessions/s")
    return answer, value


def logged(db: Db) -> object:
    """What the log says of a failure, if there was memory to keep it."""
    if not failing_batch(db):
        return False
    text = db.text("log")
    return not text or (" EINVAL " in text and "\tSELECT nowhere\n" in text)


OPERATIONS: dict[str, Callable[[Db], object]] = {
    "root and lookup": lambda db: db.attr("tables/t/count").size,
    "opendir": lambda db: (db.names(""), db.names("tables"), db.names("tables/t")),
    "content": lambda db: [db.cat(f"info/{name}") for name in ("version", "features", "limits")],
    "schema": lambda db: db.cat("tables/t/schema"),
    "columns": lambda db: db.cat("tables/t/columns"),
    "count": lambda db: db.cat("tables/t/count"),
    "metrics": lambda db: (db.names("metrics"), db.cat("metrics/m.prom"), db.cat("views/m/value")),
    "data.csv": lambda db: db.cat("tables/t/data.csv"),
    "data.json": lambda db: db.cat("tables/t/data.json"),
    "batch": batch("SELECT * FROM t", "result", "value", "result.json", "error"),
    "batch with parameters": batch(b"SELECT ?, ?, ?\0text\0\x0400ff\0\x021.5\0", "result.ndjson"),
    "batch in pieces": in_pieces,
    "failing batch": failing_batch,
    "failing request": failing_request,
    "session, rows": session("SELECT * FROM t; UPDATE t SET b = b;", "query.rows"),
    "text with NUL": session(b"SELECT ?;\0\x06610062\0", "query.rows"),
    "session": session("SELECT * FROM t WHERE b LIKE 'row 1%' ORDER BY b DESC"),
    "session, twice a name": session("SELECT 1 AS a, 2 AS a, 3 AS a_2", "query.json"),
    "session, functions": session(
        "SELECT replace(b, 'row', 'line'), instr(b, '1'), b GLOB '*[1-3]' FROM t"
    ),
    # Not highlight(), not rank: SQLite's own go on without memory, and answer wrongly.
    "session, fts5": session("SELECT x FROM f('two OR one') ORDER BY x"),
    "session, window": session("SELECT sum(a) OVER (ORDER BY b) FROM t LIMIT 5"),
    "session, sort": session("SELECT hex(zeroblob(300)) || a AS x FROM t ORDER BY x DESC LIMIT 1"),
    "session, json": session("SELECT json_group_array(json_object('a', a)) FROM t"),
    "requests": two_requests,
    "write": batch("INSERT OR REPLACE INTO t VALUES(5, 'five'); SELECT count(*), max(b) FROM t",
                   "result"),
    "large write": batch("BEGIN; INSERT OR REPLACE INTO t SELECT a + 100, hex(zeroblob(4000)) "
                         "FROM t WHERE a < 41; DELETE FROM t WHERE a > 100; COMMIT; "
                         "SELECT count(*) FROM t", "result"),
    "checkpoint": batch("INSERT OR REPLACE INTO t SELECT a + 100, hex(zeroblob(4000)) FROM t "
                        "WHERE a < 41; PRAGMA wal_checkpoint(PASSIVE); "
                        "DELETE FROM t WHERE a > 100; PRAGMA wal_checkpoint(TRUNCATE); "
                        "SELECT count(*), max(b) FROM t", "result"),
    "schema change": batch("DROP TABLE IF EXISTS x; CREATE TABLE x(a, b); CREATE INDEX xa ON x(a); "
                           "DROP TABLE x; SELECT 1", "result"),
    "image": lambda db: db.cat("image")[100:],
    "image, written": images,
    "changes": changes,
    "sizes": sizes,
    "in a session": in_a_session,
    "log": logged,
    "insert.csv": rows_inserted("csv", 'b,a\n"x ""y"" z, long enough",901\n\\x00,902\n,903'),
    "insert.ndjson": rows_inserted("ndjson", '{"a":901,"b":{"$base64":"AP8="}}\n{"a":902}\n'),
    "import, csv": table_made("csv", 'a,b,c,d\n1,1.50,\\xAB,x\n2,1,\\x00,"y"""\nx,2.5,\\x01,\n'),
    "import, ndjson": table_made("ndjson", '{"a":1,"b":"x"}\n{"a":2.5,"c":[1]}\n{"d":true}\n'),
    "vacuum": batch("VACUUM; SELECT 1", "result"),
    "new database": new_database,
}  # fmt: skip


def attempt(run: Callable[[], object]) -> tuple[int, object]:
    """The errno of a call, and its result."""
    try:
        return 0, run()
    except OSError as error:
        return error.errno or -1, None


def points(limit: int) -> Iterator[int]:
    """All of the first, then ever fewer: an operation may allocate thousands of times."""
    at = 0
    while at < limit:
        yield at
        at += 1 + at // 150


@pytest.mark.parametrize("every", [False, True], ids=["one", "all"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_allocation_fails(faults: Faults, name: str, every: bool, sanitized: bool) -> None:
    run = OPERATIONS[name]
    with running(faults.lib) as engine:
        db = engine.db()
        db.batch(SETUP)
        right = run(db)
    failed = 0
    for count in points(100_000):
        if sanitized and count > 30 and count % 3:
            continue
        with running(faults.lib) as engine:
            db = engine.db()
            db.batch(SETUP)
            if count % 2:  # half of the time with connections and the list of tables at hand
                db.batch("SELECT 'before'")
                db.names("tables")
            with faults.after(count, every):
                code, found = attempt(lambda db=db: run(db))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            if code:
                assert code == errno.ENOMEM, count
                failed += 1
            else:
                assert found == right, count
            if not faults.reached:
                break
            assert run(db) == right, count
            assert db.value("PRAGMA integrity_check") == "ok"
    else:
        pytest.fail("it never ended")
    assert failed


@pytest.mark.parametrize("length", range(120, 134))
def test_a_failed_statement_that_just_fits_into_memory(faults: Faults, length: int) -> None:
    """Its lines are told apart where no newline ends them any more."""
    sql = "SELECT ".ljust(length, "x")
    with running(faults.lib) as engine:
        db = engine.db()
        for every in (False, True):
            for count in range(400):
                with faults.after(count, every):
                    code, _ = attempt(lambda: db.batch(sql))
                assert code in (errno.EINVAL, errno.ENOMEM)
                if not faults.reached:
                    break
            else:
                pytest.fail("it never ended")


def test_start(faults: Faults) -> None:
    for every in (False, True):
        for count in points(1000):
            engine = Engine(faults.lib)
            with faults.after(count, every):
                code, _ = attempt(engine.start)
            assert code in (0, errno.ENOMEM)
            if engine.running:
                assert engine.stop() == 0
            if not faults.reached:
                break
            with running(faults.lib) as again:
                assert again.db().value("SELECT 1") == "1"


def test_first_database(faults: Faults) -> None:
    for every in (False, True):
        for count in points(10_000):
            with running(faults.lib) as engine:
                with faults.after(count, every):
                    code, _ = attempt(engine.db)
                assert code in (0, errno.ENOMEM)
                assert engine.db().value("SELECT 1") == "1"
                if not faults.reached:
                    break
