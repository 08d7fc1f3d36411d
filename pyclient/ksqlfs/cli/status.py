# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl status`."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ksqlfs.cli.session import Session, pass_session
from ksqlfs.errors import Error
from ksqlfs.mounts import mount_at
from ksqlfs.transfer import read_facts, read_text

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
# Of info/limits, what is no size: the unit.
_MILLISECONDS = ("timeout", "busy")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def status(session: Session, as_json: bool) -> int:
    """Tell which tree is there, and how it does.

    The exit code is 0 if the tree answers, and 1 if it does not.
    """
    root = session.find_root()
    facts = _facts(root)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for key, value in facts.items():
            click.echo(f"{key:<9} {_words(key, value)}")
    return 0 if facts["answers"] is True else 1


def _facts(root: Path) -> dict[str, Any]:
    info = root / "info"
    mount = mount_at(root)
    return {
        "root": str(root),
        "host": read_facts(info / "features").get("host"),
        "source": None if mount is None else mount.source,
        "options": [] if mount is None else list(mount.options),
        "version": read_text(info / "version").strip(),
        "sqlite": read_text(info / "sqlite_version").partition("\n")[0],
        "answers": _answers(root),
        "tables": len(os.listdir(root / "tables")),
        "limits": _numbers(info / "limits"),
        "memory": _numbers(info / "memory"),
    }


def _numbers(path: Path) -> dict[str, int]:
    return {key: int(value) for key, value in read_facts(path).items()}


def _answers(root: Path) -> bool | str:
    """Whether SQL can be run, or else why not."""
    import ksqlfs

    try:
        with closing(ksqlfs.connect(root)) as db:
            return bool(db.execute("SELECT 6 * 7").fetchone() == (42,))
    except Error as error:
        return str(error)


def _words(key: str, value: Any) -> str:
    """A fact as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_amount(name, number)}" for name, number in value.items())
    if isinstance(value, list):
        return ",".join(value)
    if key == "answers":
        return "yes" if value is True else f"no: {value}"
    return "unknown" if value is None else str(value)


def _amount(name: str, number: int) -> str:
    if name in _MILLISECONDS:
        return f"{number} ms"
    amount, unit = float(number), 0
    while amount >= 1024 and unit + 1 < len(_UNITS):
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.4g} {_UNITS[unit]}"
