"""The rows of all files of a registration, column by column, and where each stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.frames import label_codes
from retraining.datasets.survey.remarks import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEXTS = pa.dictionary(pa.int32(), pa.string())


def matching(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    """(n,) which texts match an RE2 pattern; none of them is missing."""
    found = pc.match_substring_regex(texts, pattern)
    mask: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask


@dataclass(frozen=True)
class Texts:
    """A text column: `codes` (n,) are places in `distinct`, -1 where there is no text.

    Every distinct text occurs.
    """

    codes: NDArray[np.int32]
    distinct: pa.Array

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each distinct text."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.distinct))

    def matching(self, pattern: str) -> NDArray[np.bool_]:
        """Which distinct texts match an RE2 pattern."""
        return matching(self.distinct, pattern)

    def rows_with(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Where the chosen ones among the distinct texts stand, in order."""
        return np.flatnonzero(np.append(chosen, False)[self.codes])  # code -1 takes the last


@dataclass(frozen=True)
class Rows:
    """Typed tables as files were read into, in order of arrival, with the files' names."""

    names: tuple[str, ...]
    tables: tuple[pa.Table, ...]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """How many rows come before each file."""
        return np.cumsum([0, *map(len, self.tables)])

    @property
    def count(self) -> int:
        """All rows."""
        return int(self.starts[-1])

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """Label codes (n,) by the schema's classes, -1 where there is none."""
        return np.concatenate([label_codes(table) for table in self.tables])

    def place(self, row: int) -> Place:
        """Where the row stands that is the `row`-th of all, from 0."""
        file = int(np.searchsorted(self.starts, row, side="right")) - 1
        return Place(self.names[file], row - int(self.starts[file]) + 1)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A number or boolean column (n,), NaN where nothing stands."""
        return np.concatenate([table.column(column).to_numpy() for table in self.tables])

    def texts(self, column: str) -> Texts:
        """A text column."""
        chunks = [chunk for table in self.tables for chunk in table.column(column).chunks]
        together = pa.chunked_array(chunks, _TEXTS).unify_dictionaries().combine_chunks()
        codes: NDArray[np.int32] = pc.fill_null(together.indices, -1).to_numpy()
        used = np.unique(codes[codes >= 0])
        places = np.full(len(together.dictionary) + 1, -1, np.int32)  # the last is for code -1
        places[used] = np.arange(len(used))
        return Texts(places[codes], together.dictionary.take(pa.array(used)))

    def first(self, count: int) -> Rows:
        """The first files, as many as hold `count` rows, the last of them cut."""
        tables, left = [], count
        for table in self.tables:
            if left <= 0:
                break
            tables.append(table.slice(0, left))
            left -= len(table)
        return Rows(self.names[: len(tables)], tuple(tables))
