# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Every call of ksql_core.h: what it returns, its errors, and who owns what."""

from __future__ import annotations

import ctypes
import errno
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.engine import (
    _PROTOTYPES,
    BOTH,
    MIB,
    MODE_UNSET,
    READ,
    ROOT,
    WRITE,
    Attr,
    Caller,
    Db,
    Engine,
    Flag,
    Options,
    caller,
    running,
)


def errno_of(call: Callable[..., Any], *args: Any, **named: Any) -> int:
    """The errno that a call fails with; 0 if it does not."""
    try:
        call(*args, **named)
    except OSError as error:
        return error.errno or 0
    return 0


def test_header_and_driver_agree() -> None:
    header = (ROOT / "sqlite_core/ksql_core.h").read_text()
    names = set(re.findall(r"\bKSQL_API [^;]*?\b(ksql_\w+)\(", header))
    assert names == set(_PROTOTYPES)


def test_only_the_interface_is_visible(lib: ctypes.CDLL) -> None:
    for name in ("sqlite3_open", "engine_open", "ksql_alloc", "sin"):
        # `sin` may be found in libm through the library's own dependencies, but not here.
        found = getattr(lib, name, None)
        if name != "sin":
            assert found is None


def test_start_and_stop_repeatedly(lib: ctypes.CDLL) -> None:
    for i in range(50):
        with running(lib) as engine:
            if i % 2:
                engine.db().batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")


def test_what_is_not_given_back_is_told(
    lib: ctypes.CDLL, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(lib)
    engine.start()
    db = engine.db()
    node = db.get_node("info")
    db.put()
    engine.dbs.clear()
    head = ctypes.c_uint64(lib.ksql_node_ino(node))
    assert head.value
    lib.ksql_node_put(node)
    assert engine.stop() == 0
    assert "live" not in capfd.readouterr().err


# Databases ----------------------------------------------------------------------------------------


def test_options_default(engine: Engine) -> None:
    options = engine.options()
    assert options.max_result == 64 * MIB
    assert (options.timeout_ms, options.busy_ms, options.max_sql) == (30000, 5000, 16 * MIB)
    assert options.size % 4096 == 0
    assert options.size > 0


def test_databases_are_shared_by_source(engine: Engine) -> None:
    one, same, other = engine.db("one"), engine.db("one"), engine.db("other")
    one.batch("CREATE TABLE t(a); INSERT INTO t VALUES(7)")
    assert same.value("SELECT a FROM t") == "7"
    assert other.names("tables") == []
    one.put()
    assert same.value("SELECT a FROM t") == "7"
    same.put()
    assert engine.db("one").names("tables") == []


@pytest.mark.parametrize("source", [b"", b"x" * 256])
def test_bad_source(engine: Engine, source: bytes) -> None:
    assert errno_of(engine.db, source) == errno.EINVAL


def test_longest_source(engine: Engine) -> None:
    assert engine.db(b"x" * 255).value("SELECT 1") == "1"


@pytest.mark.parametrize(
    ("option", "value"),
    [("size", 65535), ("size", 0), ("max_sql", 1023), ("max_sql", 64 * MIB + 1)],
)
def test_bad_options(engine: Engine, option: str, value: int) -> None:
    assert errno_of(engine.db, "bad", **{option: value}) == errno.EINVAL
    db = engine.db("good")
    before = db.options().values()
    assert errno_of(db.configure, **{option: value}) == errno.EINVAL
    assert db.options().values() == before


def test_options_are_of_the_first(engine: Engine) -> None:
    engine.db("one", busy_ms=11)
    assert engine.db("one", busy_ms=22).options().busy_ms == 11


def test_configure(db: Db) -> None:
    session = db.session()
    assert session.ask("SELECT 1;") == b"1\n1\n"
    db.configure(max_sql=2000, max_result=1000, timeout_ms=60, size=1 * MIB)
    assert db.options().max_sql == 2000
    assert errno_of(db.batch, f"SELECT '{'x' * 2000}'") == errno.EFBIG
    assert errno_of(session.ask, f"SELECT '{'x' * 2000}'") == errno.EFBIG
    assert (
        errno_of(
            db.batch,
            "SELECT value FROM json_each('[1,2,3]'), "
            "(SELECT printf('%600s', 'x') AS x) AS y WHERE length(y.x) > 1;"
            "SELECT printf('%1200s', 'x')",
        )
        == errno.EOVERFLOW
    )
    assert (
        errno_of(
            db.batch,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n",
        )
        == errno.ETIMEDOUT
    )
    assert errno_of(db.batch, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(2000000))") in (
        errno.ENOSPC,
    )
    session.release()


def test_usage(db: Db) -> None:
    before = db.usage()[0]
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000000))")
    pages, wal = db.usage()
    assert pages >= before + 700
    assert wal == 0
    assert db.memory("database") == pages * 4096


# Nodes --------------------------------------------------------------------------------------------


def test_lookup_errors(engine: Engine, db: Db) -> None:
    assert errno_of(db.get_node, "nothing") == errno.ENOENT
    assert errno_of(db.get_node, "query/x") == errno.ENOTDIR
    assert errno_of(db.get_node, "tables/x") == errno.ENOENT
    assert errno_of(db.get_node, "x" * 256) == errno.ENAMETOOLONG
    assert errno_of(db.get_node, "tables/" + "x" * 256) == errno.ENAMETOOLONG
    assert errno_of(db.get_node, "tables/" + "x" * 255) == errno.ENOENT
    assert errno_of(db.get_node, b"quer") == errno.ENOENT
    assert errno_of(db.get_node, b"query\0") == errno.ENOENT


NAMES = [
    "plain",
    "with space",
    "a/b",
    "50%",
    ".dot",
    "..",
    ".",
    "tab\there",
    "new\nline",
    "x\x7fy",
    "é",
    "日本",
    "'quote'",
    '"',
    "%2F",
    "SELECT",
    "a.b",
    "~",
    "\x01",
]


@pytest.mark.parametrize("name", NAMES)
def test_table_names(db: Db, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    db.batch(f"CREATE TABLE {quoted}(a); INSERT INTO {quoted} VALUES(1)")
    (listed,) = db.names("tables")
    assert "/" not in listed
    assert not listed.startswith(".")
    assert db.cat(f"tables/{listed}/data.csv") == b"a\n1\n"
    assert db.cat(f"tables/{listed}/count") == b"1\n"
    assert quoted in db.text(f"tables/{listed}/schema")
    assert db.text(f"tables/{listed}/columns").splitlines()[1].startswith("0,a,")
    if listed != name:
        assert errno_of(db.get_node, b"tables/" + name.encode()) in (errno.ENOENT, errno.ENOTDIR)


def test_one_name_for_each_table(db: Db) -> None:
    db.batch('CREATE TABLE "a/b"(x)')
    assert db.names("tables") == ["a%2Fb"]
    for other in ("a%2fb", "%61%2Fb", "a%2Fb%"):
        assert errno_of(db.get_node, f"tables/{other}") == errno.ENOENT


def test_names_too_long_are_not_listed(db: Db) -> None:
    db.batch(
        f'CREATE TABLE "{"x" * 256}"(a); CREATE TABLE "{"/" * 86}"(a);CREATE TABLE "{"y" * 255}"(a)'
    )
    assert db.names("tables") == ["y" * 255]


def test_listing_follows_the_schema(db: Db) -> None:
    db.batch(
        "CREATE TABLE b(x); CREATE TABLE a(x); CREATE VIEW v AS SELECT 1;"
        "CREATE VIRTUAL TABLE f USING fts5(t); CREATE INDEX i ON a(x)"
    )
    assert db.names("tables") == ["a", "b", "f"]
    node = db.get_node("tables/a")
    file = db.get_node("tables/a/data.csv")
    assert db.lib.ksql_node_exists(db.handle, node) == 1
    with db.open("query", BOTH) as session:
        session.write("BEGIN; DROP TABLE a;")
        assert db.lib.ksql_node_exists(db.handle, node) == 1
        session.write("ROLLBACK;")
    db.batch("DROP TABLE a")
    assert db.lib.ksql_node_exists(db.handle, node) == 0
    attr, who = Attr(), caller()
    ret = db.lib.ksql_getattr(db.handle, file, ctypes.byref(who), ctypes.byref(attr))
    assert ret == -errno.ENOENT
    handle = ctypes.c_void_p()
    ret = db.lib.ksql_open(db.handle, file, ctypes.byref(who), READ, ctypes.byref(handle))
    assert ret == -errno.ENOENT
    db.lib.ksql_node_put(node)
    db.lib.ksql_node_put(file)


def test_nodes_are_counted(db: Db) -> None:
    node = db.get_node("tables")
    assert db.lib.ksql_node_get(node) == node.value
    db.lib.ksql_node_put(node)
    assert db.lib.ksql_node_is_dir(node)
    db.lib.ksql_node_put(node)


def test_an_open_file_holds_its_node(db: Db) -> None:
    file = db.open("info/version")
    assert file.read()
    file.release()


def test_the_end_is_that_of_what_was_opened(db: Db) -> None:
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT 'before'")
    paths = ("info/version", "result", "tables/t/count", "tables/t/data.csv", "tables/t/data.json")
    for path in paths:
        expected = len(db.cat(path))
        with db.open(path) as file:
            db.batch("UPDATE t SET a = a || 'x'; SELECT 'afterwards'")
            assert file.end() == expected
            assert len(file.read_all()) == expected
            assert file.end() == expected


def test_the_end_of_many_rows(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT "
        "50000) INSERT INTO t SELECT i FROM n"
    )
    whole = db.cat("tables/t/data.csv")
    with db.open("tables/t/data.csv") as file:
        assert file.read(10, 100_000) == whole[100_000:100_010]
        assert file.end() == len(whole)
        assert file.read(10, len(whole) - 4) == whole[-4:]
        assert file.read(10, 0) == whole[:10]


def test_what_has_no_positions_has_no_end(db: Db) -> None:
    with db.session() as session:
        session.write("SELECT 1;")
        assert errno_of(session.end) == errno.ESPIPE


def test_looking_for_the_end_can_be_cancelled(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT "
        "50000) INSERT INTO t SELECT i FROM n"
    )
    flag = Flag()
    with db.open("tables/t/data.csv", cancel=flag) as file:
        flag.set()
        assert errno_of(file.end) == errno.EINTR
        flag.set(False)
        assert file.end() == len(file.read_all())


def test_node_facts(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    seen: dict[int, str] = {}
    for path in (
        "",
        "query",
        "query.json",
        "result",
        "value",
        "error",
        "status",
        "tables",
        "tables/t",
        "tables/t/data.csv",
        "tables/t/schema",
        "info",
        "info/memory",
    ):
        with db.node(path) as node:
            ino = db.lib.ksql_node_ino(node)
            assert ino not in seen, (path, seen)
            seen[ino] = path
            is_dir = path in ("", "tables", "tables/t", "info")
            is_query = path.startswith("query")
            assert db.lib.ksql_node_is_dir(node) == is_dir
            assert db.lib.ksql_node_is_stream(node) == is_query
        assert db.attr(path).ino == ino
        with db.node(path) as node:
            assert db.lib.ksql_node_ino(node) == ino


MODES = [
    # mount, directory, file, query
    (0o750, 0o750, 0o440, 0o660),
    (0o700, 0o700, 0o400, 0o600),
    (0o755, 0o755, 0o444, 0o664),
    (0o777, 0o777, 0o444, 0o666),
    (0o550, 0o550, 0o440, 0o660),
    (0, 0, 0, 0),
]


@pytest.mark.parametrize(("mount", "directory", "file", "query"), MODES)
def test_modes(db: Db, mount: int, directory: int, file: int, query: int) -> None:
    for path, mode in (("tables", directory), ("result", file), ("query.tsv", query)):
        with db.node(path) as node:
            assert db.lib.ksql_node_mode(node, mount, MODE_UNSET) == mode


METRICS_MODES = [
    # metrics_mode=, root, metrics/, its files; all else as with mode=0750
    (MODE_UNSET, 0o750, 0o750, 0o440),
    (0o444, 0o751, 0o755, 0o444),
    (0o440, 0o750, 0o750, 0o440),
    (0o400, 0o750, 0o750, 0o400),
    (0o004, 0o751, 0o755, 0o004),
    (0, 0o750, 0o750, 0),
]


@pytest.mark.parametrize(("metrics", "root", "folder", "file"), METRICS_MODES)
def test_modes_of_metrics(db: Db, metrics: int, root: int, folder: int, file: int) -> None:
    db.batch("CREATE TABLE t(a); CREATE VIEW v AS SELECT 1 AS value")
    modes = {"": root, "metrics": folder, "metrics/v.prom": file, "metrics/ksqlfs.prom": file}
    modes |= {"tables": 0o750, "views/v": 0o750, "views/v/value": 0o440, "error": 0o440}
    modes |= {"query": 0o660, "image": 0o660}
    for path, mode in modes.items():
        with db.node(path) as node:
            assert db.lib.ksql_node_mode(node, 0o750, metrics) == mode, path


def test_inode_numbers_of_a_listing(db: Db) -> None:
    db.batch("CREATE TABLE t(a); CREATE TABLE u(a)")
    for path in ("", "tables", "tables/t", "info"):
        with db.node(path) as node:
            for name, is_dir, ino in db.entries(node):
                attr = db.attr(f"{path}/{name}" if path else name)
                assert attr.ino == ino
                with db.node(f"{path}/{name}" if path else name) as below:
                    assert db.lib.ksql_node_is_dir(below) == is_dir


def test_opendir_of_a_file(db: Db) -> None:
    with db.node("query") as node:
        assert errno_of(db.entries, node) == errno.ENOTDIR


def test_closedir_of_nothing(engine: Engine) -> None:
    engine.lib.ksql_closedir(None)


def test_attr(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    first = db.attr("").mtime_ns
    db.batch("INSERT INTO t VALUES(12)")
    assert db.attr("").mtime_ns > first
    db.batch("SELECT * FROM t")
    for path in (
        "result",
        "result.json",
        "value",
        "error",
        "status",
        "tables/t/schema",
        "tables/t/count",
        "tables/t/columns",
        "info/version",
        "info/features",
        "info/compile_options",
        "info/limits",
        "info/sqlite_version",
    ):
        assert db.attr(path).size == len(db.cat(path)), path
    assert db.attr("query").size == 0
    assert errno_of(db.batch, "SELEC") == errno.EINVAL
    assert db.attr("result").size == 0


# Files --------------------------------------------------------------------------------------------


def test_open_errors(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    assert errno_of(db.open, "tables") == errno.EISDIR
    assert errno_of(db.open, "") == errno.EISDIR
    for path in ("result", "value", "tables/t/data.csv", "info/version", "error"):
        assert errno_of(db.open, path, WRITE) == errno.EPERM
        assert errno_of(db.open, path, BOTH) == errno.EPERM


def test_write_to_what_is_read_only(db: Db) -> None:
    for path in ("query", "info/version", "result"):
        with db.open(path, READ) as file:
            assert errno_of(file.write, "SELECT 1;") == errno.EBADF
            file.finish()


def test_query_opened_to_read_is_empty(db: Db) -> None:
    with db.open("query", READ) as file:
        assert file.read() == b""
        assert file.read(10, 100) == b""


def test_reads_at_positions(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        "WHERE i < 50000) INSERT INTO t SELECT i FROM n; SELECT * FROM t"
    )
    expected = "a\n" + "".join(f"{i}\n" for i in range(1, 50001))
    for path in ("result", "tables/t/data.csv"):
        whole = db.cat(path)
        assert whole.decode() == expected
        with db.open(path) as file:
            for pos, size in (
                (0, 1),
                (100000, 70000),
                (5, 0),
                (200000, 10),
                (0, 300000),
                (65535, 3),
                (65536, 131072),
                (len(whole) - 1, 5),
                (len(whole), 5),
                (1 << 62, 5),
                (0, 7),
            ):
                assert file.read(size, pos) == whole[pos : pos + size], (path, pos, size)


def test_a_reader_keeps_what_it_opened(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        "WHERE i < 30000) INSERT INTO t SELECT i FROM n"
    )
    names = ("tables/t/data.json", "tables/t/count", "tables/t/schema", "result", "error", "status")
    before = {name: db.cat(name) for name in names}
    files = {name: db.open(name) for name in names}
    db.batch(
        "UPDATE t SET a = -a; ALTER TABLE t ADD COLUMN b; DELETE FROM t WHERE a < -100; "
        "SELECT 'new'"
    )
    for name, file in files.items():
        assert file.read_all(5000) == before[name], name
        assert file.read(10, 3) == before[name][3:13]
        file.release()
        if name != "error":
            assert db.cat(name) != before[name]


def test_a_dropped_table_is_read_to_its_end(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        "WHERE i < 30000) INSERT INTO t SELECT i FROM n"
    )
    with db.open("tables/t/data.csv") as file:
        assert file.read(10) == b"a\n1\n2\n3\n4\n"
        db.batch("DROP TABLE t")
        assert file.read_all().count(b"\n") == 30001


def test_a_cancelled_read_can_be_read_again(db: Db) -> None:
    """An error amid the rows must not leave the file in a state that never ends."""
    from tests.core.engine import Flag

    db.batch(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        "WHERE i < 200000) INSERT INTO t SELECT i FROM n"
    )
    flag = Flag()
    file = db.open("tables/t/data.csv", cancel=flag)
    whole = db.cat("tables/t/data.csv")
    assert file.read(1000) == whole[:1000]
    flag.set()
    failures = [errno_of(file.read, 1 << 20, 500000) for _ in range(3)]
    assert errno.EINTR in failures
    flag.set(False)
    assert file.read(1 << 16, 1000) == whole[1000 : 1000 + (1 << 16)]
    assert file.read(1 << 16, len(whole) - 100) == whole[-100:]
    file.release()


def test_release_without_finish(db: Db) -> None:
    file = db.open("query", WRITE)
    file.write("SELECT 5")
    file.release()
    assert db.cat("value") == b"5\n"


def test_abandon_runs_nothing_more(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    file = db.open("query", WRITE)
    file.write("INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)")
    file.release(abandon=True)
    assert db.value("SELECT count(*) FROM t") == "1"


def test_finish_twice(db: Db) -> None:
    with db.open("query", WRITE) as file:
        file.write("SELECT 1")
        file.finish()
        db.batch("SELECT 2")
        file.finish()
        assert db.cat("value") == b"2\n"
        file.write("SELECT 3")
        file.finish()
        assert db.cat("value") == b"3\n"


def test_finish_of_a_session_does_nothing(db: Db) -> None:
    with db.session() as file:
        file.write("SELECT 1")
        file.finish()
        assert file.read_all() == b"1\n1\n"


def test_opening_runs_nothing(db: Db) -> None:
    db.batch("SELECT 9")
    for flags in (READ, WRITE, BOTH):
        with db.open("query", flags) as file:
            file.finish()
    assert db.cat("value") == b"9\n"


def test_empty_writes(db: Db) -> None:
    db.batch("SELECT 9")
    db.batch("", "", "")
    db.batch("  \n", "-- nothing\n", "/* at all */", ";;")
    assert db.cat("value") == b"9\n"


def test_files_outlive_lookups_from_many_threads(db: Db) -> None:
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(200):
                assert db.cat("tables/t/data.csv") == b"a\n1\n"
                assert "t" in db.names("tables")
                db.attr("info/memory")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_structures_have_the_sizes_of_c(lib: ctypes.CDLL) -> None:
    assert ctypes.sizeof(Options) == 48
    assert ctypes.sizeof(Attr) == 24
    assert ctypes.sizeof(Caller) == 24
