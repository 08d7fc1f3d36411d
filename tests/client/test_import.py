# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The client alone: the standard library, nothing compiled, nothing else of the package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "pyclient" / "ksqlfs"

LOADED = """
import sys
before = set(sys.modules)
import ksqlfs
print(*sorted(name.partition(".")[0] for name in set(sys.modules) - before))
"""

FROM_ARCHIVE = "import sys; sys.path.insert(0, {!r}); import ksqlfs; print(ksqlfs.__file__)"


def test_it_imports_the_standard_library_only() -> None:
    # -I: not what is installed for this user, not the current folder; -S: no site-packages.
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.append({str(PACKAGE.parent)!r})" + LOADED,
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert "ksqlfs" in loaded
    assert loaded - {"ksqlfs"} <= sys.stdlib_module_names
    # What takes long to import, and what some Pythons lack.
    assert not loaded & {"click", "tabulate", "sqlite3", "csv", "tempfile", "typing_extensions"}


def test_it_works_from_a_zip_file(tmp_path: Path) -> None:
    """Nothing of the client needs to be a file, or compiled."""
    archive = tmp_path / "client.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        for file in PACKAGE.glob("*.py"):
            writer.write(file, f"ksqlfs/{file.name}")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            FROM_ARCHIVE.format(str(archive)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(archive))
