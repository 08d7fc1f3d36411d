# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Rows that are written to insert.* and import/, and what the engine says of them."""

from __future__ import annotations

import base64
import errno
import json
from typing import Any

from tests.core.engine import WRITE, Db, File
from tests.core.test_api import errno_of

# A table into which the row "x" is never inserted to its end.
ENDLESS = (
    "CREATE TABLE t(a); CREATE TRIGGER tr AFTER INSERT ON t WHEN new.a = 'x' BEGIN WITH RECURSIVE"
    " c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c; END"
)


def feed(file: File, data: bytes | str, size: int = 1 << 17) -> None:
    """Write all of it and close; a write that fails is raised after the close."""
    data = data.encode() if isinstance(data, str) else data
    with file:
        try:
            for at in range(0, len(data), size):
                file.write(data[at : at + size])
        finally:
            file.close()


def insert(db: Db, data: bytes | str, table: str = "t", form: str = "csv", size: int = 99) -> None:
    feed(db.open(f"tables/{table}/insert.{form}", WRITE), data, size)


def make(db: Db, data: bytes | str, name: str = "t.csv", size: int = 1 << 17) -> None:
    feed(db.create(f"import/{name}"), data, size)


def refused(db: Db, data: bytes | str, table: str = "t", form: str = "csv") -> tuple[str, str]:
    """The errno of what must fail, and what `error` says; nothing is changed."""
    before, version = db.cat("tables/t/data.json"), db.facts("events")["data_version"]
    code = errno_of(insert, db, data, table, form)
    assert db.cat("tables/t/data.json") == before
    assert db.facts("events")["data_version"] == version
    assert db.facts("status")["state"] == "error"
    assert db.facts("status")["changes"] == "0"
    return errno.errorcode[code], db.text("error").splitlines()[0]


def unmade(db: Db, data: bytes | str, name: str = "t.csv") -> tuple[str, str]:
    """Likewise of what makes a table."""
    tables, version = db.names("tables"), db.facts("events")["data_version"]
    code = errno_of(make, db, data, name)
    assert db.names("tables") == tables
    assert db.names("import") == []
    assert db.facts("events")["data_version"] == version
    return errno.errorcode[code], db.text("error").splitlines()[0]


def rows(db: Db, sql: str) -> list[dict[str, Any]]:
    db.batch(sql)
    return [
        {key: plain(value) for key, value in row.items()}
        for row in json.loads(db.cat("result.json"))
    ]


def plain(value: Any) -> Any:
    return base64.b64decode(value["$base64"]) if isinstance(value, dict) else value


def types(db: Db, table: str = "t") -> dict[str, str]:
    """The columns and their declared types."""
    return {row["name"]: row["type"] for row in rows(db, f"PRAGMA table_info({table})")}
