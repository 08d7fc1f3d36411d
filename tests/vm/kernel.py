# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Brings the image and modules of a Debian kernel, without installing it.

``python -m tests.vm.kernel RELEASE`` unpacks the package of that kernel, in the version of the
installed headers, into ``build/kernel/RELEASE``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KERNELS = PROJECT / "build" / "kernel"

_RELEASE = re.compile(r"[A-Za-z0-9.+_-]+")


class KernelError(Exception):
    """A kernel image could not be had; the message says what to do."""


def folder(release: str) -> Path:
    """Return the folder where a kernel is unpacked."""
    return KERNELS / release


def image(release: str) -> Path:
    """Return the path of a kernel's image."""
    return folder(release) / "boot" / f"vmlinuz-{release}"


def installed_version(release: str) -> str | None:
    """Return the version of the installed headers package of a release."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", f"linux-headers-{release}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 and done.stdout else None


def download(release: str, into: Path) -> Path:
    """Download the kernel's package: in the headers' version, else in any that has the name."""
    package = f"linux-image-{release}-unsigned"
    version = installed_version(release)
    complaints = []
    for name in [f"{package}={version}", package] if version else [package]:
        done = subprocess.run(
            ["apt-get", "-q", "download", name],
            cwd=into,
            capture_output=True,
            text=True,
            check=False,
        )
        found = sorted(into.glob("*.deb"))
        if done.returncode == 0 and found:
            return found[0]
        complaints.append(done.stderr.strip())
    raise KernelError(
        f"{package} could not be downloaded:\n"
        + "\n".join(complaints)
        + "\nRun `apt-get update` as root and try again. If the archive no longer has this"
        " version, upgrade linux-headers-amd64 to one that it has."
    )


def unpack(release: str) -> None:
    """Fetch and unpack a kernel beside its final place, then move it there."""
    KERNELS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KERNELS, prefix=".new-") as temporary:
        work = Path(temporary)
        root = work / "root"
        subprocess.run(["dpkg", "-x", download(release, work), root], check=True)
        depmod = shutil.which("depmod", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if depmod is None:
            raise KernelError("depmod is missing: run `make setup`.")
        subprocess.run([depmod, "-b", root, release], check=True)
        shutil.rmtree(folder(release), ignore_errors=True)
        root.rename(folder(release))


def ensure(release: str) -> Path:
    """Return the image of a kernel, fetched if it is not there yet."""
    if not _RELEASE.fullmatch(release):
        raise KernelError(f"{release!r} is no kernel release.")
    if not (folder(release) / "lib/modules" / release / "modules.dep").exists():
        print(f"fetching the image of kernel {release}", file=sys.stderr)
        unpack(release)
    return image(release)


def main() -> int:
    """Fetch the kernel that the command line names."""
    parser = argparse.ArgumentParser(description="Bring a kernel image without installing it.")
    parser.add_argument("release")
    try:
        ensure(parser.parse_args().release)
    except (KernelError, OSError, subprocess.CalledProcessError) as error:
        print(f"kernel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
