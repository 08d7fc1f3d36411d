# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Rendering: rows as CSV, TSV, JSON and NDJSON, byte for byte."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.interface.tree import Row, Tree, parse_csv, quote_name, rows_sql


def answer(tree: Tree, sql: str, form: str) -> str:
    """An answer in a format, by a connection (result.tsv comes later than query.tsv)."""
    with tree.connect(f"query.{form}" if form != "csv" else "query") as connection:
        return connection.ask(sql)


def answer_bytes(tree: Tree, sql: str, form: str) -> bytes:
    with tree.connect(f"query.{form}" if form != "csv" else "query") as connection:
        connection.write(sql)
        return connection.answer()


FORMS = ["csv", "tsv", "json", "ndjson"]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("NULL", ""),
        ("''", '""'),
        ("'x'", "x"),
        ("' x '", " x "),
        ("'a,b'", '"a,b"'),
        ("""'say "hi"'""", '"say ""hi"""'),
        ("""'"'""", '""""'),
        ("'two' || char(10) || 'lines'", '"two\nlines"'),
        ("'cr' || char(13)", '"cr\r"'),
        ("'tab' || char(9)", "tab\t"),
        ("'it''s'", "it's"),
        ("'back\\slash'", "back\\slash"),
        ("'größe 表 😀'", "größe 表 😀"),
        ("1", "1"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.0", "1.0"),
        ("-2.5", "-2.5"),
        ("0.1", "0.1"),
        ("100.0", "100.0"),
        ("9e999", "Inf"),
        ("-9e999", "-Inf"),
        ("x'00ff0a'", "\\x00ff0a"),
        ("x''", "\\x"),
        ("1 = 1", "1"),
        ("'a' || char(0) || 'b'", "a\0b"),
    ],
)
def test_csv_field(tree: Tree, value: str, field: str) -> None:
    assert answer(tree, f"SELECT {value} AS a", "csv") == f"a\n{field}\n"
    assert answer(tree, f"SELECT 1 AS x, {value} AS a, 2 AS y", "csv") == f"x,a,y\n1,{field},2\n"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("NULL", ""),
        ("''", '""'),
        ("'x'", "x"),
        ("'a,b'", "a,b"),
        ("'a' || char(9) || 'b'", "a\\tb"),
        ("'a' || char(10) || 'b'", "a\\nb"),
        ("'a\\b'", "a\\\\b"),
        ("'\\n'", "\\\\n"),
        ("1", "1"),
        ("1.0", "1.0"),
        ("9e999", "Inf"),
        ("x'00ff'", "\\x00ff"),
        ("'größe 表 😀'", "größe 表 😀"),
    ],
)
def test_tsv_field(tree: Tree, value: str, field: str) -> None:
    expected = f"x\ta\ty\n1\t{field}\t2\n"
    assert answer(tree, f"SELECT 1 AS x, {value} AS a, 2 AS y", "tsv") == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("NULL", "null"),
        ("''", '""'),
        ("'x'", '"x"'),
        ("'1'", '"1"'),
        ("1", "1"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.0", "1.0"),
        ("0.1", "0.1"),
        ("9e999", "9e999"),
        ("-9e999", "-9e999"),
        ("""'say "hi"'""", '"say \\"hi\\""'),
        ("'back\\slash'", '"back\\\\slash"'),
        ("'größe 表 😀'", '"größe 表 😀"'),
        ("'/'", '"/"'),
    ],
)
def test_json_value(tree: Tree, value: str, text: str) -> None:
    assert answer(tree, f"SELECT {value} AS a", "json") == f'[{{"a":{text}}}]\n'
    assert answer(tree, f"SELECT {value} AS a", "ndjson") == f'{{"a":{text}}}\n'


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", "a,b\n1,x\n2,\n"),
        ("tsv", "a\tb\n1\tx\n2\t\n"),
        ("json", '[{"a":1,"b":"x"},\n{"a":2,"b":null}]\n'),
        ("ndjson", '{"a":1,"b":"x"}\n{"a":2,"b":null}\n'),
    ],
)
def test_layout(tree: Tree, form: str, expected: str) -> None:
    sql = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL"
    assert answer(tree, sql, form) == expected


@pytest.mark.parametrize(
    ("form", "expected"), [("csv", "a,b\n"), ("tsv", "a\tb\n"), ("json", "[]\n"), ("ndjson", "")]
)
def test_layout_without_rows(tree: Tree, form: str, expected: str) -> None:
    assert answer(tree, "SELECT 1 AS a, 2 AS b WHERE 0", form) == expected


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_result_files_have_the_bytes_of_a_connection(tree: Tree, form: str) -> None:
    sql = "SELECT NULL AS a, '' AS b, 'x,\"y' AS c, x'00' AS d UNION ALL VALUES(1,2,3,4)"
    tree.run(sql)
    name = "result" if form == "csv" else f"result.{form}"
    assert tree.text(name) == answer(tree, sql, form)


# Names of columns


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("plain", "plain"),
        ("a,b", '"a,b"'),
        ('a"b', '"a""b"'),
        ("a\nb", '"a\nb"'),
        ("größe", "größe"),
        ("a b", "a b"),
    ],
)
def test_csv_header_is_quoted_like_a_field(tree: Tree, name: str, field: str) -> None:
    assert answer(tree, f"SELECT 1 AS {quote_name(name)}", "csv") == f"{field}\n1\n"


def test_tsv_header_is_escaped_like_a_field(tree: Tree) -> None:
    assert answer(tree, 'SELECT 1 AS "a\tb", 2 AS "c\\d"', "tsv") == "a\\tb\tc\\\\d\n1\t2\n"


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_keys_are_strings_of_json(tree: Tree, form: str) -> None:
    names = ['a"b', "a\\b", "a\nb", "größe", "", "\x01"]
    columns = ", ".join(f"{number} AS {quote_name(name)}" for number, name in enumerate(names))
    data = json.loads(answer(tree, f"SELECT {columns}", form))
    assert (data if form == "ndjson" else data[0]) == {name: i for i, name in enumerate(names)}


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_repeated_name_gets_a_number(tree: Tree, form: str) -> None:
    text = answer(tree, "SELECT 1 AS a, 2 AS b, 3 AS a, 4 AS a, 5 AS b", form)
    expected = '{"a":1,"b":2,"a_2":3,"a_3":4,"b_2":5}'
    assert text == (f"[{expected}]\n" if form == "json" else f"{expected}\n")


@pytest.mark.parametrize(
    "names", [["a", "a", "a_2"], ["a_2", "a", "a"], ["a", "a_2", "a", "a_2"], ["a"] * 40]
)
def test_keys_are_never_repeated(tree: Tree, names: list[str]) -> None:
    columns = ", ".join(f"{number} AS {name}" for number, name in enumerate(names))
    text = answer(tree, f"SELECT {columns}", "ndjson")
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    assert [value for _, value in pairs] == list(range(len(names)))
    assert len({key for key, _ in pairs}) == len(names)


# Text


CONTROLS = "".join(map(chr, range(1, 32))) + '"\\/\x7f\u2028\ufeff\U0010ffff'


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_escapes_control_characters(tree: Tree, form: str) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(?)", CONTROLS)
    data = json.loads(answer(tree, "SELECT a, a || char(0) || 'x' AS b FROM t", form))
    row = data if form == "ndjson" else data[0]
    assert row == {"a": CONTROLS, "b": CONTROLS + "\0x"}


def test_ndjson_has_one_line_a_row_whatever_is_in_it(tree: Tree) -> None:
    text = answer(tree, "VALUES(char(10)), ('a' || char(13, 10) || 'b'), ('x')", "ndjson")
    rows = [json.loads(line)["column1"] for line in text.splitlines()]
    assert rows == ["\n", "a\r\nb", "x"]


# Bytes that are not UTF-8, in every way that the Unicode standard names.
ILL_FORMED = [
    "FF",
    "80",
    "C0AF",
    "C3",
    "E282",
    "E28241",
    "EDA080",
    "EDBFBF",
    "F0808080",
    "F09F98",
    "F4908080",
    "F8888080",
    "61FF62",
]


@pytest.mark.parametrize("form", FORMS)
def test_text_that_is_not_utf8_is_shown_as_utf8(tree: Tree, form: str) -> None:
    columns = ", ".join(
        f"CAST(x'{code}' AS TEXT) AS c{number}" for number, code in enumerate(ILL_FORMED)
    )
    text = answer_bytes(tree, f"SELECT {columns}", form).decode("utf-8", errors="strict")
    assert text.count("\ufffd") >= len(ILL_FORMED)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", "t\na\ufffdb\n"),
        ("tsv", "t\na\ufffdb\n"),
        ("json", '[{"t":"a\ufffdb"}]\n'),
        ("ndjson", '{"t":"a\ufffdb"}\n'),
    ],
)
def test_a_byte_that_is_no_utf8_is_a_replacement_character(
    tree: Tree, form: str, expected: str
) -> None:
    assert answer(tree, "SELECT CAST(x'61ff62' AS TEXT) AS t", form) == expected


texts = st.text(
    st.one_of(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"),
        st.sampled_from(",\"\n\r\t\\ ;'%"),
    ),
    max_size=10,
)


@given(st.lists(texts, min_size=80, max_size=150))
def test_any_text_survives_csv_and_json(shared_tree: Tree, values: list[str]) -> None:
    rows = ",".join(["(?)"] * len(values))
    shared_tree.run(f"VALUES {rows}", *values)
    text = shared_tree.text("result")
    assert parse_csv(text) == [["column1"], *([value] for value in values)]
    assert [row["column1"] for row in json.loads(shared_tree.text("result.json"))] == values
    lines = shared_tree.text("result.ndjson").split("\n")
    assert [json.loads(line)["column1"] for line in lines[:-1]] == values


@given(st.lists(texts, min_size=80, max_size=150))
def test_any_text_survives_tsv(shared_tree: Tree, values: list[str]) -> None:
    rows = ",".join(["(?)"] * len(values))
    with shared_tree.connect("query.tsv") as connection:
        lines = connection.ask(f"VALUES {rows}", *values).split("\n")

    def unescape(field: str) -> str:
        if field == '""':
            return ""
        return re.sub(r"\\(.)", lambda match: {"t": "\t", "n": "\n"}.get(match[1], match[1]), field)

    assert lines[0] == "column1"
    assert [unescape(line) for line in lines[1:-1]] == values


@given(st.lists(st.binary(max_size=40), min_size=30, max_size=60))
def test_any_blob_survives(shared_tree: Tree, blobs: list[bytes]) -> None:
    rows = ",".join(["(?)"] * len(blobs))
    shared_tree.run(f"VALUES {rows}", *blobs)
    assert shared_tree.text("result").split() == ["column1", *("\\x" + b.hex() for b in blobs)]
    for value, blob in zip(json.loads(shared_tree.text("result.json")), blobs, strict=True):
        assert value["column1"] == {"$base64": base64.b64encode(blob).decode()}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 4_095, 4_096, 65_537])
def test_blobs_of_every_length_modulo_three(tree: Tree, size: int) -> None:
    rows = tree.rows(f"SELECT zeroblob({size}) AS b")
    assert rows == [{"b": {"$base64": base64.b64encode(bytes(size)).decode()}}]


# Reals

POWERS = (
    "WITH RECURSIVE"
    " up(e, v) AS (SELECT 0, 1.0 UNION ALL SELECT e + 1, v * 2.0 FROM up WHERE e < 971),"
    " down(e, v) AS (SELECT 0, 1.0 UNION ALL SELECT e - 1, v / 2.0 FROM down WHERE e > -1074),"
    " pow2(e, v) AS (SELECT e, v FROM up UNION ALL SELECT e, v FROM down WHERE e < 0)"
)


def exact(value: float) -> tuple[int, int]:
    """A double as an integer under 2**53 and the power of two that it is multiplied by."""
    mantissa, exponent = math.frexp(value)
    scale = max(exponent - 53, -1074)
    return int(math.ldexp(mantissa, exponent - scale)), scale


def digits(text: str) -> int:
    """How many significant digits a decimal number is written with."""
    mantissa = re.split("[eE]", text)[0].lstrip("-").replace(".", "").lstrip("0")
    return len(mantissa.rstrip("0")) or 1


EDGES = [
    *(0.0, 1.0, -1.0, 0.1, 0.5, 1 / 3, 2 / 3, 100.0, 1e15, 1e16, 1e17, 123456789012345.6),
    *(5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308),
    *(1e22, 1e23, 9007199254740991.0, 9007199254740992.0, 9007199254740994.0, 2.0**63, -(2.0**63)),
    *(5e-5, 1e-5, 9.5e-7, 299792458.0, 6.02214076e23, 4.35, 0.3, 2.675, 1.005, 1e21, 1e100),
    *(9.999999999999999e22, 1.2345678901234567e-300, 4.4501477170144023e-308, 8.41e21),
]


def check_reals(tree: Tree, values: list[float]) -> None:
    """Build each double exactly in SQL, and compare what is shown of it with the double."""
    rows = ",".join(f"({i},{m},{e})" for i, (m, e) in enumerate(map(exact, values)))
    tree.run(
        "DROP TABLE IF EXISTS p; CREATE TEMP TABLE p(e INTEGER PRIMARY KEY, v REAL);"
        f"INSERT INTO p {POWERS} SELECT e, v FROM pow2;"
        f"WITH d(i, m, e) AS (VALUES {rows}) SELECT m * p.v AS r FROM d JOIN p USING(e) ORDER BY i"
    )
    shown = tree.text("result").split()[1:]
    assert [float(text) for text in shown] == values
    for text, value in zip(shown, values, strict=True):
        assert digits(text) == digits(repr(value)), f"{text} for {value!r}"
        assert re.search("[.e]", text), f"{text} reads as an integer"
    parsed: list[Row] = json.loads(tree.text("result.json"))
    assert all(isinstance(row["r"], float) for row in parsed)
    assert [row["r"] for row in parsed] == values


def test_reals_that_are_hard_to_print(tree: Tree) -> None:
    check_reals(tree, EDGES)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=150, max_size=250)
)
def test_every_real_is_shown_with_the_fewest_digits_that_give_it_back(
    shared_tree: Tree, values: list[float]
) -> None:
    check_reals(shared_tree, [value + 0.0 for value in values])


@given(st.lists(st.integers(-(10**9), 10**9), min_size=150, max_size=250))
def test_decimals_of_everyday_are_shown_as_typed(shared_tree: Tree, cents: list[int]) -> None:
    typed = [f"{number / 100:.2f}".rstrip("0") for number in cents]
    typed = [text + "0" if text.endswith(".") else text for text in typed]
    shared_tree.run("VALUES " + ",".join(f"({text})" for text in typed))
    assert shared_tree.text("result").split()[1:] == typed


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=150, max_size=250))
def test_every_real_typed_with_17_digits_is_read_exactly(
    shared_tree: Tree, values: list[float]
) -> None:
    values = [value + 0.0 for value in values]
    shared_tree.run("VALUES " + ",".join(f"({value!r})" for value in values))
    assert [float(text) for text in shared_tree.text("result").split()[1:]] == values


def test_infinite_reals_are_json_that_reads_back_as_infinite(tree: Tree) -> None:
    (row,) = tree.rows("SELECT 9e999 AS a, -9e999 AS b")
    assert row == {"a": math.inf, "b": -math.inf}


def test_not_a_number_is_null(tree: Tree) -> None:
    assert tree.rows("SELECT 9e999 - 9e999 AS a, sqrt(-1) AS b") == [{"a": None, "b": None}]


def test_integers_of_64_bits_keep_every_digit(tree: Tree) -> None:
    values = [sign * (2**bit + step) for bit in range(63) for sign in (1, -1) for step in (-1, 0)]
    values += [2**63 - 1, -(2**63)]
    tree.run("VALUES " + ",".join(f"({value})" for value in values))
    assert tree.text("result").split()[1:] == list(map(str, values))
    assert [row["column1"] for row in json.loads(tree.text("result.json"))] == values


# Size


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [4_090, 4_096, 65_530, 65_536, 300_000])
def test_fields_larger_than_a_buffer(tree: Tree, form: str, size: int) -> None:
    text = answer(tree, f"SELECT replace(hex(zeroblob({size})), '00', 'x') AS a, 1 AS b", form)
    value = "x" * size
    assert (
        text
        == {
            "csv": f"a,b\n{value},1\n",
            "tsv": f"a\tb\n{value}\t1\n",
            "json": f'[{{"a":"{value}","b":1}}]\n',
            "ndjson": f'{{"a":"{value}","b":1}}\n',
        }[form]
    )


@pytest.mark.parametrize("form", FORMS)
def test_fields_that_grow_when_escaped_across_buffers(tree: Tree, form: str) -> None:
    special = {"csv": '"', "tsv": "\t", "json": '"', "ndjson": "\n"}[form]
    escaped = {"csv": '""', "tsv": "\\t", "json": '\\"', "ndjson": "\\n"}[form]
    with tree.connect(f"query.{form}" if form != "csv" else "query") as connection:
        text = connection.ask("SELECT ? AS a", special * 70_001)
    assert text.count(escaped) == 70_001 + (form == "csv")  # and its two quotes


@pytest.mark.parametrize("form", FORMS)
def test_many_rows(tree: Tree, form: str) -> None:
    text = answer(tree, rows_sql(5_000, "n, 'r' || n AS r"), form)
    numbers = range(1, 5_001)
    assert (
        text
        == {
            "csv": "n,r\n" + "".join(f"{n},r{n}\n" for n in numbers),
            "tsv": "n\tr\n" + "".join(f"{n}\tr{n}\n" for n in numbers),
            "json": "[" + ",\n".join(f'{{"n":{n},"r":"r{n}"}}' for n in numbers) + "]\n",
            "ndjson": "".join(f'{{"n":{n},"r":"r{n}"}}\n' for n in numbers),
        }[form]
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_columns(tree: Tree, form: str) -> None:
    text = answer(tree, "SELECT " + ",".join(f"{n} AS c{n}" for n in range(1_000)), form)
    if form in ("csv", "tsv"):
        header, row = parse_csv(text, "," if form == "csv" else "\t")
        assert dict(zip(header, row, strict=True)) == {f"c{n}": str(n) for n in range(1_000)}
    else:
        data = json.loads(text)
        assert (data[0] if form == "json" else data) == {f"c{n}": n for n in range(1_000)}
