# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Rounds of clients that are killed at random, each followed by a look at the history."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.consistency import history
from tests.consistency.check import Checker
from tests.consistency.clients import (
    AUDIT,
    Client,
    Control,
    audited,
    contents,
    fill,
    numbers,
    opened,
)
from tests.consistency.history import Outcome, Transaction

# What a transaction may fail with: a lock that another one has, an account without the money.
IN_ORDER = {"EBUSY", "EDOM"}
ROUND_S = 10.0  # between two looks at the history
GENERATION_S = 1.0
PATIENCE_S = 60.0  # for a client to end its last transaction, on a busy machine


@dataclass
class Report:
    """What was run, and what was wrong."""

    clients: int = 0
    killed: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        outcomes = ", ".join(f"{n} {outcome.value}" for outcome, n in self.outcomes.items())
        errors = ", ".join(f"{n} {name}" for name, n in self.errors.items())
        return (
            f"{self.clients} clients, {self.killed} of them killed; transactions: {outcomes}"
            f" (failed with: {errors or 'nothing'})"
        )


class Crowd:
    """The clients that run, each a process of its own."""

    def __init__(self, root: Path, folder: Path, first: int) -> None:
        self.root = root
        self.folder = folder
        self.control = Control()
        self.next = first
        self.clients: dict[int, int] = {}  # number by process

    def start(self) -> None:
        """One more."""
        number, self.next = self.next, self.next + 1
        process = os.fork()
        if process:
            self.clients[process] = number
            return
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            writer = history.Writer(self.folder / f"{number}.history")
            Client(self.root, writer, number, self.control).run()
            status = 0
        except BaseException:
            (self.folder / f"{number}.failed").write_text(traceback.format_exc())
        finally:
            os._exit(status)

    def kill(self, process: int) -> None:
        """One, wherever it is; what it left of a session is its owner's to remove."""
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        self.tidy(process)

    def tidy(self, process: int) -> None:
        """Remove what a client that has ended leaves."""
        session = self.root / "sessions" / f"client-{self.clients.pop(process)}"
        if session.exists():
            session.rmdir()

    def finish(self) -> Iterator[str]:
        """Let all end; complain of those that do not."""
        self.control.stop = True
        deadline = time.monotonic() + PATIENCE_S
        for process, number in list(self.clients.items()):
            handle = os.pidfd_open(process)
            left = max(0.0, deadline - time.monotonic())
            if not select.select([handle], [], [], left)[0]:
                yield f"client {number} does not end"
                os.kill(process, signal.SIGKILL)
            os.close(handle)
            os.waitpid(process, 0)
            self.tidy(process)
        for failure in sorted(self.folder.glob("*.failed")):
            yield f"a client has failed:\n{failure.read_text()}"


@contextmanager
def cleaned(root: Path) -> Iterator[None]:
    """The tables, from the beginning to the end of a round."""
    fill(root)
    try:
        yield
    finally:
        with opened(root / "query", os.O_WRONLY) as fd:
            os.write(fd, b"DROP TABLE list; DROP TABLE account; DROP TABLE ledger;")


def rows_of(root: Path, sql: str) -> list[dict[str, int]]:
    """What is in the database."""
    with opened(root / "query.json", os.O_RDWR) as fd:
        os.write(fd, sql.encode())
        rows: list[dict[str, int]] = json.loads(contents(fd))
        return rows


def final_lists(root: Path) -> dict[int, list[int]]:
    """All lists."""
    lines = (root / "tables/list/data.ndjson").read_bytes().splitlines()
    return {row["key"]: numbers(row["elements"]) for row in map(json.loads, lines)}


def look(root: Path, transactions: list[Transaction], report: Report) -> None:
    """What is wrong with a round that has ended."""
    for transaction in transactions:
        report.outcomes[transaction.outcome] += 1
        report.shapes[transaction.how] += transaction.outcome is Outcome.COMMITTED
        if transaction.error:
            report.errors[transaction.error] += 1
            if transaction.error not in IN_ORDER:
                report.complaints.append(f"{transaction.error}: {transaction}")
    ledger = [row["number"] for row in rows_of(root, "SELECT number FROM ledger")]
    report.complaints += Checker(transactions, final_lists(root), ledger).complaints()
    if complaint := audited(rows_of(root, AUDIT)).complaint:
        report.complaints.append(f"at the end {complaint}")
    if left := os.listdir(root / "sessions"):
        report.complaints.append(f"sessions are left: {left}")


def run_round(root: Path, folder: Path, seconds: float, clients: int, report: Report) -> None:
    """Clients for some seconds; the kills come at random, `1 / clients` of a second apart."""
    folder.mkdir()
    chance = random.Random(report.clients)
    with cleaned(root):
        crowd = Crowd(root, folder, first=report.clients + 1)
        for _ in range(clients):
            crowd.start()
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            crowd.control.generation = int(passed / GENERATION_S)
            time.sleep(chance.expovariate(clients))
            crowd.kill(chance.choice(list(crowd.clients)))
            report.killed += 1
            crowd.start()
        report.complaints += crowd.finish()
        report.clients = crowd.next - 1
        look(root, list(history.read(folder.glob("*.history"))), report)


def run(root: Path, folder: Path, seconds: float, clients: int) -> Report:
    """Round after round, until something is wrong or the time is over."""
    report = Report()
    while seconds > 0 and not report.complaints:
        length = min(seconds, ROUND_S)
        seconds -= length
        run_round(root, folder / f"from-{report.clients + 1}", length, clients, report)
    return report
