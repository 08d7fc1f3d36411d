# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""rom=: a database file that is read where it lies, as schema "rom"."""

from __future__ import annotations

import errno

import pytest

from tests import crafted
from tests.core.engine import MIB, Engine, Rom
from tests.core.test_api import errno_of
from tests.core.test_image import made, patched, put
from tests.core.test_memvfs import ROWS, Together

SMALL = made(
    "CREATE TABLE t(a PRIMARY KEY, b); CREATE VIEW v AS SELECT a FROM t; CREATE INDEX i ON t(b);",
    ROWS.format(1000) + "INSERT INTO t SELECT i, 'row ' || i FROM n",
)
UTF16 = made("PRAGMA encoding = 'UTF-16'", "CREATE TABLE t(a)")


def test_it_is_read_beside_the_database(engine: Engine) -> None:
    db = engine.db(rom=Rom.of(SMALL))
    assert db.value("SELECT b FROM rom.t WHERE a = 77") == "row 77"
    assert db.value("SELECT a FROM t WHERE b = 'row 5'") == "5"  # nobody else has the name
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES('mine')")
    assert db.value("SELECT a FROM t") == "mine"
    assert db.value("SELECT count(*) FROM rom.v") == "1000"
    assert db.value("SELECT count(*) FROM main.t, rom.t AS r") == "1000"
    assert db.value("PRAGMA rom.integrity_check") == "ok"
    assert db.names("tables") == ["t"]  # the tree is that of the database
    assert db.value("SELECT group_concat(name) FROM pragma_database_list") == "main,rom"
    with db.session() as session:
        session.ask("CREATE TEMP VIEW both AS SELECT a FROM main.t UNION ALL SELECT a FROM rom.t;")
        assert session.ask("SELECT count(*) FROM both;") == b"count(*)\n1001\n"


def test_what_it_is_stands_in_info(engine: Engine) -> None:
    assert engine.db().text("info/rom") == ""
    facts = engine.db("other", rom=Rom.of(SMALL)).facts("info/rom")
    assert facts == {
        "name": "test.db",
        "source": "test",
        "size": str(len(SMALL)),
        "sha256": "00" * 32,
    }


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO rom.t VALUES(-1, 2)", errno.EROFS),
        ("UPDATE rom.t SET b = 1", errno.EROFS),
        ("DELETE FROM rom.t", errno.EROFS),
        ("DROP TABLE rom.t", errno.EROFS),
        ("CREATE TABLE rom.new(a)", errno.EROFS),
        ("CREATE INDEX rom.new ON t(b, a)", errno.EROFS),
        ("ALTER TABLE rom.t ADD COLUMN c", errno.EROFS),
        ("ANALYZE rom", errno.EROFS),
        ("REINDEX rom.i", errno.EROFS),
        ("ANALYZE", errno.EROFS),
        ("REINDEX", errno.EROFS),
        ("PRAGMA optimize", errno.EROFS),
        ("VACUUM rom", errno.EROFS),
        ("PRAGMA rom.user_version = 3", errno.EROFS),
        ("DETACH rom", errno.EPERM),
        ("DETACH 'ROM'", errno.EPERM),
        ("DETACH 'ro' || 'm'", errno.EPERM),
        ("PRAGMA rom.mmap_size = 0", errno.EPERM),
        ("PRAGMA rom.journal_mode = DELETE", errno.EPERM),
        ("ATTACH ':memory:' AS rom", errno.EINVAL),
        ("CREATE VIEW w AS SELECT * FROM rom.t", errno.EINVAL),  # SQLite's own rule
    ],
)
def test_it_cannot_be_changed(engine: Engine, sql: str, code: int) -> None:
    db = engine.db(rom=Rom.of(SMALL))
    assert errno_of(db.batch, sql) == code, db.text("error")
    with db.session() as session:
        assert errno_of(session.ask, sql + ";") == code
        assert session.ask("SELECT count(*) FROM rom.t;") == b"count(*)\n1000\n"
    assert db.value("PRAGMA integrity_check") == "ok"


def test_users_keep_their_two_attached_databases(engine: Engine) -> None:
    db = engine.db(rom=Rom.of(SMALL))
    db.batch("CREATE TABLE t(a PRIMARY KEY); VACUUM")
    db.batch("ANALYZE main; REINDEX t; PRAGMA main.optimize; PRAGMA wal_checkpoint")
    with db.session() as session:
        session.ask("ATTACH ':memory:' AS one; VACUUM; ATTACH ':memory:' AS two;")
        assert errno_of(session.ask, "ATTACH ':memory:' AS three;") == errno.EINVAL
        session.ask("DETACH one; DETACH two;")
    with engine.db("without").session() as session:
        session.ask("ATTACH ':memory:' AS rom; DETACH rom; ATTACH ':memory:' AS one;")
        session.ask("ATTACH ':memory:' AS two;")
        assert errno_of(session.ask, "ATTACH ':memory:' AS three;") == errno.EINVAL


def test_its_pages_are_not_copied(engine: Engine) -> None:
    big = made(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b)",
        ROWS.format(20_000) + "INSERT INTO t SELECT i, hex(zeroblob(200)) FROM n",
    )
    assert len(big) > 8 * MIB
    db = engine.db(rom=Rom.of(big), size=MIB)
    assert db.value("SELECT sum(length(b)) FROM rom.t") == str(20_000 * 400)
    before = db.memory("peak")
    with db.session() as session:
        assert session.ask("SELECT sum(length(b)), count(DISTINCT a % 7) FROM rom.t;")
    assert db.memory("peak") < before + MIB
    assert db.usage() == (1, 0)


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 8192, 65536])
def test_pages_of_any_size(engine: Engine, page_size: int) -> None:
    rows = ROWS.format(2000) + "INSERT INTO t SELECT hex(zeroblob(i)) FROM n"
    image = made(f"PRAGMA page_size = {page_size}", "CREATE TABLE t(a)", rows)
    rom = Rom.of(image)
    assert engine.check_rom(rom) == ""
    db = engine.db(rom=rom)
    assert db.value("SELECT sum(length(a)) FROM rom.t") == str(2000 * 2001)
    assert db.value("PRAGMA rom.page_size") == str(page_size)
    assert db.value("PRAGMA page_size") == "4096"


def test_one_of_a_log_is_taken_as_it_is(engine: Engine) -> None:
    rom = Rom.of(patched(SMALL, 18, b"\x02\x02"))
    assert engine.check_rom(rom) == ""
    db = engine.db(rom=rom)
    assert db.value("SELECT count(*) FROM rom.t") == "1000"
    assert errno_of(db.batch, "DELETE FROM rom.t") == errno.EROFS
    db.batch("PRAGMA wal_checkpoint")
    assert db.value("PRAGMA rom.integrity_check") == "ok"


def test_the_database_is_what_it_was_without(engine: Engine) -> None:
    db = engine.db(rom=Rom.of(SMALL))
    db.batch("CREATE TABLE mine(a, b); INSERT INTO mine SELECT * FROM rom.t")
    assert db.value("SELECT count(*) FROM mine") == "1000"
    put(db, made("CREATE TABLE other(x); INSERT INTO other VALUES(1)"))
    assert db.value("SELECT x || count(*) FROM other, rom.t") == "11000"
    assert b"row 77" not in db.cat("image")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a database file"),
        (SMALL[:99], "not a database file"),
        (b"hello, world\n" * 1000, "not a database"),
        (SMALL[:-1], "cut off"),
        (SMALL[:-4096], "cut off"),
        (UTF16, "UTF-16"),
        (patched(SMALL, 4096, b"\x07"), "damaged"),
        (SMALL[:-4096] + bytes(4096), "damaged"),
        (SMALL.replace(b"CREATE TABLE t", b"CREATE TABLE ("), "malformed"),
    ],
)
def test_one_that_is_none_is_told(engine: Engine, data: bytes, said: str) -> None:
    assert said in engine.check_rom(Rom.of(data))


def test_it_is_released_once_with_the_last_count(engine: Engine) -> None:
    released: list[str] = []
    first = engine.db(rom=Rom.of(SMALL, lambda: released.append("first")))
    second = engine.db(rom=Rom.of(SMALL, lambda: released.append("second")))
    assert released == ["second"]  # the database has one
    first.put()
    assert second.value("SELECT count(*) FROM rom.t") == "1000"
    second.put()
    assert released == ["second", "first"]
    rom = Rom.of(SMALL, lambda: released.append("third"))
    assert errno_of(engine.db, "", rom) == errno.EINVAL
    assert released == ["second", "first", "third"]


def test_readers_at_once(engine: Engine) -> None:
    db = engine.db(rom=Rom.of(SMALL))
    db.batch("CREATE TABLE t(a)")
    together = Together()

    def read() -> None:
        for i in range(60):
            with db.session() as session:
                answer = session.ask(f"INSERT INTO main.t VALUES({i}); SELECT sum(a) FROM rom.t;")
                assert answer.endswith(b"500500\n")

    for _ in range(3):
        together.start(read)
    together.join()
    assert db.value("SELECT count(*) FROM main.t") == "180"


def test_crafted_ones_harm_nothing(engine: Engine) -> None:
    db = engine.db()
    db.batch(crafted.CONTENT)
    images = crafted.sources(db.cat("image"))
    taken = 0
    for number in range(300):
        rom = Rom.of(crafted.mutant(images, number))
        if engine.check_rom(rom):
            continue
        taken += 1
        try:
            other = engine.db(f"rom {number}", rom, timeout_ms=1000, max_result=MIB)
        except OSError:  # its schema cannot be read
            continue
        for sql in crafted.USES:
            errno_of(other.batch, sql.replace("FROM ", "FROM rom."))
        other.put()
    assert taken > 40
