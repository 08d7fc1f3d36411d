# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bad input: the errno of the table, a message, nothing lost, and the tree goes on."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interface.tree import Connection, Tree, fails, request

MIB = 1 << 20
MAX_SQL = 16 * MIB

# What a statement may fail with at all.
KNOWN = {
    *("EINVAL", "ENOENT", "EEXIST", "EDOM", "EBUSY", "EROFS", "EPERM"),
    *("ENOSPC", "ENOMEM", "EFBIG", "EOVERFLOW", "ETIMEDOUT"),
}


def attempt(tree: Tree, text: bytes | str) -> str:
    """Run something; the name of its errno, or nothing."""
    try:
        tree.run(text)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return ""


def attempt_by(connection: Connection, text: bytes) -> str:
    """The same by a connection."""
    try:
        connection.ask(text)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return ""


def padded(size: int) -> bytes:
    """A statement of exactly this many bytes, its semicolon included."""
    frame = b"SELECT 1 AS a /**/;"
    return frame.replace(b"/**/", b"/*" + b"x" * (size - len(frame)) + b"*/")


# Length


def test_20_mib_of_parentheses_are_efbig(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with fails("EFBIG"):
        tree.run(b"(" * (20 * MIB))
    with fails("EFBIG"):
        tree.result()
    assert tree.status()["errno"] == "EFBIG"
    assert tree.text("tables/t/data.csv") == "a\n1\n"
    tree.works()


def test_20_mib_in_pieces_are_efbig_and_then_cancelled(tree: Tree) -> None:
    with tree.batch() as batch:
        with fails("EFBIG"):
            for _ in range(20):
                batch.write(b"(" * MIB)
        with fails("ECANCELED"):
            batch.write(b"(" * MIB)
    tree.works()


def test_a_connection_survives_a_request_too_long(tree: Tree) -> None:
    with tree.connect() as connection:
        with fails("EFBIG"):
            connection.write(b"(" * (20 * MIB))
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


def test_a_statement_of_16_mib_is_the_longest(tree: Tree) -> None:
    assert tree.ask(padded(MAX_SQL)) == "a\n1\n"
    with fails("EFBIG"):
        tree.run(padded(MAX_SQL + 2))
    tree.works()


def test_a_literal_of_megabytes(tree: Tree) -> None:
    tree.run(b"CREATE TABLE t(a); INSERT INTO t VALUES('" + b"x" * (12 * MIB) + b"');")
    assert tree.value("SELECT length(a) FROM t") == str(12 * MIB)


def test_a_write_may_be_longer_than_a_statement(tree: Tree) -> None:
    assert tree.ask(padded(3 * MIB) * 6) == "a\n1\n"


def test_a_parameter_of_megabytes(tree: Tree) -> None:
    assert tree.ask("SELECT length(?) AS n", "x" * (8 * MIB)) == f"n\n{8 * MIB}\n"


def test_names_may_be_long(tree: Tree) -> None:
    name = "n" * 20_000
    tree.run(f"CREATE TABLE {name}({name} DEFAULT 1); INSERT INTO {name} DEFAULT VALUES")
    assert tree.ask(f"SELECT * FROM {name}") == f"{name}\n1\n"
    assert tree.tables() == []
    with fails("ENOENT"):
        tree.run(f"SELECT * FROM {name}x;")
    assert f"no such table: {name}x" in tree.text("error")


# Bytes


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT '\xff';",
        b"SELECT '\xc3';",
        b"SELECT '\xc3",
        b"SELECT \x80;",
        b"SELECT '\xed\xa0\x80';",
        b"SELECT '\xc0\xaf';",
        b"SELECT '\xf4\x90\x80\x80';",
        b"SELECT 1 AS \xfe;",
        b"\xff\xfeS\x00E\x00L\x00",
        b"-- \xff\nSELECT 1;",
    ],
)
def test_sql_that_is_not_utf8_is_einval(tree: Tree, text: bytes) -> None:
    with fails("EINVAL"):
        tree.run(text)
    with tree.connect() as connection:
        with fails("EINVAL"):
            connection.write(text)
            connection.answer()
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


@pytest.mark.parametrize("text", [b"\0", b"\0\0\0", b"\0SELECT 1;", b";\0x\0", b"\0" * 100_000])
def test_nul_bytes_without_a_statement_are_no_statement(tree: Tree, text: bytes) -> None:
    tree.run("CREATE TABLE t(a)")
    assert attempt(tree, text) in ("", "EINVAL")
    assert tree.tables() == ["t"]
    tree.works()


@pytest.mark.parametrize(
    "text", [b"DROP TABLE t\0", b"DROP TABLE\0 t;", b"SELECT 1;\0DROP TABLE t;"]
)
def test_what_follows_a_nul_is_never_run(tree: Tree, text: bytes) -> None:
    tree.run("CREATE TABLE t(a)")
    outcome = attempt(tree, text)
    dropped = text == b"DROP TABLE t\0"
    assert outcome == ("" if dropped else "EINVAL")
    assert tree.tables() == ([] if dropped else ["t"])


@pytest.mark.parametrize("text", ["\ufeffSELECT 1 AS a", "\ufeff\nSELECT 1 AS a;"])
def test_a_byte_order_mark_does_no_harm(tree: Tree, text: str) -> None:
    assert attempt(tree, text) in ("", "EINVAL")
    tree.works()


@pytest.mark.parametrize(
    "text",
    ["SELECT 'abc;", 'SELECT "abc;', "SELECT `abc;", "SELECT [abc;", "SELECT x'0", "SELECT 'a''"],
)
def test_an_unterminated_string_is_einval_at_close(tree: Tree, text: str) -> None:
    batch = tree.batch()
    batch.write(text)
    with fails("EINVAL"):
        batch.close()
    tree.works()


# Depth. Each may work or be refused; the machine and the tree must live either way.

DEEP = {
    "parentheses": "SELECT " + "(" * 3_000 + "1" + ")" * 3_000,
    "parentheses-by-the-megabyte": "SELECT " + "(" * 2_000_000,
    "closing-parentheses": "SELECT " + ")" * 500_000,
    "plus": "SELECT " + "+".join(["1"] * 5_000),
    "plus-right": "SELECT " + "1+(" * 2_000 + "1" + ")" * 2_000,
    "and": "SELECT " + " AND ".join(["1"] * 50_000),
    "or-columns": "SELECT 1 FROM (SELECT 1 AS a) WHERE " + " OR ".join(["a = 2"] * 3_000),
    "concat": "SELECT " + "||".join(["'x'"] * 5_000),
    "arrow": "SELECT '{}'" + "->'a'" * 5_000,
    "not": "SELECT " + "NOT " * 20_000 + "1",
    "minus": "SELECT " + "- " * 20_000 + "1",
    "collate": "SELECT 1" + " COLLATE NOCASE" * 5_000,
    "between": "SELECT " + "1 BETWEEN 0 AND " * 2_000 + "1",
    "case": "SELECT " + "CASE WHEN 1 THEN " * 1_000 + "1" + " END" * 1_000,
    "functions": "SELECT " + "abs(" * 2_000 + "1" + ")" * 2_000,
    "casts": "SELECT " + "CAST(" * 2_000 + "1" + " AS INT)" * 2_000,
    "scalar-subqueries": "SELECT " + "(SELECT " * 500 + "1" + ")" * 500,
    "forty-scalar-subqueries": "SELECT " + "(SELECT " * 40 + "1" + ")" * 40,
    "exists": "SELECT " + "EXISTS (SELECT 1 WHERE " * 300 + "1" + ")" * 300,
    "in-subqueries": "SELECT " + "1 IN (SELECT " * 300 + "1" + ")" * 300,
    "from-subqueries": "SELECT * FROM " + "(SELECT * FROM " * 500 + "(SELECT 1)" + ")" * 500,
    "union-all": " UNION ALL ".join(["SELECT 1"] * 1_000),
    "union": " UNION ".join(["SELECT 1"] * 490),
    "intersect": " INTERSECT ".join(["SELECT 1"] * 490),
    "values": "VALUES " + ",".join(["(1)"] * 20_000),
    "in-list": "SELECT 1 IN (" + ",".join(map(str, range(50_000))) + ")",
    "ctes": "WITH "
    + ",".join(["c0 AS (SELECT 1)", *(f"c{n} AS (SELECT * FROM c{n - 1})" for n in range(1, 300))])
    + " SELECT * FROM c299",
    "nested-ctes": "".join(f"WITH c{n} AS (" for n in range(200))
    + "SELECT 1"
    + "".join(f") SELECT * FROM c{n}" for n in reversed(range(200))),
    "doubling-ctes": "WITH c0 AS (SELECT 1),"
    + ",".join(f"c{n} AS (SELECT * FROM c{n - 1}, c{n - 1} AS x)" for n in range(1, 12))
    + " SELECT count(*) FROM c11",
    "join": "SELECT * FROM " + ",".join(f"(SELECT 1) AS t{n}" for n in range(64)),
    "join-too-many": "SELECT * FROM " + ",".join(f"(SELECT 1) AS t{n}" for n in range(500)),
    "left-joins": "SELECT 1 FROM (SELECT 1 AS a) AS t0"
    + "".join(f" LEFT JOIN (SELECT 1 AS a) AS t{n} ON t{n}.a = t{n - 1}.a" for n in range(1, 60)),
    "columns": "SELECT " + ",".join(["1"] * 2_500),
    "create-columns": "CREATE TABLE x(" + ",".join(f"c{n}" for n in range(2_500)) + ")",
    "order-by": "SELECT 1 ORDER BY " + ",".join(["1"] * 2_500),
    "arguments": "SELECT max(" + ",".join(["1"] * 2_000) + ")",
    "windows": "SELECT " + ",".join(["sum(1) OVER (ORDER BY 1)"] * 200),
    "comment-nest": "SELECT 1 " + "/*" * 100_000,
    "json-arrays": "SELECT json('" + "[" * 900 + "]" * 900 + "')",
    "json-too-deep": "SELECT json('" + "[" * 200_000 + "]" * 200_000 + "')",
    "json-objects": "SELECT json('" + '{"a":' * 900 + "1" + "}" * 900 + "')",
    "json-pretty": "SELECT length(json_pretty('" + "[" * 900 + "]" * 900 + "'))",
    "json-tree": "SELECT count(*) FROM json_tree('" + "[" * 900 + "]" * 900 + "')",
    "json-patch": "SELECT json_patch('"
    + '{"a":' * 900
    + "1"
    + "}" * 900
    + "','"
    + '{"a":' * 900
    + "2"
    + "}" * 900
    + "')",
    "json-path": "SELECT json_set('{}', '$" + ".a" * 900 + "', 1)",
    "json5-blanks": "SELECT json('" + "[ " * 400 + "]" * 400 + "')",
    "like": "SELECT '" + "a" * 20_000 + "' LIKE '" + "%a" * 5_000 + "b'",
    "glob": "SELECT '" + "a" * 200 + "' GLOB '" + "*[a-b]" * 100 + "c'",
    "like-too-long": "SELECT 'a' LIKE '" + "%" * 100_000 + "'",
    "format-width": "SELECT format('%2000000000d', 1)",
    "format-precision": "SELECT length(format('%.*f', 100000, 1.0))",
    "zeroblob": "SELECT zeroblob(3000000000)",
    "replace": "SELECT length(replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000))))",
    "hex": "SELECT length(" + "hex(" * 10 + "zeroblob(1000)" + ")" * 10 + ")",
    "substr-of-nothing": "SELECT substr('abc', -9223372036854775808, 9223372036854775807)",
    "strftime": "SELECT strftime('" + "%Y" * 50_000 + "')",
    "date-modifiers": "SELECT date('now'" + ", '+1 day'" * 100 + ")",
    "pragma": "PRAGMA " + "x" * 100_000,
    "savepoints": "".join(f"SAVEPOINT s{n};" for n in range(1_000)) + "RELEASE s0",
}


@pytest.mark.parametrize("what", DEEP)
def test_deep_and_wide_statements_do_no_harm(tree: Tree, what: str) -> None:
    assert attempt(tree, DEEP[what]) in {"", *KNOWN}
    tree.works()


EXTRA = {
    "scalar-subqueries-10": "SELECT " + "(SELECT " * 10 + "1" + ")" * 10,
    "union-100": " UNION ".join(["SELECT 1"] * 100),
    "json-100": "SELECT json('" + "[" * 100 + "]" * 100 + "')",
    "columns-2000": "SELECT " + ",".join(["1"] * 2_000),
    "ctes-100": "WITH "
    + ",".join(["c0 AS (SELECT 1)", *(f"c{n} AS (SELECT * FROM c{n - 1})" for n in range(1, 100))])
    + " SELECT * FROM c99",
    "join-60": "SELECT * FROM " + ",".join(f"(SELECT 1) AS t{n}" for n in range(60)),
    "plus-150": "SELECT " + "+".join(["1"] * 150),
    "and-150": "SELECT " + " AND ".join(["1"] * 150),
    "parentheses-50": "SELECT " + "(" * 50 + "1" + ")" * 50,
}


@pytest.mark.parametrize("what", ["values", "in-list", *EXTRA])
def test_statements_of_sane_depth_work(tree: Tree, what: str) -> None:
    tree.run({**DEEP, **EXTRA}[what])


def test_a_chain_of_views_does_no_harm(tree: Tree) -> None:
    tree.run(
        "CREATE VIEW v0 AS SELECT 1 AS a;"
        + "".join(f"CREATE VIEW v{n} AS SELECT a FROM v{n - 1};" for n in range(1, 400))
    )
    assert tree.value("SELECT a FROM v20") == "1"
    assert attempt(tree, "SELECT a FROM v399;") in {"", *KNOWN}
    tree.works()


def test_a_view_of_itself_is_refused(tree: Tree) -> None:
    tree.run("CREATE VIEW a AS SELECT * FROM b; CREATE VIEW b AS SELECT * FROM a")
    with fails("EINVAL"):
        tree.run("SELECT * FROM a;")
    tree.works()


def test_triggers_without_end_are_stopped(tree: Tree) -> None:
    tree.run(
        "CREATE TABLE t(a); CREATE TRIGGER r AFTER INSERT ON t"
        " BEGIN INSERT INTO t VALUES(new.a + 1); END"
    )
    with tree.connect() as connection:
        connection.ask("PRAGMA recursive_triggers = ON")
        with pytest.raises(OSError) as caught:
            connection.write("INSERT INTO t VALUES(1);")
        assert errno.errorcode[caught.value.errno or 0] in KNOWN
    assert tree.text("tables/t/count") == "0\n"
    tree.works()


def test_cascades_of_a_long_chain(tree: Tree) -> None:
    tree.run("CREATE TABLE t(id INTEGER PRIMARY KEY, p REFERENCES t(id) ON DELETE CASCADE)")
    links = ",".join(f"({n}, {n - 1})" for n in range(2, 2_000))
    tree.run(f"INSERT INTO t VALUES(1, NULL); INSERT INTO t VALUES{links}")
    assert attempt(tree, "DELETE FROM t WHERE id = 1;") in {"", *KNOWN}
    assert tree.text("tables/t/count") in ("0\n", "1999\n")


@pytest.mark.parametrize(
    "query",
    ["(" * 2_000 + "a" + ")" * 2_000, " AND ".join(["a"] * 3_000), "NOT " * 2_000, '"', "a*" * 999],
)
def test_deep_full_text_queries_do_no_harm(tree: Tree, query: str) -> None:
    tree.run("CREATE VIRTUAL TABLE f USING fts5(b); INSERT INTO f VALUES('a')")
    with tree.connect() as connection:
        outcome = attempt_by(connection, request("SELECT count(*) FROM f WHERE f MATCH ?", query))
        assert outcome in {"", *KNOWN}
        assert connection.ask("SELECT 1 AS a") == "a\n1\n"


# Noise

TOKENS = [
    *(
        "SELECT",
        "FROM",
        "WHERE",
        "t",
        "a",
        "*",
        "(",
        ")",
        ",",
        "1",
        "-1",
        "1.5",
        "'x'",
        "x'00'",
        ";",
    ),
    *(
        "INSERT INTO",
        "VALUES",
        "CREATE",
        "TABLE",
        "INDEX",
        "ON",
        "WITH",
        "RECURSIVE",
        "AS",
        "UNION",
    ),
    *(
        "BEGIN",
        "COMMIT",
        "END",
        "TRIGGER",
        "CASE",
        "WHEN",
        "THEN",
        "JOIN",
        "LIMIT 3",
        "NULL",
        "?",
        ":p",
    ),
    *(
        "DELETE",
        "UPDATE",
        "SET",
        "=",
        "IN",
        "DROP",
        "IF EXISTS",
        "VIEW",
        "--\n",
        "/*",
        "*/",
        "\0",
        "'",
        '"',
    ),
    *(
        "EXPLAIN",
        "PRAGMA",
        "VACUUM",
        "REPLACE",
        "RETURNING",
        "json(",
        "abs(",
        "OVER ()",
        "SAVEPOINT s",
    ),
]


@settings(max_examples=80)
@given(st.lists(st.sampled_from(TOKENS), max_size=30))
def test_token_soup_fails_as_the_table_says(shared_tree: Tree, tokens: list[str]) -> None:
    assert attempt(shared_tree, " ".join(tokens)) in {"", *KNOWN}
    shared_tree.works()


@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_noise_fails_as_the_table_says(shared_tree: Tree, data: bytes) -> None:
    assert attempt(shared_tree, data) in {"", "EINVAL"}
    shared_tree.works()


def test_every_prefix_of_a_statement_fails_as_the_table_says(tree: Tree) -> None:
    text = (
        "WITH c(n) AS (VALUES(1)) SELECT CASE n WHEN 1 THEN 'it''s' ELSE x'00' END AS \"a b\","
        " sum(n) OVER (PARTITION BY n) FROM c JOIN (SELECT 2 AS m) ON m > n GROUP BY 1 LIMIT 5"
    )
    for length in range(len(text)):
        assert attempt(tree, text[:length]) in {"", "EINVAL", "ENOENT"}, text[:length]
    tree.works()
