# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The documentation against the source: tables that repeat it, links, names of targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.glob("*.md")])


def source(name: str) -> str:
    return (PROJECT / name).read_text()


def sections(page: Path) -> dict[str, str]:
    """The text below each heading of a page."""
    parts = re.split(r"^#+ (.*)\n", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table, without its head and code marks."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        rows = [
            [cell.strip().strip("`") for cell in line.strip("|").split("|")]
            for line in block.splitlines()
        ]
        found.append(rows[2:])
    return found


def block(text: str, begin: str) -> str:
    """A table of C source: from a line on to the next brace at a line's beginning."""
    return text.partition(begin)[2].partition("\n}")[0]


# Tables


def test_codes_and_their_errnos() -> None:
    listed = re.findall(r"^\tCODE\((\w+), (\w+)\)", source("sqlite_core/error.c"), re.M)
    (documented, *_) = tables(sections(DOCS / "errors.md")["From SQLite's code to errno"])
    assert documented == [[f"SQLITE_{code}", name] for code, name in listed]


def test_messages_and_their_errnos() -> None:
    messages = block(source("sqlite_core/error.c"), "} messages[] = {")
    listed = re.findall(r'\{ "(.*?)",\s+"(.*?)",\s+(\w+) \}', messages)
    (*_, documented) = tables(sections(DOCS / "errors.md")["From SQLite's code to errno"])
    assert documented == [[f"{begins}...{ends}", name] for begins, ends, name in listed]


def test_words_of_errnos() -> None:
    errnos = block(source("sqlite_core/error.c"), "} errnos[] = {")
    listed = re.findall(r'\{ E\w+, "(\w+)",\s+"(.*?)" \}', errnos)
    (documented,) = tables(sections(DOCS / "errors.md")["Words of an errno"])
    assert documented == [[name, words] for name, words in listed]


def test_every_errno_is_explained() -> None:
    errnos = block(source("sqlite_core/error.c"), "} errnos[] = {")
    listed = set(re.findall(r'"(E[A-Z]+)"', errnos)) - {"EIO"}
    (documented,) = tables(sections(DOCS / "interface.md")["Errnos"])
    assert {row[0] for row in documented} == listed


def test_pragmas() -> None:
    pragmas = block(source("sqlite_core/policy.c"), "} pragmas[] = {")
    marks = ("PRAGMA_READ", "PRAGMA_ARG", "PRAGMA_STATE")
    listed = [
        [name, *("yes" if mark in flags.split(" | ") else "-" for mark in marks)]
        for name, flags in re.findall(r'\{ "(\w+)",\s+([A-Z_| ]+) \}', pragmas)
    ]
    documented, _refused = tables(sections(DOCS / "pragmas.md")["PRAGMAs"])
    assert [row[:4] for row in documented] == listed
    assert all(row[4] for row in documented)


def test_no_refused_pragma_is_allowed() -> None:
    pragmas = set(re.findall(r'\{ "(\w+)",\s+PRAGMA', source("sqlite_core/policy.c")))
    _allowed, refused = tables(sections(DOCS / "pragmas.md")["PRAGMAs"])
    assert not pragmas & {name for row in refused for name in row[0].split(", ")}


def test_limits_of_sql() -> None:
    config = dict(
        re.findall(
            r"^#define (\w+_MAX_\w+)[\s\\\\]+(\w+)", source("sqlite_core/sqlite/config.h"), re.M
        )
    )
    (documented,) = tables(sections(DOCS / "sql.md")["Limits"])
    assert documented
    assert {row[0]: row[1] for row in documented} == {row[0]: config[row[0]] for row in documented}


def test_no_user_sees_the_statements_of_another() -> None:
    assert "`sqlite_stmt`" in sections(DOCS / "sql.md")["Out"]
    assert "SQLITE_ENABLE_STMTVTAB" not in source("sqlite_core/sqlite/config.h")


def test_limits_of_a_connection() -> None:
    limits = dict(re.findall(r"\{ SQLITE_LIMIT_(\w+), (\d+) \}", source("sqlite_core/policy.c")))
    text = sections(DOCS / "sql.md")["Limits"]
    for name in ("COLUMN", "VARIABLE_NUMBER", "VDBE_OP"):
        assert re.search(rf"\b{limits[name]}\b", text), name


def test_every_file_of_the_tree_is_shown() -> None:
    names = set(re.findall(r'\.name = "([a-z._]+)"', source("sqlite_core/node.c")))
    tree = sections(DOCS / "interface.md")["The tree"].split("```")[1]
    assert names == set(re.findall(r"── ([a-z._]+)(?=[ /\n])", tree))


def test_mount_options() -> None:
    options = set(re.findall(r'fsparam_\w+\("(\w+)"', source("kfs_module/super.c")))
    options |= set(re.findall(r'^\t\{ "(\w+)"', source("sqlite_core/option.c"), re.M))
    (documented,) = tables(sections(DOCS / "interface.md")["Mounting"])
    named = {name for row in documented for name in re.findall(r"(\w+)=", row[0])}
    assert named == options


def test_metrics() -> None:
    names = set(re.findall(r'"(ksqlfs_\w+)"', source("sqlite_core/metrics.c")))
    names |= set(re.findall(r'"(ksqlfs_\w+)\{', source("sqlite_core/metrics.c")))
    rows = [row for table in tables((DOCS / "interface.md").read_text()) for row in table]
    documented = {name for row in rows for name in re.findall(r"\bksqlfs_\w+", row[0])}
    assert documented == names


def commands(page: Path) -> str:
    """The code blocks and the marked code of a page, a line each."""
    found = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL)
    return "\n".join(in_block or in_line for in_block, in_line in found)


def test_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", source("Makefile"), re.MULTILINE))
    named = {
        target for page in PAGES for target in re.findall(r"^make ([a-z-]+)", commands(page), re.M)
    }
    assert len(named) > 10
    assert named <= targets


# Links and names


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            yield page, target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "target"), links(), ids=lambda value: Path(value).name)
def test_links_lead_somewhere(page: Path, target: str) -> None:
    if "://" in target:
        return
    name, _, anchor = target.partition("#")
    path = page.parent / name if name else page
    assert path.exists()
    if anchor:
        assert anchor in anchors(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    folders = r"(?:kfs_module|sqlite_core|pyclient|docs|tests|\.ci)"
    for name in re.findall(rf"`({folders}/[\w./-]*)", page.read_text()):
        assert (PROJECT / name).exists(), name
