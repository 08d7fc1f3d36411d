# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""image: the whole database read as one file, and replaced by one; crafted ones too."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import random
import sqlite3
import struct
from collections.abc import Iterator

import pytest

from tests.core.engine import BOTH, MIB, WRITE, Db, Engine, Flag, running
from tests.core.test_api import errno_of
from tests.core.test_memvfs import ROWS, Together

CONTENT = (
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c AS (a * 2));"
    "CREATE INDEX tb ON t(b) WHERE a > 5;"
    "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
    "CREATE TABLE big(x);"
    "CREATE VIRTUAL TABLE f USING fts5(x);"
    "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);"
    "CREATE VIEW v AS SELECT count(*) AS value FROM t;"
    "CREATE TRIGGER tr AFTER INSERT ON w BEGIN UPDATE t SET b = new.v WHERE a = 1; END;"
    + ROWS.format(400)
    + "INSERT INTO t(a, b) SELECT i, 'row ' || i FROM n;"
    "INSERT INTO w SELECT b, a FROM t;"
    "INSERT INTO big VALUES(zeroblob(20000)), (zeroblob(9000));"
    "DELETE FROM big WHERE length(x) = 9000;"
    "INSERT INTO f SELECT b FROM t;"
    "INSERT INTO r SELECT a, a, a + 1 FROM t;"
)
# Everything in it is looked at, or changed.
USES = (
    "SELECT sum(a), sum(c), max(b) FROM t",
    "SELECT count(*) FROM t WHERE b = 'row 77' AND a > 5",
    "SELECT * FROM w ORDER BY k DESC LIMIT 3",
    "SELECT sum(length(x)) FROM big",
    "SELECT count(*) FROM f('row')",
    "SELECT count(*) FROM r WHERE x0 > 3 AND x1 < 90",
    "SELECT * FROM v",
    "INSERT INTO w VALUES('new', 'it'); INSERT INTO t(b) SELECT b FROM t LIMIT 20",
    "INSERT INTO f VALUES('more'); INSERT INTO r VALUES(5000, 1, 2)",
    "DELETE FROM t WHERE a % 3 = 0; DROP TABLE big; DROP TABLE f; VACUUM",
    "PRAGMA integrity_check",
)


def put(db: Db, data: bytes, size: int = 1 << 16, cancel: Flag | None = None) -> None:
    """Write an image, closing the file also after a write that fails."""
    with db.open("image", WRITE, cancel=cancel) as file:
        try:
            for at in range(0, len(data), size):
                file.write(data[at : at + size])
        finally:
            file.close()


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[sqlite3.Connection]:
    """An image by Python's own SQLite, checked."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        yield connection


def made(*statements: str) -> bytes:
    """A database made by Python's SQLite."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.executescript(statement)
        return connection.serialize()


def number(data: bytes, at: int) -> int:
    """Four bytes of a header."""
    value: int = struct.unpack_from(">I", data, at)[0]
    return value


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """Some bytes replaced."""
    return data[:at] + new + data[at + len(new) :]


# Reading


def test_an_empty_database_is_one_page(db: Db) -> None:
    data = db.cat("image")
    assert len(data) == db.attr("image").size == 4096
    with opened(data) as connection:
        assert connection.execute("SELECT * FROM sqlite_schema").fetchall() == []


def test_an_image_holds_everything(db: Db) -> None:
    db.batch(CONTENT)
    data = db.cat("image")
    assert len(data) == db.attr("image").size
    with opened(data) as connection:
        for sql in USES[:4]:
            row = ",".join(str(value) for value in connection.execute(sql).fetchone())
            assert db.result(sql).splitlines()[1] == row


def test_the_header_is_right_for_a_file_without_a_log(db: Db) -> None:
    db.batch(CONTENT)
    data = db.cat("image")
    assert data[18:20] == b"\x01\x01"
    assert number(data, 28) == len(data) // 4096
    assert number(data, 24) == number(data, 92)


def test_the_change_counter_tells_images_apart(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    counters = []
    for i in range(300):
        db.batch(f"INSERT INTO t VALUES({i})")
        counters.append(number(db.cat("image"), 24))
    db.batch("SELECT * FROM t")
    assert number(db.cat("image"), 24) == counters[-1]
    assert counters == sorted(set(counters))


def test_a_reader_keeps_what_it_opened(db: Db) -> None:
    db.batch("CREATE TABLE t(a); " + ROWS.format(3000) + "INSERT INTO t SELECT i FROM n")
    db.batch("CREATE TABLE s AS SELECT hex(zeroblob(40)) AS x FROM t")
    before = db.cat("image")
    with db.open("image") as file:
        head = file.read(70_000)
        for i in range(20):
            db.batch(f"UPDATE t SET a = a + {i}; CREATE TABLE n{i}(x)")
        db.batch("DROP TABLE s")
        assert head + file.read(len(before), len(head)) == before
        # Anywhere, backwards, and beyond the end.
        for at in (len(before) - 5000, 100, 65_535, 4096, 0):
            assert file.read(9000, at) == before[at : at + 9000]
        assert file.read(10, len(before)) == b""
        assert file.read(10, len(before) + (1 << 40)) == b""
    with opened(db.cat("image")) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (21,)


def test_a_small_image_holds_no_snapshot(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    with db.open("image") as file:
        db.batch(ROWS.format(3000) + "INSERT INTO t SELECT hex(zeroblob(400)) FROM n")
        assert db.usage()[1] == 0  # the log was given back
        assert len(file.read_all()) == 8192


def test_images_while_others_write(db: Db) -> None:
    db.batch("CREATE TABLE t(a, b); CREATE INDEX i ON t(b); INSERT INTO t VALUES(0, 0)")
    together = Together()

    def write() -> None:
        for i in range(150):
            db.batch(f"INSERT INTO t VALUES({i}, hex(randomblob(300))); UPDATE t SET a = {i}")

    together.start(write)
    for _ in range(30):
        with opened(db.cat("image", size=10_000)) as connection:
            # Each statement is a transaction: after the UPDATE one value, before it one more.
            values = connection.execute("SELECT count(DISTINCT a) FROM t").fetchone()[0]
            assert values in (1, 2)
    together.join()


def test_reading_can_be_cancelled(db: Db) -> None:
    db.batch(CONTENT + "INSERT INTO big VALUES(zeroblob(1000000))")
    flag = Flag()
    with db.open("image", cancel=flag) as file:
        flag.set()
        assert errno_of(file.read_all) == errno.EINTR
        flag.set(False)
        with opened(file.read_all()) as connection:
            assert connection.execute("SELECT sum(length(x)) FROM big").fetchone() == (1020000,)


# Writing


@pytest.mark.parametrize("size", [1 << 16, 4096, 777, 99])
def test_what_was_read_can_be_written(db: Db, engine: Engine, size: int) -> None:
    db.batch(CONTENT)
    data = db.cat("image")
    other = engine.db("other")
    other.batch("CREATE TABLE gone(a)")
    put(other, data, size)
    assert other.names("tables") == db.names("tables")
    assert other.text("error") == "ok\n"
    for sql in USES:
        assert other.result(sql) == db.result(sql)


def test_it_replaces_all(db: Db) -> None:
    db.batch(CONTENT)
    put(db, made("CREATE TABLE new(x); INSERT INTO new VALUES('hello')"))
    assert db.names("tables") == ["new"]
    assert db.value("SELECT x FROM new") == "hello"
    assert db.value("PRAGMA integrity_check") == "ok"
    assert db.usage() == (2, 0)
    put(db, db.cat("image"))
    assert db.value("SELECT x FROM new") == "hello"


def test_it_is_one_change(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    before = db.facts("events")
    put(db, made("CREATE TABLE new(x); INSERT INTO new VALUES('hello')"))
    after = db.facts("events")
    assert int(after["data_version"]) == int(before["data_version"]) + 1
    assert int(after["schema_version"]) > int(before["schema_version"])
    db.batch("SELECT 1")
    db.batch("INSERT INTO new VALUES(1)")
    assert int(db.facts("events")["data_version"]) == int(after["data_version"]) + 1
    assert errno_of(put, db, b"") == errno.EUCLEAN
    assert int(db.facts("events")["data_version"]) == int(after["data_version"]) + 1


def test_a_smaller_database_in_place_of_a_larger_one_and_back(db: Db) -> None:
    small = made("CREATE TABLE t(a)")
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(5000000))")
    large = db.cat("image")
    for _ in range(3):
        put(db, small)
        assert db.value("SELECT count(*) FROM t") == "0"
        assert db.memory("database") == 8192
        put(db, large)
        assert db.value("SELECT length(a) FROM t") == "5000000"
        assert db.value("PRAGMA integrity_check") == "ok"


def test_readers_keep_their_snapshot(db: Db) -> None:
    db.batch(CONTENT)
    old = db.cat("image")
    with db.session() as reader, db.session() as other, db.open("image") as image:
        reader.ask("BEGIN;")
        total = reader.ask("SELECT sum(a) FROM t;")
        assert other.ask("SELECT count(*) FROM w;") == b"count(*)\n400\n"
        put(db, made("CREATE TABLE w(k, z); INSERT INTO w VALUES('here', 'new')"))
        assert reader.ask("SELECT sum(a) FROM t;") == total
        assert errno_of(reader.ask, "DELETE FROM t;") == errno.EBUSY
        reader.ask("ROLLBACK;")
        assert reader.ask("SELECT * FROM w;") == b"k,z\nhere,new\n"
        assert other.ask("SELECT count(*) FROM w;") == b"count(*)\n1\n"
        assert errno_of(other.ask, "SELECT * FROM t;") == errno.ENOENT
        other.ask("INSERT INTO w VALUES(1, 2);")
        assert image.read_all() == old
    assert db.value("SELECT count(*) FROM w") == "2"
    assert db.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize("page_size", [512, 1024, 8192, 65536])
def test_other_page_sizes_are_converted(db: Db, page_size: int) -> None:
    rows = ROWS.format(3000) + "INSERT INTO t SELECT hex(i) FROM n"
    db.batch("CREATE TABLE t(a)")
    put(db, made(f"PRAGMA page_size = {page_size}", "CREATE TABLE t(a)", rows))
    assert db.value("SELECT count(*) FROM t") == "3000"
    assert db.value("PRAGMA page_size") == "4096"
    assert db.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_auto_vacuum_comes_and_goes(db: Db, mode: int) -> None:
    for setting in (mode, 0, mode):
        rows = ROWS.format(500) + "INSERT INTO t SELECT zeroblob(500) FROM n"
        with db.session() as other:
            other.ask("SELECT * FROM sqlite_schema;")
            put(db, made(f"PRAGMA auto_vacuum = {setting}", "CREATE TABLE t(a)", rows))
            other.ask("SELECT count(*) FROM t;")  # as of its last transaction says PRAGMA
            assert other.ask("PRAGMA auto_vacuum;") == b"auto_vacuum\n%d\n" % setting
            other.ask("DELETE FROM t WHERE rowid % 3; INSERT INTO t VALUES(zeroblob(100000));")
        db.batch("CREATE TABLE u(a); INSERT INTO u SELECT a FROM t; DROP TABLE t")
        assert db.value("PRAGMA integrity_check") == "ok"


def test_the_header_of_a_log_is_taken(db: Db) -> None:
    data = made("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    put(db, patched(data, 18, b"\x02\x02"))
    assert db.value("SELECT a FROM t") == "1"
    assert db.value("PRAGMA journal_mode") == "wal"


def test_what_a_check_forbids_is_taken(db: Db) -> None:
    db.batch(
        "CREATE TABLE t(a CHECK(a > 0)); PRAGMA ignore_check_constraints = ON;"
        "INSERT INTO t VALUES(-1)"
    )
    put(db, db.cat("image"))
    assert db.value("SELECT a FROM t") == "-1"


def test_numbers_of_the_application_are_kept(db: Db) -> None:
    put(db, made("PRAGMA application_id = 7", "PRAGMA user_version = 8", "CREATE TABLE t(a)"))
    assert db.value("PRAGMA application_id") == "7"
    assert db.value("PRAGMA user_version") == "8"


def test_a_result_stays_and_error_and_status_tell(db: Db) -> None:
    data = made("CREATE TABLE t(a)")
    assert db.value("SELECT 'mine'") == "mine"
    assert errno_of(put, db, data[:-1]) == errno.EUCLEAN
    assert db.text("value") == "mine\n"
    assert "cut off" in db.text("error")
    assert db.facts("status")["errno"] == "EUCLEAN"
    assert db.text("error", uid=1000) == "ok\n"
    put(db, data)
    assert db.text("value") == "mine\n"
    assert db.text("error") == "ok\n"
    assert db.facts("status")["state"] == "ok"


def test_one_open_file_may_bring_several(db: Db) -> None:
    with db.open("image", WRITE) as file:
        file.write(made("CREATE TABLE one(a)"))
        file.finish()
        assert db.names("tables") == ["one"]
        file.finish()  # nothing has come since
        assert db.text("error") == "ok\n"
        file.write(made("CREATE TABLE two(a)"))
    assert db.names("tables") == ["two"]


def test_of_a_killed_writer_nothing_is_taken(db: Db) -> None:
    db.batch("SELECT 1")
    with db.open("image", WRITE) as file:
        file.write(made("CREATE TABLE t(a)"))
        file.release(abandon=True)
    assert db.names("tables") == []
    assert db.text("error") == "ok\n"


def test_it_is_read_or_written(db: Db) -> None:
    assert errno_of(db.open, "image", BOTH) == errno.EPERM


# What is refused, with nothing changed


@pytest.fixture
def kept(db: Db) -> Iterator[Db]:
    """A database that must be as it was at the end."""
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    before = db.cat("image")
    yield db
    assert db.cat("image") == before
    assert db.value("SELECT a FROM t") == "kept"
    assert db.memory("wal") < MIB


GOOD = made("CREATE TABLE x(a, b); CREATE INDEX i ON x(a)", "INSERT INTO x VALUES(1, 2)")
ROOT_OF_X, ROOT_OF_I = 4096, 8192


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes"),
        (b"\n", "1 bytes"),
        (GOOD[:99], "99 bytes"),
        (b"hello, world\n" * 1000, "not a database"),
        (bytes(8192), "not a database"),
        (patched(GOOD, 16, b"\x00\x03"), "not a database"),
        (patched(GOOD, 16, b"\x00\x00"), "not a database"),
        (patched(GOOD, 21, b"\x41"), "not a database"),
        (patched(GOOD, 56, b"\0\0\0\2"), "UTF-16"),
        (GOOD[:-1], "cut off"),
        (GOOD[:-4096], "cut off"),
        (patched(GOOD, 92, b"\1\2\3\4")[:8192], "invalid rootpage"),
        (patched(GOOD, ROOT_OF_X, b"\x07"), "damaged"),
        (patched(GOOD, ROOT_OF_I + 4090, b"\0\0\0\0\0\0"), "damaged"),
        (GOOD.replace(b"CREATE TABLE x(a, b)", b"CREATE TABLE x(a, b,"), "malformed"),
        (GOOD.replace(b"CREATE TABLE x(a, b)", b"DROP   TABLE x(a, b)"), "malformed"),
        (GOOD.replace(b"ON x(a)", b"ON x(z)"), "malformed"),
    ],
)
def test_a_bad_one_changes_nothing(kept: Db, data: bytes, said: str) -> None:
    assert errno_of(put, kept, data) == errno.EUCLEAN
    assert said in kept.text("error")
    assert "errno EUCLEAN (117)" in kept.text("error")


def test_two_triggers_of_one_name_are_no_lack_of_memory(kept: Db) -> None:
    data = made(
        "CREATE TABLE x(a); CREATE TRIGGER r AFTER INSERT ON x BEGIN SELECT 1; END;",
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM sqlite_schema"
        " WHERE type = 'trigger'",
    )
    assert errno_of(put, kept, data) == errno.EUCLEAN
    assert "malformed" in kept.text("error")


def test_a_foreign_file_fails_at_its_first_bytes(kept: Db) -> None:
    with kept.open("image", WRITE) as file:
        file.write(b"x" * 60)
        assert errno_of(file.write, b"x" * 60) == errno.EUCLEAN
        assert errno_of(file.write, GOOD) == errno.EUCLEAN  # as before
        file.finish()  # which has nothing new to tell
        assert "not a database" in kept.text("error")


def test_one_that_is_too_large(engine: Engine) -> None:
    db = engine.db(size=256 * 1024)
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    rows = ROWS.format(2000) + "INSERT INTO x SELECT hex(zeroblob(100)) FROM n"
    data = made("CREATE TABLE x(a)", rows)
    with db.open("image", WRITE) as file:
        file.write(data[: 256 * 1024])
        assert errno_of(file.write, data[256 * 1024 :]) == errno.ENOSPC
    assert "size= (262144 bytes)" in db.text("error")
    # One that is not too large itself, but is with pages of 4096.
    tables = "".join(f"CREATE TABLE x{i}(a); INSERT INTO x{i} VALUES(1);" for i in range(100))
    assert errno_of(put, db, made("PRAGMA page_size = 512", tables)) == errno.ENOSPC
    assert db.value("SELECT a FROM t") == "kept"


TENS = "INSERT INTO x SELECT zeroblob(10000) FROM n"


def test_the_memory_limit(lib: ctypes.CDLL) -> None:
    data = made("CREATE TABLE x(a); INSERT INTO x VALUES(zeroblob(6000000))")
    with running(lib, mem_limit=8 * MIB) as engine:
        db = engine.db(size=64 * MIB)
        db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000000))")
        assert errno_of(put, db, data) == errno.ENOSPC
        assert "the memory limit is reached" in db.text("error")
        assert db.value("SELECT length(a) FROM t") == "3000000"
        # Of what is copied the memory is given back as it goes, the log's pages become the
        # database's, and its own are given back: file and database are all that is ever held.
        db.batch("DROP TABLE t; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        for rows in (200, 320):  # of three pages
            put(db, made("CREATE TABLE x(a)", ROWS.format(rows) + TENS))
            assert db.value("SELECT sum(length(a)) FROM x") == str(rows * 10000)
            assert db.usage()[1] == 0
        assert errno_of(put, db, made("CREATE TABLE x(a)", ROWS.format(400) + TENS)) == errno.ENOSPC
        assert db.value("SELECT sum(length(a)) FROM x") == "3200000"


def test_a_writer_in_the_way(engine: Engine) -> None:
    db = engine.db(busy_ms=50)
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    with db.session() as writer:
        writer.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(2);")
        assert errno_of(put, db, GOOD) == errno.EBUSY
        assert "locked" in db.text("error")
        writer.ask("COMMIT;")
    assert db.value("SELECT count(*) FROM t") == "2"
    put(db, GOOD)
    assert db.names("tables") == ["x"]


LARGE = "INSERT INTO x SELECT zeroblob(100000), i FROM n"


def test_the_time_limit(kept: Db) -> None:
    data = made("CREATE TABLE x(a, b)", ROWS.format(400) + LARGE)
    kept.configure(timeout_ms=1)
    assert errno_of(put, kept, data) == errno.ETIMEDOUT
    kept.configure(timeout_ms=30000)
    assert "time limit" in kept.text("error")


@pytest.mark.parametrize("page_size", [4096, 1024])
def test_a_signal_in_the_check_or_the_conversion(kept: Db, page_size: int) -> None:
    data = made(f"PRAGMA page_size = {page_size}", "CREATE TABLE x(a, b)", ROWS.format(50) + LARGE)
    flag = Flag()
    with kept.open("image", WRITE, cancel=flag) as file:
        file.write(data)
        flag.set()
        assert errno_of(file.finish) == errno.EINTR


def test_a_signal_while_it_is_copied(kept: Db) -> None:
    data = made("CREATE TABLE x(a, b)", ROWS.format(1500) + LARGE)
    flag, together = Flag(), Together()

    def interrupt() -> None:
        while not kept.usage()[1]:  # pages of the log
            pass
        flag.set()

    together.start(interrupt)
    assert errno_of(put, kept, data, cancel=flag) == errno.EINTR
    together.join()


# Crafted ones

TRIES = 500


def damage(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes replaced, pages swapped: so that the header still fits."""
    new = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        page = chance.randrange(len(data) // 4096) * 4096
        kind = chance.randrange(5)
        # Mostly where a page says what it holds: its first bytes, or those of page 1.
        at = page + chance.choice((chance.randrange(4096), chance.randrange(120)))
        if kind <= 1:
            new[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            new[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 3:
            new[at : at + 4] = struct.pack(">I", chance.choice((0, 1, 2, 7, 0x7FFFFFFF, 1 << 31)))
        else:
            other = chance.randrange(len(data) // 4096) * 4096
            new[page : page + 4096] = data[other : other + 4096]
    return bytes(new[: len(data)])


def test_damaged_images_crash_nothing(db: Db) -> None:
    db.batch(CONTENT)
    data = db.cat("image")
    chance = random.Random(20260612)
    taken = 0
    for _ in range(TRIES):
        code = errno_of(put, db, damage(data, chance))
        assert code in (0, errno.EUCLEAN)
        if code:
            continue
        taken += 1
        for sql in USES:  # what they say is not known; that they come back is
            with contextlib.suppress(OSError):
                db.batch(sql)
            db.text("error")
        for name in db.names("tables"):
            with contextlib.suppress(OSError):
                db.cat(f"tables/{name}/data.csv")
    assert 0 < taken < TRIES
    put(db, data)
    for sql in USES:
        db.batch(sql)
    assert db.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize("page_size", [512, 4096])
def test_a_tree_too_deep_for_the_stack(kept: Db, page_size: int) -> None:
    length = 5000
    base = made(f"PRAGMA page_size = {page_size}", "CREATE TABLE x(a)")
    content = struct.pack(">H", page_size % 65536)
    pages = [
        (b"\x05\0\0\0\0" + content + b"\0" + struct.pack(">I", i + 3)).ljust(page_size, b"\0")
        for i in range(length)
    ]
    leaf = (b"\x0d\0\0\0\0" + content + b"\0").ljust(page_size, b"\0")
    data = patched(base[:page_size], 28, struct.pack(">I", length + 2)) + b"".join(pages) + leaf
    assert errno_of(put, kept, data) == errno.EUCLEAN


def test_reserved_bytes_of_pages(db: Db) -> None:
    # Only a file control sets them: page 1, by hand, of a database that has nothing else.
    empty = bytearray(made("PRAGMA user_version = 1"))
    assert len(empty) == 4096
    assert empty[100] == 0x0D
    empty[20] = 32
    empty[105:107] = struct.pack(">H", 4096 - 32)
    put(db, bytes(empty))
    db.batch(CONTENT)
    for sql in USES:
        db.batch(sql)
    assert db.value("PRAGMA integrity_check") == "ok"
    image = db.cat("image")
    assert image[20] == 32
    with opened(image) as connection:
        assert connection.execute("SELECT count(*) FROM w").fetchone()[0] > 400
    put(db, made("CREATE TABLE t(a)"))
    db.batch("INSERT INTO t VALUES(zeroblob(10000))")
    assert db.value("PRAGMA integrity_check") == "ok"
