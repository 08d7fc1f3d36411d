# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ksqlfs_import: CSV and NDJSON, all or nothing."""

from __future__ import annotations

import pytest

from tests.interface.tree import Param, Tree
from tests.recipes.conftest import Runner
from tests.recipes.test_query import AWKWARD

TABLE = 'a\'b "c" $x\n/'
QUOTED = '"' + TABLE.replace('"', '""') + '"'


def made(tree: Tree, name: str = "t") -> str:
    """What a table holds, with types."""
    with tree.connect("query.rows") as connection:
        return "".join(connection.ask(f"SELECT * FROM {name}").splitlines(keepends=True)[1:-1])


GOOD_CSV = {
    "plain": (b"i,t\n1,x\n2,y\n", '[1,"x",7]\n[2,"y",7]\n'),
    "no-newline-at-the-end": (b"i,t\n1,x", '[1,"x",7]\n'),
    "crlf": (b'i,t\r\n1,x\r\n2,"y\r\nz"\r\n', '[1,"x",7]\n[2,"y\\r\\nz",7]\n'),
    "bom": (b"\xef\xbb\xbfi,t\n1,x\n", '[1,"x",7]\n'),
    "quoted": (b'"t","i"\n"a,""b""\n\nc","1"\n', '[1,"a,\\"b\\"\\n\\nc",7]\n'),
    "quotes-alone": (b't\n""""\n"""a"""\n', '[null,"\\"",7]\n[null,"\\"a\\"",7]\n'),
    "null-and-empty": (b'i,t\n,\n,""\n', '[null,null,7]\n[null,"",7]\n'),
    "blob": (b'd\n\\x00ff\n"\\x00ff"\n\\x0\n', None),
    "empty-lines": (b"i,t\n\n1,x\n\n\n", '[1,"x",7]\n'),
    "one-column": (b"t\nx\n\n", '[null,"x",7]\n[null,null,7]\n'),
    "only-a-header": (b"i,t\n", ""),
    "affinity": (b"i,t\n007,007\n1.5,1.50\nx,-\n", None),
    "utf-8": ("i,t\n1,å漢🐘\n".encode(), '[1,"å漢🐘",7]\n'),
    "quotes-within": (b'i,t\n1,a"b"\n', '[1,"a\\"b\\"",7]\n'),
    "empty": (b"", ""),
    "case-of-names": (b"I,T\n1,x\n", '[1,"x",7]\n'),
    "many": (
        b"i,t\n" + b"".join(b'%d,"a\n%d"\n' % (n, n) for n in range(3000)),
        "".join(f'[{n},"a\\n{n}",7]\n' for n in range(3000)),
    ),
}
TYPED = {
    "blob": '[null,null,{"$base64":"AP8="}]\n[null,null,{"$base64":"AP8="}]\n'
    '[null,null,"\\\\x0"]\n',
    "affinity": '[7,"007",7]\n[1.5,"1.50",7]\n["x","-",7]\n',
}


def import_all(recipe: Runner, tree: Tree, ending: str, contents: dict[str, bytes]) -> None:
    """Import each of these files into a table of its own, all by one shell."""
    for name, content in contents.items():
        (recipe.work / f"{name}.{ending}").write_bytes(content)
        tree.run(f'CREATE TABLE "{name}"(i INTEGER, t TEXT, d DEFAULT 7)')
    script = f'for name; do ksqlfs_import "$name.{ending}" "$name"; done'
    assert recipe.fine(script, *contents) == ""


def test_csv(recipe: Runner, tree: Tree) -> None:
    import_all(recipe, tree, "csv", {name: content for name, (content, _) in GOOD_CSV.items()})
    for name, (_, rows) in GOOD_CSV.items():
        assert made(tree, f'"{name}"') == (rows if rows is not None else TYPED[name]), name


GOOD_NDJSON = {
    "plain": (b'{"i":1,"t":"x"}\n{"t":"y","i":2}\n', '[1,"x",7]\n[2,"y",7]\n'),
    "no-newline-at-the-end": (b'{"i":1,"t":"x"}', '[1,"x",7]\n'),
    "crlf-and-bom": (b'\xef\xbb\xbf{"i":1}\r\n\r\n{"i":2}\r\n', "[1,null,7]\n[2,null,7]\n"),
    "defaults": (b'{}\n{"d":null}\n{"t":""}\n', '[null,null,7]\n[null,null,null]\n[null,"",7]\n'),
    "escapes": (
        b'{"t":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\udc18\\u0001"}\n',
        '[null,"\\"\\\\/\\b\\f\\n\\r\\té🐘\\u0001",7]\n',
    ),
    "numbers": (
        b'{"d":9223372036854775807}\n{"d":-1e-7}\n{"d":0.1}\n{"d":9e999}\n{"d":5.0}\n{"d":"5"}\n',
        "[null,null,9223372036854775807]\n[null,null,-1.0e-07]\n[null,null,0.1]\n"
        '[null,null,9e999]\n[null,null,5.0]\n[null,null,"5"]\n',
    ),
    "others": (
        b'{"d":true}\n{"d":false}\n{"d":[1, {"a":2}]}\n{"d":{"a":[]}}\n',
        '[null,null,1]\n[null,null,0]\n[null,null,"[1,{\\"a\\":2}]"]\n[null,null,"{\\"a\\":[]}"]\n',
    ),
    "blobs": (
        b"".join(
            b'{"d":{"$base64":"%s"}}\n' % text
            for text in (b"", b"AA==", b"AP8=", b"+/+/", b"TWFu", b"TWFuTWE=")
        ),
        "".join(
            f'[null,null,{{"$base64":"{text}"}}]\n'
            for text in ("", "AA==", "AP8=", "+/+/", "TWFu", "TWFuTWE=")
        ),
    ),
    "empty": (b"", ""),
}


def test_ndjson(recipe: Runner, tree: Tree) -> None:
    import_all(recipe, tree, "ndjson", {name: text for name, (text, _) in GOOD_NDJSON.items()})
    for name, (_, rows) in GOOD_NDJSON.items():
        assert made(tree, f'"{name}"') == rows, name


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_what_is_exported_is_imported_the_same(recipe: Runner, tree: Tree, ending: str) -> None:
    columns = '"a b" TEXT, "c""d", "e,\nf" BLOB, "$HOME" INTEGER'
    tree.run(f"CREATE TABLE t({columns}); CREATE TABLE {QUOTED}({columns})")
    others: list[Param] = [None, 2.5, b"\x00\xff", 0.1, b"", -(2**63)]
    for number, text in enumerate(AWKWARD):
        # CSV has no types: what is without a type comes back as text.
        other = None if ending == "csv" else others[number % len(others)]
        tree.run("INSERT INTO t VALUES(?, ?, ?, ?)", text, other, b"\n,%d" % number, number)
    script = f'ksqlfs_export t "-a b.{ending}"; ksqlfs_import "-a b.{ending}" "$1"'
    assert recipe.fine(script, TABLE) == ""
    assert made(tree, QUOTED) == made(tree)


# What is refused, each with what is said of it after the file's name.
BAD = {
    "short.csv": (b"i,t\n1,x\n2\n", ", line 3: 1 field instead of 2"),
    "long.csv": (b'i,t\n1,"x\ny"\n2,y,z\n', ", line 4: 3 fields instead of 2"),
    "after.csv": (b'i,t\n1,"a"b\n', ", line 2: text behind a closing quote"),
    "open.csv": (b'i,t\n1,x\n2,"a\nb\n', ", line 3: a quote that is not closed"),
    "unnamed.csv": (b"i,,t\n", ", line 1: column 2 has no name"),
    "twice.csv": (b"i,t,I\n", ", line 1: two columns are named I"),
    "unknown.csv": (b"i,nope\n", ", line 1: table t has no column named nope"),
    "generated.csv": (b"i,g\n", ', line 1: cannot INSERT into generated column "g"'),
    "latin1.csv": (b"i,t\n1,x\n2,\xe9\n", ", line 3: text that is not UTF-8"),
    "surrogate.csv": (b"i,t\n1,\xed\xa0\x80\n", ", line 2: text that is not UTF-8"),
    "overlong.csv": (b"i,t\n1,\xc0\xaf\n", ", line 2: text that is not UTF-8"),
    "nul.csv": (b"i,t\n1,a\0b\n", ", line 2: a NUL byte"),
    "check.csv": (b"i,t\n1,x\n-1,INSERT /*line 9*/\n", ", line 3: CHECK constraint failed: i > 0"),
    "unique.csv": (b'i,t\n1,"\n\n"\n1,x\n', ", line 5: UNIQUE constraint failed: t.i"),
    "foreign.csv": (b"i,p\n1,5\n", ", line 2: FOREIGN KEY constraint failed"),
    "late.csv": (
        b"i,t\n" + b"%b\n" * 5000 % (*(b"%d,x" % (n + 1) for n in range(4999)), b"1,x"),
        ", line 5001: UNIQUE constraint failed: t.i",
    ),
    "json.ndjson": (b'{"i":1}\n{"i":2\n', ", line 2: not JSON"),
    "base64.ndjson": (b'{"t":{"$base64":"A"}}\n', ', line 1: a "$base64" that is none'),
    "json5.ndjson": (b'{"i":1}\n\n{i:2}\n', ", line 3: not JSON"),
    "array.ndjson": (b"[1]\n", ", line 1: not a JSON object"),
    "twice.ndjson": (b'{"i":1,"I":2}\n', ", line 1: two columns are named I"),
    "unknown.ndjson": (b'{"i":1}\n{"no\\npe":2}\n', ", line 2: table t has no column named no"),
    "unique.ndjson": (b'{"i":1}\n{"i":1}\n', ", line 2: UNIQUE constraint failed: t.i"),
    "latin1.ndjson": (b'{"i":1}\n{"t":"\xe9"}\n', ", line 2: text that is not UTF-8"),
    "nul.ndjson": (b'{"t":"\0"}\n', ", line 1: a NUL byte"),
}


def test_bad_files_change_nothing_and_are_told_with_their_line(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE TABLE parent(id INTEGER PRIMARY KEY)")
    tree.run("CREATE TABLE t(i INTEGER UNIQUE CHECK(i > 0), t TEXT, g AS (i), p REFERENCES parent)")
    for name, (content, _) in BAD.items():
        (recipe.work / name).write_bytes(content)
    outcomes = recipe.each(f"ksqlfs_import {name} t" for name in BAD)
    for (status, said), (name, (_, what)) in zip(outcomes, BAD.items(), strict=True):
        assert (status, said) == (1, f"ksqlfs: {name}{what}; nothing is imported.\n")
    assert tree.text("tables/t/count") == "0\n"


def test_a_deferred_constraint_is_looked_at_in_the_end(recipe: Runner, tree: Tree) -> None:
    tree.run("CREATE TABLE t(i INTEGER PRIMARY KEY, p REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    (recipe.work / "good.csv").write_text("i,p\n1,2\n2,1\n")
    (recipe.work / "bad.csv").write_text("i,p\n3,4\n")
    recipe.fine("ksqlfs_import good.csv t")
    assert "FOREIGN KEY" in recipe.refused(1, "ksqlfs_import bad.csv t")
    assert tree.text("tables/t/count") == "2\n"


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_files_and_tables_that_are_not_there(recipe: Runner, ending: str) -> None:
    assert recipe.refused(1, f"ksqlfs_import no.{ending} t") == (
        f"ksqlfs: no.{ending} is no file that can be read.\n"
    )
    (recipe.work / f"a.{ending}").write_text('{"a":1}\n' if ending == "ndjson" else "a\n1\n")
    assert recipe.refused(1, f"ksqlfs_import a.{ending} t") == (
        f"ksqlfs: a.{ending}: no such table: t; nothing is imported.\n"
    )


def test_an_import_waits_for_nobody_after_it(recipe: Runner, tree: Tree) -> None:
    """The lock is free again, also after a failure."""
    tree.run("CREATE TABLE t(a)")
    (recipe.work / "bad.csv").write_text("a\n1,2\n")
    recipe.refused(1, "ksqlfs_import bad.csv t")
    tree.run("INSERT INTO t VALUES(1)")


def test_wrong_usage_of_import(recipe: Runner) -> None:
    wrong = ["", "t.csv", "t.xml t", "t.csv t more"]
    recipe.wrong_usage([f"ksqlfs_import {arguments}" for arguments in wrong])
