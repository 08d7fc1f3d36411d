# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""import/: files that are copied there become tables."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, child, fails, rows_sql

NEW = os.O_CREAT | os.O_EXCL


def make(tree: Tree, text: str | bytes, name: str = "t.csv") -> None:
    with tree.batch(f"import/{name}", NEW) as file:
        file.write(text)


def copy(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["cp", source, target], capture_output=True, text=True, check=False)


def test_the_folder(tree: Tree) -> None:
    folder = tree / "import"
    assert os.listdir(folder) == []
    mode = stat.S_IMODE(tree.root.stat().st_mode)
    assert stat.S_IMODE(folder.stat().st_mode) == mode | (mode & 0o440) >> 1
    assert "import csv ndjson" in tree.text("info/features").splitlines()


def test_cp_makes_a_table(tree: Tree, tmp_path: Path) -> None:
    source = tmp_path / "town.csv"
    source.write_text(
        'code,zip,height,name\r\n1,00501,1.50,"Holts\r\nville"\r\n2,99950,2,\r\n', newline=""
    )
    assert copy(source, tree / "import").returncode == 0
    assert tree.tables() == ["town"]
    assert tree.text("tables/town/schema") == (
        'CREATE TABLE "town"("code" INTEGER, "zip" TEXT, "height" REAL, "name" TEXT);\n'
    )
    assert tree.rows("SELECT * FROM town") == [
        {"code": 1, "zip": "00501", "height": 1.5, "name": "Holts\r\nville"},
        {"code": 2, "zip": "99950", "height": 2.0, "name": None},
    ]
    assert os.listdir(tree / "import") == []
    assert not (tree / "import/town.csv").exists()
    failed = copy(source, tree / "import")
    assert failed.returncode == 1
    assert "File exists" in failed.stderr


def test_the_shell_makes_one(tree: Tree, shell: list[str]) -> None:
    script = "printf 'a,b\\n1,x\\n' > import/t.csv && cat tables/t/data.csv"
    ended = subprocess.run(
        [*shell, "-c", script], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "a,b\n1,x\n"


def test_several_programs_write_one_file(tree: Tree, shell: list[str]) -> None:
    script = "( echo a,b; sleep 0.1; printf '1,'; /bin/echo x; echo 2,y | cat ) > import/t.csv"
    subprocess.run([*shell, "-c", script], cwd=tree.root, check=True)
    assert tree.text("tables/t/data.csv") == "a,b\n1,x\n2,y\n"


@pytest.mark.parametrize(
    "command",
    [
        ["busybox", "cp", "{source}", "{target}"],
        ["dd", "if={source}", "of={target}", "bs=7", "status=none"],
        ["python3", "-c", "import shutil; shutil.copyfile('{source}', '{target}')"],
        ["sh", "-c", "cat '{source}' >> '{target}'"],
        ["tee", "{target}"],
    ],
    ids=lambda command: command[0],
)
def test_other_programs_copy(tree: Tree, tmp_path: Path, command: list[str]) -> None:
    source = tmp_path / "t.csv"
    source.write_text("a,b\n" + "".join(f'{i},"x\ny"\n' for i in range(1000)))
    words = [word.format(source=source, target=tree / "import/t.csv") for word in command]
    with source.open() as file:
        subprocess.run(words, stdin=file, stdout=subprocess.DEVNULL, check=True)
    assert tree.value("SELECT count(*) || sum(a) || max(b) FROM t") == "1000499500x\ny"


def test_who_gives_up_writes_a_nul(tree: Tree) -> None:
    file = tree.batch("import/t.csv", NEW)
    file.write('a,b\n1,2\n3,"4')
    file.write(b"\0")
    with fails("EINVAL"):
        file.close()
    assert tree.tables() == []


def test_ndjson(tree: Tree, tmp_path: Path) -> None:
    source = tmp_path / "t.ndjson"
    source.write_text(
        '{"a":1,"b":"x"}\n{"c":[1,{"d":null}],"a":2.5}\n{"b":7,"e":{"$base64":"AP8="}}'
    )
    assert copy(source, tree / "import").returncode == 0
    assert tree.text("tables/t/schema") == (
        'CREATE TABLE "t"("a" REAL, "b", "c" TEXT, "e" BLOB);\n'
    )
    assert tree.text("tables/t/data.csv") == (
        'a,b,c,e\n1.0,x,,\n2.5,,"[1,{""d"":null}]",\n,7,,\\x00ff\n'
    )


def test_a_late_contradiction(tree: Tree) -> None:
    lines = [f"{i},{i}.50" for i in range(50_000)]
    make(tree, "a,b\n" + "\n".join(lines) + "\nx,1\n")
    assert tree.text("tables/t/data.csv").splitlines()[-2:] == ["49999,49999.5", "x,1.0"]
    assert tree.value("SELECT group_concat(DISTINCT typeof(a) || typeof(b)) FROM t") == "textreal"
    assert tree.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line names a column"),
        ("a,b\n1,2\n3\n", "line 3: 1 field instead of 2"),
        ("a,b\n1,2\n3,4,5", "line 3: 3 fields instead of 2"),
        ("a,A\n1,2\n", "line 1: two columns are named A"),
        ("a,\n1,2\n", "line 1: column 2 has no name"),
        ('a,b\n1,"2\n', "line 2: a quote that is not closed"),
        (b"a,b\n1,2\n1,\xc3(\n", "line 3: text that is not UTF-8"),
    ],
)
def test_bad_files_make_nothing(
    tree: Tree, tmp_path: Path, text: str | bytes, message: str
) -> None:
    source = tmp_path / "t.csv"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    failed = copy(source, tree / "import")
    assert failed.returncode == 1
    assert "Invalid argument" in failed.stderr
    assert tree.text("error").startswith(f"{message}\nerrno EINVAL")
    assert tree.tables() == []
    assert os.listdir(tree / "import") == []


def test_names(tree: Tree) -> None:
    for name in ("t", "t.tsv", ".csv", "t.csv.gz"):
        with fails("EINVAL"):
            os.open(tree / "import" / name, os.O_WRONLY | os.O_CREAT)
    with fails("EPERM"):
        os.open(tree / "import/sqlite_x.csv", os.O_WRONLY | os.O_CREAT)
    for flags in (os.O_RDONLY, os.O_RDWR):
        with fails("EPERM"):
            os.open(tree / "import/t.csv", flags | os.O_CREAT)
    with fails("EPERM"):
        (tree / "import/folder").mkdir()
    with fails("EPERM", "EACCES"):
        os.open(tree / "tables/t.csv", os.O_WRONLY | os.O_CREAT)
    with fails("ENOENT"):
        os.open(tree / "import/t.csv", os.O_WRONLY)
    assert tree.tables() == []
    make(tree, "a\n1\n", "a%2Fb c.csv")
    assert tree.tables() == ["a%2Fb c"]
    assert tree.value('SELECT a FROM "a/b c"') == "1"


def test_a_taken_name(tree: Tree) -> None:
    tree.run("CREATE VIEW v AS SELECT 1 AS a")
    with fails("EEXIST"):
        os.open(tree / "import/V.csv", os.O_WRONLY | os.O_CREAT)
    with tree.batch("import/t.csv", NEW) as file:
        file.write("a\n")
        tree.run("CREATE TABLE t(other)")
        with fails("EEXIST"):
            file.write("1\n")
    assert tree.text("tables/t/data.csv") == "other\n"


def test_the_name_is_there_while_it_is_open(tree: Tree) -> None:
    path = tree / "import/t.csv"
    with tree.batch("import/t.csv", NEW) as file:
        file.write("a\n1\n")
        assert os.fstat(file.fd).st_size == 0
        assert os.listdir(tree / "import") == []
    assert not path.exists()
    assert tree.text("tables/t/data.csv") == "a\n1\n"


def test_a_killed_writer_makes_nothing(tree: Tree) -> None:
    def write() -> None:
        file = tree.batch("import/t.csv", NEW)
        file.write("a\n1\n2\n")
        os.close(ready)
        signal.pause()

    waits, ready = os.pipe()
    with child(write):
        os.close(ready)
        assert os.read(waits, 1) == b""
    os.close(waits)
    make(tree, "b\n1\n")
    assert tree.text("tables/t/data.csv") == "b\n1\n"


def test_it_streams(mount: Mounter, tmp_path: Path) -> None:
    """A table that fits, of a file of which no two copies would."""
    tree = mount(size="24m")
    row = "x" * 96
    source = tmp_path / "t.csv"
    source.write_text("n,w\n" + "".join(f"{i},{row}\n" for i in range(180_000)))
    assert copy(source, tree / "import").returncode == 0
    assert tree.value("SELECT count(*) || ' ' || sum(n) FROM t") == "180000 16199910000"


def test_a_file_too_large(mount: Mounter, tmp_path: Path) -> None:
    tree = mount(size="2m")
    source = tmp_path / "t.csv"
    source.write_text("n,w\n" + "".join(f"{i},{'x' * 99}\n" for i in range(40_000)))
    failed = copy(source, tree / "import")
    assert failed.returncode == 1
    assert "No space left" in failed.stderr
    assert tree.tables() == []
    tree.run("CREATE TABLE t(a)")


def test_a_mount_that_is_only_read(mount: Mounter) -> None:
    tree = mount(ro="")
    with fails("EROFS"):
        os.open(tree / "import/t.csv", os.O_WRONLY | os.O_CREAT)


def test_rows_of_python_sqlite_come_back(tree: Tree, tmp_path: Path) -> None:
    """All of SQLite's values, out by data.csv and in by import/."""
    values = "random(), random() / 1e9, hex(randomblob(4)) || char(10), randomblob(9)"
    tree.run("CREATE TABLE s(i INTEGER, r REAL, t TEXT, b BLOB)")
    tree.run(f"INSERT INTO s {rows_sql(5000, values)}")
    source = tmp_path / "u.csv"
    source.write_bytes(tree.read("tables/s/data.csv"))
    assert copy(source, tree / "import").returncode == 0
    assert tree.read("tables/u/data.csv") == source.read_bytes()
    assert tree.value("SELECT count(*) FROM (SELECT * FROM s EXCEPT SELECT * FROM u)") == "0"
    backup = tmp_path / "backup.db"
    backup.write_bytes(tree.read("image"))
    connection = sqlite3.connect(backup)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM u WHERE typeof(b) = 'blob'").fetchone() == (
        5000,
    )
    connection.close()
