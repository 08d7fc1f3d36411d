# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""docs/ksqlctl.md is held against the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ksqlfs.cli import COMMANDS, EXIT_CODES, cli

PAGE = (Path(__file__).resolve().parents[2] / "docs/ksqlctl.md").read_text()


def sections() -> dict[str, str]:
    """What the page says below the heading of each command."""
    parts = re.split(r"^### ksqlctl (\w+)$", PAGE.partition("\n## Commands\n")[2], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def options(of: click.Command) -> Iterator[str]:
    """Every way to write each option."""
    for parameter in of.params:
        if isinstance(parameter, click.Option):
            yield from parameter.opts


def test_the_page_has_each_command_and_no_other() -> None:
    assert list(sections()) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_there_and_no_other(name: str) -> None:
    told = set(re.findall(r"^\| (`-.*?) \|", sections()[name], flags=re.M))
    told = {word for cell in told for word in re.findall(r"(?<![\w-])--?[\w-]+", cell)}
    assert told == set(options(command(name)))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_synopsis_is_that_of_help(name: str) -> None:
    usage = command(name).get_usage(click.Context(command(name), info_name=f"ksqlctl {name}"))
    synopsis = " ".join(usage.removeprefix("Usage: ").split())
    assert f"\n```\n{synopsis}\n```\n" in sections()[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_there_for_each_command(name: str) -> None:
    found = command(name)
    assert found.help
    assert all(option.help for option in found.params if isinstance(option, click.Option))
    assert COMMANDS[name][1].endswith(".")


def test_global_options_are_there() -> None:
    head = PAGE.partition("\n## Commands\n")[0]
    for option in options(cli):
        assert f"`{option}" in head, option


def test_exit_codes_are_those_of_help() -> None:
    told = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, flags=re.M)
    shown = re.findall(r"^ +(\d+) +(.*)$", EXIT_CODES, flags=re.M)
    assert told == shown
