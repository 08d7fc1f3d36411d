# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Does a history fit a strictly serializable database?  What is wrong with it, in sentences.

The method is that of Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from
Experimental Observations", VLDB 2020) for lists that are only appended to: every element is unique,
so a list that was read tells in which order the transactions wrote it, and which of them the reader
had seen. Each transaction must come before those that overwrote what it read or wrote, and before
those that began when it had ended; if these "before" make a circle, there is no order in which
the transactions could have run one by one. The anomalies' names are Adya's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

import networkx

from tests.consistency.history import (
    FOREVER,
    Append,
    Balance,
    Outcome,
    Read,
    Transaction,
    Transfer,
)

SHOWN = 10  # complaints of one kind


def elements_of(transaction: Transaction, key: int) -> list[int]:
    """What it appends to a key, in order."""
    return [op.element for op in transaction.ops if isinstance(op, Append) and op.key == key]


class Checker:
    """One history, with what was in the database when all had ended.

    `lists` are all lists by key, `ledger` the numbers of all transfers that are noted.
    """

    def __init__(
        self,
        transactions: Iterable[Transaction],
        lists: dict[int, list[int]],
        ledger: Iterable[int],
    ) -> None:
        self.transactions = list(transactions)
        self.lists = lists
        self.ledger = list(ledger)
        self.writer: dict[int, Transaction] = {}
        for transaction in self.transactions:
            for op in transaction.ops:
                if isinstance(op, Append):
                    self.writer[op.element] = transaction
        self.happened = self._find_happened()

    def _find_happened(self) -> list[Transaction]:
        """Those that were committed: it was said so, or somebody has seen it."""
        seen = {element for elements in self.lists.values() for element in elements}
        noted = set(self.ledger)

        def happened(transaction: Transaction) -> bool:
            if transaction.outcome is Outcome.UNKNOWN:
                return any(
                    (isinstance(op, Append) and op.element in seen)
                    or (isinstance(op, Transfer) and op.number in noted)
                    for op in transaction.ops
                )
            return transaction.outcome is Outcome.COMMITTED

        return [transaction for transaction in self.transactions if happened(transaction)]

    def complaints(self) -> list[str]:
        """Everything that is wrong."""
        found: list[str] = []
        for look in (self._lists, self._ledger, self._balances, self._reads, self._circles):
            of_this_kind = list(look())
            found += of_this_kind[:SHOWN]
            if len(of_this_kind) > SHOWN:
                found.append(f"... and {len(of_this_kind) - SHOWN} more of these")
        return found

    # What is in the database at the end.

    def _lists(self) -> Iterator[str]:
        """Lost, phantom, doubled and torn appends."""
        for key, elements in self.lists.items():
            for element, count in Counter(elements).items():
                if count > 1:
                    yield f"doubled: {element} is {count} times in list {key}"
                yield from self._phantom(element, key)
        for transaction in self.happened:
            for key in {op.key for op in transaction.ops if isinstance(op, Append)}:
                wanted = elements_of(transaction, key)
                there = [e for e in self.lists.get(key, []) if e in set(wanted)]
                if there != wanted:
                    yield f"lost or torn: list {key} has {there} of {transaction}"

    def _phantom(self, element: int, key: int) -> Iterator[str]:
        writer = self.writer.get(element)
        if writer is None:
            yield f"phantom: nobody wrote {element}, which is in list {key}"
        elif writer.outcome is Outcome.FAILED:
            yield f"aborted read (G1a): {element} of list {key} is that of {writer}"

    def _ledger(self) -> Iterator[str]:
        """The same for transfers."""
        noted = Counter(self.ledger)
        by_number = {
            op.number: transaction
            for transaction in self.transactions
            for op in transaction.ops
            if isinstance(op, Transfer)
        }
        for number in noted:
            transaction = by_number.get(number)
            if transaction is None:
                yield f"phantom: nobody made transfer {number}"
            elif transaction.outcome is Outcome.FAILED:
                yield f"aborted, but in the ledger: {transaction}"
        for number, transaction in by_number.items():
            if transaction.outcome is Outcome.COMMITTED and not noted[number]:
                yield f"lost: transfer {number} of {transaction}"

    # What they saw.

    def _balances(self) -> Iterator[str]:
        """A bank in which money came or went."""
        for transaction in self.transactions:
            if transaction.outcome is not Outcome.COMMITTED:
                continue
            for op in transaction.ops:
                if isinstance(op, Balance) and op.complaint:
                    yield f"{op.complaint}: {transaction}"

    def _external_reads(self, transaction: Transaction) -> Iterator[tuple[int, list[int]]]:
        """What it read, without what it had itself appended before."""
        own: dict[int, int] = {}
        for op in transaction.ops:
            if isinstance(op, Append):
                own[op.key] = own.get(op.key, 0) + 1
            elif isinstance(op, Read) and op.elements is not None:
                yield op.key, op.elements[: len(op.elements) - own.get(op.key, 0)]

    def _reads(self) -> Iterator[str]:
        """Reads that are no state that the list has had between two transactions."""
        for transaction in self.happened:
            yield from self._internal(transaction)
            for key, elements in self._external_reads(transaction):
                whole = self.lists.get(key, [])
                if elements != whole[: len(elements)]:
                    yield f"incompatible order: list {key} is {whole} in the end: {transaction}"
                elif elements and len(elements) < len(whole):
                    writer = self.writer.get(whole[len(elements) - 1])
                    if writer is not None and writer is self.writer.get(whole[len(elements)]):
                        yield f"intermediate read (G1b) of list {key}: {transaction}"

    def _internal(self, transaction: Transaction) -> Iterator[str]:
        """A transaction sees what it has itself done, and else the same all the time."""
        expected: dict[int, list[int]] = {}
        own: dict[int, list[int]] = {}
        for op in transaction.ops:
            if isinstance(op, Append):
                own.setdefault(op.key, []).append(op.element)
                if op.key in expected:
                    expected[op.key] = [*expected[op.key], op.element]
            elif isinstance(op, Read) and op.elements is not None:
                before = expected.get(op.key)
                mine = own.get(op.key, [])
                if (before is not None and op.elements != before) or (
                    op.elements[len(op.elements) - len(mine) :] != mine
                ):
                    yield f"internal: list {op.key} changed under {transaction}"
                expected[op.key] = op.elements

    # In which order can they have run?

    def _circles(self) -> Iterator[str]:
        graph: networkx.DiGraph[int] = networkx.DiGraph()
        for place, transaction in enumerate(self.happened):
            transaction.place = place
        for before, after, why in (*self._dependencies(), *self._real_time()):
            if before is not after and not graph.has_edge(before.place, after.place):
                graph.add_edge(before.place, after.place, why=why)
        for component in networkx.strongly_connected_components(graph):
            if len(component) > 1:
                yield self._circle(graph.subgraph(component))

    def _circle(self, graph: networkx.DiGraph[int]) -> str:
        edges = networkx.find_cycle(graph)
        reasons = [graph.edges[edge[0], edge[1]]["why"] for edge in edges]
        name = {0: "G0 or G1c", 1: "G-single"}.get(reasons.count("rw"), "G2")
        if "time" in reasons:
            name += " with real time"
        steps = [
            f"{self.happened[edge[0]]}\n    -{why}->"
            for edge, why in zip(edges, reasons, strict=True)
        ]
        return f"circle ({name}):\n  " + "\n  ".join(steps) + " the first"

    def _dependencies(self) -> Iterator[tuple[Transaction, Transaction, str]]:
        def writer(element: int) -> Transaction | None:
            found = self.writer.get(element)
            return found if found is not None and found.place >= 0 else None

        for elements in self.lists.values():
            for first, second in pairwise(elements):
                one, other = writer(first), writer(second)
                if one and other:
                    yield one, other, "ww"
        for transaction in self.happened:
            for key, elements in self._external_reads(transaction):
                whole = self.lists.get(key, [])
                if elements and (one := writer(elements[-1])):
                    yield one, transaction, "wr"
                if len(elements) < len(whole) and (other := writer(whole[len(elements)])):
                    yield transaction, other, "rw"

    def _real_time(self) -> Iterator[tuple[Transaction, Transaction, str]]:
        """Who had ended before who began; not those between whom another one lies."""
        events = [(t.begin, False, t) for t in self.happened]
        events += [(t.end, True, t) for t in self.happened if t.end != FOREVER]
        ended: dict[int, Transaction] = {}
        before: dict[int, list[int]] = {}
        for _, is_end, transaction in sorted(events, key=lambda event: event[:2]):
            if is_end:
                for place in before.pop(transaction.place):
                    ended.pop(place, None)
                ended[transaction.place] = transaction
            else:
                before[transaction.place] = list(ended)
                for earlier in ended.values():
                    yield earlier, transaction, "time"
