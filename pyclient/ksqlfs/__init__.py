# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A client of ksqlfs: SQLite in the Linux kernel, reached as files.

`connect()` gives a connection as PEP 249 and the module sqlite3 have it:

    import ksqlfs

    with ksqlfs.connect() as db:
        db.execute("INSERT INTO disk VALUES(?, ?)", ("sda", 465.8))

docs/python.md is the reference.
"""

from ksqlfs.connection import Connection, connect
from ksqlfs.cursor import Cursor
from ksqlfs.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NoTreeError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - the name is PEP 249's
)
from ksqlfs.paths import find_root
from ksqlfs.row import Row
from ksqlfs.table import Column, Table
from ksqlfs.types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)
from ksqlfs.watch import Version, Watch

__version__ = "0.1.0"

# PEP 249
apilevel = "2.0"
# Threads may share the module and connections.
threadsafety = 2
paramstyle = "qmark"

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Column",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NoTreeError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Row",
    "Table",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Version",
    "Warning",
    "Watch",
    "__version__",
    "apilevel",
    "connect",
    "find_root",
    "paramstyle",
    "threadsafety",
]
