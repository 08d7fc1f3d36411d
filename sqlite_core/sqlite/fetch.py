#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bring the third-party sources that the build compiles; none is ever committed.

Two sources, each pinned by sha256, each with a way to bring one's own:

``sqlite``
    SQLite's amalgamation as an npm package carries it, kept untouched in ``pristine/``; what is
    built is that with the repairs of SQLITE_REPAIRS, none of which changes what SQL means.
    ``--from DIR`` takes ``sqlite3.c`` and ``sqlite3.h`` from a folder instead; their version is
    printed, not checked, but the repairs must fit.
``musl``
    The part of musl that its mathematical functions need, as Debian's source package has it.
    ``--from DIR`` takes an unpacked musl source instead.

Every call is idempotent and writes only what differs, so the Makefile may call it each time.
Only the standard library is used: this runs before there is any Python environment.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

SQLITE_PACKAGE = "better-sqlite3@12.11.1"
SQLITE_MEMBERS = "package/deps/sqlite3/"
SQLITE_SHA256 = {
    "sqlite3.c": "60d2f39a3726cd6b9021da6f4e868608d66fbb6528a9f513dc8ffcc640493422",
    "sqlite3.h": "9e69a1353a4288450b0d5239ede11fc7f1f4c8e5eb07491fc8317eacb5b7de7e",
}

# What, by what, why.  Each text must be there exactly once.
SQLITE_REPAIRS = (
    (
        b"""      pNew->flags |= EP_Collate|EP_Skip;
      pExpr = pNew;
""",
        b"""      pNew->flags |= EP_Collate|EP_Skip;
      if( pExpr ) pNew->nHeight = pExpr->nHeight + 1;
      sqlite3ExprCheckHeight((Parse*)pParse, pNew->nHeight);
      pExpr = pNew;
""",
        "COLLATE counts towards the depth of an expression.  As it stands it sets the count back "
        "to one, so that SQLITE_LIMIT_EXPR_DEPTH bounds nothing: 4,000 of them in an ORDER BY go "
        "332 KiB deep without an allocation, past the end of the engine's stack.",
    ),
)

MUSL_VERSION = "1.2.3"
MUSL_PACKAGE = "musl=1.2.3-1"
MUSL_SHA256 = "7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4"
# The Debian release that has this version; deb-src entries name it on later releases as well,
# so that every machine computes with the same libm.
MUSL_RELEASE = "bookworm"
MUSL_PARTS = (
    "COPYRIGHT",
    "include",
    "src/include",
    "src/internal",
    "src/math",
    "arch/generic",
    "arch/x86_64",
    "tools/mkalltypes.sed",
)


class FetchError(Exception):
    """A source could not be had; the message says what to do."""


def sha256(path: Path) -> str:
    """Return the hex sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_if_changed(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` unless it is there already, so that time stamps stay."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


def run(command: list[str], cwd: Path, hint: str) -> str:
    """Run a command and return its stdout; on failure raise with its stderr and the hint."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is not installed. {hint}") from None
    if done.returncode != 0:
        raise FetchError(f"`{' '.join(command)}` failed:\n{done.stderr.strip()}\n{hint}")
    return done.stdout


# SQLite ---------------------------------------------------------------------------------------


def sqlite_version(header: bytes) -> str:
    """Return the version that a ``sqlite3.h`` states."""
    match = re.search(rb'#define SQLITE_VERSION\s+"([^"]+)"', header)
    return match.group(1).decode() if match else "unknown"


def sqlite_from_folder(source: Path) -> dict[str, bytes]:
    """Read a user's own amalgamation."""
    missing = [name for name in SQLITE_SHA256 if not (source / name).is_file()]
    if missing:
        raise FetchError(f"SQLITE_DIR={source} has no {' and no '.join(missing)}.")
    files = {name: (source / name).read_bytes() for name in SQLITE_SHA256}
    print(f"SQLite {sqlite_version(files['sqlite3.h'])} from {source}", file=sys.stderr)
    return files


def sqlite_from_package(work: Path) -> dict[str, bytes]:
    """Fetch the pinned package and read the amalgamation out of it."""
    hint = (
        "Check the network and that npm is installed (`make setup` installs it), or give a folder "
        "with sqlite3.c and sqlite3.h as SQLITE_DIR=."
    )
    work.mkdir(parents=True, exist_ok=True)
    printed = run(["npm", "pack", "--silent", SQLITE_PACKAGE], work, hint)
    archive = work / printed.strip().splitlines()[-1]
    files = {}
    with tarfile.open(archive) as tar:
        for name, expected in SQLITE_SHA256.items():
            member = tar.extractfile(SQLITE_MEMBERS + name)
            if member is None:
                raise FetchError(f"{SQLITE_PACKAGE} holds no {name}.")
            files[name] = member.read()
            found = hashlib.sha256(files[name]).hexdigest()
            if found != expected:
                raise FetchError(
                    f"{name} of {SQLITE_PACKAGE} has sha256 {found}, not {expected}: "
                    "the package is not the one that was reviewed. Do not build it."
                )
    archive.unlink()
    return files


def repaired(data: bytes) -> bytes:
    """Return an amalgamation with SQLITE_REPAIRS made."""
    for old, new, why in SQLITE_REPAIRS:
        if data.count(old) != 1:
            raise FetchError(f"This sqlite3.c is not one that the repairs fit. Missing: {why}")
        data = data.replace(old, new)
    return data


def fetch_sqlite(build: Path, source: Path | None) -> None:
    """Put ``sqlite3.c`` and ``sqlite3.h`` into ``build/sqlite``."""
    target = build / "sqlite"
    pristine = target / "pristine"
    if source is not None or not all(
        (pristine / name).is_file() and sha256(pristine / name) == expected
        for name, expected in SQLITE_SHA256.items()
    ):
        files = sqlite_from_folder(source) if source else sqlite_from_package(build / "npm")
        for name, data in files.items():
            write_if_changed(pristine / name, data)
    write_if_changed(target / "sqlite3.c", repaired((pristine / "sqlite3.c").read_bytes()))
    write_if_changed(target / "sqlite3.h", (pristine / "sqlite3.h").read_bytes())


# musl -----------------------------------------------------------------------------------------


def debian_repositories() -> list[tuple[str, str]]:
    """Return (address, release) of the Debian repositories this machine is configured for."""
    listed = run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(ORIGIN) $(COMPONENT) $(REPO_URI) $(RELEASE)",
            "Created-By: Packages",
        ],
        Path("/"),
        "This is not a Debian machine: give an unpacked musl source as MUSL_DIR=.",
    )
    found: list[tuple[str, str]] = []
    for line in listed.splitlines():
        fields = line.split()
        # Before the first `apt-get update` there is no origin to read, so a path has to do.
        if len(fields) == 3 and "/debian" in fields[1]:
            fields.insert(0, "Debian")
        if len(fields) == 4 and fields[:2] == ["Debian", "main"]:
            found.append((fields[2], fields[3]))
    if not found:
        raise FetchError(
            "No Debian repository is configured on this machine: "
            "give an unpacked musl source as MUSL_DIR=."
        )
    return list(dict.fromkeys(found))


def main_repository(repositories: list[tuple[str, str]]) -> str:
    """Return the address of the main archive: not that of updates or of security."""
    for address, release in repositories:
        if "-" not in release:
            return address
    return repositories[0][0]


def private_apt(work: Path) -> list[str]:
    """Set up apt in folders of our own and return its command; the system's stay untouched."""
    repositories = debian_repositories()
    for folder in ("lists/partial", "cache/archives/partial", "sources.d"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    lines = [f"deb-src {main_repository(repositories)} {MUSL_RELEASE} main\n"]
    write_if_changed(work / "sources.list", "".join(lines).encode())
    settings = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": work / "sources.d",
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "",
    }
    return ["apt-get", "-q"] + [f"-o{key}={value}" for key, value in settings.items()]


def musl_archive(build: Path) -> Path:
    """Return the pinned tarball of musl, fetched from Debian's source package if need be."""
    work = (build / "apt").absolute()
    archive = work / f"musl_{MUSL_VERSION}.orig.tar.gz"
    if not archive.is_file():
        hint = "Check the network, or give an unpacked musl source as MUSL_DIR=."
        apt = private_apt(work)
        run([*apt, "update"], work, hint)
        run([*apt, "source", "--download-only", "--only-source", MUSL_PACKAGE], work, hint)
    found = sha256(archive)
    if found != MUSL_SHA256:
        raise FetchError(
            f"{archive} has sha256 {found}, not {MUSL_SHA256}. "
            "Delete it and try again; if it stays so, do not build it."
        )
    return archive


def wanted(name: str) -> bool:
    """Say whether a file of musl's source belongs to what the mathematical functions need."""
    return any(name == part or name.startswith(part + "/") for part in MUSL_PARTS)


def unpack_musl(archive: Path, target: Path) -> None:
    """Unpack the wanted part of a musl tarball."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            content = tar.extractfile(member) if member.isfile() and wanted(name) else None
            if content is not None and ".." not in Path(name).parts:
                write_if_changed(target / name, content.read())


def copy_musl(source: Path, target: Path) -> None:
    """Copy the wanted part of an unpacked musl source."""
    for part in MUSL_PARTS:
        if not (source / part).exists():
            raise FetchError(f"MUSL_DIR={source} has no {part}: it is no musl source.")
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def generate_alltypes(musl: Path) -> None:
    """Make ``bits/alltypes.h``, as musl's own Makefile does."""
    made = run(
        [
            "sed",
            "-f",
            "tools/mkalltypes.sed",
            "arch/x86_64/bits/alltypes.h.in",
            "include/alltypes.h.in",
        ],
        musl,
        "sed is part of every base system.",
    )
    write_if_changed(musl / "gen/bits/alltypes.h", made.encode())


def fetch_musl(build: Path, source: Path | None) -> None:
    """Put the part of musl that the mathematical functions need into ``build/musl``."""
    target = build / "musl"
    stamp = target / ".complete"
    state = f"{source.absolute()}\n" if source else f"{MUSL_SHA256}\n"
    if stamp.is_file() and stamp.read_text() == state:
        return
    fresh = build / f"musl.{os.getpid()}.new"
    if source:
        print(f"musl from {source}", file=sys.stderr)
        copy_musl(source, fresh)
    else:
        unpack_musl(musl_archive(build), fresh)
    generate_alltypes(fresh)
    write_if_changed(fresh / ".complete", state.encode())
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def main() -> int:
    """Fetch what the command line names."""
    parser = argparse.ArgumentParser(description="Bring the third-party sources of the build.")
    parser.add_argument("what", choices=("sqlite", "musl"))
    parser.add_argument("--build", type=Path, default=Path("build"), help="the build folder")
    parser.add_argument("--from", dest="source", type=Path, help="take it from this folder")
    arguments = parser.parse_args()
    fetch = fetch_sqlite if arguments.what == "sqlite" else fetch_musl
    try:
        fetch(arguments.build, arguments.source)
    except (FetchError, OSError, tarfile.TarError) as error:
        print(f"fetch {arguments.what}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
