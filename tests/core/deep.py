# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Statements of every kind that SQLite treats by recursion, at any depth.

What bounds the engine's stack is not how much SQL there is but how deep it nests.  Each `Deep`
here makes a statement that nests one way, `n` deep; `deepest()` finds the greatest depth that a
database accepts.  The stack's measurement (stack.py, docs/stack.md) and the kernel's test share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

Lines = Callable[[int], str]
Setup = Callable[[int], Iterable[str]]


def no_setup(n: int) -> Iterable[str]:
    """Nothing is needed."""
    return ()


@dataclass(frozen=True)
class Deep:
    """A statement that nests, `n` deep.

    `setup` is run before, a statement at a time; where one of it fails, that depth is not legal.
    `limit` names what bounds the depth, `most` is where a search gives up.
    """

    name: str
    limit: str
    sql: Lines
    setup: Setup = no_setup
    most: int = 1 << 12
    # Run the statement on a connection that saw the schema before `change` was made by another.
    change: tuple[str, ...] = field(default=())


def around(left: str, core: str, right: str, n: int) -> str:
    """`core` with `n` times `left` before it and `right` behind."""
    return left * n + core + right * n


def nest(left: str, core: str, right: str = "") -> Lines:
    """A SELECT of an expression that wraps `core` n times."""
    return lambda n: "SELECT " + around(left, core, right, n)


def chain(first: str, more: str, last: str = "") -> Lines:
    """A statement that goes on and on."""
    return lambda n: first + more * n + last


T = (
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c)",
    "CREATE INDEX tb ON t(b)",
    "INSERT INTO t VALUES(1, 2, 3), (2, 3, 4)",
)


def table(n: int) -> Iterable[str]:
    """A table t(a, b, c), b indexed."""
    return T


def views(first: str, more: str) -> Setup:
    """v0 is `first`; each v after it is `more` of the one before, which it calls {0}."""

    def make(n: int) -> Iterator[str]:
        yield from T
        yield f"CREATE VIEW v0(a) AS {first}"
        for i in range(n):
            yield f"CREATE VIEW v{i + 1}(a) AS {more.format(f'v{i}')}"

    return make


def last_view(n: int) -> str:
    """All of the last view."""
    return f"SELECT * FROM v{n}"


def triggers(body: str, deep: Callable[[int], str] = lambda n: "") -> Setup:
    """t0 to tn, a trigger on each that does `body` to the next, which it calls {0}."""

    def make(n: int) -> Iterator[str]:
        for i in range(n + 1):
            yield f"CREATE TABLE t{i}(a INTEGER PRIMARY KEY, b)"
            yield f"INSERT INTO t{i} VALUES(1, 1)"
        for i in range(n):
            for event in ("INSERT", "UPDATE", "DELETE"):
                yield (
                    f"CREATE TRIGGER r{i}{event} AFTER {event} ON t{i} BEGIN "
                    + body.format(f"t{i + 1}")
                    + "; END"
                )
        if deep(n):
            yield f"CREATE TRIGGER last AFTER INSERT ON t{n} BEGIN {deep(n)}; END"

    return make


def generated(kind: str, expression: str) -> Setup:
    """Columns c0 to cn, each made from the one before."""

    def make(n: int) -> Iterator[str]:
        columns = "".join(f", c{i + 1} AS ({expression.format(f'c{i}')}) {kind}" for i in range(n))
        yield f"CREATE TABLE g(c0{columns})"
        yield "INSERT INTO g(c0) VALUES(1)"

    return make


def cascades(n: int) -> Iterator[str]:
    """t0 to tn, each row of one belonging to the one before."""
    yield "CREATE TABLE t0(a INTEGER PRIMARY KEY)"
    for i in range(n):
        yield (
            f"CREATE TABLE t{i + 1}(a INTEGER PRIMARY KEY REFERENCES t{i}(a) "
            "ON DELETE CASCADE ON UPDATE CASCADE)"
        )
    for i in range(n + 1):
        yield f"INSERT INTO t{i} VALUES(1)"


def family(n: int) -> Iterator[str]:
    """Rows 0 to n, each a child of the one before."""
    yield (
        "CREATE TABLE p(a INTEGER PRIMARY KEY, b REFERENCES p(a) "
        "ON DELETE CASCADE ON UPDATE CASCADE)"
    )
    yield "CREATE INDEX pb ON p(b)"
    for i in range(n):
        yield f"INSERT INTO p VALUES({i}, {i - 1 if i else 'NULL'})"


def upserts(n: int) -> Iterator[str]:
    """Triggers whose INSERT meets a conflict, and updates instead."""
    body = "INSERT INTO {0} VALUES(1, 2) ON CONFLICT(a) DO UPDATE SET b = excluded.b + 1"
    yield from triggers(body)(n)


def instead(n: int) -> Iterator[str]:
    """Views with INSTEAD OF triggers, each writing to the one below."""
    yield "CREATE TABLE v0(a, b)"
    for i in range(n):
        yield f"CREATE VIEW v{i + 1}(a, b) AS SELECT a, b FROM v{i}"
        yield (
            f"CREATE TRIGGER r{i} INSTEAD OF INSERT ON v{i + 1} BEGIN "
            f"INSERT INTO v{i} VALUES(NEW.a, NEW.b); END"
        )
        yield (
            f"CREATE TRIGGER u{i} INSTEAD OF UPDATE ON v{i + 1} BEGIN "
            f"UPDATE v{i} SET b = NEW.b WHERE a = OLD.a; END"
        )
    yield "INSERT INTO v0 VALUES(1, 2)"


def fts(n: int) -> Iterable[str]:
    """A full-text index f(a)."""
    return (
        "CREATE VIRTUAL TABLE f USING fts5(a)",
        "INSERT INTO f VALUES('a b c'), ('a a a'), ('b')",
    )


def fts_of_fts(n: int) -> Iterator[str]:
    """Full-text indexes, the content of each being the one before."""
    yield "CREATE VIRTUAL TABLE f0 USING fts5(a)"
    yield "INSERT INTO f0 VALUES('a b c')"
    for i in range(n):
        yield f"CREATE VIRTUAL TABLE f{i + 1} USING fts5(a, content='f{i}')"


def fts_of_views(n: int) -> Iterator[str]:
    """A full-text index whose content is a deep view."""
    yield from views("SELECT b FROM t", "SELECT sum(a) FROM {0} GROUP BY a")(n)
    yield f"CREATE VIRTUAL TABLE f USING fts5(a, content='v{n}', content_rowid='a')"


def rtree(n: int) -> Iterable[str]:
    """An R-Tree and a geopoly table with many entries."""
    return (
        "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1)",
        "INSERT INTO r WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        f"WHERE i < {n}) SELECT i, i, i + 1, -i, 1 - i FROM n",
        "CREATE VIRTUAL TABLE g USING geopoly(a)",
        f"INSERT INTO g(_shape) VALUES(geopoly_regular(1, 2, 3, {n + 3}))",
    )


def deep_check(n: int) -> Iterable[str]:
    """A table whose CHECK is deep."""
    return (
        "CREATE TABLE k(a, CHECK(" + around("abs(", "a", ")", n) + "))",
        "CREATE INDEX ki ON k(" + around("abs(", "a", ")", n) + ")",
        "CREATE INDEX kp ON k(a) WHERE " + around("NOT ", "a", "", n),
    )


def cte_nest(n: int) -> str:
    """WITH in WITH."""
    return around("WITH x(a) AS (", "SELECT 1", ") SELECT a + 1 FROM x", n)


def cte_chain(n: int) -> str:
    """A WITH of many, each of the one before."""
    more = "".join(f", x{i + 1}(a) AS (SELECT sum(a) FROM x{i} GROUP BY a)" for i in range(n))
    return f"WITH x0(a) AS (SELECT 1){more} SELECT * FROM x{n}"


def windows(n: int) -> str:
    """Windows over windows."""
    core = "SELECT b AS a FROM t"
    return around("SELECT sum(a) OVER (ORDER BY a) AS a FROM (", core, ")", n)


def window_chain(n: int) -> str:
    """Windows that stand on one another."""
    names = "".join(f", w{i + 1} AS (w{i})" for i in range(n))
    return f"SELECT sum(a) OVER w{n} FROM t WINDOW w0 AS (PARTITION BY b){names}"


def joins(n: int) -> str:
    """Joins in parentheses in joins."""
    opened = "".join(f"(j AS j{i} JOIN " for i in range(n))
    return f"SELECT 1 FROM {opened}j AS j{n}" + " ON 1)" * n


def or_and(n: int) -> str:
    """OR and AND by turns, over an index."""
    return "SELECT 1 FROM t WHERE " + around("a = 1 OR (b = 2 AND (", "c = 3", "))", n)


def in_nest(n: int) -> str:
    """IN in IN."""
    return "SELECT " + around("1 IN (SELECT ", "1", ")", n)


def exists_nest(n: int) -> str:
    """EXISTS in EXISTS, each looking at the one around it."""
    parts = "".join(
        f"EXISTS (SELECT 1 FROM t AS x{i + 1} WHERE x{i + 1}.a = x{i}.b AND " for i in range(n)
    )
    return f"SELECT * FROM t AS x0 WHERE {parts}1{')' * n}"


def rename(n: int) -> str:
    """ALTER TABLE, which parses the whole schema again."""
    return "ALTER TABLE t RENAME COLUMN b TO bb"


def deep_objects(n: int) -> Iterator[str]:
    """A view, a trigger and a CHECK that are deep, to be found in the schema."""
    yield from T
    yield "CREATE VIEW deep AS SELECT " + around("(SELECT ", "b FROM t", ")", n)
    yield (
        "CREATE TRIGGER deeper AFTER INSERT ON t BEGIN SELECT "
        + around("(SELECT ", "NEW.b", ")", n)
        + "; END"
    )


def returning(n: int) -> str:
    """RETURNING a deep expression."""
    return "UPDATE t SET c = 1 RETURNING " + around("(SELECT ", "b", ")", n)


def explained(of: Lines, how: str = "EXPLAIN ") -> Lines:
    """The same, explained."""
    return lambda n: how + of(n)


EXPR, PARSER, COMPOUND = "SQLITE_MAX_EXPR_DEPTH", "SQLITE_MAX_PARSER_DEPTH", "SQLITE_MAX_COMPOUND"
TRIGGER, JSON, COLUMN = "SQLITE_MAX_TRIGGER_DEPTH", "SQLITE_JSON_MAX_DEPTH", "SQLITE_LIMIT_COLUMN"
ARGS, NONE = "SQLITE_MAX_FUNCTION_ARG", "none"

scalar = nest("(SELECT ", "1", ")")
from_flat = chain("SELECT * FROM ", "(SELECT * FROM ", "t")


def from_nest(select: str, core: str = "t") -> Lines:
    """FROM in FROM."""
    return lambda n: f"{select} FROM " + around(f"({select} FROM ", core, ")", n)


DEEP: tuple[Deep, ...] = (
    # Expressions
    Deep("chained +", EXPR, chain("SELECT 1", "+1")),
    Deep("chained + of columns", EXPR, chain("SELECT a", "+b", " FROM t"), table),
    Deep("chained + in WHERE", EXPR, chain("SELECT 1 FROM t WHERE a", "+b"), table),
    Deep("right-nested +", PARSER, nest("1+(", "1", ")")),
    Deep("parentheses", PARSER, nest("(", "1", ")")),
    Deep("chained concatenation", EXPR, chain("SELECT 'a'", "||'b'")),
    Deep("chained AND", EXPR, chain("SELECT 1 FROM t WHERE a=1", " AND b=1"), table),
    Deep("chained OR", EXPR, chain("SELECT 1 FROM t WHERE a=1", " OR b=1"), table),
    Deep("OR and AND by turns", PARSER, or_and, table),
    Deep(
        "chained OR of rows",
        EXPR,
        chain("SELECT 1 FROM t WHERE (a,b)=(1,2)", " OR (a,b)=(1,2)"),
        table,
    ),
    Deep("NOT chain", EXPR, chain("SELECT ", "NOT ", "1")),
    Deep("minus chain", EXPR, chain("SELECT ", "- ", "1")),
    Deep("plus chain", EXPR, chain("SELECT ", "+ ", "1")),
    Deep("~ chain", EXPR, chain("SELECT ", "~", "1")),
    Deep("ISNULL chain", EXPR, chain("SELECT b", " ISNULL", " FROM t"), table),
    Deep("NOTNULL chain", EXPR, chain("SELECT b", " NOTNULL", " FROM t"), table),
    Deep("IS chain", EXPR, chain("SELECT b", " IS NULL", " FROM t"), table),
    Deep("IN chain", EXPR, chain("SELECT b", " IN (1, 2)", " FROM t"), table),
    Deep("IN () chain", EXPR, chain("SELECT b", " IN ()", " FROM t"), table),
    Deep(
        "IN table chain",
        EXPR,
        chain("SELECT b", " IN t1", " FROM t"),
        lambda n: (*T, "CREATE TABLE t1(a)"),
    ),
    Deep("IN (SELECT) chain", EXPR, chain("SELECT b", " IN (SELECT 1)", " FROM t"), table),
    Deep("LIKE chain", EXPR, chain("SELECT b", " LIKE '%'", " FROM t"), table),
    Deep("LIKE ESCAPE chain", EXPR, chain("SELECT b", " LIKE '%' ESCAPE 'x'", " FROM t"), table),
    Deep("GLOB chain", EXPR, chain("SELECT b", " GLOB '*'", " FROM t"), table),
    Deep("BETWEEN chain", EXPR, chain("SELECT b", " BETWEEN 1 AND 2", " FROM t"), table),
    Deep(
        "+ and COLLATE by turns",
        EXPR,
        chain("SELECT b", "+1" * 50 + " COLLATE nocase", " FROM t"),
        table,
        most=64,
    ),
    Deep("NOT chain in WHERE", EXPR, chain("SELECT 1 FROM t WHERE ", "NOT ", "b"), table),
    Deep("ISNULL chain in WHERE", EXPR, chain("SELECT 1 FROM t WHERE b", " ISNULL"), table),
    Deep(
        "BETWEEN chain in WHERE", EXPR, chain("SELECT 1 FROM t WHERE b", " BETWEEN 1 AND 2"), table
    ),
    Deep("IN chain in WHERE", EXPR, chain("SELECT 1 FROM t WHERE b", " IN (1, 2)"), table),
    Deep(
        "NOT AND by turns in WHERE",
        PARSER,
        lambda n: "SELECT 1 FROM t WHERE " + around("NOT (c AND ", "b", ")", n),
        table,
    ),
    Deep("-> chain", EXPR, chain("SELECT '{}'", "->'a'")),
    Deep("COLLATE chain", EXPR, chain("SELECT 'a'", " COLLATE nocase")),
    Deep(
        "COLLATE chain in an index",
        EXPR,
        lambda n: "INSERT INTO k VALUES('a')",
        lambda n: ("CREATE TABLE k(a)", "CREATE INDEX ki ON k(a" + " COLLATE nocase" * n + ")"),
    ),
    Deep(
        "COLLATE chain in ORDER BY",
        EXPR,
        chain("SELECT b FROM t ORDER BY b", " COLLATE nocase"),
        table,
    ),
    Deep("CAST in CAST", PARSER, nest("CAST(", "1", " AS TEXT)")),
    Deep("BETWEEN in BETWEEN", PARSER, nest("1 BETWEEN 0 AND (", "1", ")")),
    Deep("functions", PARSER, nest("abs(", "1", ")")),
    Deep(
        "functions of columns",
        PARSER,
        lambda n: "SELECT " + around("abs(", "b", ")", n) + " FROM t",
        table,
    ),
    Deep("coalesce in coalesce", PARSER, nest("coalesce(NULL, ", "1", ")")),
    Deep("iif in iif", PARSER, nest("iif(1, ", "2", ", 3)")),
    Deep("like in like", PARSER, nest("like('%', ", "1", ")")),
    Deep("CASE in THEN", PARSER, nest("CASE WHEN 1 THEN ", "1", " END")),
    Deep("CASE in WHEN", PARSER, nest("CASE WHEN ", "1", " THEN 1 END")),
    Deep("CASE in ELSE", PARSER, nest("CASE WHEN 0 THEN 1 ELSE ", "1", " END")),
    Deep("CASE of CASE", PARSER, nest("CASE ", "1", " WHEN 1 THEN 1 END")),
    Deep("IN list", NONE, lambda n: "SELECT 1 IN (" + "1," * n + "1)", most=1 << 14),
    Deep("IN in IN", EXPR, in_nest),
    Deep("IN list in IN list", PARSER, nest("1 IN (0, ", "1", ")")),
    Deep("row values", PARSER, nest("(1, 2) = (1, ", "2", ")")),
    Deep("row value of SELECT", EXPR, nest("(1, 2) = (SELECT 1, ", "2", ")")),
    Deep("function arguments", ARGS, lambda n: "SELECT max(1" + ",1" * n + ")"),
    Deep("expression in LIMIT", EXPR, chain("SELECT 1 LIMIT 1", "+1")),
    Deep("expression in ORDER BY", EXPR, chain("SELECT a FROM t ORDER BY a", "+b"), table),
    Deep("expression in GROUP BY", EXPR, chain("SELECT a+b FROM t GROUP BY a", "+b"), table),
    Deep("expression in SET", EXPR, chain("UPDATE t SET b = c", "+1"), table),
    Deep("expression in VALUES", EXPR, chain("INSERT INTO t(b) VALUES(1", "+1", ")"), table),
    Deep("aggregate of expression", EXPR, chain("SELECT sum(a", "+b", ") FROM t"), table),
    Deep(
        "aggregate in HAVING",
        EXPR,
        chain("SELECT b FROM t GROUP BY b HAVING sum(a) > 0", " + sum(b)"),
        table,
    ),
    # Selects
    Deep("scalar SELECT", EXPR, scalar),
    Deep(
        "scalar SELECT of a table",
        EXPR,
        lambda n: "SELECT " + around("(SELECT b + ", "1", " FROM t)", n),
        table,
    ),
    Deep(
        "scalar SELECT, correlated",
        EXPR,
        lambda n: (
            "SELECT "
            + around("(SELECT x.b FROM t AS y WHERE y.a = x.a AND y.b > ", "1", ")", n)
            + " FROM t AS x"
        ),
        table,
    ),
    Deep(
        "scalar SELECT, aggregate",
        EXPR,
        lambda n: (
            "SELECT "
            + around("(SELECT sum(b + ", "1", ") FROM t GROUP BY b ORDER BY c LIMIT 1)", n)
        ),
        table,
    ),
    Deep(
        "scalar SELECT in WHERE",
        EXPR,
        lambda n: "SELECT 1 FROM t WHERE b > " + around("(SELECT b FROM t WHERE b > ", "1", ")", n),
        table,
    ),
    Deep(
        "scalar SELECT in LIMIT",
        EXPR,
        lambda n: "SELECT 1 LIMIT " + around("(SELECT 1 LIMIT ", "1", ")", n),
    ),
    Deep(
        "scalar SELECT in ORDER BY",
        EXPR,
        lambda n: "SELECT b FROM t ORDER BY " + around("(SELECT b FROM t ORDER BY ", "b", ")", n),
        table,
    ),
    Deep("EXISTS in EXISTS", EXPR, exists_nest, table),
    Deep("FROM in FROM", PARSER, from_nest("SELECT *"), table),
    Deep("FROM in FROM, DISTINCT", PARSER, from_nest("SELECT DISTINCT *"), table),
    Deep(
        "FROM in FROM, aggregate",
        PARSER,
        lambda n: around("SELECT sum(b) AS b FROM (", "SELECT b FROM t", ") GROUP BY b", n),
        table,
    ),
    Deep(
        "FROM in FROM, LIMIT",
        PARSER,
        lambda n: around("SELECT * FROM (", "SELECT * FROM t", ") LIMIT 5", n),
        table,
    ),
    Deep(
        "FROM in FROM, join",
        PARSER,
        lambda n: around(
            "SELECT t.a, t.b FROM t LEFT JOIN (", "SELECT a, b FROM t", ") AS x ON x.a = t.b", n
        ),
        table,
    ),
    Deep(
        "FROM in FROM, UNION",
        PARSER,
        lambda n: around("SELECT * FROM (", "SELECT 1", " UNION SELECT 2)", n),
    ),
    Deep(
        "compound of compounds",
        PARSER,
        lambda n: around("SELECT 1 UNION ALL SELECT * FROM (", "SELECT 1", ")", n),
    ),
    Deep("joins in parentheses", PARSER, joins, lambda n: ("CREATE TABLE j(a)",)),
    Deep("joins in a row", "64 tables", chain("SELECT 1 FROM t", ", t", " LIMIT 1"), table),
    Deep("UNION ALL", COMPOUND, chain("SELECT 1", " UNION ALL SELECT 1")),
    Deep("UNION", COMPOUND, chain("SELECT 1", " UNION SELECT 1")),
    Deep("UNION of a table", COMPOUND, chain("SELECT a FROM t", " UNION SELECT b FROM t"), table),
    Deep(
        "UNION and EXCEPT", COMPOUND, lambda n: "SELECT 1" + (" UNION SELECT 2 EXCEPT SELECT 1" * n)
    ),
    Deep(
        "UNION ALL, ORDER BY",
        COMPOUND,
        chain("SELECT 1", " UNION ALL SELECT 1", " ORDER BY 1"),
    ),
    Deep(
        "UNION, ORDER BY",
        COMPOUND,
        chain("SELECT a FROM t", " UNION SELECT b FROM t", " ORDER BY 1"),
        table,
    ),
    Deep("INTERSECT", COMPOUND, chain("SELECT a FROM t", " INTERSECT SELECT b FROM t"), table),
    Deep("VALUES rows", NONE, chain("VALUES(1)", ",(1)"), most=1 << 14),
    Deep("VALUES rows of SELECT", COMPOUND, chain("VALUES((SELECT 1))", ",((SELECT 1))")),
    Deep("VALUES in VALUES", EXPR, lambda n: around("VALUES((", "VALUES(1)", "))", n)),
    Deep("WITH in WITH", PARSER, cte_nest),
    Deep("WITH, a chain", EXPR, cte_chain),
    Deep(
        "WITH RECURSIVE, nested",
        PARSER,
        lambda n: around(
            "WITH RECURSIVE x(a) AS (SELECT 1 UNION SELECT x.a FROM x, (",
            "SELECT 1",
            ")) SELECT a FROM x",
            n,
        ),
    ),
    Deep("views on views", EXPR, last_view, views("SELECT b FROM t", "SELECT a FROM {0}")),
    Deep(
        "views on views, aggregate",
        EXPR,
        last_view,
        views("SELECT b FROM t", "SELECT sum(a) FROM {0} GROUP BY a"),
    ),
    Deep(
        "views on views, UNION",
        EXPR,
        last_view,
        views("SELECT b FROM t", "SELECT a FROM {0} UNION SELECT 1"),
    ),
    Deep(
        "views on views, DISTINCT join",
        EXPR,
        last_view,
        views("SELECT b FROM t", "SELECT DISTINCT x.a FROM {0} AS x JOIN t ON t.a = x.a"),
    ),
    Deep(
        "views on views, scalar SELECT",
        EXPR,
        last_view,
        views("SELECT b FROM t", "SELECT (SELECT max(a) FROM {0})"),
    ),
    Deep("windows over windows", PARSER, windows, table),
    Deep("windows on windows", NONE, window_chain, table, most=256),
    Deep(
        "views on views, windows",
        EXPR,
        last_view,
        views("SELECT b FROM t", "SELECT sum(a) OVER (PARTITION BY a ORDER BY a) FROM {0}"),
    ),
    Deep(
        "deep expression in deep FROM",
        PARSER,
        lambda n: around(
            "SELECT sum(b) AS b FROM (",
            "SELECT b" + "+1" * (4 * n) + " AS b FROM t",
            ") GROUP BY b",
            n,
        ),
        table,
    ),
    # JSON
    Deep("json array", JSON, lambda n: "SELECT json('" + around("[", "1", "]", n) + "')"),
    Deep("json object", JSON, lambda n: "SELECT json('" + around('{"a":', "1", "}", n) + "')"),
    Deep("jsonb", JSON, lambda n: "SELECT json(jsonb('" + around("[", "1", "]", n) + "'))"),
    Deep(
        "json_tree",
        JSON,
        lambda n: "SELECT count(*) FROM json_tree('" + around("[", "1", "]", n) + "')",
    ),
    Deep("json_pretty", JSON, lambda n: "SELECT json_pretty('" + around("[", "1", "]", n) + "')"),
    Deep(
        "json_patch",
        JSON,
        lambda n: (
            "SELECT json_patch('"
            + around('{"a":', "1", "}", n)
            + "', '"
            + around('{"a":', "2", "}", n)
            + "')"
        ),
    ),
    Deep("json_set, path", JSON, lambda n: "SELECT json_set('{}', '$" + ".a" * n + "', 1)"),
    Deep(
        "json_extract, path",
        JSON,
        lambda n: (
            "SELECT json_extract('" + around('{"a":', "1", "}", n) + "', '$" + ".a" * n + "')"
        ),
    ),
    Deep("json_array of json_array", PARSER, nest("json_array(", "1", ")")),
    Deep("json_error_position", JSON, lambda n: "SELECT json_error_position('" + "[" * n + "')"),
    # Full text, R-Tree
    Deep(
        "fts5 parentheses",
        "fts5",
        lambda n: "SELECT * FROM f('" + around("(", "a", ")", n) + "')",
        fts,
    ),
    Deep(
        "fts5 NOT",
        "fts5",
        lambda n: "SELECT * FROM f('" + around("a NOT (", "b", ")", n) + "')",
        fts,
    ),
    Deep(
        "fts5 AND and OR",
        "fts5",
        lambda n: "SELECT * FROM f('" + around("a AND (b OR (", "c", "))", n) + "')",
        fts,
    ),
    Deep("fts5 NOT chain", "fts5", lambda n: "SELECT * FROM f('a" + " NOT b" * n + "')", fts),
    Deep("fts5 OR chain", "fts5", lambda n: "SELECT * FROM f('a" + " OR b" * n + "')", fts),
    Deep("fts5 phrase", "fts5", lambda n: "SELECT * FROM f('" + "a + " * n + "a')", fts),
    Deep(
        "fts5 column filters",
        "fts5",
        lambda n: "SELECT * FROM f('" + around("a:(", "b", ")", n) + "')",
        fts,
    ),
    Deep(
        "fts5 on fts5", NONE, lambda n: f"SELECT * FROM f{n} WHERE rowid = 1", fts_of_fts, most=200
    ),
    Deep("fts5 on views", EXPR, lambda n: "SELECT * FROM f WHERE rowid = 1", fts_of_views),
    Deep(
        "R-Tree and geopoly",
        NONE,
        lambda n: (
            "SELECT count(*) FROM r, g WHERE x0 < 100 AND "
            f"geopoly_overlap(_shape, geopoly_regular(1, 2, 3, {n + 3}))"
        ),
        rtree,
        most=1000,
    ),
    # Triggers, foreign keys, the schema
    Deep(
        "triggers in a row",
        TRIGGER,
        lambda n: "INSERT INTO t0 VALUES(2, 2)",
        triggers("INSERT INTO {0} VALUES(NEW.a, NEW.b)"),
        most=200,
    ),
    Deep(
        "triggers in a row, UPDATE",
        TRIGGER,
        lambda n: "UPDATE t0 SET b = 2",
        triggers("UPDATE {0} SET b = b + 1 WHERE a IN (SELECT a FROM {0})"),
        most=200,
    ),
    Deep(
        "triggers in a row, UPDATE FROM",
        TRIGGER,
        lambda n: "UPDATE t0 SET b = 2",
        triggers(
            "UPDATE {0} SET b = x.b FROM (SELECT a, sum(b) AS b FROM {0} GROUP BY a) AS x "
            "WHERE x.a = {0}.a"
        ),
        most=200,
    ),
    Deep(
        "triggers in a row, DELETE",
        TRIGGER,
        lambda n: "DELETE FROM t0",
        triggers("DELETE FROM {0} WHERE a IN (SELECT a FROM {0})"),
        most=200,
    ),
    Deep("triggers in a row, UPSERT", TRIGGER, lambda n: "UPDATE t0 SET b = 2", upserts, most=200),
    Deep(
        "triggers in a row, INSERT SELECT",
        TRIGGER,
        lambda n: "INSERT INTO t0 VALUES(2, 2)",
        triggers("INSERT INTO {0} SELECT a + 5, sum(b) FROM {0} GROUP BY a ORDER BY b"),
        most=200,
    ),
    Deep(
        "triggers, then a deep SELECT",
        TRIGGER,
        lambda n: "INSERT INTO t0 VALUES(2, 2)",
        triggers(
            "INSERT INTO {0} VALUES(NEW.a, NEW.b)",
            lambda n: "SELECT " + around("(SELECT b + ", "1", " FROM t0)", 2 * n),
        ),
        most=200,
    ),
    Deep(
        "INSTEAD OF triggers",
        TRIGGER,
        lambda n: f"INSERT INTO v{n} VALUES(3, 4)",
        instead,
        most=200,
    ),
    Deep(
        "INSTEAD OF triggers, UPDATE",
        TRIGGER,
        lambda n: f"UPDATE v{n} SET b = 4",
        instead,
        most=200,
    ),
    Deep("foreign keys, DELETE", TRIGGER, lambda n: "DELETE FROM t0", cascades, most=200),
    Deep("foreign keys, UPDATE", TRIGGER, lambda n: "UPDATE t0 SET a = 2", cascades, most=200),
    Deep(
        "foreign keys, one table", TRIGGER, lambda n: "DELETE FROM p WHERE a = 0", family, most=200
    ),
    Deep(
        "generated columns",
        COLUMN,
        lambda n: f"SELECT c{n} FROM g",
        generated("VIRTUAL", "{0} + 1"),
        most=1990,
    ),
    Deep(
        "generated columns, INSERT",
        COLUMN,
        lambda n: "INSERT INTO g(c0) VALUES(2)",
        generated("STORED", "abs({0})"),
        most=1990,
    ),
    Deep(
        "generated columns, WHERE",
        COLUMN,
        lambda n: f"SELECT 1 FROM g WHERE c{n} > 1",
        generated("VIRTUAL", "CASE WHEN {0} THEN {0} END"),
        most=40,
    ),
    Deep("CHECK, index, partial index", EXPR, lambda n: "INSERT INTO k VALUES(1)", deep_check),
    Deep("ALTER TABLE over deep objects", EXPR, rename, deep_objects),
    Deep(
        "PRAGMA of a deep view",
        EXPR,
        lambda n: f"SELECT * FROM pragma_table_xinfo('v{n}')",
        views("SELECT b FROM t", "SELECT sum(a) FROM {0} GROUP BY a"),
    ),
    Deep("RETURNING", EXPR, returning, table),
    Deep(
        "FILTER in FILTER",
        PARSER,
        lambda n: "SELECT " + around("(SELECT count(*) FILTER (WHERE b > ", "1", ") FROM t)", n),
        table,
    ),
    Deep(
        "window in window",
        PARSER,
        lambda n: "SELECT " + around("(SELECT sum(b) OVER (PARTITION BY ", "1", ") FROM t)", n),
        table,
    ),
    Deep(
        "join conditions",
        PARSER,
        lambda n: around("SELECT 1 FROM t JOIN t AS x ON x.a = (", "SELECT 1", ")", n),
        table,
    ),
    Deep(
        "table function arguments",
        PARSER,
        lambda n: around("SELECT value FROM json_each((", "SELECT '[1]'", "))", n),
    ),
    Deep(
        "aggregate ORDER BY",
        PARSER,
        lambda n: "SELECT " + around("(SELECT group_concat(b ORDER BY ", "1", ") FROM t)", n),
        table,
    ),
    Deep(
        "CTE in every scalar SELECT",
        PARSER,
        lambda n: "SELECT " + around("(WITH x(a) AS (SELECT 1) SELECT a + ", "1", " FROM x)", n),
    ),
    Deep(
        "UPDATE FROM",
        PARSER,
        lambda n: (
            "UPDATE t SET c = x.b FROM "
            + around("(SELECT * FROM ", "t", ")", n)
            + " AS x WHERE x.a = t.a"
        ),
        table,
    ),
    Deep(
        "UPSERT",
        PARSER,
        lambda n: (
            "INSERT INTO t VALUES(1, 2, 3) ON CONFLICT(a) DO UPDATE "
            "SET b = " + around("(SELECT b + ", "excluded.b", " FROM t)", n)
        ),
        table,
    ),
    Deep(
        "views, then a deep expression",
        EXPR,
        lambda n: f"SELECT * FROM v{n} WHERE a > 1" + "+1" * 150,
        views("SELECT b" + "+1" * 150 + " FROM t", "SELECT max(a) FROM {0} GROUP BY a"),
    ),
    Deep(
        "views, then an ISNULL chain",
        EXPR,
        last_view,
        views("SELECT b" + " ISNULL" * 150 + " FROM t", "SELECT max(a) FROM {0} GROUP BY a"),
    ),
    Deep(
        "views, then a NOT chain",
        EXPR,
        last_view,
        views("SELECT " + "NOT " * 190 + " b FROM t", "SELECT max(a) FROM {0} GROUP BY a"),
    ),
    Deep(
        "triggers, then a NOT chain",
        TRIGGER,
        lambda n: "INSERT INTO t0 VALUES(2, 2)",
        triggers(
            "INSERT INTO {0} VALUES(1, 2) ON CONFLICT(a) DO UPDATE SET b = excluded.b + 1",
            lambda n: "SELECT " + "NOT " * 190 + " NEW.b",
        ),
        most=200,
    ),
    Deep(
        "VALUES rows in a view",
        NONE,
        lambda n: "SELECT count(*) FROM vv",
        lambda n: ("CREATE VIEW vv(a) AS VALUES(1)" + ",(1)" * n,),
        most=1 << 14,
    ),
    Deep(
        "VALUES rows in WITH",
        NONE,
        lambda n: (
            "WITH x(a) AS (VALUES(1)"
            + ",(1)" * n
            + ") SELECT * FROM x UNION SELECT * FROM x ORDER BY 1"
        ),
        most=1 << 14,
    ),
    Deep(
        "VALUES rows in a trigger",
        NONE,
        lambda n: "INSERT INTO t VALUES(7, 8, 9)",
        lambda n: (
            *T,
            "CREATE TABLE w(a)",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO w "
            "VALUES(1)" + ",(NEW.a)" * n + "; END",
        ),
        most=1 << 13,
    ),
    Deep(
        "UNION ALL rows in IN",
        COMPOUND,
        lambda n: "SELECT 1 IN (SELECT 1" + " UNION ALL SELECT 2" * n + ")",
    ),
    Deep(
        "fts5 rank",
        NONE,
        lambda n: (
            "SELECT highlight(f, 0, '[', ']'), bm25(f) FROM f('" + "a OR " * n + "b') ORDER BY rank"
        ),
        fts,
    ),
    Deep("EXPLAIN scalar SELECT", EXPR, explained(scalar)),
    Deep("EXPLAIN chained +", EXPR, explained(chain("SELECT 1", "+1"))),
    Deep(
        "EXPLAIN QUERY PLAN of UNION",
        COMPOUND,
        explained(chain("SELECT a FROM t", " UNION SELECT b FROM t"), "EXPLAIN QUERY PLAN "),
        table,
    ),
    Deep("VACUUM over deep objects", EXPR, lambda n: "VACUUM", deep_objects),
    Deep(
        "schema read inside a deep SELECT",
        EXPR,
        lambda n: "SELECT " + around("(SELECT ", "b FROM t", ")", n),
        lambda n: (*T, *deep_check(n)),
        change=("CREATE TABLE other(a)",),
    ),
)


def deepest(legal: Callable[[int], bool], most: int) -> int:
    """The greatest depth, up to `most`, that is legal; 0 if not even 1 is."""
    low, high = 0, 1
    while high <= most and legal(high):
        low, high = high, high * 2
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if legal(middle):
            low = middle
        else:
            high = middle
    return low
