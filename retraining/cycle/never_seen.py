"""Columns whose values production has never seen: codes that a sender began to write in another
way, most often.

Where a model answers on values that it does not know, a challenger that learned them wins easily,
and the mistake is in production. So the cycle warns, and leaves the move of the alias to a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.datasets.cells import shown
from retraining.logs import log
from retraining.phrases import first_few
from retraining.records import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from retraining.cycle.drift import Sketch
    from retraining.cycle.opening import Cycle
    from retraining.datasets import UnseenValues

LARGE_SHARE = 0.5  # of a column's values; seasons and new customers stay below
USUAL_SHARE = 0.2  # a column in which so much was new in each block of the training rows always has
FEWEST_VALUES = 20  # fewer say little about a share
COLUMNS_NAMED = 3


@dataclass(frozen=True)
class NeverSeen:
    """A column of this cycle's files, all of them together, and where the first value stands that
    was never seen.
    """

    column: str
    rows: int
    filled: int
    file_name: str
    first: UnseenValues

    @property
    def is_most_of_it(self) -> bool:
        """Whether half of the column's values or more were never seen."""
        return self.rows >= LARGE_SHARE * self.filled

    def in_words(self) -> str:
        """For a warning and for a reason."""
        known = self.first.known_as
        known_as = "" if known is None else f", known as {shown(known)}"
        where = f"{self.file_name}, row {self.first.first_row:,}"
        return (
            f"{self.rows:,} of {self.filled:,} values of {self.column!r} were never seen by "
            f"production (first {shown(self.first.text)}{known_as}, in {where})"
        )


def columns_never_seen(cycle: Cycle, reference: Sketch | None) -> tuple[NeverSeen, ...]:
    """Columns of which some file brings mostly new values, though that was not usual in the
    training rows; each is warned of.
    """
    found = tuple(_strange_columns(cycle, reference))
    for one in found:
        log.warning("%s: did the sender begin to write them in another way?", one.in_words())
    return found


def _strange_columns(cycle: Cycle, reference: Sketch | None) -> Iterator[NeverSeen]:
    claimed = cycle.claimed
    by_column: dict[str, list[tuple[str, UnseenValues]]] = {}
    for file in claimed.files:
        for column, unseen in claimed.facts[file.sha256].unseen_values.items():
            by_column.setdefault(column, []).append((file.name, unseen))
    for column, by_file in by_column.items():
        strange = [(name, one) for name, one in by_file if _is_strange(one)]
        if not strange or not _is_unusual(column, [one for _, one in strange], reference):
            continue
        rows = sum(unseen.rows for _, unseen in by_file)
        filled = sum(_values_of(cycle, column))
        yield NeverSeen(column, rows, filled, *strange[0])


def _values_of(cycle: Cycle, column: str) -> Iterator[int]:
    """By file, how many values the column has.

    A file without new ones is taken to have one in every row.
    """
    for file in cycle.claimed.files:
        unseen = cycle.claimed.facts[file.sha256].unseen_values.get(column)
        yield file.rows if unseen is None else unseen.filled


def _is_strange(unseen: UnseenValues) -> bool:
    enough = unseen.filled >= FEWEST_VALUES
    return enough and unseen.rows - unseen.dates >= LARGE_SHARE * unseen.filled


def _is_unusual(column: str, files: list[UnseenValues], reference: Sketch | None) -> bool:
    """Whether new values came as a surprise: they are known ones in another spelling, or the
    training rows brought few.
    """
    rows = sum(unseen.rows for unseen in files)
    if sum(unseen.respelled for unseen in files) >= LARGE_SHARE * rows:
        return True
    if reference is None or column not in reference.histograms:
        return False
    return share_of_new_values(reference.histograms[column]) < USUAL_SHARE


def share_of_new_values(histograms: NDArray[np.int64]) -> float:
    """The share of rows whose category stands in no other block: what a new block brings that was
    never seen.

    Args:
        histograms: (blocks, bins) rows of each category; the last two bins are other and missing
            values.
    """
    categories = histograms[:, :-2]
    rows = int(categories.sum())
    if not rows:
        return 1.0
    in_one_block = (categories > 0).sum(axis=0) == 1
    return float(categories[:, in_one_block].sum() / rows)


def values_are_known(columns: tuple[NeverSeen, ...]) -> Decision:
    """Whether a challenger may replace production without a person's word, as far as the values go
    that it learned.
    """
    strange = [one.in_words() for one in columns if one.is_most_of_it]
    if not strange:
        return Decision(True, "production knows the values")
    return Decision(
        False,
        f"{first_few(strange, COLUMNS_NAMED)}: mend the files, or `approve` the challenger "
        "if the new values are meant",
    )
