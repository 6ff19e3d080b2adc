"""Locks on labels, so that one transaction at a time changes them.

In PostgreSQL there is one for each model; in sqlite it is the write lock of every transaction.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeVar

    from sqlalchemy.engine import Connection

    T = TypeVar("T")

SHARED, ALONE = False, True
AT_ONCE = 1_000  # ids in one statement


def lock_the_labels(connection: Connection, model_name: str, *, alone: bool) -> None:
    """Until the transaction ends: rows with callers' ids are appended `SHARED`, labels are changed
    `ALONE`.

    Else a label and its row, committed at the same moment, would not see each other, and the row
    would never leave in a file.
    """
    if connection.dialect.name != "postgresql":
        return
    digest = hashlib.sha256(f"retraining labels {model_name}".encode()).digest()
    key = int.from_bytes(digest[:8], signed=True)
    function = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
    connection.execute(sa.select(function(key)))


def in_chunks(values: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The values in pieces that fit one statement.

    >>> list(in_chunks("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for start in range(0, len(values), size):
        yield values[start : start + size]
