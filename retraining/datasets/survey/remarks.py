"""One remark on one column, with the first place that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Most important first: what makes every score wrong, what hides numbers, what no later row will
# have.
Subject = Literal[
    "label told",
    "label rare",
    "label spelling",
    "label missing",
    "number in words",
    "index",
    "id",
    "date",
    "spelling",
    "text",
    "empty",
    "constant",
]
ORDER: tuple[Subject, ...] = (
    "label told",
    "label spelling",
    "label rare",
    "number in words",
    "index",
    "id",
    "date",
    "label missing",
    "spelling",
    "text",
    "empty",
    "constant",
)


@dataclass(frozen=True)
class Place:
    """Where a row stands; rows count from 1, without the header."""

    file: str
    row: int

    def __str__(self) -> str:
        return f"{self.file}, row {self.row:,}"


@dataclass(frozen=True)
class Remark:
    """What was found in a column.

    Attributes:
        subject: what kind of finding it is.
        column: its name.
        what: the finding, as it follows the column's name in a sentence.
        place: the first row that shows it.
        advice: what to do, or what was done; follows a colon. Empty where the finding says it.
    """

    subject: Subject
    column: str
    what: str
    place: Place
    advice: str

    def __str__(self) -> str:
        advice = f": {self.advice}" if self.advice else ""
        return f"column {self.column!r} {self.what} (first in {self.place}){advice}"


def in_order(remarks: list[Remark]) -> tuple[Remark, ...]:
    """Most important first, else as found."""
    return tuple(sorted(remarks, key=lambda remark: ORDER.index(remark.subject)))
