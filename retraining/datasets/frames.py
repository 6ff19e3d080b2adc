"""Typed tables -> the pandas frames that recipes and models take, without second copies of the
rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.columns import UNLABELLED
from retraining.datasets.row_hashes import words_of
from retraining.datasets.typed_reading import ROW_HASHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.records import Kind, RowRange, Schema

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
# a recipe is handed shallow copies, which pandas 3 copies on write
if pd.__version__.startswith("2."):
    pd.options.mode.copy_on_write = True


def _str_type() -> Any:
    """The type `str` of pandas 3: texts in Arrow's memory, NaN where missing. pandas 2.2 has it
    under another name.
    """
    if pd.__version__.startswith("2.2."):
        return pd.api.types.pandas_dtype("string[pyarrow_numpy]")
    return pd.StringDtype("pyarrow", na_value=np.nan)


_STR = _str_type()


def features_and_labels(
    tables: Iterable[pa.Table], ranges: Sequence[Sequence[RowRange]], schema: Schema
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """The labelled rows of some ranges of some files, in the order given, as a recipe takes them.

    Numbers and booleans are float64 columns (NaN = missing), strings pandas' `str` (NaN = missing),
    labels int64, bool or `str` by the schema's label kind; both have the same RangeIndex. Tables
    are taken one at a time, so an iterator keeps memory at the result's size. The numbers are rows
    of one array: whoever asks X for them as an array gets them without a copy.

    Args:
        tables: one for each element of `ranges`.
        ranges: by file, half-open ranges of its rows.
        schema: the schema that the tables were read by.

    Returns:
        X (n, features) in the schema's order, and y (n,).
    """
    capacity = sum(stop - start for file_ranges in ranges for start, stop in file_ranges)
    texts = {column.name: _StringColumn() for column in schema.columns if column.kind == "string"}
    names = [name for name in schema.names if name not in texts]
    numbers, codes = np.empty((len(names), capacity)), np.empty(capacity, np.int32)
    filled = 0
    for table, file_ranges in zip(tables, ranges, strict=True):
        for start, stop in file_ranges:
            part = table.slice(start, stop - start)
            labels = label_codes(part)
            labelled = labels != UNLABELLED
            if not labelled.all():
                part = part.filter(pa.array(labelled))
            here = slice(filled, filled + len(part))
            for row, name in enumerate(names):
                numbers[row, here] = _numpy(part.column(name))
            for name, column in texts.items():
                column.append(part.column(name))
            codes[here] = label_codes(part)
            filled += len(part)
    X = _frame(names, numbers[:, :filled], texts)[list(schema.names)]
    return X, pd.Series(label_values(codes[:filled], schema), name=schema.target, copy=False)


def features(
    columns: Mapping[str, NDArray[np.float64] | Sequence[str | None]], schema: Schema
) -> pd.DataFrame:
    """Typed values as the frame X (n, features) that `features_and_labels` makes of the same rows
    in a file.

    Made in one call, since it stands in the way of every prediction: joining two frames takes ms.

    Args:
        columns: by name, n values each: floats for numbers and booleans (NaN = missing), texts for
            strings (None = missing).
        schema: the schema that the values were read by.
    """
    return pd.DataFrame(
        {
            column.name: _as_in_a_frame(columns[column.name], column.kind)
            for column in schema.columns
        },
        copy=False,
    )


def _as_in_a_frame(values: Any, kind: Kind) -> Any:
    if kind == "string":
        return pd.array(pa.array(values, pa.large_string()), dtype=_STR)
    return values


def _frame(
    names: Sequence[str], numbers: NDArray[np.float64], texts: dict[str, _StringColumn]
) -> pd.DataFrame:
    """One frame without a copy of the numbers (columns, rows).

    Each text column is freed before the next is made.
    """
    words = {name: texts.pop(name).finished() for name in list(texts)}
    parts = [
        pd.DataFrame(numbers.T, columns=list(names), copy=False),
        pd.DataFrame(words, copy=False),
    ]
    return pd.concat([part for part in parts if len(part.columns)], axis="columns")


def label_codes(table: pa.Table) -> NDArray[np.int32]:
    """The labels of a table's rows (n,) as positions in the schema's classes.

    -1 where there is none.
    """
    return _numpy(table.column(table.num_columns - 2))


def row_hashes(table: pa.Table) -> NDArray[np.uint64]:
    """The hashes (n,) of a table's rows by their feature values."""
    return _numpy(table.column(ROW_HASHES))


def column_words(table: pa.Table, features: int) -> list[NDArray[np.uint64]]:
    """A word (n,) for each value, by feature column.

    `features` is how many columns are features.
    """
    words = []
    for place in range(features):
        chunks = [words_of(chunk) for chunk in table.column(place).chunks]
        words.append(np.concatenate([np.empty(0, np.uint64), *chunks]))
    return words


def label_values(codes: NDArray[np.int32], schema: Schema) -> Any:
    """Label codes, none of them -1, as the array that a recipe takes: int64, bool or pandas'
    `str`.
    """
    if schema.label_kind == "string":
        indices = pa.array(codes)
        return pd.array(
            pa.DictionaryArray.from_arrays(indices, pa.array(schema.classes)).cast(
                pa.large_string()
            ),
            dtype=_STR,
        )
    return np.array(schema.classes, np.int64 if schema.label_kind == "integer" else np.bool_)[codes]


class _StringColumn:
    """A text column being collected as codes.

    Texts are written out once, at the end, when the dictionaries of all files are one.
    """

    def __init__(self) -> None:
        self._parts: list[pa.DictionaryArray] = []

    def append(self, part: pa.ChunkedArray) -> None:
        self._parts.extend(_copied(chunk) for chunk in part.chunks)

    def finished(self) -> Any:
        codes = pa.chunked_array(self._parts, _DICTIONARY).unify_dictionaries().combine_chunks()
        self._parts.clear()
        return pd.array(codes.cast(pa.large_string()), dtype=_STR)


def _copied(chunk: pa.DictionaryArray) -> pa.DictionaryArray:
    """A copy in memory: one that points into the mapped file would keep all of it mapped."""
    codes = np.array(pc.fill_null(chunk.indices, -1).to_numpy())
    texts = chunk.dictionary.take(pa.array(np.arange(len(chunk.dictionary))))
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)


def _numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column without nulls, without a copy where it is in one piece."""
    array: NDArray[Any] = (
        column.chunk(0).to_numpy() if column.num_chunks == 1 else column.to_numpy()
    )
    return array
