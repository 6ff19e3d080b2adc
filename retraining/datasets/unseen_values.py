"""Texts that were not there when the schema was made: how many rows of a file have one, where
first, and what they are like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.date_texts import DATE_PATTERN
from retraining.datasets.seen_column import MAX_CATEGORIES
from retraining.datasets.spelling import known_by_spelling, spelling_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from retraining.records import Column, Schema


@dataclass(frozen=True)
class UnseenValues:
    """The rows of one file whose text in a column is none of the known ones.

    Attributes:
        rows: how many there are.
        filled: rows of the file that have any text in the column.
        respelled: of `rows`, those whose text is a known one, written in another way.
        dates: of `rows`, those whose text is a date: a new day brings new ones by nature.
        first_row: where the first stands, from 1.
        text: what stands there.
        known_as: the known text that it is another spelling of, or None.
    """

    rows: int
    filled: int
    respelled: int
    dates: int
    first_row: int
    text: str
    known_as: str | None


def unseen_values(table: pa.Table, schema: Schema) -> dict[str, UnseenValues]:
    """By string column with known categories, what was never seen before.

    Columns without any are left out.
    """
    unseen_by_column = {}
    for column in schema.columns:
        if column.kind == "string" and column.categories is not None:
            unseen = _of_column(table.column(column.name), column)
            if unseen is not None:
                unseen_by_column[column.name] = unseen
    return unseen_by_column


def _of_column(values: pa.ChunkedArray, column: Column) -> UnseenValues | None:
    known = pa.array(column.categories, pa.string())
    chunks = [_codes_and_texts(chunk) for chunk in values.chunks]
    if all(_all_known(texts, known) for _, texts in chunks):
        return None
    by_key = known_by_spelling(column.categories or ())
    rows = respelled = dates = filled = start = 0
    first: tuple[int, str] | None = None
    for codes, texts in chunks:
        strange = ~_as_mask(pc.is_in(texts, value_set=known))
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        filled += int(counts.sum())
        rows += int(counts[strange].sum())
        dates += int(counts[strange & _as_mask(_are_dates(texts))].sum())
        respelled += int(counts[strange & _spelled_like(texts, strange, by_key)].sum())
        here = np.flatnonzero(np.append(strange, False)[codes])  # code -1 takes the last
        if first is None and here.size:
            place = int(here[0])
            first = (start + place + 1, texts[int(codes[place])].as_py())
        start += len(codes)
    if first is None:
        return None
    known_as = by_key.get(spelling_key(first[1]))
    return UnseenValues(rows, filled, respelled, dates, *first, known_as)


def _codes_and_texts(chunk: pa.DictionaryArray) -> tuple[NDArray[np.int32], pa.Array]:
    """The rows as places in the texts, -1 where there is none."""
    return pc.fill_null(chunk.indices, -1).to_numpy(), chunk.dictionary


def _all_known(texts: pa.Array, known: pa.Array) -> bool:
    return bool(pc.all(pc.is_in(texts, value_set=known), min_count=0).as_py())


def _are_dates(texts: pa.Array) -> pa.Array:
    return pc.match_substring_regex(texts, DATE_PATTERN)


def _spelled_like(
    texts: pa.Array, strange: NDArray[np.bool_], by_key: Mapping[str, str]
) -> NDArray[np.bool_]:
    """Which of the strange texts are another spelling of a known one."""
    like = np.zeros(len(texts), dtype=bool)
    for place in np.flatnonzero(strange):
        like[place] = spelling_key(texts[int(place)].as_py()) in by_key
    return like


def _as_mask(values: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def with_learned_categories(schema: Schema, features: pd.DataFrame) -> Schema:
    """The schema of a model that learned these rows: what stands there is known from now on.

    Args:
        schema: that the rows were read by.
        features: (n, columns) as a recipe is handed them.
    """
    texts = {
        column.name: features[column.name].dropna().unique().tolist()
        for column in schema.columns
        if column.categories is not None
    }
    return with_these_categories(schema, texts)


def with_these_categories(schema: Schema, texts: Mapping[str, Collection[str]]) -> Schema:
    """The schema with more texts known; `texts` holds them for each column that has categories."""
    columns = (_with_categories_of(column, texts) for column in schema.columns)
    return replace(schema, columns=tuple(columns))


def _with_categories_of(column: Column, texts: Mapping[str, Collection[str]]) -> Column:
    if column.categories is None:
        return column
    together = sorted({*column.categories, *texts[column.name]})
    return replace(column, categories=tuple(together) if len(together) <= MAX_CATEGORIES else None)
