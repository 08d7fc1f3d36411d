# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The SQLAlchemy dialect and pandas, by the real libraries."""

from __future__ import annotations

import datetime
import decimal
import math
import warnings
from collections.abc import Iterator

import ksqlfs
import pandas as pd
import pytest
import sqlalchemy as sa
from ksqlfs.sqlalchemy import KsqlDialect
from sqlalchemy import orm

from tests.interface.tree import Tree


class Base(orm.DeclarativeBase):
    """Of the classes below."""


class Machine(Base):
    """A row of one table."""

    __tablename__ = "machine"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)
    born: orm.Mapped[datetime.datetime | None]
    key: orm.Mapped[bytes | None]
    load: orm.Mapped[float | None]
    up: orm.Mapped[bool] = orm.mapped_column(default=True)
    facts: orm.Mapped[dict[str, object] | None] = orm.mapped_column(sa.JSON)
    disks: orm.Mapped[list[Disk]] = orm.relationship(back_populates="machine")


class Disk(Base):
    """A row of another, which refers to it."""

    __tablename__ = "disk"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    machine_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("machine.id"), index=True)
    price: orm.Mapped[decimal.Decimal | None] = orm.mapped_column(sa.Numeric(10, 2))
    machine: orm.Mapped[Machine] = orm.relationship(back_populates="disks")


@pytest.fixture
def engine(tree: Tree) -> Iterator[sa.Engine]:
    """An engine on the empty tree."""
    engine = sa.create_engine(f"ksqlfs:///{tree.root}")
    yield engine
    engine.dispose()


@pytest.fixture
def tables(engine: sa.Engine) -> sa.Engine:
    Base.metadata.create_all(engine)
    return engine


# URLs


def test_the_entry_point_is_found(engine: sa.Engine, tree: Tree) -> None:
    assert isinstance(engine.dialect, KsqlDialect)
    assert engine.dialect.driver == "ksqlfs"
    with engine.connect() as connection:
        inner = connection.connection.dbapi_connection
        assert isinstance(inner, ksqlfs.Connection)
        assert inner.root == tree.root
        assert connection.scalar(sa.text("SELECT 6 * 7")) == 42
        version = connection.scalar(sa.text("SELECT sqlite_version()"))
        assert engine.dialect.server_version_info == tuple(map(int, str(version).split(".")))


def test_without_a_root_the_tree_is_looked_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSQL_ROOT", str(tree.root))
    engine = sa.create_engine("ksqlfs://")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["ksqlfs://host/x", "ksqlfs://user:secret@/x", "ksqlfs:///x?mode=memory"]
)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(sa.exc.ArgumentError, match="is not a ksqlfs URL"):
        sa.create_engine(url).connect()


def test_no_tree(tmp_path: object) -> None:
    with pytest.raises(sa.exc.InterfaceError, match="is not a ksqlfs tree"):
        sa.create_engine(f"ksqlfs:///{tmp_path}").connect()


# The ORM


def test_objects_come_back_as_they_were(tables: sa.Engine) -> None:
    born = datetime.datetime(2026, 11, 21, 13, 50, 1, 250)
    facts = {"cpus": [1, 2, {"größe": None}]}
    with orm.Session(tables) as session:
        machine = Machine(name="it's", born=born, key=b"\0\xff", load=0.1, facts=facts, up=False)
        machine.disks = [Disk(price=decimal.Decimal("12.34")), Disk()]
        session.add(machine)
        session.add(Machine(name="other"))
        session.commit()
    with orm.Session(tables) as session:
        found = session.scalars(sa.select(Machine).where(Machine.name == "it's")).one()
        assert (found.born, found.key, found.load, found.facts) == (born, b"\0\xff", 0.1, facts)
        assert found.up is False
        assert [disk.price for disk in found.disks] == [decimal.Decimal("12.34"), None]
        other = session.scalars(sa.select(Machine).where(Machine.id != found.id)).one()
        assert (other.born, other.key, other.load, other.facts, other.up) == (
            *(None, None, None, None, True),
        )


def test_updates_deletes_and_many_inserts(tables: sa.Engine) -> None:
    with orm.Session(tables) as session:
        session.add_all([Machine(name=f"m{number}", load=number) for number in range(600)])
        session.commit()
        ids = session.scalars(sa.select(Machine.id).order_by(Machine.id)).all()
        assert ids == list(range(1, 601))
        done = session.execute(sa.update(Machine).where(Machine.load < 10).values(load=-1))
        assert done.rowcount == 10  # type: ignore[attr-defined]  # a CursorResult
        session.execute(sa.delete(Machine).where(Machine.load >= 0))
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Machine)) == 10


def test_rows_are_streamed(engine: sa.Engine) -> None:
    endless = sa.text(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
    )
    with engine.connect() as connection:
        result = connection.execution_options(yield_per=100).execute(endless)
        for row in result:
            if row.n == 20_000:
                break
        result.close()
        assert connection.scalar(sa.text("SELECT 1")) == 1


# Errors


def test_errors_keep_what_ksqlfs_tells(tables: sa.Engine) -> None:
    with orm.Session(tables) as session:
        session.add_all([Machine(name="same"), Machine(name="same")])
        with pytest.raises(sa.exc.IntegrityError) as caught:
            session.commit()
        assert isinstance(caught.value.orig, ksqlfs.IntegrityError)
        assert caught.value.orig.errno_name == "EEXIST"
        session.rollback()
        with pytest.raises(sa.exc.ProgrammingError) as wrong:
            session.execute(sa.text("SELECT nope"))
        assert isinstance(wrong.value.orig, ksqlfs.ProgrammingError)
        assert wrong.value.orig.offset == 7


def test_a_connection_that_is_closed_is_replaced(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        inner = connection.connection.dbapi_connection
        assert inner is not None
        inner.close()
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text("SELECT 1"))
        assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


# Transactions


def test_commit_rollback_and_isolation(tables: sa.Engine) -> None:
    count = sa.select(sa.func.count()).select_from(Machine)
    with tables.connect() as first, tables.connect() as second:
        first.execute(sa.insert(Machine).values(name="x"))
        assert second.scalar(count) == 0
        first.commit()
        # The second's transaction goes on seeing the state at which it began to read.
        assert second.scalar(count) == 0
        second.rollback()
        assert second.scalar(count) == 1
        first.execute(sa.delete(Machine))
        first.rollback()
        assert first.scalar(count) == 1


def test_tables_are_made_and_dropped_in_transactions(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE t(a)"))
        connection.rollback()
        assert not sa.inspect(connection).has_table("t")


def test_savepoints(tables: sa.Engine) -> None:
    with orm.Session(tables) as session:
        session.add(Machine(name="kept"))
        session.flush()
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(Machine(name="kept"))
        session.commit()
        assert session.scalars(sa.select(Machine.name)).all() == ["kept"]


def test_autocommit(tables: sa.Engine) -> None:
    with tables.connect() as first, tables.connect() as second:
        assert first.get_isolation_level() == "SERIALIZABLE"
        first = first.execution_options(isolation_level="AUTOCOMMIT")
        assert first.get_isolation_level() == "AUTOCOMMIT"
        first.execute(sa.insert(Machine).values(name="x"))
        assert second.scalar(sa.select(sa.func.count()).select_from(Machine)) == 1
    with tables.connect() as again:
        assert again.get_isolation_level() == "SERIALIZABLE"


def test_immediate_transactions(tree: Tree) -> None:
    engine = sa.create_engine(f"ksqlfs:///{tree.root}?isolation_level=IMMEDIATE")
    with engine.connect() as connection:
        inner = connection.connection.dbapi_connection
        assert isinstance(inner, ksqlfs.Connection)
        assert inner.isolation_level == "IMMEDIATE"
        connection.scalar(sa.text("SELECT 1"))
        assert inner.in_transaction
        connection.rollback()
        assert not inner.in_transaction
    engine.dispose()


# Reflection


def test_reflection(tables: sa.Engine) -> None:
    inspector = sa.inspect(tables)
    assert inspector.get_table_names() == ["disk", "machine"]
    columns = {column["name"]: column for column in inspector.get_columns("machine")}
    assert isinstance(columns["name"]["type"], sa.String)
    assert columns["name"]["nullable"] is False
    assert inspector.get_pk_constraint("disk")["constrained_columns"] == ["id"]
    (key,) = inspector.get_foreign_keys("disk")
    assert (key["referred_table"], key["referred_columns"]) == ("machine", ["id"])
    assert [index["name"] for index in inspector.get_indexes("disk")] == ["ix_disk_machine_id"]
    assert inspector.get_unique_constraints("machine")[0]["column_names"] == ["name"]
    with tables.begin() as connection:
        connection.execute(sa.text("CREATE VIEW v AS SELECT name FROM machine"))
    assert sa.inspect(tables).get_view_names() == ["v"]
    reflected = sa.MetaData()
    reflected.reflect(tables)
    assert set(reflected.tables) == {"disk", "machine"}


# pandas


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["sda", "größe", None],
            "gib": [465.8, math.nan, -1.5],
            "count": [2**63 - 1, 0, -(2**63)],
            "at": pd.to_datetime(["2026-11-21 13:50", "1970-01-01 00:00", "NaT"]),
            "ok": [True, False, True],
        }
    )


@pytest.mark.parametrize("method", [None, "multi"])
def test_to_sql_and_read_sql(engine: sa.Engine, frame: pd.DataFrame, method: None) -> None:
    assert frame.to_sql("disk", engine, index=False, method=method, chunksize=2) == 3
    back = pd.read_sql("SELECT * FROM disk", engine, parse_dates=["at"])
    assert list(back["count"]) == list(frame["count"])
    assert list(back["gib"].isna()) == [False, True, False]
    assert back["gib"][0] == 465.8
    assert back["name"][1] == "größe"
    assert pd.isna(back["name"][2])
    assert back["at"][0] == frame["at"][0]
    assert list(back["ok"]) == [1, 0, 1]
    table = pd.read_sql_table("disk", engine)
    assert list(table["ok"]) == [True, False, True]


def test_read_sql_with_parameters_and_in_pieces(engine: sa.Engine, frame: pd.DataFrame) -> None:
    frame.to_sql("disk", engine)
    query = sa.text("SELECT name FROM disk WHERE gib > :least")
    assert list(pd.read_sql(query, engine, params={"least": 0})["name"]) == ["sda"]
    pieces = list(pd.read_sql("SELECT * FROM disk", engine, chunksize=2))
    assert [len(piece) for piece in pieces] == [2, 1]


def test_to_sql_that_replaces_appends_or_refuses(engine: sa.Engine, frame: pd.DataFrame) -> None:
    for mode, count in (("fail", 3), ("append", 6), ("replace", 3)):
        frame.to_sql("disk", engine, index=False, if_exists=mode)  # type: ignore[arg-type]  # a word
        assert len(pd.read_sql_table("disk", engine)) == count
    with pytest.raises(ValueError, match="already exists"):
        frame.to_sql("disk", engine)


def test_pandas_warns_of_nothing(engine: sa.Engine, frame: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame.to_sql("disk", engine, index=False)
        pd.read_sql("SELECT * FROM disk", engine)
