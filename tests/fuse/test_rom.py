# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""rom=FILE of the server."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from tests.fuse.servers import Servers, assert_sentence, ctl
from tests.interface.tree import fails


def image(path: Path, digest: str | None = None) -> bytes:
    """A database file, and its checksum beside it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE part(code INTEGER PRIMARY KEY, name)")
        connection.executemany(
            "INSERT INTO part VALUES(?, ?)", ((i, f"part {i}") for i in range(1, 3001))
        )
        connection.commit()
    data = path.read_bytes()
    digest = digest or hashlib.sha256(data).hexdigest()
    Path(f"{path}.sha256").write_text(f"{digest}  {path.name}\n")
    return data


@pytest.mark.parametrize("foreground", [False, True], ids=["daemon", "foreground"])
def test_a_file_is_read_beside_the_database(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreground: bool
) -> None:
    file = tmp_path / "parts.db"
    data = image(file)
    monkeypatch.chdir(tmp_path)
    start = servers.foreground if foreground else servers.daemon
    tree = start("-o", "rom=parts.db,size=1m")
    assert tree.value("SELECT name FROM rom.part WHERE code = 77") == "part 77"
    assert tree.text("info/rom").splitlines() == [
        "name parts.db",
        "source file",
        f"size {len(data)}",
        f"sha256 {hashlib.sha256(data).hexdigest()}",
    ]
    # It was read, once.
    file.write_bytes(b"something else" * 1000)
    file.unlink()
    assert tree.value("SELECT count(*), sum(code) FROM part") == "3000"
    with fails("EROFS"):
        tree.run("DELETE FROM rom.part")
    with fails("EPERM"):
        tree.run("DETACH rom")
    tree.run("CREATE TABLE mine AS SELECT * FROM rom.part WHERE code < 4")
    assert tree.tables() == ["mine"]
    done = ctl("mount", "-o", f"remount,rom={file}", tree.root)
    assert_sentence(done, 3, "cannot change rom=")


def test_there_is_none_by_default(servers: Servers) -> None:
    assert servers.foreground().read("info/rom") == b""


def bad_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Files that cannot be taken: the exit code, and what is said."""
    image(folder / "alone.db")
    (folder / "alone.db.sha256").unlink()
    image(folder / "wrong.db", digest="0" * 64)
    image(folder / "nothing.db", digest=" ")
    data = image(folder / "good.db")
    for name, content in (
        ("damaged.db", data[:-4096] + bytes(4096)),
        ("text.db", b"hello, world\n" * 100),
        ("empty.db", b""),
    ):
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        (folder / f"{name}.sha256").write_text(f"{digest}\n")
    return {
        "missing.db": (3, "missing.db.sha256: No such file or directory"),
        "alone.db": (3, "alone.db.sha256: No such file or directory"),
        "wrong.db": (3, "its SHA-256 is"),
        "nothing.db": (3, "its SHA-256 is"),
        "damaged.db": (3, "damaged"),
        "text.db": (3, "not a database"),
        "empty.db": (3, "not a database"),
    }


@pytest.mark.parametrize("foreground", [False, True], ids=["daemon", "foreground"])
def test_one_that_cannot_be_had_is_a_sentence(
    servers: Servers, tmp_path: Path, foreground: bool
) -> None:
    mode = ["--foreground"] if foreground else []
    place = servers.directory()
    for name, (code, said) in bad_files(tmp_path).items():
        words = f"rom={tmp_path / name}"
        done = ctl("mount", *mode, "--source", servers.source(), "-o", words, place)
        assert_sentence(done, code, name, said)
    done = ctl("mount", *mode, "--source", servers.source(), "-o", "rom=", place)
    assert_sentence(done, 2, "rom= takes a file")
    assert servers.nothing_left(place)
