# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Which SQL is in and which is out. Not SQLite's own tests again: one proof of life a feature."""

from __future__ import annotations

import time

import pytest

from tests.interface.tree import Tree, fails, rows_sql

# A batch and the CSV that it gives.
IN = {
    "json": (
        "SELECT '{\"a\":[1,2.5,null]}' -> '$.a' AS a, '{\"a\":{\"b\":7}}' ->> '$.a.b' AS b,"
        " json_array(1, 'x', NULL) AS c, json_valid('{') AS d, json_type('[1]', '$[0]') AS e",
        'a,b,c,d,e\n"[1,2.5,null]",7,"[1,""x"",null]",0,integer\n',
    ),
    "json-each": (
        'SELECT key, value FROM json_each(\'{"x":1,"y":"z"}\')',
        "key,value\nx,1\ny,z\n",
    ),
    "json-tree": ("SELECT count(*) AS n FROM json_tree('[[1],[2,[3]]]')", "n\n7\n"),
    "json-group": (
        "SELECT json_group_array(column1) AS a, json_group_object(column1, column1 + 1) AS o"
        " FROM (VALUES(1),(2))",
        'a,o\n"[1,2]","{""1"":2,""2"":3}"\n',
    ),
    "jsonb": ("SELECT json(jsonb('{\"a\": 1.50}')) AS j", 'j\n"{""a"":1.50}"\n'),
    "json-patch": (
        'SELECT json_patch(\'{"a":1,"b":2}\', \'{"a":null}\') AS j',
        'j\n"{""b"":2}"\n',
    ),
    "fts5": (
        "CREATE VIRTUAL TABLE f USING fts5(title, body);"
        "INSERT INTO f VALUES('one', 'the quick brown fox'), ('two', 'lazy dogs sleep');"
        "SELECT title, highlight(f, 1, '[', ']') AS h FROM f WHERE f MATCH 'NEAR(quick fox)'",
        "title,h\none,the [quick] brown [fox]\n",
    ),
    "fts5-rank": (
        "CREATE VIRTUAL TABLE f USING fts5(b);"
        "INSERT INTO f VALUES('a'), ('a a a'), ('b b'), ('c d e'), ('x y z');"
        "SELECT b, bm25(f) < 0 AS r FROM f('a') ORDER BY rank LIMIT 1",
        "b,r\na a a,1\n",
    ),
    "fts5-porter": (
        "CREATE VIRTUAL TABLE f USING fts5(b, tokenize = 'porter unicode61');"
        "INSERT INTO f VALUES('Running'), ('ran'); SELECT b FROM f WHERE f MATCH 'runs'",
        "b\nRunning\n",
    ),
    "fts5-trigram": (
        "CREATE VIRTUAL TABLE f USING fts5(b, tokenize = 'trigram');"
        "INSERT INTO f VALUES('abcdef'), ('xyz'); SELECT b FROM f WHERE b LIKE '%cde%'",
        "b\nabcdef\n",
    ),
    "rtree": (
        "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1);"
        "INSERT INTO r VALUES(1, 0, 1, 0, 1), (2, 5, 6, 5, 6);"
        "SELECT id FROM r WHERE x0 >= 4 AND y1 <= 7",
        "id\n2\n",
    ),
    "window": (
        "SELECT column1 AS v, sum(column1) OVER (ORDER BY column1) AS s,"
        " lag(column1) OVER (ORDER BY column1) AS l, rank() OVER (ORDER BY column1) AS r"
        " FROM (VALUES(3),(1),(2))",
        "v,s,l,r\n1,1,,1\n2,3,1,2\n3,6,2,3\n",
    ),
    "window-frame": (
        "SELECT group_concat(column1) OVER (ORDER BY column1 ROWS BETWEEN 1 PRECEDING"
        " AND 1 FOLLOWING EXCLUDE CURRENT ROW) AS g FROM (VALUES(1),(2),(3))",
        'g\n2\n"1,3"\n2\n',
    ),
    "recursive-cte": (
        "WITH RECURSIVE fib(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM fib LIMIT 10)"
        " SELECT max(a) AS m FROM fib",
        "m\n34\n",
    ),
    "cte-materialized": (
        "WITH x AS MATERIALIZED (SELECT random() AS r) SELECT a.r = b.r AS same FROM x a, x b",
        "same\n1\n",
    ),
    "generated": (
        "CREATE TABLE t(a, b AS (a * 10) STORED, c AS (a || '!')); INSERT INTO t VALUES(4);"
        "SELECT b, c FROM t",
        "b,c\n40,4!\n",
    ),
    "strict": (
        "CREATE TABLE t(i INT, x ANY) STRICT; INSERT INTO t VALUES('12', '12');"
        "SELECT typeof(i) AS i, typeof(x) AS x FROM t",
        "i,x\ninteger,text\n",
    ),
    "triggers": (
        "CREATE TABLE t(a); CREATE TABLE l(what);"
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO l VALUES('+' || new.a); END;"
        "CREATE TRIGGER u AFTER UPDATE OF a ON t WHEN new.a > old.a"
        " BEGIN INSERT INTO l VALUES(old.a || '>' || new.a); END;"
        "CREATE TRIGGER d BEFORE DELETE ON t BEGIN INSERT INTO l VALUES('-' || old.a); END;"
        "INSERT INTO t VALUES(1); UPDATE t SET a = 2; UPDATE t SET a = 0; DELETE FROM t;"
        "SELECT group_concat(what, ' ') AS l FROM l",
        "l\n+1 1>2 -0\n",
    ),
    "instead-of": (
        "CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES(new.a * 2); END;"
        "INSERT INTO v VALUES(21); SELECT a FROM t",
        "a\n42\n",
    ),
    "foreign-keys": (
        "CREATE TABLE p(id INTEGER PRIMARY KEY);"
        "CREATE TABLE c(p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);"
        "INSERT INTO p VALUES(1), (2); INSERT INTO c VALUES(1), (2);"
        "DELETE FROM p WHERE id = 1; UPDATE p SET id = 9; SELECT p FROM c",
        "p\n9\n",
    ),
    "savepoints": (
        "CREATE TABLE t(a); SAVEPOINT x; INSERT INTO t VALUES(1); SAVEPOINT y;"
        "INSERT INTO t VALUES(2); ROLLBACK TO y; RELEASE x; SELECT a FROM t",
        "a\n1\n",
    ),
    "dbstat": (
        "CREATE TABLE t(a); SELECT count(*) AS n FROM dbstat WHERE name = 't'",
        "n\n1\n",
    ),
    "upsert": (
        "CREATE TABLE t(k PRIMARY KEY, n); INSERT INTO t VALUES('a', 1);"
        "INSERT INTO t VALUES('a', 5), ('b', 2) ON CONFLICT(k) DO UPDATE SET n = n + excluded.n;"
        "SELECT * FROM t ORDER BY k",
        "k,n\na,6\nb,2\n",
    ),
    "returning": (
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
        "INSERT INTO t(v) VALUES('x'), ('y') RETURNING id, v || '!' AS w",
        "id,w\n1,x!\n2,y!\n",
    ),
    "update-from": (
        "CREATE TABLE t(k, v); INSERT INTO t VALUES(1, 0), (2, 0);"
        "UPDATE t SET v = s.column2 FROM (VALUES(1, 'a'), (2, 'b')) AS s WHERE s.column1 = k;"
        "SELECT v FROM t",
        "v\na\nb\n",
    ),
    "vacuum": (
        "CREATE TABLE t(a); INSERT INTO t VALUES(1); DROP TABLE IF EXISTS u; VACUUM;"
        "SELECT a FROM t",
        "a\n1\n",
    ),
    "analyze-reindex": (
        "CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1), (2); ANALYZE; REINDEX;"
        "SELECT stat FROM sqlite_stat1 WHERE idx = 'i'",
        "stat\n2 1\n",
    ),
    "alter": (
        "CREATE TABLE t(a, b, c); INSERT INTO t VALUES(1, 2, 3);"
        "ALTER TABLE t RENAME COLUMN a TO x; ALTER TABLE t DROP COLUMN b;"
        "ALTER TABLE t ADD COLUMN d DEFAULT 4; SELECT * FROM t",
        "x,c,d\n1,3,4\n",
    ),
    "partial-index": (
        "CREATE TABLE t(a, b); CREATE UNIQUE INDEX i ON t(a) WHERE b;"
        "INSERT INTO t VALUES(1, 0), (1, 0), (1, 1); SELECT count(*) AS n FROM t",
        "n\n3\n",
    ),
    "full-join": (
        "SELECT l.column1 AS l, r.column1 AS r FROM (VALUES(1),(2)) AS l"
        " FULL JOIN (VALUES(2),(3)) AS r ON l.column1 = r.column1 ORDER BY coalesce(l, r)",
        "l,r\n1,\n2,2\n,3\n",
    ),
    "filter-and-order": (
        "SELECT count(*) FILTER (WHERE column1 > 1) AS n,"
        " group_concat(column1 ORDER BY column1 DESC) AS g FROM (VALUES(1),(3),(2))",
        'n,g\n2,"3,2,1"\n',
    ),
    "row-values": ("SELECT (1, 2) < (1, 3) AS a, (2, 1) IN (VALUES(2, 1)) AS b", "a,b\n1,1\n"),
    "collate": (
        "SELECT 'a' = 'A' COLLATE NOCASE AS a, 'a' = 'a  ' COLLATE RTRIM AS b, 'ä' LIKE 'Ä' AS c",
        "a,b,c\n1,1,0\n",
    ),
    "like-glob": (
        "SELECT 'abc' LIKE 'A_c' AS a, '5%' LIKE '5!%' ESCAPE '!' AS b, 'abc' GLOB 'a[a-c]*' AS c",
        "a,b,c\n1,1,1\n",
    ),
    "dates": (
        "SELECT date('2024-02-28', '+2 days') AS a, strftime('%Y-%j', 0, 'unixepoch') AS b,"
        " unixepoch('2000-01-01') AS c, julianday('2000-01-01 12:00') AS d",
        "a,b,c,d\n2024-03-01,1970-001,946684800,2451545.0\n",
    ),
    "localtime-is-utc": (
        "SELECT datetime(0, 'unixepoch', 'localtime') AS a, datetime('1970-01-02', 'utc') AS b",
        "a,b\n1970-01-01 00:00:00,1970-01-02 00:00:00\n",
    ),
    "format": (
        "SELECT format('%05d|%.3f|%s|%q|%x|%e', 42, 1.0 / 3, 'x', 'it''s', 255, 12345.678) AS f",
        "f\n00042|0.333|x|it''s|ff|1.234568e+04\n",
    ),
    "reals": (
        "SELECT 0.1 + 0.2 AS a, 1.0 / 3 AS b, round(2.567, 2) AS c, CAST('1e3' AS REAL) AS d,"
        " avg(column1) AS e, total(column1) AS f FROM (VALUES(1),(2))",
        "a,b,c,d,e,f\n0.30000000000000004,0.3333333333333333,2.57,1000.0,1.5,3.0\n",
    ),
    "explain": (
        "EXPLAIN QUERY PLAN SELECT 1",
        "id,parent,notused,detail\n1,0,0,SCAN CONSTANT ROW\n",
    ),
    "integrity": ("PRAGMA integrity_check", "integrity_check\nok\n"),
    "user-version": ("PRAGMA user_version = 0; PRAGMA user_version", "user_version\n0\n"),
    "foreign-keys-are-on": ("PRAGMA foreign_keys", "foreign_keys\n1\n"),
    "recursive-triggers": (
        "PRAGMA recursive_triggers = ON; CREATE TABLE t(a);"
        "CREATE TRIGGER r AFTER INSERT ON t WHEN new.a < 20"
        " BEGIN INSERT INTO t VALUES(new.a + 1); END; INSERT INTO t VALUES(1);"
        "SELECT max(a) AS m FROM t",
        "m\n20\n",
    ),
    "sort-by-the-megabyte": (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)"
        " SELECT min(h) <= max(h) AS a FROM (SELECT hex(randomblob(50)) AS h FROM c ORDER BY h)",
        "a\n1\n",
    ),
}


@pytest.mark.parametrize("feature", IN)
def test_is_in(tree: Tree, feature: str) -> None:
    sql, expected = IN[feature]
    assert tree.ask(sql) == expected


@pytest.mark.parametrize(
    "option",
    [
        "ENABLE_FTS5",
        "ENABLE_RTREE",
        "ENABLE_MATH_FUNCTIONS",
        "ENABLE_DBSTAT_VTAB",
        "ENABLE_SESSION",
        "ENABLE_PREUPDATE_HOOK",
        "OMIT_LOAD_EXTENSION",
    ],
)
def test_is_compiled_in(tree: Tree, option: str) -> None:
    assert option in tree.text("info/compile_options").split()


# Out


@pytest.mark.parametrize(
    "sql", ["SELECT load_extension('x')", "SELECT load_extension('/tmp/x.so', 'init')"]
)
def test_extensions_cannot_be_loaded(tree: Tree, sql: str) -> None:
    with fails("EPERM", "EINVAL"):
        tree.run(sql + ";")


@pytest.mark.parametrize("name", ["/tmp/x.db", "x.db", "file:x.db", "file:///tmp/x?mode=ro"])
def test_files_cannot_be_attached(tree: Tree, name: str) -> None:
    with fails("EPERM"):
        tree.run(f"ATTACH '{name}' AS x;")


@pytest.mark.parametrize("mode", ["DELETE", "MEMORY", "OFF", "TRUNCATE", "PERSIST"])
def test_the_journal_mode_stays(tree: Tree, mode: str) -> None:
    before = tree.value("PRAGMA journal_mode")
    with tree.connect() as connection:
        try:
            connection.ask(f"PRAGMA journal_mode = {mode}")
        except OSError:
            tree.works()
        assert connection.ask("PRAGMA journal_mode") == f"journal_mode\n{before}\n"


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'x'",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema",
        "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f_config VALUES('x', 1)",
        "DROP TABLE sqlite_schema",
    ],
)
def test_what_would_damage_the_database_is_refused(tree: Tree, sql: str) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with pytest.raises(OSError, match=r"not permitted|Invalid argument"):
        tree.run(sql + ";")
    assert tree.value("PRAGMA integrity_check") == "ok"
    assert tree.text("tables/t/data.csv") == "a\n1\n"


@pytest.mark.parametrize("sql", ['SELECT "x"', 'CREATE TABLE t(a CHECK(a <> "x"))'])
def test_double_quotes_are_for_names_alone(tree: Tree, sql: str) -> None:
    with fails("EINVAL"):
        tree.run(sql + ";")


# What differs from one time to the next


def test_random_is_random(tree: Tree) -> None:
    drawn = [tree.value("SELECT hex(randomblob(16))") for _ in range(3)]
    drawn += [tree.value("SELECT random()") for _ in range(3)]
    assert len(set(drawn)) == 6


def test_the_clock_is_the_machines(tree: Tree) -> None:
    before = int(time.time())
    now = int(tree.value("SELECT unixepoch()"))
    assert before <= now <= int(time.time())


def test_the_clock_stands_still_within_a_statement(tree: Tree) -> None:
    sql = f"SELECT count(DISTINCT julianday('now')) FROM ({rows_sql(3000)})"
    assert tree.value(sql) == "1"


def test_a_query_over_a_larger_table_uses_its_index(tree: Tree) -> None:
    tree.run(f"CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t {rows_sql(20000, 'n, n*n')}")
    tree.run("CREATE INDEX i ON t(v)")
    assert "USING" in tree.ask("EXPLAIN QUERY PLAN SELECT k FROM t WHERE v = 144")
    assert tree.value("SELECT k FROM t WHERE v = 144") == "12"
    assert tree.value("PRAGMA integrity_check") == "ok"
