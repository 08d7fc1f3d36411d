# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The SQLAlchemy 2 dialect: `ksqlfs://`.

The SQL is SQLite's, and so is SQLAlchemy's dialect for it; what differs is the driver.
"""

from __future__ import annotations

import types
from typing import Any

from sqlalchemy import exc
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine import URL
from sqlalchemy.pool import Pool, QueuePool

import ksqlfs

# The dialect asks its driver's module what SQLite can do. No tree has an older one than this.
_OLDEST_SQLITE = (3, 53, 2)


class KsqlDialect(SQLiteDialect):
    """SQLite's dialect over a ksqlfs tree.

    The URL's database is the root: `ksqlfs:////run/ksql`; without one, `ksqlfs://`, the tree is
    looked for as connect() does. The only query argument is `isolation_level` of connect(): what
    BEGIN says, `DEFERRED` by default.

    SQLAlchemy's transactions are SQLite's, of BEGIN to COMMIT, with reads and DDL in them. A
    transaction that reads before it writes may find that another has written meanwhile (EBUSY):
    `ksqlfs://?isolation_level=IMMEDIATE` lets only one of such run at a time.
    """

    name = "sqlite"
    driver = "ksqlfs"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    returns_native_bytes = True
    supports_native_boolean = False

    _level = "DEFERRED"

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return the driver: the module, with what SQLite's dialect asks for beside it."""
        return types.SimpleNamespace(**vars(ksqlfs), sqlite_version_info=_OLDEST_SQLITE)

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:  # noqa: ARG003 - SQLAlchemy's
        """Return the kind of pool: connections are independent of each other."""
        return QueuePool

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of connect() for a URL."""
        query = dict(url.query)
        self._level = str(query.pop("isolation_level", self._level))
        if url.username or url.password or url.host or url.port or query:
            raise exc.ArgumentError(
                f"{url} is not a ksqlfs URL: write ksqlfs:// or ksqlfs:////root/of/the/tree,"
                " with ?isolation_level= or nothing behind it."
            )
        return [url.database or None], {"isolation_level": self._level}

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        version = connection.exec_driver_sql("SELECT sqlite_version()").scalar()
        return tuple(map(int, version.split(".")))

    def get_isolation_level_values(
        self,
        dbapi_connection: Any,  # noqa: ARG002 - SQLAlchemy's
    ) -> list[Any]:
        """Return the levels there are."""
        return ["SERIALIZABLE", "AUTOCOMMIT"]

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        """Set the level of a connection."""
        dbapi_connection.isolation_level = None if level == "AUTOCOMMIT" else self._level

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """Return the level of a connection."""
        return "AUTOCOMMIT" if dbapi_connection.isolation_level is None else "SERIALIZABLE"

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Return whether statements of a connection commit by themselves."""
        return dbapi_conn.isolation_level is None

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction where SQLAlchemy begins one."""
        if dbapi_connection.isolation_level is not None:
            dbapi_connection.execute(f"BEGIN {self._level}")

    def is_disconnect(
        self,
        e: Any,
        connection: Any,  # noqa: ARG002 - SQLAlchemy's
        cursor: Any,  # noqa: ARG002
    ) -> bool:
        """Return whether an error means that the connection is of no use any more."""
        return isinstance(e, ksqlfs.InterfaceError) or "closed database" in str(e)
