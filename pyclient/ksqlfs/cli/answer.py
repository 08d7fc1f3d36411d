# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Answers in the tree's own formats: its bytes, passed on as they come."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ksqlfs.cli.failure import LEFT_OPEN, Failure, is_unreachable, refused, unreachable

# By format, what its files in the tree end in.
ENDINGS = {"csv": "", "tsv": ".tsv", "json": ".json", "ndjson": ".ndjson"}

CHUNK = 1 << 20
# What may begin a transaction; a statement that has neither word leaves none open.
_MAY_BEGIN = re.compile(rb"\b(begin|savepoint)\b", re.IGNORECASE)


class Query:
    """A query file opened read-write: a private connection."""

    def __init__(self, root: Path, form: str) -> None:
        self.root = root
        path = root / f"query{ENDINGS[form]}"
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise unreachable(path, error) from error

    def close(self) -> None:
        """Close it; a transaction is rolled back."""
        os.close(self.fd)

    def write(self, request: bytes) -> None:
        """Write a request; those of its statements that end in `;` run."""
        try:
            taken = os.write(self.fd, request)
        except OSError as error:
            raise self.failure(error) from error
        if taken != len(request):
            # FUSE hands a long write on in pieces.  One of them failed, and what follows it must
            # not be written: it would be another request.
            raise self.failure(None)

    def read(self) -> bytes:
        """Some bytes of the answer, none at its end."""
        try:
            return os.read(self.fd, CHUNK)
        except OSError as error:
            raise self.failure(error) from error

    def in_transaction(self) -> bool:
        """Whether a transaction is open.  To ask sets the tree's file `error` if one is."""
        try:
            os.write(self.fd, b"BEGIN; ROLLBACK;")
        except OSError as error:
            if error.errno == errno.EINVAL:
                return True
            raise self.failure(error) from error
        return False

    def failure(self, error: OSError | None) -> Failure:
        """What the tree's file `error` says of a call that failed; None: how is not known."""
        if error is not None and is_unreachable(error.errno):
            return unreachable(self.root, error)
        said = ""
        with suppress(OSError):
            said = (self.root / "error").read_text("utf-8", "replace")
        name = r"\w+" if error is None else errno.errorcode.get(error.errno or 0, "")
        found = re.search(rf"^errno ({name}) .*\n?", said, re.MULTILINE)
        if found is None:  # another program of this user has failed meanwhile
            number = None if error is None else error.errno
            return refused("the SQL failed" if error is None else error.strerror or "", number)
        message, detail = said[: found.start()].rstrip("\n"), said[found.end() :]
        return refused(message, getattr(errno, found[1], None), detail)


def stream(root: Path, form: str, request: bytes) -> Iterator[bytes]:
    """Run a request of statements and parameters, and pass its answer on without holding it.

    A transaction that it leaves open is a `Failure`, as it is for a batch.
    """
    with closing(Query(root, form)) as query:
        query.write(request)
        while chunk := query.read():
            yield chunk
        if _MAY_BEGIN.search(request) and query.in_transaction():
            raise Failure(LEFT_OPEN)
