# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Math functions: real, to the last digit, against Python's."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tests.interface.tree import Tree

# Short binary fractions: their decimal text is exact, so that only the function is measured.
UNIT = [k / 64 for k in range(-63, 64, 5)]
WIDE = [k * 0.375 for k in range(-90, 91, 7)]
POSITIVE = [k * 0.3125 for k in range(1, 400, 13)] + [1e-3 * 1.024, 2.0**60, 2.0**-60]

Function = Callable[[float], float]

# Name in SQL, the function in Python, arguments, and how many units in the last place may differ.
ONE_ARGUMENT: list[tuple[str, Function, list[float], int]] = [
    ("acos", math.acos, UNIT, 1),
    ("asin", math.asin, UNIT, 1),
    ("atan", math.atan, WIDE, 1),
    ("cos", math.cos, WIDE, 1),
    ("sin", math.sin, WIDE, 1),
    ("tan", math.tan, WIDE, 1),
    ("exp", math.exp, WIDE, 1),
    ("ln", math.log, POSITIVE, 1),
    ("log10", math.log10, POSITIVE, 1),
    ("log2", math.log2, POSITIVE, 1),
    ("sqrt", math.sqrt, POSITIVE, 0),
    ("sinh", math.sinh, WIDE, 2),
    ("cosh", math.cosh, WIDE, 2),
    ("tanh", math.tanh, WIDE, 2),
    ("asinh", math.asinh, WIDE, 2),
    ("acosh", math.acosh, [1 + value for value in POSITIVE], 2),
    ("atanh", math.atanh, UNIT, 2),
    ("degrees", math.degrees, WIDE, 1),
    ("radians", math.radians, WIDE, 1),
    ("ceil", lambda value: float(math.ceil(value)), WIDE, 0),
    ("ceiling", lambda value: float(math.ceil(value)), WIDE, 0),
    ("floor", lambda value: float(math.floor(value)), WIDE, 0),
    ("trunc", lambda value: float(math.trunc(value)), WIDE, 0),
    ("abs", abs, WIDE, 0),
    ("sign", lambda value: float((value > 0) - (value < 0)), WIDE, 0),
]


def distance(one: float, two: float) -> float:
    """How many units in the last place lie between."""
    return 0.0 if one == two else abs(one - two) / math.ulp(max(abs(one), abs(two)))


@pytest.mark.parametrize(
    ("name", "function", "arguments", "allowed"),
    ONE_ARGUMENT,
    ids=[row[0] for row in ONE_ARGUMENT],
)
def test_function_of_one_argument(
    tree: Tree, name: str, function: Function, arguments: list[float], allowed: int
) -> None:
    values = ",".join(f"({value!r})" for value in arguments)
    tree.run(f"SELECT {name}(column1) AS y FROM (VALUES {values})")
    answers = [float(text) for text in tree.result().split()[1:]]
    assert len(answers) == len(arguments)
    for argument, answer in zip(arguments, answers, strict=True):
        assert distance(answer, function(argument)) <= allowed, f"{name}({argument!r}) = {answer!r}"


def modulo(one: float, two: float) -> float:
    return math.fmod(one, two)


TWO_ARGUMENTS: list[tuple[str, Callable[[float, float], float], int]] = [
    ("pow", math.pow, 1),
    ("power", math.pow, 1),
    ("atan2", math.atan2, 1),
    ("mod", modulo, 0),
]


@pytest.mark.parametrize(
    ("name", "function", "allowed"), TWO_ARGUMENTS, ids=[row[0] for row in TWO_ARGUMENTS]
)
def test_function_of_two_arguments(
    tree: Tree, name: str, function: Callable[[float, float], float], allowed: int
) -> None:
    pairs = [(one, two) for one in POSITIVE[::3] for two in WIDE[::3] if two]
    values = ",".join(f"({one!r},{two!r})" for one, two in pairs)
    tree.run(f"SELECT {name}(column1, column2) AS y FROM (VALUES {values})")
    answers = [float(text) for text in tree.result().split()[1:]]
    for (one, two), answer in zip(pairs, answers, strict=True):
        try:
            expected = function(one, two)
        except OverflowError:
            expected = math.inf
        assert distance(answer, expected) <= allowed, f"{name}({one!r}, {two!r}) = {answer!r}"


def test_constants_and_special_cases(tree: Tree) -> None:
    assert tree.rows(
        "SELECT pi() AS pi, exp(0) AS e0, exp(1000) AS inf, sqrt(2) AS s, pow(2, 0.5) AS p,"
        " ln(0) AS ln0, ln(-1) AS ln1, acos(2) AS acos2, log(100) AS l, log(2, 8) AS l2,"
        " sqrt('x') AS t, sqrt(NULL) AS n, ceil(5) AS c"
    ) == [
        {
            "pi": math.pi,
            "e0": 1.0,
            "inf": math.inf,
            "s": math.sqrt(2),
            "p": math.sqrt(2),
            "ln0": None,
            "ln1": None,
            "acos2": None,
            "l": 2.0,
            "l2": 3.0,
            "t": None,
            "n": None,
            "c": 5,
        }
    ]
