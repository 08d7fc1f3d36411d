# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl load` and `ksqlctl unload`: the kernel module."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import click

from ksqlfs.cli.failure import BadFileFailure, Failure, NoTreeFailure
from ksqlfs.cli.render import counted
from ksqlfs.cli.session import Session, confirm, pass_session
from ksqlfs.mounts import KERNEL_TYPE, Mount, ksqlfs_mounts
from ksqlfs.paths import KERNEL_ROOT

LOADED = Path("/sys/module/ksqlfs")
# What insmod and modprobe say, and what it means.
_MEANINGS = {
    "key was rejected": "this kernel takes signed modules alone (Secure Boot): sign the module by a"
    " key that the machine knows, or use `ksqlctl mount`",
    "required key not available": "this kernel takes signed modules alone (Secure Boot): sign the"
    " module by a key that the machine knows, or use `ksqlctl mount`",
    "invalid module format": "it is built for another kernel: build it by `make module` with the"
    " headers of this one",
    "is in use": "another mount namespace, such as a container's, has it mounted",
    "not found": "name the file that `make module` has built, or use `ksqlctl mount`",
    "operation not permitted": "this kernel, or the container, lets nobody load modules: use"
    " `ksqlctl mount`",
}


@click.command()
@click.argument("module", required=False, type=click.Path(path_type=Path, readable=False))
@click.option("-o", "options", metavar="OPTIONS", help="Mount options, as of mount(8).")
@click.option(
    "--source", default="ksqlfs", show_default=True, metavar="NAME", help="The database's name."
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the module, such as mem_limit=268435456; may be repeated.",
)
@pass_session
def load(
    session: Session,
    module: Path | None,
    options: str | None,
    source: str,
    parameters: tuple[str, ...],
) -> None:
    """Load the kernel module and mount its tree at /sys/kernel/ksql.

    MODULE is the file to load; without it the one that is installed is taken, by modprobe.  What
    is loaded or mounted already stays as it is.
    """
    _need_root()
    loaded = LOADED.exists()
    if not loaded:
        if module is not None and not module.is_file():
            raise BadFileFailure(f"{module}: no such file; `make module` builds it")
        command = ["insmod", str(module)] if module else ["modprobe", "ksqlfs"]
        _run(session, [*command, *parameters])
    if any(mount.directory == KERNEL_ROOT for mount in _mounts()):
        session.say(f"{KERNEL_ROOT} is mounted already")
        return
    try:
        words = ["-o", options] if options else []
        _run(session, ["mount", "-t", KERNEL_TYPE, *words, source, str(KERNEL_ROOT)])
    except Failure:
        if not loaded:
            _run(session, ["rmmod", "ksqlfs"])
        raise


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Drop the data that the databases hold unasked.")
@pass_session
def unload(session: Session, yes: bool) -> None:
    """Unmount the kernel's tree and unload the module.

    The databases are in memory, and go with it: `ksqlctl save` keeps one.  Nothing happens while a
    process uses the tree.
    """
    _need_root()
    if not LOADED.exists():
        session.say("the module is not loaded")
        return
    mounts = _mounts()
    if holders := _holders([mount.directory for mount in mounts]):
        raise Failure(f"the tree is in use by {', '.join(holders)}; end that first")
    tables = sum(len(os.listdir(mount.directory / "tables")) for mount in mounts)
    if tables and not yes:
        confirm(f"{counted(tables, 'table')} would be lost.")
    for mount in reversed(mounts):
        _run(session, ["umount", str(mount.directory)])
    _run(session, ["rmmod", "ksqlfs"])


def _need_root() -> None:
    if os.geteuid() != 0:
        raise NoTreeFailure("only root can load and unload the module; use sudo")


def _mounts() -> list[Mount]:
    return [mount for mount in ksqlfs_mounts() if mount.type == KERNEL_TYPE]


def _run(session: Session, command: list[str]) -> None:
    session.say(" ".join(command))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoTreeFailure(
            f"there is no {command[0]} here; install the packages kmod and mount"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"{command[0]} failed"
        meaning = next((m for words, m in _MEANINGS.items() if words in said.lower()), None)
        if meaning is None and command[0] == "mount":
            meaning = "`dmesg` has the kernel's reason"
        raise NoTreeFailure(f"{said}; {meaning}" if meaning else said)


def _holders(directories: list[Path]) -> list[str]:
    """The processes that have something below the directories open, by name and number."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            links = [process / "cwd", process / "root", *(process / "fd").iterdir()]
            if any(_is_below(link, directories) for link in links):
                found.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
    return found


def _is_below(link: Path, directories: list[Path]) -> bool:
    with suppress(OSError):
        target = Path(os.readlink(link))
        return any(target.is_relative_to(directory) for directory in directories)
    return False
