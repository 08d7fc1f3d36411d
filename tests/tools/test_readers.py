# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Programs that read tables from files: what they find is what the database has."""

from __future__ import annotations

import json
from pathlib import Path

from tests.interface.tree import Row, Tree
from tests.tools.conftest import as_text, without_null
from tests.tools.programs import run


def test_jq(tree: Tree, sample: list[Row], series: Row) -> None:
    assert json.loads(run("jq", ".", tree / "tables/sample/data.json")) == sample
    said = run("jq", "-c", ".", tree / "tables/sample/data.ndjson").splitlines()
    assert [json.loads(line) for line in said] == sample
    total = run("jq", "-n", "[inputs.n] | add", tree / "tables/series/data.ndjson")
    assert int(total) == series["sum"]


def test_miller(tree: Tree, sample: list[Row], series: Row) -> None:
    said = run("mlr", "--icsv", "--ojson", "-S", "cat", tree / "tables/sample/data.csv")
    text = [{key: str(value) for key, value in row.items()} for row in json.loads(said)]
    assert [row["name"] for row in text] == [row["name"] for row in as_text(sample)]
    assert [row["note"] for row in text] == [row["note"] for row in as_text(sample)]
    assert json.loads(run("mlr", "--json", "cat", tree / "tables/sample/data.json")) == sample
    stats = ["stats1", "-a", "count,sum", "-f", "n"]
    said = run("mlr", "--itsv", "--ojson", *stats, tree / "tables/series/data.tsv")
    assert json.loads(said) == [{"n_count": series["count"], "n_sum": series["sum"]}]


def test_sqlite3_import(tree: Tree, sample: list[Row], series: Row, tmp_path: Path) -> None:
    """By `schema` and data.csv it has the table as it is; without a schema it makes one."""
    said = run(
        "sqlite3",
        tmp_path / "copy.db",
        *(f".read {tree / 'tables/sample/schema'}", ".mode csv"),
        f".import --skip 1 {tree / 'tables/sample/data.csv'} sample",
        f".import {tree / 'tables/series/data.csv'} series",
        *(".mode json", "SELECT * FROM sample ORDER BY id"),
    )
    assert without_null(json.loads(said)) == without_null(sample)
    sums = "SELECT count(*), sum(n), sum(amount) FROM series"
    assert run("sqlite3", tmp_path / "copy.db", sums).strip() == "|".join(
        str(series[key]) for key in ("count", "sum", "amount")
    )


def test_pandas(tree: Tree, sample: list[Row], series: Row) -> None:
    import pandas

    frame = pandas.read_csv(
        tree / "tables/sample/data.csv",
        dtype={"name": str},
        keep_default_na=False,
        na_values={"ratio": ""},
    )
    assert list(frame["name"]) == [row["name"] for row in without_null(sample)]
    assert list(frame["note"]) == [row["note"] for row in without_null(sample)]
    assert list(frame["ratio"].fillna(0)) == [row["ratio"] or 0 for row in sample]
    frame = pandas.read_json(tree / "tables/series/data.ndjson", lines=True)
    assert {"count": len(frame), "sum": frame["n"].sum(), "amount": frame["amount"].sum()} == series


def test_duckdb(tree: Tree, sample: list[Row], series: Row) -> None:
    import duckdb

    with duckdb.connect() as db:

        def ask(sql: str) -> list[tuple[object, ...]]:
            found: list[tuple[object, ...]] = db.execute(sql).fetchall()
            return found

        for reader, file in (("read_csv", "data.csv"), ("read_json", "data.ndjson")):
            path = tree / "tables/series" / file
            found = ask(f"SELECT count(*), sum(n), sum(amount) FROM {reader}('{path}')")
            assert found == [(series["count"], series["sum"], series["amount"])]
        found = ask(f"SELECT * FROM read_json('{tree / 'tables/sample/data.json'}') ORDER BY id")
        assert found == [tuple(row.values()) for row in sample]
