# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Rows in every format, read back by Python's own readers."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import random
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.engine import Db, File

Value = None | int | float | str | bytes
FORMATS = ("", ".tsv", ".json", ".ndjson")
DONE = b'{"changes":0,"last_insert_rowid":0,"in_transaction":false}\n'

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    TEXT,
    st.text("\",\n\r\t\\'a\0é", max_size=8),
    st.binary(max_size=30),
)


def literal(value: Value) -> bytes:
    """A value in SQL."""
    if value is None:
        return b"NULL"
    if isinstance(value, int):
        return b"(-9223372036854775807 - 1)" if value == -(1 << 63) else b"%d" % value
    if isinstance(value, float):
        if math.isinf(value):
            return b"9e999" if value > 0 else b"-9e999"
        return repr(value).encode()
    if isinstance(value, bytes):
        return b"x'%s'" % value.hex().encode()
    return b"CAST(x'%s' AS TEXT)" % value.encode().hex().encode()


def name(text: str) -> str:
    """A column's name in SQL."""
    return '"' + text.replace('"', '""') + '"'


def answers(db: Db, rows: Sequence[Sequence[Value]], names: Sequence[str]) -> list[str]:
    """The same rows in every format."""
    columns = ", ".join(f"column{i + 1} AS {name(n)}" for i, n in enumerate(names))
    values = b", ".join(b"(" + b", ".join(map(literal, row)) + b")" for row in rows)
    sql = f"SELECT {columns} FROM (VALUES ".encode() + values + b")"
    db.batch(sql)
    pinned = [db.text("result" + suffix) for suffix in FORMATS]
    for suffix, text in zip(FORMATS, pinned, strict=True):
        with db.session("query" + suffix) as session:
            assert session.ask(sql).decode() == text
    check_rows(db, sql, rows, names)
    return pinned


def check_rows(db: Db, sql: bytes, rows: Sequence[Sequence[Value]], names: Sequence[str]) -> None:
    """query.rows has the names, the values, and its last line."""
    with db.session("query.rows") as session:
        answer = session.ask(sql)
    assert answer.endswith(b"]\n" + DONE)
    head, *found = (json.loads(line) for line in answer.split(b"\n")[:-2])
    assert head == list(names)
    for values, row in zip(found, rows, strict=True):
        for value, expected in zip(values, row, strict=True):
            assert same(value, expected), (value, expected)


def csv_cell(value: Value) -> str:
    """What a CSV reader has of a value."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value if isinstance(value, str) else str(value)


def same(found: object, value: Value) -> bool:
    """Is what JSON has the value?"""
    if isinstance(value, bytes):
        return isinstance(found, dict) and base64.b64decode(found["$base64"]) == value
    if isinstance(value, float):
        return isinstance(found, float) and struct.pack("d", found) == struct.pack("d", value)
    return type(found) is type(value) and found == value


def check_csv(text: str, rows: Sequence[Sequence[Value]], names: Sequence[str]) -> None:
    """Python's reader has the same cells."""
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    if len(names) == 1:
        read = [row or [""] for row in read]
    assert read[0] == list(names)
    assert len(read) == len(rows) + 1
    for cells, row in zip(read[1:], rows, strict=True):
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, float):
                back = math.inf if cell == "Inf" else -math.inf if cell == "-Inf" else float(cell)
                assert struct.pack("d", back) == struct.pack("d", value)
                assert any(c in cell for c in ".eIn")
            else:
                assert cell == csv_cell(value)


def check_tsv(text: str, rows: Sequence[Sequence[Value]]) -> None:
    """Lines of tabs, unescaped."""
    lines = text.removesuffix("\n").split("\n")[1:]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        for cell, value in zip(line.split("\t"), row, strict=True):
            if isinstance(value, str):
                assert cell == (value.translate({9: "\\t", 10: "\\n", 92: "\\\\"}) or '""')
            elif not isinstance(value, float):
                assert cell == csv_cell(value)


@settings(max_examples=150)
@given(st.data())
def test_any_rows(db: Db, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(
        st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=5)
    )
    some = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
    names = data.draw(st.lists(some, min_size=width, max_size=width, unique=True))
    as_csv, as_tsv, as_json, as_ndjson = answers(db, rows, names)
    check_csv(as_csv, rows, names)
    check_tsv(as_tsv, rows)
    found = json.loads(as_json)
    assert found == [json.loads(line) for line in as_ndjson.removesuffix("\n").split("\n")]
    for record, row in zip(found, rows, strict=True):
        assert list(record) == names
        for value, expected in zip(record.values(), row, strict=True):
            assert same(value, expected), (value, expected)


def test_exact_bytes(db: Db) -> None:
    rows: list[list[Value]] = [
        [None, 1, 1.0, "plain", b"\x00\xff"],
        ["", -5, -1.5e300, 'quo"te', b""],
        ["a,b", 1 << 62, 0.1, "line\nbreak", b"abc"],
        ["\r", 0, -0.0, "tab\tback\\slash", None],
    ]
    text = answers(db, rows, ["n", "i", "r", "t", "b"])
    assert text[0] == (
        "n,i,r,t,b\n"
        ",1,1.0,plain,\\x00ff\n"
        '"",-5,-1.5e+300,"quo""te",\\x\n'
        '"a,b",4611686018427387904,0.1,"line\nbreak",\\x616263\n'
        '"\r",0,-0.0,tab\tback\\slash,\n'
    )
    assert text[1] == (
        "n\ti\tr\tt\tb\n"
        "\t1\t1.0\tplain\t\\x00ff\n"
        '""\t-5\t-1.5e+300\tquo"te\t\\x\n'
        "a,b\t4611686018427387904\t0.1\tline\\nbreak\t\\x616263\n"
        "\r\t0\t-0.0\ttab\\tback\\\\slash\t\n"
    )
    assert text[3] == (
        '{"n":null,"i":1,"r":1.0,"t":"plain","b":{"$base64":"AP8="}}\n'
        '{"n":"","i":-5,"r":-1.5e+300,"t":"quo\\"te","b":{"$base64":""}}\n'
        '{"n":"a,b","i":4611686018427387904,"r":0.1,"t":"line\\nbreak",'
        '"b":{"$base64":"YWJj"}}\n'
        '{"n":"\\r","i":0,"r":-0.0,"t":"tab\\tback\\\\slash","b":null}\n'
    )
    assert text[2] == "[" + text[3].removesuffix("\n").replace("}\n{", "},\n{") + "]\n"


def test_no_rows(db: Db) -> None:
    db.batch("SELECT 1 AS a, 2 AS b WHERE 0")
    assert [db.text("result" + suffix) for suffix in FORMATS] == ["a,b\n", "a\tb\n", "[]\n", ""]
    db.batch("CREATE TABLE t(a)")
    assert [db.text("result" + suffix) for suffix in FORMATS] == ["", "", "[]\n", ""]


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a", "a"], ["a", "a_2"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a_2", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a", "a_2", "a", "a"], ["a", "a_2", "a_3", "a_4"]),
        (["a", "a_3", "a", "a", "a"], ["a", "a_3", "a_2", "a_4", "a_5"]),
        (["", "", "_2"], ["", "_3", "_2"]),
        (["a", "A"], ["a", "A"]),
        (["a_2", "a", "a", "a_2"], ["a_2", "a", "a_3", "a_2_2"]),
    ],
)
def test_repeated_names(db: Db, names: list[str], keys: list[str]) -> None:
    text = answers(db, [list(range(len(names)))], names)
    pairs = json.loads(text[2], object_pairs_hook=list)[0]
    found = [key for key, _ in pairs]
    assert len(set(found)) == len(names)
    assert found == keys
    assert [value for _, value in pairs] == list(range(len(names)))
    assert text[0].split("\n")[0] == ",".join(n or '""' for n in names)


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3", "b_2", "a_2_2", "A"]), max_size=12))
def test_keys_are_never_repeated(db: Db, names: list[str]) -> None:
    if not names:
        return
    db.batch("SELECT " + ", ".join(f"{i} AS {n}" for i, n in enumerate(names)))
    (pairs,) = json.loads(db.text("result.json"), object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys)
    assert {*names} <= {*keys}


def test_many_repeated_names_are_quick(db: Db) -> None:
    names = [f"a_{i}" for i in range(2, 900)] + ["a"] * 900
    db.batch("SELECT " + ", ".join(f"1 AS {n}" for n in names))
    (pairs,) = json.loads(db.text("result.json"), object_pairs_hook=list)
    assert len({key for key, _ in pairs}) == len(names)
    assert int(db.facts("status")["usec"]) < 2_000_000


@given(st.binary(max_size=40))
def test_invalid_utf8(db: Db, raw: bytes) -> None:
    """Each byte that belongs to no character is U+FFFD."""
    expected = ""
    at = 0
    while at < len(raw):
        for size in (1, 2, 3, 4):
            try:
                expected += raw[at : at + size].decode()
            except UnicodeDecodeError:
                continue
            if len(raw) - at >= size:
                at += size
                break
        else:
            expected += "\N{REPLACEMENT CHARACTER}"
            at += 1
    db.batch(b"SELECT CAST(x'%s' AS TEXT) AS a" % raw.hex().encode())
    assert json.loads(db.text("result.json"))[0]["a"] == expected
    assert db.cat("value").decode() == expected + "\n"


def test_value_is_bare(db: Db) -> None:
    for sql, text in (
        ("SELECT 'a,\"b\nc'", 'a,"b\nc\n'),
        ("SELECT NULL", "\n"),
        ("SELECT ''", "\n"),
        ("SELECT 1.5", "1.5\n"),
        ("SELECT x'ab'", "\\xab\n"),
        ("SELECT 1, 2", "1\n"),
        ("SELECT 1 WHERE 0", ""),
        ("SELECT 9e999", "Inf\n"),
    ):
        db.batch(sql)
        assert db.text("value") == text, sql


# Reals --------------------------------------------------------------------------------------------


def digits(text: str) -> int:
    """How many significant digits a number is written with."""
    mantissa = text.lower().split("e")[0].replace(".", "").replace("-", "").strip("0")
    return len(mantissa)


def written(session: File, numbers: list[float]) -> list[str]:
    """How the engine writes numbers, given exactly."""
    request = b"SELECT " + b", ".join([b"?"] * len(numbers)) + b"\0"
    request += b"".join(b"\x02" + repr(n).encode() + b"\0" for n in numbers)
    return session.ask(request).decode().splitlines()[1].split(",")


def check_reals(db: Db, numbers: list[float]) -> int:
    """All read back as themselves; how many have more digits than Python's repr()."""
    longer = 0
    with db.session() as session:
        for i in range(0, len(numbers), 500):
            some = numbers[i : i + 500]
            for number, text in zip(some, written(session, some), strict=True):
                assert struct.pack("d", float(text)) == struct.pack("d", number), (number, text)
                extra = digits(text) - digits(repr(number))
                assert 0 <= extra <= 1, (number, text)
                longer += extra
    return longer


def test_powers_of_two(db: Db) -> None:
    numbers = [math.ldexp(1, e) for e in range(-1074, 1024)]
    assert check_reals(db, numbers) == 0


def test_powers_of_ten_and_neighbours(db: Db) -> None:
    numbers = []
    for e in range(-323, 309):
        number = float(f"1e{e}")
        numbers += [number, math.nextafter(number, 0), math.nextafter(number, math.inf), 9 * number]
    numbers = [n for n in numbers if not math.isinf(n)]
    assert check_reals(db, numbers) == 0


def test_random_reals(db: Db, sanitized: bool) -> None:
    source = random.Random(1)
    numbers: list[float] = []
    while len(numbers) < (5_000 if sanitized else 60_000):
        (number,) = struct.unpack("d", source.randbytes(8))
        if math.isfinite(number):
            numbers.append(number)
    numbers += [source.uniform(-1000, 1000) for _ in range(5000)]
    numbers += [round(source.uniform(-1000, 1000), 2) for _ in range(5000)]
    numbers += [math.ldexp(source.randrange(1, 1 << 20), -1074) for _ in range(2000)]
    assert check_reals(db, numbers) == 0


def test_edges_of_reals(db: Db) -> None:
    numbers = [
        0.0,
        -0.0,
        5e-324,
        2.2250738585072014e-308,
        2.225073858507201e-308,
        1.7976931348623157e308,
        0.1,
        1 / 3,
        9007199254740993.0,
        9007199254740992.0,
        123456789012345680.0,
        1e15,
        1e16,
        1e17,
        1e21,
        1e22,
        1e23,
        2.0**63,
        4.35,
        0.3,
        2.675,
        1.1125369292536007e-308,
        4503599627370496.5,
        1.0000000000000002,
        72057594037927945.0,
    ]
    assert check_reals(db, numbers) == 0
    with db.session() as session:
        for number, text in zip(numbers, written(session, numbers), strict=True):
            assert "." in text, number
