# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The clients: each runs transactions of many shapes until it is told to stop, or killed."""

from __future__ import annotations

import errno
import json
import mmap
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.consistency.history import (
    Append,
    Balance,
    Op,
    Outcome,
    Read,
    Transfer,
    Writer,
)

KEYS = 6  # lists that are appended to at a time
ACCOUNTS = 8
DEPOSIT = 1000  # in each account at first
NUMBERS = 1_000_000  # of transactions and elements that a client has for itself

SCHEMA = (
    "CREATE TABLE list(key INTEGER PRIMARY KEY, elements TEXT NOT NULL);"
    "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));"
    "CREATE TABLE ledger(number INTEGER PRIMARY KEY, source, target, amount);"
    "CREATE INDEX ledger_source ON ledger(source, amount);"
    "CREATE INDEX ledger_target ON ledger(target, amount);"
)
# What each account must have by the ledger, and has.
AUDIT = (
    f"SELECT id, balance, {DEPOSIT}"
    " + (SELECT coalesce(sum(amount), 0) FROM ledger WHERE target = id)"
    " - (SELECT coalesce(sum(amount), 0) FROM ledger WHERE source = id) AS due FROM account"
)


def fill(root: Path) -> None:
    """Make the tables, and put money into the accounts."""
    rows = ", ".join(f"({n}, {DEPOSIT})" for n in range(ACCOUNTS))
    with opened(root / "query", os.O_WRONLY) as fd:
        os.write(fd, (SCHEMA + f"INSERT INTO account VALUES {rows};").encode())


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """A file by its number."""
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def contents(fd: int) -> bytes:
    """From here to the file's end."""
    return b"".join(iter(lambda: os.read(fd, 65536), b""))


def numbers(text: str) -> list[int]:
    """A list as the database keeps it."""
    return [int(number) for number in text.split(",")]


def append_sql(op: Append) -> str:
    """The statement that appends."""
    return (
        f"INSERT INTO list VALUES({op.key}, '{op.element}') ON CONFLICT(key)"
        " DO UPDATE SET elements = elements || ',' || excluded.elements;"
    )


def transfer_sql(number: int, source: int, target: int, amount: int) -> list[str]:
    """The statements of one transfer; they fail if the source has not as much."""
    return [
        f"UPDATE account SET balance = balance - {amount} WHERE id = {source};",
        f"INSERT INTO ledger VALUES({number}, {source}, {target}, {amount});",
        f"UPDATE account SET balance = balance + {amount} WHERE id = {target};",
    ]


def audited(rows: list[dict[str, int]]) -> Balance:
    """Is all the money there, and where the ledger says?"""
    total = sum(row["balance"] for row in rows)
    if len(rows) != ACCOUNTS or total != ACCOUNTS * DEPOSIT:
        return Balance(f"the bank has {total} in {len(rows)} accounts")
    wrong = [row for row in rows if row["balance"] != row.get("due", row["balance"])]
    return Balance(f"balances differ from the ledger: {wrong}" if wrong else "")


class Control:
    """What the clients are told, in memory that they share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2)

    @property
    def stop(self) -> bool:
        """End with the transaction that runs."""
        return bool(self._memory[0])

    @stop.setter
    def stop(self, value: bool) -> None:
        self._memory[0] = value

    @property
    def generation(self) -> int:
        """Counted up now and then: all go on to other lists, so that none grows too long."""
        return self._memory[1]

    @generation.setter
    def generation(self, value: int) -> None:
        self._memory[1] = value % 256


class Client:
    """One client; its shapes of transactions are the methods in SHAPES."""

    def __init__(self, root: Path, history: Writer, number: int, control: Control) -> None:
        self.root = root
        self.history = history
        self.control = control
        self.chance = random.Random(number)
        self.next = number * NUMBERS
        self.session = root / "sessions" / f"client-{number}"

    # What to do.

    def number(self) -> int:
        """One that nobody else has."""
        self.next += 1
        return self.next

    def key(self) -> int:
        """Of one of the lists of now."""
        return self.control.generation * KEYS + self.chance.randrange(KEYS)

    def append(self) -> Append:
        """An append of something new."""
        return Append(self.key(), self.number())

    def some_ops(self) -> list[Op]:
        """Up to four reads and appends."""
        return [
            self.append() if self.chance.random() < 0.5 else Read(self.key())
            for _ in range(self.chance.randint(1, 4))
        ]

    def transfer(self) -> tuple[Transfer, list[str]]:
        """Some money between two accounts."""
        number = self.number()
        source, target = self.chance.sample(range(ACCOUNTS), 2)
        sql = transfer_sql(number, source, target, self.chance.randint(1, 50))
        return Transfer(number), sql

    # How it is said to the tree.

    def ask(self, fd: int, sql: str) -> list[dict[str, Any]]:
        """One request's rows."""
        os.write(fd, sql.encode())
        answer = contents(fd)
        return json.loads(answer) if answer.strip() else []

    def run_op(self, fd: int, op: Op) -> None:
        """An append or a read by itself."""
        if isinstance(op, Append):
            self.ask(fd, append_sql(op))
        elif isinstance(op, Read):
            rows = self.ask(fd, f"SELECT elements FROM list WHERE key = {op.key};")
            op.elements = numbers(rows[0]["elements"]) if rows else []

    @contextmanager
    def noted(self, how: str, ops: list[Op]) -> Iterator[None]:
        """Write the history of a transaction; its failures by a lock not had are in order."""
        number = self.number()
        self.history.begin(number, how, ops)
        try:
            yield
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "?")
            self.history.end(number, Outcome.FAILED, ops, name)
        else:
            self.history.end(number, Outcome.COMMITTED, ops)

    def interactive(self, path: Path, begin: str, how: str) -> None:
        """BEGIN, statement after statement, COMMIT, in requests of their own."""
        ops = self.some_ops()
        with opened(path, os.O_RDWR) as fd:
            for _ in range(self.chance.randint(1, 5)):
                with self.noted(how, ops):
                    try:
                        self.ask(fd, begin)
                        for op in ops:
                            self.run_op(fd, op)
                        self.ask(fd, "COMMIT;")
                    except OSError:
                        self.roll_back(fd)
                        raise
                ops = self.some_ops()

    def roll_back(self, fd: int) -> None:
        """Whatever failed, nothing of it may stay. SQLite may have rolled back already."""
        try:
            self.ask(fd, "ROLLBACK;")
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise

    # The shapes.

    def by_program(self) -> None:
        """A program's transaction that will write."""
        self.interactive(self.root / "query.json", "BEGIN IMMEDIATE;", "program")

    def by_upgrade(self) -> None:
        """One that may have to write when it has read: many of these fail with EBUSY."""
        self.interactive(self.root / "query.json", "BEGIN;", "upgrade")

    def by_session(self) -> None:
        """In a session of its own, of which a killed client leaves an open transaction."""
        if not self.session.exists():
            self.session.mkdir()
        self.interactive(self.session / "query.json", "BEGIN IMMEDIATE;", "session")

    def by_single_statement(self) -> None:
        """Each statement by itself."""
        with opened(self.root / "query.json", os.O_RDWR) as fd:
            for op in self.some_ops():
                with self.noted("statement", [op]):
                    self.run_op(fd, op)

    def by_batch(self) -> None:
        """Appends in a batch, cut where a write may be cut."""
        ops: list[Op] = [self.append() for _ in range(self.chance.randint(1, 4))]
        sql = "BEGIN IMMEDIATE;" + "".join(append_sql(op) for op in ops if isinstance(op, Append))
        data = (sql + "COMMIT;").encode()
        cut = self.chance.randrange(len(data))
        with self.noted("batch", ops), opened(self.root / "query", os.O_WRONLY) as fd:
            os.write(fd, data[:cut])
            os.write(fd, data[cut:])

    def by_file(self) -> None:
        """Some lists, by reading the table's file: one snapshot."""
        reads = [Read(self.key()) for _ in range(KEYS)]
        with self.noted("data.ndjson", list(reads)):
            with opened(self.root / "tables/list/data.ndjson", os.O_RDONLY) as fd:
                rows = map(json.loads, contents(fd).splitlines())
                lists = {row["key"]: numbers(row["elements"]) for row in rows}
            for op in reads:
                op.elements = lists.get(op.key, [])

    def by_transfer(self) -> None:
        """A transfer in requests of its own."""
        op, statements = self.transfer()
        with opened(self.root / "query.json", os.O_RDWR) as fd, self.noted("transfer", [op]):
            try:
                for sql in ("BEGIN IMMEDIATE;", *statements, "COMMIT;"):
                    self.ask(fd, sql)
            except OSError:
                self.roll_back(fd)
                raise

    def by_transfer_batch(self) -> None:
        """A transfer in one write."""
        op, statements = self.transfer()
        sql = "BEGIN IMMEDIATE;" + "".join(statements) + "COMMIT;"
        with self.noted("transfer batch", [op]), opened(self.root / "query", os.O_WRONLY) as fd:
            os.write(fd, sql.encode())

    def by_audit(self) -> None:
        """Two looks at the whole bank in one transaction, which must be the same."""
        op = Balance()
        with opened(self.root / "query.json", os.O_RDWR) as fd, self.noted("audit", [op]):
            self.ask(fd, "BEGIN;")
            first = self.ask(fd, AUDIT)
            op.complaint = audited(first).complaint
            if not op.complaint and self.ask(fd, AUDIT) != first:
                op.complaint = "two looks in one transaction differ"
            self.ask(fd, "COMMIT;")

    def by_account_file(self) -> None:
        """The balances, by reading the table's file."""
        op = Balance()
        path = self.root / "tables/account/data.json"
        with self.noted("account/data.json", [op]), opened(path, os.O_RDONLY) as fd:
            op.complaint = audited(json.loads(contents(fd))).complaint

    SHAPES = (
        by_program,
        by_upgrade,
        by_session,
        by_single_statement,
        by_batch,
        by_file,
        by_transfer,
        by_transfer_batch,
        by_audit,
        by_account_file,
    )

    def run(self) -> None:
        """Until told to stop."""
        while not self.control.stop:
            self.chance.choice(self.SHAPES)(self)
