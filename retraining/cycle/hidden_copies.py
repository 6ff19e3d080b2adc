"""Rows that came before, but for one column: full dumps with a load time, or numbered anew.

A row with another value in one feature is another row by the rule of
`retraining.statistics.copies`, for a machine that is measured again is one too. So an id or a load
time that is learned hides every copy: nothing is left out, and every score is too high. No score is
changed here. It is told, so that a person can name the column in IGNORE_COLUMNS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retraining.cycle.copies import archived_files
from retraining.datasets import column_words, spread_words
from retraining.phrases import first_few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from retraining.cycle.opening import Cycle
    from retraining.project import Project
    from retraining.records import DataFile, Schema

    Hashes = NDArray[np.uint64]
    Mask = NDArray[np.bool_]

ASKED = 2_000  # rows of the newest file
CELLS = 1 << 21  # of the rows that production was made with, the newest files first
LOWEST = np.uint64((1 << 16) - 1)  # bits of a word by which most known ones are passed over
FEWEST_ROWS = 50
FEWEST_FEATURES = 3
DISTINCT = 0.95  # of the asked rows without the column: else rows are equal by chance
MOST = 0.5  # of the asked rows came before, from which on people are told


@dataclass(frozen=True)
class HiddenCopies:
    """Rows of a file that equal rows seen before in all columns but these."""

    columns: tuple[str, ...]
    share: float
    file_name: str

    def in_words(self) -> str:
        """For a warning.

        >>> HiddenCopies(("load_time",), 0.91, "d02.csv").in_words()
        "91 % of the rows of d02.csv equal rows seen before in all columns but 'load_time'"
        """
        columns = first_few([repr(name) for name in self.columns], 3)
        rows = f"{self.share:.0%}".replace("%", " %")
        where = f"of the rows of {self.file_name}"
        return f"{rows} {where} equal rows seen before in all columns but {columns}"

    @property
    def remedy(self) -> str:
        """What a person can do."""
        return (
            "if these are ids or load times, add them to IGNORE_COLUMNS and register again, so that"
            " copies are found (a number with other digits is another value)"
        )


def hidden_copies(cycle: Cycle) -> HiddenCopies | None:
    """Ask some rows of the cycle's newest file; None where they are new, or plain copies."""
    schema, newest = cycle.production.schema, cycle.claimed.files[-1]
    if len(schema.columns) < FEWEST_FEATURES:
        return None
    asked = _asked(cycle.job, newest, schema)
    if len(asked[0]) < FEWEST_ROWS:
        return None
    known = _known(cycle, schema)
    spread, spread_known = spread_words(asked), spread_words(known)
    whole, whole_known = spread.sum(axis=0), spread_known.sum(axis=0)
    if _occurring(whole, whole_known).mean() > MOST:
        return None
    for left_out in _candidates(spread, spread_known):
        rest = whole - spread[left_out].sum(axis=0)
        if len(np.unique(rest)) < DISTINCT * len(rest):
            continue
        rest_known = whole_known - spread_known[left_out].sum(axis=0)
        share = float(_occurring(rest, rest_known).mean())
        if share > MOST:
            names = tuple(schema.columns[place].name for place in left_out)
            return HiddenCopies(names, share, newest.name)
    return None


def _candidates(asked: Hashes, known: Hashes) -> Iterator[list[int]]:
    """Places of columns to do without, given (columns, n) words: each whose values are all new,
    then these together; each column alone where none is new.
    """
    new = [
        place
        for place, (values, before) in enumerate(zip(asked, known, strict=True))
        if not _occurring(values, before).any()
    ]
    if new:
        yield from ([place] for place in new)
        yield new
    else:
        yield from ([place] for place in range(len(asked)))


def _occurring(asked: Hashes, known: Hashes) -> Mask:
    """Mark the asked words (n,) that occur among the known, whose lowest bits are spread evenly."""
    distinct, place = np.unique(asked, return_inverse=True)
    marked = np.zeros(int(LOWEST) + 1, dtype=bool)
    marked[distinct & LOWEST] = True
    candidates = known[marked[known & LOWEST]]
    at = np.minimum(np.searchsorted(distinct, candidates), len(distinct) - 1)
    occurs = np.zeros(len(distinct), dtype=bool)
    occurs[at[distinct[at] == candidates]] = True
    return occurs[place]


def _asked(project: Project, file: DataFile, schema: Schema) -> list[Hashes]:
    """The words of some of a file's rows, from all over it, by feature column."""
    table = project.tables.table(file, schema)
    some = np.arange(0, len(table), max(1, len(table) // ASKED))
    return column_words(table.take(some), len(schema.columns))


def _known(cycle: Cycle, schema: Schema) -> list[Hashes]:
    """The same of rows that were there when production was made, as many as CELLS allows."""
    files, width = archived_files(cycle.job), len(schema.columns)
    parts: list[list[Hashes]] = [[np.empty(0, np.uint64)] for _ in range(width)]
    room = CELLS // width
    for sha256 in reversed(list(cycle.production.seen)):
        if room <= 0:
            break
        if sha256 in files:
            table = cycle.job.tables.table(files[sha256], schema).slice(0, room)
            room -= len(table)
            for part, words in zip(parts, column_words(table, width), strict=True):
                part.append(words)
    return [np.concatenate(part) for part in parts]
