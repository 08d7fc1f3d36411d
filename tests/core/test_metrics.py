# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""views/, indexes/ and metrics/: what is listed, and Prometheus' text format."""

from __future__ import annotations

import errno
import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.core.engine import WRITE, Db
from tests.core.test_api import errno_of
from tests.interface.tree import ENDLESS_ROWS, rows_sql

Samples = list[tuple[str, dict[str, str], float]]


def parsed(text: str) -> tuple[str, str, str, Samples]:
    """Name, type, help and samples of a file with one metric, by Prometheus' own parser."""
    (family,) = text_string_to_metric_families(text)
    found = [(sample.name, sample.labels, sample.value) for sample in family.samples]
    return family.name, family.type, family.documentation, found


def samples(db: Db, sql: str) -> Samples:
    """Those of a view."""
    db.batch(f"DROP VIEW IF EXISTS m; CREATE VIEW m AS {sql}")
    return parsed(db.text("metrics/m.prom"))[3]


# views/ and indexes/


def test_a_view_has_its_files(db: Db) -> None:
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
    db.batch("CREATE VIEW v AS SELECT sum(a) AS s, 'x' AS x FROM t")
    assert db.names("views") == ["v"]
    assert db.text("views/v/data.csv") == "s,x\n3,x\n"
    assert db.text("views/v/data.ndjson") == '{"s":3,"x":"x"}\n'
    assert db.text("views/v/count") == "1\n"
    assert db.text("views/v/value") == "3\n"
    assert "0,s," in db.text("views/v/columns")
    assert db.text("views/v/schema").endswith("'x' AS x FROM t;\n")
    db.batch("INSERT INTO t VALUES(10)")
    assert db.text("views/v/value") == "13\n"


def test_stat_does_not_run_a_view(db: Db) -> None:
    db.batch("CREATE VIEW v AS SELECT nowhere.a AS value FROM nowhere")
    assert db.attr("views/v/value").size == 0
    assert db.attr("views/v/count").size == 0
    assert errno_of(db.text, "views/v/value") == errno.ENOENT
    assert db.names("metrics") == ["ksqlfs.prom"]


def test_the_value_of_no_row_is_empty(db: Db) -> None:
    db.batch("CREATE VIEW v AS SELECT 1 AS a WHERE 0")
    assert db.text("views/v/value") == ""
    assert db.text("views/v/count") == "0\n"


def test_triggers_of_a_view_are_in_its_schema(db: Db) -> None:
    trigger = "CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN SELECT 1; END"
    db.batch(f"CREATE VIEW v AS SELECT 1 AS a; {trigger};")
    assert db.text("views/v/schema") == f"CREATE VIEW v AS SELECT 1 AS a;\n{trigger};\n"


def test_an_index_has_its_files(db: Db) -> None:
    db.batch("CREATE TABLE t(a UNIQUE, b); CREATE INDEX i ON t(b DESC, a) WHERE b > 1")
    assert db.names("indexes") == ["i"]
    assert db.text("indexes/i/schema") == "CREATE INDEX i ON t(b DESC, a) WHERE b > 1;\n"
    assert db.text("indexes/i/table") == "t\n"
    assert db.text("indexes/i/columns").splitlines()[:2] == [
        "seqno,cid,name,desc,coll,key",
        "0,1,b,1,BINARY,1",
    ]


def test_each_is_in_its_own_folder(db: Db) -> None:
    db.batch("CREATE TABLE t(a); CREATE VIEW v AS SELECT 1; CREATE INDEX i ON t(a)")
    for folder, name in (("tables", "t"), ("views", "v"), ("indexes", "i")):
        assert db.names(folder) == [name]
        for other in {"t", "v", "i"} - {name}:
            assert errno_of(db.attr, f"{folder}/{other}") == errno.ENOENT
    node = db.get_node("views/v/schema")
    db.batch("DROP VIEW v; CREATE TABLE v(a)")
    assert not db.lib.ksql_node_exists(db.handle, node)
    db.lib.ksql_node_put(node)


def test_names_are_escaped_everywhere(db: Db) -> None:
    db.batch('CREATE TABLE t(a); CREATE VIEW "a/b%" AS SELECT 1 AS x; CREATE INDEX ".i" ON t(a)')
    assert db.names("views") == ["a%2Fb%25"]
    assert db.text("views/a%2Fb%25/value") == "1\n"
    assert db.text("indexes/%2Ei/table") == "t\n"


# metrics/


def test_only_views_with_a_value_are_metrics(db: Db) -> None:
    db.batch(
        "CREATE VIEW yes AS SELECT 1 AS value; CREATE VIEW no AS SELECT 1 AS x;"
        "CREATE VIEW Upper AS SELECT 1 AS VALUE; CREATE TABLE t(value);"
        'CREATE VIEW "a-b" AS SELECT 1 AS value; CREATE VIEW "1a" AS SELECT 1 AS value;'
        "CREATE VIEW ksqlfs AS SELECT 1 AS value; CREATE VIEW ksqlfs_x AS SELECT 1 AS value;"
    )
    assert db.names("metrics") == ["ksqlfs.prom", "Upper.prom", "yes.prom"]
    for name in ("no.prom", "yes", ".prom", "yes.pro", "a-b.prom", "ksqlfs_x.prom", "t.prom"):
        assert errno_of(db.attr, f"metrics/{name}") == errno.ENOENT
    db.batch("DROP VIEW yes; CREATE VIEW yes AS SELECT 2 AS other")
    assert db.names("metrics") == ["ksqlfs.prom", "Upper.prom"]


def test_a_metric_with_labels(db: Db) -> None:
    db.batch("CREATE TABLE disk(name, gib); INSERT INTO disk VALUES('sda', 465.8), ('sdb', 931)")
    db.batch(
        "CREATE VIEW disk_gib AS SELECT name, gib AS value, 'Size.' AS help, 'gauge' AS type"
        " FROM disk ORDER BY name"
    )
    assert db.text("metrics/disk_gib.prom") == (
        "# HELP disk_gib Size.\n# TYPE disk_gib gauge\n"
        'disk_gib{name="sda"} 465.8\ndisk_gib{name="sdb"} 931\n'
    )


def test_without_help_and_type(db: Db) -> None:
    db.batch("CREATE VIEW m AS SELECT 7 AS value")
    assert db.text("metrics/m.prom") == "# HELP m The view m.\n# TYPE m untyped\nm 7\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1", "1"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0.1", "0.1"),
        ("1e300", "1.0e+300"),
        ("9e999", "+Inf"),
        ("-9e999", "-Inf"),
    ],
)
def test_numbers(db: Db, value: str, written: str) -> None:
    assert samples(db, f"SELECT {value} AS value") == [("m", {}, float(written))]
    if "Inf" in written:
        assert db.text("metrics/m.prom").endswith(f"m {written}\n")


@pytest.mark.parametrize("text", ["plain", "", "it's", 'a "b"', "a\\b", "a\nb", "\\n", "größe 表"])
def test_labels_are_escaped(db: Db, text: str) -> None:
    quoted = text.replace("'", "''")
    assert samples(db, f"SELECT '{quoted}' AS a, 1 AS value") == [("m", {"a": text}, 1)]


def test_help_is_escaped(db: Db) -> None:
    db.batch("CREATE VIEW m AS SELECT 1 AS value, 'a\\b' || char(10) || '\"c\"' AS help")
    assert db.text("metrics/m.prom").splitlines()[0] == '# HELP m a\\\\b\\n"c"'


def test_names_of_labels(db: Db) -> None:
    sql = 'SELECT 1 AS "a b", 2 AS "1x", 3 AS "grö.", 4 AS value'
    assert samples(db, sql) == [("m", {"a_b": "1", "_1x": "2", "gr___": "3"}, 4)]


def test_null_is_no_label_and_no_sample(db: Db) -> None:
    sql = "SELECT column1 AS a, column2 AS value FROM (VALUES(NULL, 1), ('x', NULL), ('y', 2))"
    assert samples(db, sql) == [("m", {}, 1), ("m", {"a": "y"}, 2)]


def test_timestamps(db: Db) -> None:
    db.batch("CREATE VIEW m AS SELECT 1 AS value, 1700000000123 AS timestamp")
    assert db.text("metrics/m.prom").endswith("\nm 1 1700000000123\n")


NO_METRICS = {
    "SELECT 'text' AS value": "row 1: value is text, not a number",
    "SELECT '1' AS value": "row 1: value is text, not a number",
    "SELECT x'00' AS value": "row 1: value is a blob, not a number",
    "SELECT 1 AS value, 'histogram' AS type": ("row 1: type is none of counter, gauge, untyped"),
    "SELECT 1 AS value, 5 AS type": "row 1: type is none of counter, gauge, untyped",
    "SELECT 1 AS value, 1.5 AS timestamp": "row 1: timestamp is not an integer",
    "SELECT 1 AS value, 'now' AS timestamp": "row 1: timestamp is not an integer",
    'SELECT 1 AS value, 2 AS "a b", 3 AS a_b': "two columns are the label a_b",
    "SELECT 1 AS value, 'x' AS __name__": "a label must not begin with __: __name__",
    "SELECT 1 AS value UNION ALL SELECT NULL UNION ALL SELECT 'text'": (
        "row 3: value is text, not a number"
    ),
}


@pytest.mark.parametrize("sql", NO_METRICS)
def test_what_is_no_metric_is_einval(db: Db, sql: str) -> None:
    db.batch(f"CREATE VIEW m AS {sql}")
    db.batch("SELECT 'kept'")
    assert errno_of(db.text, "metrics/m.prom") == errno.EINVAL
    between = ", " if NO_METRICS[sql].startswith("row") else ": "
    assert db.text("error") == f"view m{between}{NO_METRICS[sql]}\nerrno EINVAL (22)\n"
    assert "\nerrno EINVAL\n" in db.text("status")
    assert db.text("value") == "kept\n"


def test_error_says_what_is_wrong_with_a_view(db: Db) -> None:
    db.batch("CREATE VIEW v AS SELECT json(a) AS value FROM (SELECT '[' AS a)")
    for name in ("views/v/value", "views/v/data.csv", "metrics/v.prom"):
        db.batch("SELECT 1")
        assert errno_of(db.text, name) == errno.EINVAL
        assert db.text("error").startswith("malformed JSON\n"), name


def test_a_metric_over_max_result(db: Db) -> None:
    db.batch(
        "CREATE VIEW m AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
        " WHERE i < 10000) SELECT i AS a, i AS value FROM n"
    )
    assert db.text("metrics/m.prom").count("\n") == 10002
    db.configure(max_result=10000)
    assert errno_of(db.text, "metrics/m.prom") == errno.EOVERFLOW


Figures = dict[tuple[str, str], float]


def own_figures(db: Db) -> Figures:
    """The engine's own, by name and by their label, if they have one."""
    families = text_string_to_metric_families(db.text("metrics/ksqlfs.prom"))
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def growth(db: Db, before: Figures) -> Figures:
    """What has changed since."""
    return {
        key: value - before[key] for key, value in own_figures(db).items() if value != before[key]
    }


def test_the_engines_own(db: Db) -> None:
    before = own_figures(db)
    assert [value for (name, _), value in before.items() if name == "ksqlfs_info"] == [1]
    held, limit = ("ksqlfs_memory_held_bytes", ""), ("ksqlfs_memory_limit_bytes", "")
    assert 0 < before[held] <= before[limit]
    pages, size = ("ksqlfs_database_pages", ""), ("ksqlfs_database_bytes", "")
    assert before[size] == before[pages] * 4096
    assert ("ksqlfs_longest_section_seconds", "") not in before
    db.batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    assert growth(db, before)["ksqlfs_commits_total", ""] == 2
    assert all(name.startswith("ksqlfs_") for name, _ in before)


def outcomes(grown: Figures) -> dict[str, float]:
    """Of the statements."""
    return {label: n for (name, label), n in grown.items() if name == "ksqlfs_statements_total"}


def test_statements_by_outcome(db: Db) -> None:
    before = own_figures(db)
    assert set(outcomes(before)) >= {"ok", "EINVAL", "ENOENT", "EEXIST", "ETIMEDOUT", "EUCLEAN"}
    db.batch("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1), (2); SELECT * FROM t")
    assert errno_of(db.batch, "SELECT 1; SELECT a FROM nowhere; SELECT 2") == errno.ENOENT
    assert errno_of(db.batch, "INSERT INTO t VALUES(2)") == errno.EEXIST
    assert errno_of(db.batch, "SELEC") == errno.EINVAL
    grown = growth(db, before)
    assert outcomes(grown) == {"ok": 4, "ENOENT": 1, "EEXIST": 1, "EINVAL": 1}
    assert grown["ksqlfs_rows_total", ""] == 3
    # Of those that ran, not of those that could not be compiled.
    assert grown["ksqlfs_statement_duration_seconds_count", ""] == 5


def test_statements_of_a_program(db: Db) -> None:
    before = own_figures(db)
    with db.session() as program:
        for _ in range(3):  # the second and third time it is kept
            assert program.ask("SELECT 1 UNION ALL SELECT 2;") == b"1\n1\n2\n"
        program.write(ENDLESS_ROWS)
        assert program.read(2) == b"n\n"
        assert outcomes(growth(db, before)) == {"ok": 3}, "the fourth has not ended"
        program.write(b"SELECT 3")
        assert outcomes(growth(db, before)) == {"ok": 4}
    db.batch("")
    assert outcomes(growth(db, before)) == {"ok": 4}


def test_what_the_tree_runs_itself_is_not_counted(db: Db) -> None:
    db.batch("CREATE TABLE t(a); CREATE VIEW v AS SELECT 1 AS value")
    before = own_figures(db)
    for name in ("tables/t/data.csv", "tables/t/count", "views/v/value", "metrics/v.prom"):
        db.text(name)
    assert not any("statement" in name or "rows" in name for name, _ in growth(db, before))


def test_the_histogram_is_one(db: Db) -> None:
    before = own_figures(db)
    db.batch("SELECT 1; SELECT 2; " + rows_sql(200_000, "count(*)"))
    figures = own_figures(db)
    name = "ksqlfs_statement_duration_seconds"
    buckets = [(float(le), n) for (key, le), n in figures.items() if key == f"{name}_bucket"]
    assert [bound for bound, _ in buckets] == sorted(bound for bound, _ in buckets)
    assert [n for _, n in buckets] == sorted(n for _, n in buckets)
    assert buckets[-1] == (math.inf, figures[f"{name}_count", ""])
    grown = growth(db, before)
    assert grown[f"{name}_count", ""] == 3
    # The one that counts to 200,000 is at least as long as the lowest bucket's bound.
    assert grown.get((f"{name}_bucket", "0.00001"), 0) <= 2
    assert grown[f"{name}_sum", ""] > 0.00001


def test_cache_hits_are_counted_when_a_connection_is_closed(db: Db) -> None:
    db.batch("CREATE TABLE t(a)")
    before = own_figures(db)
    db.batch("BEGIN; INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); COMMIT")
    assert growth(db, before)["ksqlfs_page_cache_hits_total", ""] > 0


@pytest.mark.parametrize("name", ["metrics/m.prom", "metrics/ksqlfs.prom", "views/m/value"])
def test_they_are_only_read(db: Db, name: str) -> None:
    db.batch("CREATE VIEW m AS SELECT 1 AS value")
    assert errno_of(db.open, name, WRITE) == errno.EPERM
    assert db.attr(name).size == 0
