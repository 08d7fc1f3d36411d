# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`ksqlctl doctor`."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from ksqlfs.cli.session import Session, pass_session
from ksqlfs.errors import Error
from ksqlfs.mounts import ksqlfs_mounts

EFI_SECURE_BOOT = Path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
# What an extra of the package brings: its name, the module to look for, and what it is for.
_EXTRAS = (
    ("shell", "prompt_toolkit", "history and completion in `ksqlctl shell`"),
    ("plot", "plotext", "`ksqlctl watch --plot`"),
    ("sqlalchemy", "sqlalchemy", "ksqlfs:// in SQLAlchemy"),
    ("pandas", "pandas", "pandas.read_sql and to_sql"),
)


@dataclass
class Check:
    """One thing that was looked at.

    `state` is `ok`, `missing`, or `not needed` for what is missing and can be done without;
    `remedy` says what to do about the latter two.
    """

    topic: str
    name: str
    state: str
    found: str
    remedy: str = ""


def _check(topic: str, name: str, good: bool, found: str, remedy: str = "") -> Check:
    return Check(topic, name, "ok" if good else "missing", found, "" if good else remedy)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def doctor(session: Session, as_json: bool) -> int:
    """Tell what this machine can do, and what is missing.

    The exit code is 1 if something is missing that is needed.  A tree that answers is; where there
    is none, also what one of the two ways to it wants, the kernel module or FUSE.
    """
    checks = examine(session)
    well = all(check.state != "missing" for check in checks)
    if as_json:
        click.echo(json.dumps({"well": well, "checks": [asdict(check) for check in checks]}))
        return 0 if well else 1
    topic = ""
    for check in checks:
        if check.topic != topic:
            click.echo(f"{'' if not topic else chr(10)}{check.topic}")
            topic = check.topic
        click.echo(f"  {check.state:<10}  {check.name}: {check.found}")
        if check.remedy:
            click.echo(f"{'':14}{check.remedy}")
    return 0 if well else 1


def examine(session: Session) -> list[Check]:
    """Look at everything."""
    tree, kernel, fuse = list(_tree(session)), list(_kernel()), list(_fuse())
    _excuse_ways(
        any(check.name == "answers" and check.state == "ok" for check in tree), kernel, fuse
    )
    extras = [
        _check(
            "Python",
            module,
            find_spec(module) is not None,
            purpose,
            f"pip install 'ksqlfs[{extra}]'",
        )
        for extra, module, purpose in _EXTRAS
    ]
    _excuse(extras)
    return [*tree, *kernel, *fuse, *extras]


def _excuse_ways(answers: bool, kernel: list[Check], fuse: list[Check]) -> None:
    """What one way to a tree lacks is not needed where the other is complete, or a tree answers."""
    lacks_kernel, lacks_fuse = (
        any(check.state == "missing" for check in way) for way in (kernel, fuse)
    )
    if answers or not lacks_fuse:
        _excuse(kernel)
    if answers or not lacks_kernel:
        _excuse(fuse)


def _excuse(checks: list[Check]) -> None:
    for check in checks:
        if check.state == "missing":
            check.state = "not needed"


def _tree(session: Session) -> Iterator[Check]:
    """The tree that would be used, and mounts that are dead."""
    from ksqlfs import connect, find_root

    topic = "Tree"
    try:
        root = find_root(session.root)
        yield _check(topic, "found", True, str(root))
        with closing(connect(root)) as db:
            answer = db.execute("SELECT 6 * 7").fetchone()
        yield _check(topic, "answers", answer == (42,), f"SELECT 6 * 7 gives {answer[0]}")
    except Error as error:
        sentence, _, remedy = str(error).rstrip(".").partition(": ")
        yield _check(topic, "answers", False, sentence, remedy)
    for mount in ksqlfs_mounts():
        try:
            os.stat(mount.directory)
        except PermissionError:
            pass
        except OSError as error:
            yield _check(
                topic,
                "mount",
                False,
                f"{mount.directory} is dead ({error.strerror})",
                f"ksqlctl umount --lazy {mount.directory}",
            )


def _kernel() -> Iterator[Check]:
    """The kernel module."""
    topic = "Kernel module"
    machine, release = platform.machine(), platform.release()
    yield _check(topic, "processor", machine == "x86_64", machine, "the module needs x86-64")
    loaded = Path("/sys/module/ksqlfs").exists()
    installed = "" if loaded else _output("modinfo", "-n", "ksqlfs")
    place = "loaded" if loaded else f"{installed}, not loaded" if installed else "not installed"
    if not loaded:
        headers = Path(f"/lib/modules/{release}/build/.config").exists()
        yield _check(
            topic,
            "headers",
            headers or bool(installed),
            f"linux-headers-{release}, to build it, {'are' if headers else 'are not'} installed",
            f"install linux-headers-{release}",
        )
        signed = bool(installed) and bool(_output("modinfo", "-F", "signer", "ksqlfs"))
        locked = _wants_signatures()
        yield _check(
            topic,
            "signature",
            signed or not locked,
            "this kernel takes signed modules alone" if locked else "this kernel asks for none",
            "sign the module by a key that mokutil has enrolled, or switch Secure Boot off",
        )
    yield _check(
        topic,
        "module",
        loaded,
        place,
        "ksqlctl load" if installed else "build it by `make module`, then `ksqlctl load FILE`",
    )


def _wants_signatures() -> bool:
    """Whether this kernel refuses a module that is not signed: Secure Boot, lockdown, an option."""
    boot = _read(EFI_SECURE_BOOT)[4:5] == b"\x01"
    lockdown = re.search(
        rb"\[(integrity|confidentiality)\]", _read("/sys/kernel/security/lockdown")
    )
    return boot or bool(lockdown) or _read("/sys/module/module/parameters/sig_enforce")[:1] == b"Y"


def _fuse() -> Iterator[Check]:
    """The FUSE host."""
    topic = "FUSE"
    root = os.geteuid() == 0
    device = Path("/dev/fuse")
    if not device.exists():
        yield _check(
            topic, "/dev/fuse", False, "not there", "load the kernel's module: modprobe fuse"
        )
    else:
        mode = f"mode {device.stat().st_mode & 0o777:04o}"
        may = os.access(device, os.R_OK | os.W_OK)
        found = f"{mode}, {'open' if may else 'closed'} to this user"
        yield _check(topic, "/dev/fuse", may, found, "as root: chmod 666 /dev/fuse")
    helper = shutil.which("fusermount3")
    yield _check(
        topic,
        "fusermount3",
        root or helper is not None,
        helper or ("not there, and root needs none" if root else "not there"),
        "install the package fuse3",
    )
    try:
        import_module("_ksqlfs_fuse")
        yield _check(topic, "ksqlfs-fuse", True, "installed")
    except ImportError as error:
        libfuse = "libfuse3.so.3" in str(error)
        yield _check(
            topic,
            "libfuse3" if libfuse else "ksqlfs-fuse",
            False,
            str(error),
            "install the package libfuse3-3" if libfuse else "pip install 'ksqlfs[fuse]'",
        )
    if not root:
        lets = re.search(rb"^\s*user_allow_other\s*$", _read("/etc/fuse.conf"), re.MULTILINE)
        check = _check(
            topic,
            "user_allow_other",
            lets is not None,
            "in /etc/fuse.conf; without it --allow-other is root's alone",
            "only if other users are to see your mounts: add that line as root",
        )
        _excuse([check])
        yield check


def _read(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _output(*command: str) -> str:
    """What a command prints; nothing if it fails or is not there."""
    path = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return ""
    done = subprocess.run([path, *command[1:]], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
