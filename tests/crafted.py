# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Crafted database files, and what is then done with them, the same for every host.

In the manner of SQLite's own tests of corrupt databases: a valid image with everything in it is
damaged, in its bytes or by SQL that writes to the schema and to shadow tables.  Mutant N of an
image is always the same.
"""

from __future__ import annotations

import contextlib
import errno
import random
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

DOUBLES = 0.1

_ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
_SQUARE = "'[[' || i || ',0],[' || (i + 3) || ',0],[' || (i + 3) || ',3],[' || i || ',0]]'"

# A batch for a host: its image has all that SQLite stores.
CONTENT = f"""
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c AS (a * 2), d AS (b || a) STORED, e DEFAULT 7);
CREATE INDEX t_b ON t(b) WHERE a > 5;
CREATE INDEX t_e ON t(a % 7, lower(b) COLLATE NOCASE DESC);
CREATE UNIQUE INDEX t_d ON t(d);
INSERT INTO t(a, b) {_ROWS.format(300)} SELECT i, 'row ' || i FROM n;
CREATE TABLE w(k TEXT, j INT, v, PRIMARY KEY(k, j DESC)) WITHOUT ROWID;
CREATE INDEX w_v ON w(v);
INSERT INTO w SELECT b, a, a * 1.5 FROM t;
CREATE TABLE s(i INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT, y REAL, z BLOB, u ANY) STRICT;
INSERT INTO s(x, y, z, u) SELECT b, a / 3.0, zeroblob(a % 40), a FROM t WHERE a <= 60;
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT UNIQUE CHECK(length(name) < 30));
CREATE TABLE child(id INT REFERENCES parent ON DELETE CASCADE ON UPDATE SET NULL, note);
INSERT INTO parent SELECT a, b FROM t WHERE a < 30;
INSERT INTO child SELECT a, b FROM t WHERE a < 30;
CREATE TABLE big(x, y);
INSERT INTO big VALUES(zeroblob(14000), 1), (zeroblob(9000), 2), (hex(zeroblob(3000)), 3);
CREATE INDEX big_x ON big(x);
CREATE TABLE gone(x);
INSERT INTO gone SELECT zeroblob(3000) FROM t LIMIT 12;
DELETE FROM gone WHERE rowid > 1;
DELETE FROM big WHERE y = 2;
CREATE VIRTUAL TABLE f USING fts5(x, y, prefix='2 3');
INSERT INTO f SELECT b, 'the quick brown ' || c FROM t LIMIT 60;
INSERT INTO f SELECT b, 'some more of it ' || c FROM t LIMIT 20;
DELETE FROM f WHERE rowid % 9 = 0;
CREATE VIRTUAL TABLE fx USING fts5(b, content='t', content_rowid='a', detail=none);
INSERT INTO fx(fx) VALUES('rebuild');
CREATE VIRTUAL TABLE fv USING fts5vocab('f', 'row');
CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1, +note TEXT);
INSERT INTO r SELECT a, a, a + 1, -a, a, b FROM t;
CREATE VIRTUAL TABLE ri USING rtree_i32(id, x0, x1);
INSERT INTO ri SELECT a, a, a + 1 FROM t LIMIT 20;
CREATE VIRTUAL TABLE g USING geopoly(note);
INSERT INTO g(_shape, note) {_ROWS.format(40)} SELECT {_SQUARE}, i FROM n;
CREATE VIEW v AS SELECT a % 10 AS key, count(*) AS value, max(b) AS m FROM t GROUP BY 1;
CREATE VIEW vv AS SELECT v.key, w.j FROM v JOIN w ON w.j = v.key;
CREATE TRIGGER t_ins AFTER INSERT ON t BEGIN
  UPDATE s SET x = new.b WHERE i = 1; INSERT INTO child VALUES(NULL, new.b); END;
CREATE TRIGGER v_ins INSTEAD OF INSERT ON v BEGIN INSERT INTO gone VALUES(new.m); END;
CREATE TRIGGER w_del BEFORE DELETE ON w BEGIN SELECT raise(IGNORE) WHERE old.j = 3; END;
ANALYZE;
"""

# Each a batch, run on what was taken in place of it.  What they say is not known: that they end is.
USES = (
    "SELECT sum(a), sum(c), max(b), max(d) FROM t",
    "SELECT count(*) FROM t WHERE b = 'row 77' AND a > 5",
    "SELECT a FROM t WHERE a % 7 = 3 AND lower(b) > 'row 2' COLLATE NOCASE ORDER BY 1 LIMIT 9",
    "SELECT * FROM w ORDER BY k DESC, j LIMIT 3",
    "SELECT count(*), min(k) FROM w WHERE v BETWEEN 10 AND 90",
    "SELECT x, typeof(u), hex(z) FROM s WHERE i > 40",
    "SELECT p.name, c.note FROM parent p JOIN child c USING(id) WHERE p.id < 9",
    "SELECT sum(length(x)), quote(max(x)) FROM big",
    "SELECT y FROM big WHERE x > x'00' ORDER BY x",
    "SELECT highlight(f, 0, '<', '>'), snippet(f, 1, '', '', '', 4), bm25(f) FROM f('qu* OR row')",
    "SELECT rowid FROM f('NEAR(quick brown)') ORDER BY rank LIMIT 5",
    "SELECT count(*) FROM f WHERE x MATCH 'ro*'",
    "SELECT rowid FROM fx('row NOT 7')",
    "SELECT count(*), sum(cnt), max(term) FROM fv",
    "SELECT count(*), max(note) FROM r WHERE x0 > 3 AND x1 < 90 AND y1 >= 4",
    "SELECT * FROM r WHERE id = 17",
    "SELECT sum(x0) FROM ri WHERE x1 > 5",
    "SELECT geopoly_json(_shape), geopoly_area(_shape) FROM g"
    " WHERE geopoly_overlap(_shape, '[[0,0],[9,0],[9,9],[0,0]]')",
    "SELECT * FROM vv ORDER BY 2 DESC LIMIT 4",
    "SELECT name, pgoffset, payload, unused FROM dbstat LIMIT 30",
    "SELECT m.name, x.name, x.type, x.hidden FROM sqlite_schema m, pragma_table_xinfo(m.name) x",
    "SELECT m.name, l.name, l.partial FROM sqlite_schema m, pragma_index_list(m.name) l",
    "SELECT * FROM sqlite_stat1; SELECT tbl, idx, neq, quote(sample) FROM sqlite_stat4 LIMIT 20",
    "SELECT * FROM sqlite_sequence",
    "INSERT INTO t(b) SELECT b FROM t LIMIT 9",
    "INSERT INTO w VALUES('new', 5, 'it'); UPDATE w SET v = k WHERE j < 9;"
    " DELETE FROM w WHERE j > 250",
    "INSERT INTO s(x, u) VALUES('more', x'00') RETURNING i",
    "UPDATE t SET b = b || '+' WHERE a BETWEEN 20 AND 25",
    "INSERT INTO v(m) VALUES(3)",
    "DELETE FROM parent WHERE id IN (3, 4); UPDATE parent SET id = id + 1000 WHERE id < 6",
    "INSERT INTO big VALUES(zeroblob(30000), 9); UPDATE big SET x = 1 WHERE y = 1; DELETE FROM big",
    "INSERT INTO f VALUES('more', 'of row'); DELETE FROM f WHERE rowid < 9;"
    " UPDATE f SET x = 'quick' WHERE rowid = 30",
    "INSERT INTO f(f) VALUES('integrity-check')",
    "INSERT INTO f(f, rank) VALUES('merge', 500)",
    "INSERT INTO f(f) VALUES('optimize')",
    "INSERT INTO f(f) VALUES('rebuild')",
    "INSERT INTO fx(fx, rowid, b) VALUES('delete', 5, 'row 5');"
    " INSERT INTO fx(fx) VALUES('rebuild')",
    "INSERT INTO r VALUES(5000, 1, 2, 3, 4, 'n'); DELETE FROM r WHERE id % 3 = 0",
    "UPDATE r SET x1 = x1 + 1 WHERE id < 20; SELECT rtreecheck('r')",
    "DELETE FROM ri WHERE id < 15; INSERT INTO g(_shape) VALUES('[[0,0],[1,0],[1,1],[0,0]]')",
    "DELETE FROM g WHERE rowid < 20",
    "DELETE FROM gone; INSERT INTO gone SELECT zeroblob(5000) FROM t LIMIT 9",
    "ALTER TABLE t ADD COLUMN fresh DEFAULT 5; ALTER TABLE s RENAME COLUMN x TO renamed",
    "ALTER TABLE w RENAME TO ww; ALTER TABLE child DROP COLUMN note",
    "CREATE INDEX late ON t(e, b); DROP INDEX t_b",
    "ANALYZE",
    "REINDEX",
    "PRAGMA foreign_key_check",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA integrity_check",
    "DROP TABLE big; DROP TABLE r; DROP TABLE f; DROP TABLE IF EXISTS child",
    "VACUUM",
    "PRAGMA quick_check",
)
# What a mutant's schema may have in a table's place, or a view's.
_SCHEMAS = (
    "CREATE TABLE {0}(a, b)",
    "CREATE TABLE {0}(a INTEGER PRIMARY KEY)",
    "CREATE TABLE {0}(a PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE {0}(a, b, c, d, e, f, g, h, i, j, k, l, PRIMARY KEY(l, a)) WITHOUT ROWID",
    "CREATE TABLE {0}(a INT, b INT, c TEXT, d BLOB, e REAL) STRICT",
    "CREATE TABLE {0}(a AS (b), b AS (c), c AS (a), d)",
    "CREATE TABLE {0}(a, b AS (hex(zeroblob(a * 1000000))), c AS (b || b) STORED)",
    "CREATE TABLE {0}(a UNIQUE, b UNIQUE, CHECK(a > b), FOREIGN KEY(a) REFERENCES {0}(b))",
    "CREATE TABLE {0}(" + ",".join(f"c{i}" for i in range(1999)) + ")",
    "CREATE TABLE {0}(a DEFAULT (randomblob(100)), b DEFAULT (random()), c COLLATE nosuch)",
    "CREATE TABLE {0}(a CHECK(" + "(" * 90 + "a" + ")" * 90 + "))",
    "CREATE TABLE {0} AS SELECT 1 AS x",
    "CREATE VIEW {0} AS SELECT * FROM {0}",
    "CREATE VIEW {0} AS SELECT * FROM vv, v, t, w, f, r, g",
    "CREATE VIEW {0} AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    " SELECT * FROM c",
    "CREATE VIEW {0} AS " + " UNION ALL ".join(["SELECT a, b FROM t"] * 99),
    "CREATE VIEW {0} AS SELECT load_extension('x'), writefile('/x', 1), fts5(1),"
    " rtreenode(2, x'00')",
    "CREATE VIRTUAL TABLE {0} USING fts5(x, y, content='', columnsize=0)",
    "CREATE VIRTUAL TABLE {0} USING fts5(x, y, detail=column, tokenize='trigram')",
    "CREATE VIRTUAL TABLE {0} USING fts5(x, content='{0}', content_rowid='y')",
    "CREATE VIRTUAL TABLE {0} USING fts5(a, content='v')",
    "CREATE VIRTUAL TABLE {0} USING fts5vocab('{0}', 'instance')",
    "CREATE VIRTUAL TABLE {0} USING rtree(id, a, b, c, d, e, f, g, h, i, j)",
    "CREATE VIRTUAL TABLE {0} USING rtree(id, a, b)",
    "CREATE VIRTUAL TABLE {0} USING rtree_i32(id, a, b, +c, +d)",
    "CREATE VIRTUAL TABLE {0} USING geopoly(a, b, c)",
    "CREATE VIRTUAL TABLE {0} USING dbstat",
    "CREATE VIRTUAL TABLE {0} USING bytecode('SELECT 1')",
    "CREATE VIRTUAL TABLE {0} USING json_each",
    "CREATE VIRTUAL TABLE {0} USING nosuch(x)",
    "CREATE VIRTUAL TABLE {0} USING sqlite_dbpage(main)",
    "CREATE TRIGGER {0} AFTER INSERT ON t BEGIN INSERT INTO t(b) VALUES(new.a); END",
    "CREATE TRIGGER {0} AFTER DELETE ON w BEGIN DELETE FROM sqlite_schema; DELETE FROM t; END",
    "CREATE TRIGGER {0} BEFORE UPDATE ON t BEGIN SELECT * FROM vv, f; UPDATE w SET v = 1; END",
    "CREATE INDEX {0} ON t(b, a, c, d)",
    "CREATE INDEX {0} ON w(j COLLATE NOCASE DESC)",
    "CREATE UNIQUE INDEX {0} ON s(x) WHERE abs(x) IN (SELECT 1)",
    "CREATE INDEX {0} ON t(hex(zeroblob(a)), json_extract(b, '$'))",
    "PRAGMA writable_schema = ON",
    "ATTACH 'x' AS {0}",
    "DROP TABLE t",
    "SELECT 1",
    "",
    "CREATE TABLE {0}(\x01\x02\x7f)",
)
# Of the files of a table, a view or an index.
_READ = ("schema", "columns", "count", "data.csv", "data.ndjson", "value")
_STATS = (
    "", "0", "0 0", "1 1 1 1 1 1 1 1 1", "-1 -1", "99999999999999999999 3", "300 0 0 unordered",
    "300 30 sz=0", "10000000000 1 noskipscan", "x" * 300, "9223372036854775807 9223372036854775807",
)  # fmt: skip
_SEQUENCES = (None, -1, 0, 1.5, "text", b"\0\xff", 2**63 - 1, -(2**63))
_BYTES = (0, 1, 2, 5, 7, 10, 13, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
_NUMBERS = (0, 1, 2, 3, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Host(Protocol):
    """What the tests need of one: a database in files."""

    def run(self, sql: str) -> None:
        """A batch."""

    def put(self, data: bytes) -> None:
        """Write `image`."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""

    def read(self, name: str) -> bytes:
        """A file."""


@dataclass
class Tally:
    """What became of the mutants."""

    tried: int = 0
    taken: int = 0
    # Errnos with which they were refused, and with which uses of the others ended.
    refused: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    well: int = 0


@contextlib.contextmanager
def _database(image: bytes) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(image)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("PRAGMA foreign_keys = OFF")
        yield connection


def _variant(image: bytes, *pragmas: str) -> bytes:
    """The same database, stored in another way."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.db"), Path(folder, "b.db")
        source.write_bytes(image)
        with contextlib.closing(sqlite3.connect(source)) as connection:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(f"VACUUM INTO '{target}'")
        return target.read_bytes()


def sources(image: bytes) -> list[bytes]:
    """A host's image of CONTENT, and variants; all of them valid."""
    return [
        image,
        image,  # pages of the host's own size are taken as they are, so most come with them
        image,
        image[:18] + b"\2\2" + image[20:],
        _variant(image, "auto_vacuum = FULL"),
        _variant(image, "auto_vacuum = INCREMENTAL"),
        _variant(image, "page_size = 512"),
        _variant(image, "page_size = 1024", "auto_vacuum = FULL"),
        _variant(image, "page_size = 65536"),
    ]


# --- in its bytes --------------------------------------------------------------------------------


def _page_size(data: bytes | bytearray) -> int:
    size = int.from_bytes(data[16:18], "big")
    return 65536 if size == 1 else size


def _any_page(data: bytearray, chance: random.Random) -> int:
    """Where one begins; mostly the header of the B-tree in it."""
    size = _page_size(data)
    page = chance.randrange(len(data) // size) * size
    return page or chance.choice((0, 100))


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        at = chance.randrange(100 if chance.random() < DOUBLES else len(data))
        data[at] ^= 1 << chance.randrange(8)


def _set_byte(data: bytearray, chance: random.Random) -> None:
    at = _any_page(data, chance) + chance.choice((chance.randrange(12), chance.randrange(256)))
    data[at] = chance.choice(_BYTES)


def _set_number(data: bytearray, chance: random.Random) -> None:
    """One of two or four bytes: in a page's header, among its cell pointers, in a list of pages."""
    at = _any_page(data, chance) + chance.choice((0, 1, 3, 4, 5, 7, 8, 10, 12, 14, 20))
    form, mask = chance.choice(((">H", 0xFFFF), (">I", 0xFFFFFFFF)))
    near = int.from_bytes(data[at : at + struct.calcsize(form)], "big")
    value = chance.choice((*_NUMBERS, near + 1, near - 1, near ^ 0x100)) & mask
    struct.pack_into(form, data, at, value)


def _set_cell(data: bytearray, chance: random.Random) -> None:
    """Where a cell begins: sizes, row numbers and serial types, all of them varints."""
    page = _any_page(data, chance)
    start = page - page % _page_size(data)
    leaf = data[page] in (10, 13)
    cells = int.from_bytes(data[page + 3 : page + 5], "big")
    if data[page] not in (2, 5, 10, 13) or not 0 < cells < 3000:
        return _flip(data, chance)
    slot = page + (8 if leaf else 12) + 2 * chance.randrange(cells)
    at = start + int.from_bytes(data[slot : slot + 2], "big") + chance.randrange(12)
    value = chance.choice((bytes([chance.choice(_BYTES)]), b"\xff" * 9, b"\x81\x00", b"\x80"))
    data[at : at + len(value)] = value
    return None


def _set_header(data: bytearray, chance: random.Random) -> None:
    """The numbers in a file's first 100 bytes."""
    at = chance.choice((16, 18, 19, 20, 21, 22, 23, *range(24, 72, 4), 92, 96))
    if at < 24:
        data[at] = chance.choice(_BYTES)
    else:
        pages = len(data) // _page_size(data)
        value = chance.choice((*_NUMBERS, pages, pages + 1, pages - 1, chance.randrange(pages)))
        struct.pack_into(">I", data, at, value)


def _set_freelist(data: bytearray, chance: random.Random) -> None:
    size = _page_size(data)
    trunk = int.from_bytes(data[32:36], "big")
    if not 1 < trunk <= len(data) // size:
        return _set_header(data, chance)
    at = (trunk - 1) * size + 4 * chance.randrange(8)
    value = chance.choice((*_NUMBERS, trunk, len(data) // size + 1))
    return struct.pack_into(">I", data, at, value)


def _swap_pages(data: bytearray, chance: random.Random) -> None:
    size = _page_size(data)
    one, other = (chance.randrange(1, len(data) // size) * size for _ in range(2))
    page = data[one : one + size]
    if chance.random() < 0.5:
        data[one : one + size] = data[other : other + size]
    data[other : other + size] = page


def _resize(data: bytearray, chance: random.Random) -> None:
    size = _page_size(data)
    if chance.random() < 0.5:
        data.extend(bytes([chance.choice(_BYTES)]) * chance.choice((1, size, 3 * size)))
    else:
        del data[-chance.choice((1, size // 2, size, 2 * size)) :]
        if chance.random() < 0.7:  # as if nobody had counted
            data[92:96] = b"\0\0\0\0"


# --- by SQL that SQLite's defences would refuse --------------------------------------------------


def _damaged(blob: bytes, chance: random.Random) -> bytes:
    data = bytearray(blob or b"\0")
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(min(len(data), chance.choice((4, 16, 1 << 20))))
        if chance.random() < 0.5:
            data[at] ^= 1 << chance.randrange(8)
        else:
            data[at] = chance.choice(_BYTES)
    kind = chance.randrange(8)
    if kind == 0:
        del data[chance.randrange(len(data)) :]
    elif kind == 1:
        data.extend(b"\xff" * chance.choice((1, 9, 500)))
    return bytes(data)


def _change_value(connection: sqlite3.Connection, chance: random.Random) -> None:
    """What a shadow table holds, of which only the module that has it knows what it may be."""
    table, column = chance.choice(
        (("f_data", "block"),) * 4
        + (("f_idx", "pgno"), ("f_idx", "term"), ("f_docsize", "sz"), ("f_config", "v"))
        + (("f_content", "c0"), ("fx_data", "block"), ("fx_data", "block"), ("fx_docsize", "sz"))
        + (("r_node", "data"),) * 3
        + (("r_rowid", "nodeno"), ("r_parent", "parentnode"), ("ri_node", "data"))
        + (("g_node", "data"), ("g_rowid", "a0"), ("g_rowid", "nodeno"))
    )
    found = (
        connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        if (table not in ("f_idx", "f_config"))
        else connection.execute(f"SELECT {column}, {column} FROM {table}").fetchall()
    )
    if not found:
        return
    key, value = chance.choice(found)
    if isinstance(value, bytes):
        value = chance.choice((_damaged(value, chance),) * 9 + (None, 7))
    else:
        value = chance.choice((None, 0, -1, 1, 2, 5, 2**31, 2**62, "text", b"\xff\xff", 1e300))
    where = column if table in ("f_idx", "f_config") else "rowid"
    connection.execute(
        f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {where} = ?", (value, key)
    )


def _delete_rows(connection: sqlite3.Connection, chance: random.Random) -> None:
    shadows = ("f_data", "f_idx", "f_docsize", "f_content", "f_config", "fx_data")
    nodes = ("r_node", "r_rowid", "r_parent", "ri_node", "g_node", "g_rowid", "g_parent")
    table = chance.choice((*shadows, *nodes, "sqlite_sequence", "sqlite_stat1", "sqlite_stat4"))
    connection.create_function("dice", 0, lambda: chance.randrange(3))
    connection.execute(f"DELETE FROM {table} WHERE dice() = 0")


def _change_numbers(connection: sqlite3.Connection, chance: random.Random) -> None:
    """What the planner and AUTOINCREMENT believe."""
    kind = chance.randrange(4)
    if kind == 0:
        connection.execute("UPDATE sqlite_sequence SET seq = ?", (chance.choice(_SEQUENCES),))
    elif kind == 1:
        connection.execute(
            "UPDATE sqlite_stat1 SET stat = ? WHERE rowid % 3 = ?",
            (chance.choice(_STATS), chance.randrange(3)),
        )
    elif kind == 2:
        connection.create_function("damaged", 1, lambda blob: _damaged(blob, chance))
        connection.execute("UPDATE sqlite_stat4 SET sample = damaged(sample)")
    else:
        column = chance.choice(("neq", "nlt", "ndlt", "idx", "tbl"))
        connection.execute(f"UPDATE sqlite_stat4 SET {column} = ?", (chance.choice(_STATS),))


def _objects(connection: sqlite3.Connection) -> list[tuple[int, str, int, str]]:
    return connection.execute("SELECT rowid, name, rootpage, sql FROM sqlite_schema").fetchall()


def _change_sql(connection: sqlite3.Connection, chance: random.Random) -> None:
    """Another thing in an object's place, or the same with a few letters changed."""
    objects = _objects(connection)
    rowid, name, _, sql = chance.choice(objects)
    kind = chance.randrange(6)
    new: str | bytes | None
    if kind < 3:
        new = chance.choice(_SCHEMAS).replace("{0}", name)
    elif kind == 3:
        new = chance.choice(objects)[3]
    elif kind == 4 and sql:
        words = sql.split(" ")
        at = chance.randrange(len(words))
        words[at : at + chance.randrange(3)] = [chance.choice(words)] * chance.randrange(3)
        new = " ".join(words)
    else:
        new = _damaged((sql or "x").encode(), chance)
        new = new.decode(errors="replace") if chance.random() < 0.7 else new
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE rowid = ?", (new, rowid))


def _change_schema(connection: sqlite3.Connection, chance: random.Random) -> None:
    """Root pages, names and kinds."""
    objects = _objects(connection)
    rowid = chance.choice(objects)[0]
    other = chance.choice(objects)
    kind = chance.randrange(6)
    if kind <= 1:
        root = chance.choice((0, 1, 2, -1, 1 << 31, other[2], other[2], other[2] + 1, "x", None))
        connection.execute("UPDATE sqlite_schema SET rootpage = ? WHERE rowid = ?", (root, rowid))
    elif kind == 2:
        words = ("table", "index", "view", "trigger", "other", "", None, b"table")
        connection.execute(
            "UPDATE sqlite_schema SET type = ? WHERE rowid = ?", (chance.choice(words), rowid)
        )
    elif kind == 3:
        column = chance.choice(("name", "tbl_name"))
        names = (other[1], "sqlite_x", "sqlite_stat1", "", None, "a/b\n\x01", "x" * 999)
        name = chance.choice(names)
        connection.execute(f"UPDATE sqlite_schema SET {column} = ? WHERE rowid = ?", (name, rowid))
    elif kind == 4:
        connection.execute("DELETE FROM sqlite_schema WHERE rowid = ?", (rowid,))
    else:
        connection.execute(
            "INSERT INTO sqlite_schema SELECT type, name, tbl_name, rootpage, sql"
            " FROM sqlite_schema WHERE rowid = ?",
            (rowid,),
        )


def _add_objects(connection: sqlite3.Connection, chance: random.Random) -> None:
    """Many views on views, triggers on triggers, or what an engine would not have made."""
    kind = chance.randrange(3)
    count = chance.choice((2, 20, 150))
    rows: list[tuple[str, str, str, str]] = []
    for i in range(count):
        if kind == 0:
            joined = f"n{i - 1} a, n{i - 1} b" if chance.random() < DOUBLES else f"n{i - 1} a"
            text = f"CREATE VIEW n{i} AS SELECT a.* FROM {joined if i else 't a'} WHERE a.a > {i}"
            rows.append(("view", f"n{i}", f"n{i}", text))
        elif kind == 1:
            text = f"CREATE TRIGGER n{i} AFTER UPDATE ON t BEGIN UPDATE t SET e = e + 1; END"
            rows.append(("trigger", f"n{i}", "t", text))
        else:
            name, text = f"n{i}", chance.choice(_SCHEMAS).replace("{0}", f"n{i}")
            rows.append((chance.choice(("table", "view", "index")), name, name, text))
    connection.executemany("INSERT INTO sqlite_schema VALUES(?, ?, ?, 0, ?)", rows)


_BY_BYTES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _flip, _set_byte, _set_byte, _set_number, _set_number, _set_cell, _set_cell,
    _set_header, _set_freelist, _swap_pages, _resize,
)  # fmt: skip
_BY_SQL: tuple[Callable[[sqlite3.Connection, random.Random], None], ...] = (
    _change_value, _change_value, _change_value, _change_value, _delete_rows, _change_numbers,
    _change_numbers, _change_sql, _change_sql, _change_sql, _change_schema, _add_objects,
)  # fmt: skip


def _by_sql(image: bytes, chance: random.Random) -> bytes:
    with _database(image[:18] + b"\1\1" + image[20:]) as connection:
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            # Of what a change before has damaged, not all can be changed again.
            with contextlib.suppress(sqlite3.Error):
                chance.choice(_BY_SQL)(connection, chance)
        return connection.serialize()


def mutant(images: list[bytes], number: int) -> bytes:
    """One of sources(), damaged."""
    chance = random.Random(f"crafted {number}")
    image = chance.choice(images)
    if chance.random() < 0.55:
        return _by_sql(image, chance)
    data = bytearray(image)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        with contextlib.suppress(struct.error, IndexError):  # one before has cut it off
            chance.choice(_BY_BYTES)(data, chance)
    return bytes(data)


# --- what is then done ---------------------------------------------------------------------------


def _count(counts: dict[str, int], error: OSError) -> None:
    name = errno.errorcode.get(error.errno or 0, str(error))
    counts[name] = counts.get(name, 0) + 1


def _acts(host: Host) -> Iterator[Callable[[], object]]:
    """Everything that can be done with what is in the database, by files and by SQL."""
    for folder in ("tables", "views", "indexes", "metrics"):
        names: list[str] = []
        with contextlib.suppress(OSError):
            names = host.names(folder)
        for name in names[:60]:
            files = [f"{folder}/{name}"]
            if folder != "metrics":
                with contextlib.suppress(OSError):
                    files = [f"{folder}/{name}/{file}" for file in host.names(f"{folder}/{name}")]
            for file in files:
                if file.rpartition("/")[2] in _READ or folder == "metrics":
                    yield partial(host.read, file)
    for sql in USES:
        yield partial(host.run, sql)
    yield partial(host.read, "image")


def use(host: Host, tally: Tally, part: int, parts: int) -> None:
    """Do each of them, or only every so many-th."""
    for number, act in enumerate(_acts(host)):
        if number % parts != part % parts:
            continue
        try:
            act()
            tally.well += 1
        except OSError as error:
            _count(tally.failed, error)
            host.read("error")


def _image(host: Host) -> bytes:
    """The database as it is, however busy the machine: the time limit is for what is crafted."""
    while True:
        try:
            return host.read("image")
        except TimeoutError:
            continue


def run(host: Host, images: list[bytes], numbers: range, tally: Tally, parts: int = 1) -> None:
    """Mutants one by one: each refused, with the database as it was, or taken and used."""
    for number in numbers:
        tally.tried += 1
        before = _image(host) if number % 16 == 0 else None
        try:
            host.put(mutant(images, number))
        except OSError as error:
            _count(tally.refused, error)
            assert before is None or _image(host) == before
            continue
        tally.taken += 1
        use(host, tally, tally.taken, parts)
