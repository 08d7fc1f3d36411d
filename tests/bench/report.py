# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A figure beside its reference and its goal: the lines of the tables that `make bench` prints."""

from __future__ import annotations

from tabulate import tabulate

HEADERS = ["what", "figure", "reference", "ratio", "goal", "met"]


def at_most(what: str, figure: float, reference: float, unit: str, goal: float) -> list[str]:
    """A line whose figure may be `goal` times its reference at most."""
    ratio = figure / reference
    return [
        what,
        f"{figure:,.1f} {unit}",
        f"{reference:,.1f} {unit}",
        f"{ratio:.2f}",
        f"{goal:.2f}",
        "yes" if ratio <= goal else "no",
    ]


def times(
    what: str, figure: float, reference: float, unit: str, goal: float | None, most: bool = False
) -> list[str]:
    """A line whose figure must be `goal` times its reference: at least, or at most."""
    ratio = figure / reference
    met = goal is not None and (ratio <= goal if most else ratio >= goal)
    return [
        what,
        f"{figure:,.1f} {unit}" if most else f"{figure:,.0f} {unit}",
        f"{reference:,.1f} {unit}" if most else f"{reference:,.0f} {unit}",
        f"{ratio:.2f}",
        "" if goal is None else f"{'≤' if most else '≥'} {goal:.2f}",
        "" if goal is None else "yes" if met else "no",
    ]


def at_least(what: str, figure: float, reference: float, unit: str, goal: float) -> list[str]:
    """A line whose figure, in `unit`, must be `goal` at least; the reference is for comparison."""
    return [
        what,
        f"{figure:,.0f} {unit}",
        f"{reference:,.0f} {unit}",
        f"{figure / reference:.2f}",
        f"≥ {goal:,.0f} {unit}",
        "yes" if figure >= goal else "no",
    ]


def within(what: str, figure: float, unit: str, goal: float) -> list[str]:
    """A line whose figure may be `goal` at most, in the same unit."""
    return [
        what,
        f"{figure:,.1f} {unit}",
        "",
        "",
        f"≤ {goal:,.0f} {unit}",
        "yes" if figure <= goal else "no",
    ]


def beside(what: str, figure: float, unit: str) -> list[str]:
    """A line without a goal, to compare with."""
    return [what, f"{figure:,.1f} {unit}", "", "", "", ""]


def show(lines: list[list[str]]) -> None:
    """Print them as a table."""
    print(tabulate(lines, HEADERS, tablefmt="github", disable_numparse=True))
