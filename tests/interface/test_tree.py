# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The tree: what is listed, with which modes, under which names, and what may not be done to it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter
from tests.interface.tree import Tree, fails, in_child, quote_name

QUERIES = ["query", "query.json", "query.ndjson", "query.tsv", "query.rows"]
RESULTS = ["result", "result.json", "result.ndjson", "value", "error", "status"]
TABLE_FILES = ["data.csv", "data.json", "data.ndjson", "schema", "columns", "count"]
INFO_FILES = ["version", "sqlite_version", "features", "compile_options", "memory", "latency"]

# Everything that the contract may ever put at the top.
CONTRACT = {
    *QUERIES,
    *RESULTS,
    *("result.tsv", "sessions", "tables", "views", "indexes", "import"),
    *("metrics", "image", "events", "log", "info", "kernel"),
}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_root_has_the_files_of_the_contract(tree: Tree) -> None:
    assert set(os.listdir(tree.root)) >= {*QUERIES, *RESULTS, "tables", "info"}


def test_root_has_nothing_else(tree: Tree) -> None:
    assert set(os.listdir(tree.root)) <= CONTRACT


def test_tables_is_empty_without_tables(tree: Tree) -> None:
    assert tree.tables() == []


def test_a_table_has_its_files(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    names = set(os.listdir(tree / "tables/t"))
    assert names >= set(TABLE_FILES)
    assert names <= {*TABLE_FILES, "data.tsv", "insert.csv", "insert.ndjson", "changes"}


def test_info_has_its_files(tree: Tree) -> None:
    assert set(os.listdir(tree / "info")) >= set(INFO_FILES)


@pytest.mark.parametrize("directory", ["", "tables", "tables/t", "info"])
def test_directories_are_0750_of_root(tree: Tree, directory: str) -> None:
    tree.run("CREATE TABLE t(a)")
    status = (tree / directory).lstat()
    assert stat.S_ISDIR(status.st_mode)
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o750, 0, 0)


@pytest.mark.parametrize("name", QUERIES)
def test_query_files_are_0660_of_root(tree: Tree, name: str) -> None:
    status = (tree / name).lstat()
    assert stat.S_ISREG(status.st_mode)
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o660, 0, 0)


@pytest.mark.parametrize(
    "name",
    [*RESULTS, *(f"tables/t/{n}" for n in TABLE_FILES), *(f"info/{n}" for n in INFO_FILES)],
)
def test_files_to_read_are_0440_of_root(tree: Tree, name: str) -> None:
    tree.run("CREATE TABLE t(a)")
    status = (tree / name).lstat()
    assert stat.S_ISREG(status.st_mode)
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o440, 0, 0)


def test_mount_mode_opens_the_files_to_those_it_names(mount: Mounter) -> None:
    tree = mount(mode="0777")
    assert mode_of(tree.root) == 0o777
    assert mode_of(tree / "tables") == 0o777
    assert mode_of(tree / "query") == 0o666
    assert mode_of(tree / "result") == 0o444


def test_mount_mode_0755_lets_others_read_only(mount: Mounter) -> None:
    tree = mount(mode="0755")
    assert mode_of(tree.root) == 0o755
    assert mode_of(tree / "query") & 0o002 == 0
    assert mode_of(tree / "result") == 0o444


def test_mount_uid_and_gid_own_everything(mount: Mounter) -> None:
    tree = mount(uid=1234, gid=2345)
    tree.run("CREATE TABLE t(a)")
    for name in ["", "query", "result", "tables", "tables/t", "tables/t/count", "info/version"]:
        status = (tree / name).lstat()
        assert (status.st_uid, status.st_gid) == (1234, 2345), name


def test_permission_bits_are_enforced_with_eacces(mount: Mounter) -> None:
    tree = mount(mode="0755")
    assert in_child(lambda: tree.read("info/version"), uid=4242)
    with fails("EACCES"):
        in_child(lambda: tree.run("SELECT 1"), uid=4242)


def test_a_directory_without_permission_is_closed(mount: Mounter) -> None:
    tree = mount()
    with fails("EACCES"):
        in_child(lambda: tree.read("info/version"), uid=4242)


# Names


def test_create_lists_and_drop_unlists(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    assert tree.tables() == ["t"]
    tree.run("DROP TABLE t")
    assert tree.tables() == []
    with fails("ENOENT"):
        (tree / "tables/t").lstat()
    with fails("ENOENT"):
        tree.read("tables/t/data.csv")


def test_a_table_made_again_is_the_new_one(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    assert tree.text("tables/t/data.csv") == "a\n1\n"
    tree.run("DROP TABLE t; CREATE TABLE t(b)")
    assert tree.text("tables/t/data.csv") == "b\n"


def test_rename_in_sql_moves_the_directory(tree: Tree) -> None:
    tree.run("CREATE TABLE old(a); INSERT INTO old VALUES(1)")
    assert (tree / "tables/old/count").exists()
    tree.run("ALTER TABLE old RENAME TO new")
    assert tree.tables() == ["new"]
    assert not (tree / "tables/old").exists()
    assert tree.text("tables/new/count") == "1\n"


def test_a_table_rolled_back_is_not_there(tree: Tree) -> None:
    with tree.connect() as connection:
        connection.ask("BEGIN; CREATE TABLE t(a)")
        assert tree.tables() == []
        connection.ask("ROLLBACK")
    assert tree.tables() == []


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("a/b", "a%2Fb"),
        ("/", "%2F"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        (".", "%2E"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("a.b.", "a.b."),
        ("a\nb", "a%0Ab"),
        ("\t", "%09"),
        ("\x1b[1m", "%1B[1m"),
        ("\x7f", "%7F"),
        (" ", " "),
        ("two words", "two words"),
        ("-rf", "-rf"),
        ('"quoted"', '"quoted"'),
        ("it's", "it's"),
        ("*?[a]", "*?[a]"),
        ("back\\slash", "back\\slash"),
        ("größe", "größe"),
        ("表", "表"),
        ("😀", "😀"),
        ("select", "select"),
        ("data.csv", "data.csv"),
    ],
)
def test_names_are_escaped_where_a_path_needs_it(tree: Tree, name: str, listed: str) -> None:
    tree.run(f"CREATE TABLE {quote_name(name)}(a); INSERT INTO {quote_name(name)} VALUES(7)")
    assert tree.tables() == [listed]
    assert tree.text(f"tables/{listed}/data.csv") == "a\n7\n"
    assert tree.text(f"tables/{listed}/count") == "1\n"


def test_a_name_of_every_byte(tree: Tree) -> None:
    """Of ASCII, but NUL, which no SQL has; and of two, three and four bytes of UTF-8."""
    name = "".join(map(chr, range(1, 128))) + "é表😀"
    listed = "".join(f"%{ord(c):02X}" if c in "/%\x7f" or c < " " else c for c in name)
    columns = 'a,"""quoted"""'
    tree.run(f"""CREATE TABLE {quote_name(name)}(a, '"quoted"'); CREATE TABLE other(a)""")
    tree.run(f"INSERT INTO {quote_name(name)} VALUES(7, 8)")
    assert tree.tables() == sorted([listed, "other"])
    assert tree.text(f"tables/{listed}/data.csv") == f"{columns}\n7,8\n"
    assert tree.text(f"tables/{listed}/schema").startswith("CREATE TABLE ")
    assert tree.text(f"tables/{listed}/columns").count("\n") == 3
    for wrong in (name.replace("/", ""), listed.lower(), listed.replace("%25", "%")):
        assert not (tree / "tables" / wrong).exists()


def test_a_table_without_a_name_disturbs_no_listing(tree: Tree) -> None:
    tree.run('CREATE TABLE ""(a); CREATE TABLE t(a)')
    assert tree.tables() == ["t"]


@pytest.mark.parametrize(
    ("name", "is_listed"),
    [("n" * 255, 1), ("n" * 256, 0), ("/" * 85, 1), ("/" * 86, 0), ("表" * 86, 0)],
    ids=["255", "256", "255-escaped", "258-escaped", "258-utf8"],
)
def test_a_name_over_255_bytes_once_escaped_is_not_listed(
    tree: Tree, name: str, is_listed: int
) -> None:
    tree.run(f"CREATE TABLE {quote_name(name)}(a); CREATE TABLE other(a)")
    assert tree.tables() == sorted(["other"] + [name.replace("/", "%2F")] * is_listed)
    assert tree.value(f"SELECT count(*) FROM {quote_name(name)}") == "0"


def test_looking_up_a_name_too_long_says_so(tree: Tree) -> None:
    with fails("ENAMETOOLONG"):
        (tree / f"tables/{'n' * 256}").lstat()


def test_names_keep_the_case_that_they_were_made_with(tree: Tree) -> None:
    tree.run("CREATE TABLE MixedCase(a)")
    tree.run("INSERT INTO mixedcase VALUES(1)")
    assert tree.tables() == ["MixedCase"]
    assert tree.text("tables/MixedCase/count") == "1\n"
    assert not (tree / "tables/mixedcase").exists()


def test_what_is_sqlites_own_is_not_listed(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT)")
    tree.run("INSERT INTO t VALUES(1); ANALYZE")
    assert tree.value("SELECT count(*) FROM sqlite_sequence") == "1"
    assert tree.tables() == ["t"]


def test_shadow_tables_are_not_listed(tree: Tree) -> None:
    tree.run("CREATE VIRTUAL TABLE doc USING fts5(body)")
    tree.run("CREATE VIRTUAL TABLE box USING rtree(i, a, b)")
    assert tree.value("SELECT count(*) FROM sqlite_schema WHERE type = 'table'") != "2"
    assert tree.tables() == ["box", "doc"]


def test_views_are_not_tables(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t")
    assert tree.tables() == ["t"]
    assert not (tree / "tables/v").exists()


@pytest.mark.parametrize("name", ["nope", "tables/nope", "tables/nope/count", "info/nope"])
def test_what_is_not_there_is_enoent(tree: Tree, name: str) -> None:
    with fails("ENOENT"):
        tree.read(name)


def test_a_file_is_no_directory(tree: Tree) -> None:
    with fails("ENOTDIR"):
        tree.read("query/data")


def test_a_directory_is_no_file(tree: Tree) -> None:
    with fails("EISDIR"):
        tree.read("tables")


def test_listing_survives_tables_going_away(tree: Tree) -> None:
    names = [f"t{number:03}" for number in range(200)]
    tree.run(";".join(f"CREATE TABLE {name}(a)" for name in names))
    assert tree.tables() == names
    with os.scandir(tree / "tables") as entries:
        seen = [next(entries).name]
        tree.run(";".join(f"DROP TABLE {name}" for name in names))
        seen += [entry.name for entry in entries]
    assert set(seen) <= set(names)
    assert len(seen) == len(set(seen))
    assert tree.tables() == []


def test_every_entry_listed_has_the_type_that_it_is_listed_with(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    for directory in ["", "tables", "tables/t", "info"]:
        with os.scandir(tree / directory) as entries:
            for entry in entries:
                assert entry.is_dir(follow_symlinks=False) == os.path.isdir(entry.path), entry.path
                assert entry.inode() == os.lstat(entry.path).st_ino, entry.path


# What may not be done

WHERE = ["", "tables", "tables/t", "info"]


@pytest.mark.parametrize("where", WHERE)
def test_mkdir_is_eperm(tree: Tree, where: str) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EPERM"):
        (tree / where / "new").mkdir()


@pytest.mark.parametrize("where", WHERE)
def test_creating_a_file_is_eperm(tree: Tree, where: str) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EPERM"):
        os.open(tree / where / "new", os.O_CREAT | os.O_WRONLY)


@pytest.mark.parametrize("where", WHERE)
def test_links_and_devices_are_eperm(tree: Tree, where: str) -> None:
    tree.run("CREATE TABLE t(a)")
    new = tree / where / "new"
    with fails("EPERM"):
        new.symlink_to("query")
    with fails("EPERM"):
        os.link(tree / "query", new)
    with fails("EPERM"):
        os.mknod(new, stat.S_IFIFO | 0o600)


@pytest.mark.parametrize("name", ["query", "result", "tables/t/data.csv", "info/version"])
def test_unlink_is_eperm(tree: Tree, name: str) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EPERM"):
        (tree / name).unlink()
    assert (tree / name).exists()


@pytest.mark.parametrize("name", ["tables/t", "tables", "info"])
def test_rmdir_is_eperm(tree: Tree, name: str) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EPERM"):
        (tree / name).rmdir()
    assert (tree / name).is_dir()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tables/t", "tables/u"),
        ("tables/t/data.csv", "tables/t/u.csv"),
        ("query", "request"),
        ("info", "about"),
        ("tables/t", "tables/other"),
    ],
)
def test_rename_is_eperm(tree: Tree, old: str, new: str) -> None:
    tree.run("CREATE TABLE t(a); CREATE TABLE other(a)")
    with fails("EPERM"):
        (tree / old).rename(tree / new)
    assert tree.tables() == ["other", "t"]


@pytest.mark.parametrize("name", [*RESULTS, "tables/t/data.csv", "tables/t/count", "info/version"])
def test_writing_what_is_only_read_is_eperm_even_for_root(tree: Tree, name: str) -> None:
    tree.run("CREATE TABLE t(a)")
    with fails("EPERM"):
        os.close(os.open(tree / name, os.O_WRONLY))
    with fails("EPERM"):
        os.close(os.open(tree / name, os.O_RDWR))


# What is accepted and does nothing

ACCEPTED: dict[str, Callable[[Path], None]] = {
    "open": lambda path: os.close(os.open(path, os.O_WRONLY)),
    "O_TRUNC": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC)),
    "O_APPEND": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)),
    "O_CREAT": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)),
    "O_RDWR": lambda path: os.close(os.open(path, os.O_RDWR | os.O_TRUNC)),
    "truncate": lambda path: os.truncate(path, 0),
    "truncate-longer": lambda path: os.truncate(path, 1_000_000),
    "touch": lambda path: path.touch(),
    "utime": lambda path: os.utime(path, (1, 1)),
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("what", ACCEPTED)
def test_on_a_query_file_it_is_accepted_and_does_nothing(tree: Tree, name: str, what: str) -> None:
    tree.run("SELECT 1 AS a")
    ACCEPTED[what](tree / name)
    assert tree.result() == "a\n1\n"
    assert tree.text("error") == "ok\n"
    assert (tree / name).lstat().st_size == 0


def test_fsync_and_ftruncate_do_not_disturb_a_batch(tree: Tree) -> None:
    with tree.batch() as batch:
        batch.write("SELECT 1")
        os.fsync(batch.fd)
        os.fdatasync(batch.fd)
        os.ftruncate(batch.fd, 0)
        batch.write(" AS a")
    assert tree.result() == "a\n1\n"


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_file_opened_to_read_is_empty(tree: Tree, name: str) -> None:
    tree.run("SELECT 1 AS a")
    assert tree.read(name) == b""
    assert tree.result() == "a\n1\n"


def test_a_file_opened_before_drop_can_still_be_read(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    with (tree / "tables/t/data.csv").open() as data, (tree / "tables/t/schema").open() as schema:
        tree.run("DROP TABLE t")
        assert data.read() == "a\n1\n"
        assert "CREATE TABLE t" in schema.read()


def test_the_mtime_of_the_root_is_the_last_change_of_the_data(tree: Tree) -> None:
    tree.run("CREATE TABLE t(a)")
    before = tree.root.stat().st_mtime_ns
    tree.run("SELECT * FROM t")
    assert tree.root.stat().st_mtime_ns == before
    tree.run("INSERT INTO t VALUES(1)")
    after = tree.root.stat().st_mtime_ns
    assert after >= before
    assert (tree / "tables/t/data.csv").stat().st_mtime_ns in range(before, after + 1)
