# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl mount` and `umount`, and `ksqlfs`, which mount(8) calls for the type fuse.ksqlfs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ksqlfs.cli.failure import NoTreeFailure
from ksqlfs.fuse import mounting
from ksqlfs.fuse.options import OptionError, Options
from ksqlfs.paths import SYSTEM_ROOT


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except OptionError as error:
        raise click.UsageError(str(error)) from error
    except mounting.MountError as error:
        raise NoTreeFailure(str(error)) from error


def _usual_directory() -> Path:
    """Where clients look: made if it is not there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if os.geteuid() != 0 and not runtime:
        raise click.UsageError("name a directory: there is no XDG_RUNTIME_DIR to put one in")
    directory = SYSTEM_ROOT if os.geteuid() == 0 else Path(runtime or "", "ksql")
    # A dead mount cannot be looked at, nor made.
    if not os.path.lexists(directory):
        try:
            directory.mkdir()
        except OSError as error:
            raise NoTreeFailure(f"{directory}: {error.strerror}") from error
    return directory


OPTIONS_HELP = (
    "Mount options, as in fstab: uid=N, gid=N, mode=OCTAL, metrics_mode=OCTAL, size=SIZE,"
    " exact=SIZE, max_result=SIZE, max_sql=SIZE, timeout=MS, busy=MS, sessions=N,"
    " statements=N, zero=1, rom=FILE, ro, allow_other, remount.  May be given more than once."
)


@click.command("mount")
@click.argument("directory", required=False, type=click.Path(path_type=Path, readable=False))
@click.option("-o", "--options", "words", multiple=True, metavar="OPTIONS", help=OPTIONS_HELP)
@click.option(
    "--source",
    metavar="NAME",
    default=mounting.DEFAULT_SOURCE,
    show_default=True,
    help="The database's name, for /proc/mounts.",
)
@click.option("--foreground", "-f", is_flag=True, help="Serve until unmounted or ended by SIGTERM.")
@click.option(
    "--allow-other",
    is_flag=True,
    help="Let other users in, as far as mode= does.  For root that is always so; for others"
    " /etc/fuse.conf must have user_allow_other.",
)
def mount(
    directory: Path | None, words: tuple[str, ...], source: str, foreground: bool, allow_other: bool
) -> None:
    """Mount a tree at DIRECTORY without the kernel module, by FUSE.

    The directory must exist.  Without one it is /run/ksql for root, $XDG_RUNTIME_DIR/ksql for
    others, where clients find it by themselves.  Returns when the tree answers; a process in the
    background serves it until it is unmounted, and its data goes with it.  A dead mount in that
    place is taken away first.
    """
    with _failures():
        options = Options.parse(words)
        options.allow_other = True if allow_other else options.allow_other
        place = directory or _usual_directory()
        if options.remount:
            mounting.remount(place, options)
        else:
            mounting.mount(place, source, options, foreground=foreground)


@click.command("umount")
@click.argument("directory", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--lazy", "-l", is_flag=True, help="At once: also while it is in use, or its server is dead."
)
@click.option(
    "--force", is_flag=True, help="The same, and whoever waits for the server stops waiting."
)
def umount(directory: Path, lazy: bool, force: bool) -> None:
    """Unmount the tree at DIRECTORY; its database goes with its last mount."""
    with _failures():
        mounting.unmount(directory, lazy=lazy, force=force)


@click.command("ksqlfs", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source")
@click.argument("directory", type=click.Path(path_type=Path, readable=False))
@click.option("-o", "words", multiple=True, metavar="OPTIONS", help=OPTIONS_HELP)
def helper(source: str, directory: Path, words: tuple[str, ...]) -> None:
    """Mount the database SOURCE at DIRECTORY: for `mount -t fuse.ksqlfs` and fstab.

    People use `ksqlctl mount`.
    """
    with _failures():
        options = Options.parse(words)
        if options.remount:
            mounting.remount(directory, options)
        else:
            mounting.mount(directory, source, options)


def helper_main() -> None:
    """Run `ksqlfs` with the arguments of this process."""
    helper.main(prog_name="ksqlfs")
