"""Typed tables -> the pandas frames that recipes and models take, without second copies of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.columns import UNLABELLED
from retraining.datasets.typed_reading import ROW_HASHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from retraining.records import Run, Schema

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_STR = pd.StringDtype("pyarrow", na_value=np.nan)


def features_and_labels(tables: Iterable[pa.Table], runs: Sequence[Sequence[Run]], schema: Schema) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """The labelled rows of some runs of some files, in the order given, as a recipe takes them.

    Numbers and booleans are float64 columns (NaN = missing), strings pandas' `str` (NaN = missing), labels int64, bool or `str` by the
    schema's label kind; both have the same RangeIndex. Tables are taken one at a time, so an iterator keeps memory at the result's size.

    Args:
        tables: one for each element of `runs`.
        runs: by file, half-open ranges of its rows.
        schema: the schema that the tables were read by.

    Returns:
        X (n, features) in the schema's order, and y (n,).
    """
    capacity = sum(stop - start for file_runs in runs for start, stop in file_runs)
    columns = [_NumberColumn(capacity) if column.kind != "string" else _StringColumn() for column in schema.columns]
    codes = np.empty(capacity, np.int32)
    filled = 0
    for table, file_runs in zip(tables, runs, strict=True):
        for start, stop in file_runs:
            part = table.slice(start, stop - start)
            labels = label_codes(part)
            labelled = labels != UNLABELLED
            rows = None if labelled.all() else labelled
            for position, column in enumerate(columns):
                column.append(part.column(position), rows)
            count = int(labelled.sum())
            codes[filled : filled + count] = labels if rows is None else labels[rows]
            filled += count
    data = {}
    for name in schema.names:
        data[name] = columns.pop(0).finished()  # one at a time, and freed before the next
    X = pd.DataFrame(data, copy=False)
    return X, pd.Series(label_values(codes[:filled], schema), name=schema.target, copy=False)


def iter_frames(table: pa.Table, schema: Schema, rows_per_chunk: int = 50_000) -> Iterator[pd.DataFrame]:
    """The feature columns of all rows, labelled or not, in chunks that bound the memory of scoring; typed as in `features_and_labels`."""
    for start in range(0, table.num_rows, rows_per_chunk):
        part = table.slice(start, rows_per_chunk)
        data = {}
        for position, column in enumerate(schema.columns):
            values = _StringColumn() if column.kind == "string" else _NumberColumn(part.num_rows)
            values.append(part.column(position), None)
            data[column.name] = values.finished()
        yield pd.DataFrame(data, index=pd.RangeIndex(start, start + part.num_rows), copy=False)


def label_codes(table: pa.Table) -> NDArray[np.int32]:
    """The labels of a table's rows (n,) as positions in the schema's classes; -1 where there is none."""
    return _numpy(table.column(table.num_columns - 2))


def row_hashes(table: pa.Table) -> NDArray[np.uint64]:
    """The hashes (n,) of a table's rows by their feature values."""
    return _numpy(table.column(ROW_HASHES))


def label_values(codes: NDArray[np.int32], schema: Schema) -> Any:
    """Label codes, none of them -1, as the array that a recipe takes: int64, bool or pandas' `str`."""
    if schema.label_kind == "string":
        indices = pa.array(codes)
        return pd.array(pa.DictionaryArray.from_arrays(indices, pa.array(schema.classes)).cast(pa.large_string()), dtype=_STR)
    return np.array(schema.classes, np.int64 if schema.label_kind == "integer" else np.bool_)[codes]


class _NumberColumn:
    """A float64 column being filled in place."""

    def __init__(self, capacity: int) -> None:
        self._values = np.empty(capacity)
        self._filled = 0

    def append(self, part: pa.ChunkedArray, rows: NDArray[np.bool_] | None) -> None:
        values = _numpy(part) if rows is None else _numpy(part)[rows]
        self._values[self._filled : self._filled + len(values)] = values
        self._filled += len(values)

    def finished(self) -> NDArray[np.float64]:
        return self._values[: self._filled]


class _StringColumn:
    """A text column being collected as codes; texts are written out once, at the end, when the dictionaries of all files are one."""

    def __init__(self) -> None:
        self._parts: list[pa.DictionaryArray] = []

    def append(self, part: pa.ChunkedArray, rows: NDArray[np.bool_] | None) -> None:
        for chunk in part.chunks if rows is None else part.filter(pa.array(rows)).chunks:
            self._parts.append(_copied(chunk))

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
    array: NDArray[Any] = column.chunk(0).to_numpy() if column.num_chunks == 1 else column.to_numpy()
    return array
