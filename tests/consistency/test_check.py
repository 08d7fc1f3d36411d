# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The checker finds what it is to find, and nothing where nothing is wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.consistency import history
from tests.consistency.check import Checker
from tests.consistency.history import (
    FOREVER,
    Append,
    Balance,
    Op,
    Outcome,
    Read,
    Transaction,
    Transfer,
)

X, Y = 0, 1


def made(
    *ops: Op, at: tuple[int, int] = (0, 1000), outcome: Outcome = Outcome.COMMITTED
) -> Transaction:
    """A transaction; unless said otherwise, all run at the same time."""
    end = FOREVER if outcome is Outcome.UNKNOWN else at[1]
    return Transaction(0, "test", at[0], list(ops), end, outcome)


def complaints(
    *transactions: Transaction,
    x: list[int] | None = None,
    y: list[int] | None = None,
    ledger: tuple[int, ...] = (),
) -> str:
    """All that the checker says, given both lists at the end."""
    return "\n".join(Checker(transactions, {X: x or [], Y: y or []}, ledger).complaints())


ANOMALIES: dict[str, str] = {
    "lost": complaints(made(Append(X, 1)), made(Append(X, 2)), x=[1]),
    "torn": complaints(made(Append(X, 1), Append(Y, 2), outcome=Outcome.UNKNOWN), x=[1]),
    "phantom": complaints(x=[7]),
    "doubled": complaints(made(Append(X, 1)), x=[1, 1]),
    "aborted read (G1a)": complaints(made(Append(X, 1), outcome=Outcome.FAILED), x=[1]),
    "intermediate read (G1b)": complaints(
        made(Append(X, 1), Append(X, 2)), made(Read(X, [1])), x=[1, 2]
    ),
    "incompatible order": complaints(
        made(Append(X, 1)), made(Append(X, 2)), made(Read(X, [2])), x=[1, 2]
    ),
    "internal: list 0 changed": complaints(
        made(Append(X, 1)), made(Read(X, []), Read(X, [1])), x=[1]
    ),
    "internal: list 0": complaints(made(Append(X, 1), Read(X, [])), x=[1]),
    # Two that overwrite each other, in two orders.
    "circle (G0 or G1c)": complaints(
        made(Append(X, 1), Append(Y, 2)), made(Append(X, 3), Append(Y, 4)), x=[1, 3], y=[4, 2]
    ),
    # Half of what another one did was seen.
    "circle (G-single)": complaints(
        made(Append(X, 1), Append(Y, 2)), made(Read(X, [1]), Read(Y, [])), x=[1], y=[2]
    ),
    # Write skew: each read what the other one then wrote.
    "circle (G2)": complaints(
        made(Read(X, []), Append(Y, 2)), made(Read(Y, []), Append(X, 1)), x=[1], y=[2]
    ),
    # A reader that began when the writer had ended, and saw nothing of it.
    "circle (G-single with real time)": complaints(
        made(Append(X, 1), at=(0, 1)), made(Read(X, []), at=(2, 3)), x=[1]
    ),
    "lost: transfer 5": complaints(made(Transfer(5))),
    "phantom: nobody made transfer 6": complaints(ledger=(6,)),
    "aborted, but in the ledger": complaints(
        made(Transfer(5), outcome=Outcome.FAILED), ledger=(5,)
    ),
    "money is missing": complaints(made(Balance("money is missing"))),
}


@pytest.mark.parametrize("anomaly", ANOMALIES)
def test_an_anomaly_is_found(anomaly: str) -> None:
    assert anomaly in ANOMALIES[anomaly]


def test_a_transaction_of_which_nobody_knows_may_have_happened_or_not() -> None:
    unknown = made(Append(X, 1), Append(Y, 2), outcome=Outcome.UNKNOWN)
    assert not complaints(unknown)
    assert not complaints(unknown, x=[1], y=[2])
    late = made(Append(X, 1), Append(Y, 2), at=(0, 0), outcome=Outcome.UNKNOWN)
    reader = made(Read(X, []), at=(5, 6))
    assert not complaints(late, reader, x=[1], y=[2]), "it may have been committed after the reader"


def one_by_one(seed: int) -> tuple[list[Transaction], dict[int, list[int]]]:
    """A history that is in order: each transaction happens at one moment between begin and end."""
    chance = random.Random(seed)
    lists: dict[int, list[int]] = {key: [] for key in range(4)}
    transactions = []
    for moment in range(300):
        ops: list[Op] = []
        outcome = chance.choices(list(Outcome), [8, 1, 1])[0]
        state = {key: list(elements) for key, elements in lists.items()}
        for place in range(chance.randint(1, 4)):
            key = chance.randrange(4)
            if chance.random() < 0.5:
                state[key].append(moment * 10 + place)
                ops.append(Append(key, moment * 10 + place))
            else:
                ops.append(Read(key, list(state[key])))
        if outcome is Outcome.UNKNOWN:
            ops = [Read(op.key) if isinstance(op, Read) else op for op in ops]
        if outcome is Outcome.COMMITTED or (outcome is Outcome.UNKNOWN and chance.random() < 0.5):
            lists = state
        at = (moment * 10 - chance.randint(1, 40), moment * 10 + chance.randint(1, 40))
        transactions.append(made(*ops, at=at, outcome=outcome))
    chance.shuffle(transactions)
    return transactions, lists


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_where_nothing_is_wrong(seed: int) -> None:
    transactions, lists = one_by_one(seed)
    assert Checker(transactions, lists, []).complaints() == []


@pytest.mark.parametrize("seed", range(5))
def test_a_read_that_is_a_little_too_old_is_found(seed: int) -> None:
    transactions, lists = one_by_one(seed)
    for transaction in sorted(transactions, key=lambda each: -each.begin):
        for op in transaction.ops:
            if isinstance(op, Read) and op.elements and len(transaction.ops) == 1:
                op.elements = op.elements[:-8]
                assert Checker(transactions, lists, []).complaints()
                return
    pytest.fail("no transaction reads one list alone")


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    writer = history.Writer(tmp_path / "1.history")
    planned: list[Op] = [Append(1, 2), Read(3), Transfer(4), Balance()]
    found: list[Op] = [Append(1, 2), Read(3, [5, 6]), Transfer(4), Balance("wrong")]
    writer.begin(1, "shape", planned)
    writer.end(1, Outcome.FAILED, found, "EBUSY")
    writer.begin(2, "shape", planned)
    first, second = history.read(tmp_path.glob("*"))
    assert (first.number, first.ops, first.outcome, first.error) == (
        1,
        found,
        Outcome.FAILED,
        "EBUSY",
    )
    assert first.begin < first.end < second.begin
    assert (second.ops, second.outcome, second.end) == (planned, Outcome.UNKNOWN, FOREVER)
