"""A data file -> typed record batches and what they showed, by a schema that is never inferred from
the file.

A table has the schema's feature columns in order, then the label codes under the target's name
(int32, -1 = no label), then the row hashes (uint64) under the empty name, which no column of a
schema has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from retraining.datasets.columns import UnknownLabel, feature_column, label_column
from retraining.datasets.csv_header import refuse_missing_columns
from retraining.datasets.csv_reading import CsvFile
from retraining.datasets.data_files import opened
from retraining.datasets.facts import FileFacts
from retraining.datasets.row_hashes import hash_rows
from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.datasets.columns import Labels
    from retraining.datasets.raw_rows import RawRows, Wanted
    from retraining.records import DataFile, Schema
    from retraining.settings import Settings

ROW_HASHES = ""
ROWS_NAMED = 5


def read_typed(
    data_file: DataFile, schema: Schema, settings: Settings, keep: Callable[[pa.RecordBatch], None]
) -> FileFacts:
    """Read a file to its end, handing each batch of typed rows to `keep`.

    `extra_columns` of the facts holds every column that the schema does not name, and
    `unseen_values` nothing: both are for the caller to narrow down.

    Raises:
        UnreadableFileError: the file must be refused; the message is the reason.
        OSError: the disk, not the content.
    """
    tally = _Tally(schema)
    with opened(data_file, settings) as file:
        rest = file.head if isinstance(file, CsvFile) else None
        refuse_missing_columns(file.names, schema.names, schema.target, rest)
        for rows in file.rows(_wanted(schema)):
            labels = label_column(rows, schema)
            tally.add(labels)
            keep(_batch(rows, labels, schema))
        not_read = [name for name in file.names if name not in {*schema.names, schema.target}]
        indexes = tuple(name for name in not_read if name in file.index_names)
        extra = tuple(name for name in not_read if name not in file.index_names)
    if not tally.rows:
        raise UnreadableFileError("the file has a header but no rows")
    return replace(tally.facts(extra), index_columns=indexes)


def _wanted(schema: Schema) -> dict[str, Wanted]:
    wanted: dict[str, Wanted] = {column.name: column.kind for column in schema.columns}
    return {**wanted, schema.target: "label"}


def _batch(rows: RawRows, labels: Labels, schema: Schema) -> pa.RecordBatch:
    features = [feature_column(rows, column) for column in schema.columns]
    columns = [*features, pa.array(labels.codes), pa.array(hash_rows(features))]
    return pa.RecordBatch.from_arrays(columns, names=[*schema.names, schema.target, ROW_HASHES])


class _Tally:
    """Counts over the batches of one file."""

    def __init__(self, schema: Schema) -> None:
        self.rows = 0
        self._classes = schema.classes
        self._counts = np.zeros(len(schema.classes), np.int64)
        self._unknown: Counter[str] = Counter()
        self._where: dict[str, tuple[str, ...]] = {}

    def add(self, labels: Labels) -> None:
        self.rows += len(labels.codes)
        self._counts += np.bincount(labels.codes[labels.codes >= 0], minlength=len(self._classes))
        for text, unknown in labels.unknown.items():
            self._unknown[text] += unknown.count
            self._where[text] = (*self._where.get(text, ()), *unknown.where)[:ROWS_NAMED]

    def facts(self, extra_columns: tuple[str, ...]) -> FileFacts:
        unknown = {
            text: UnknownLabel(count, self._where[text]) for text, count in self._unknown.items()
        }
        return FileFacts(
            rows=self.rows,
            labelled_rows=int(self._counts.sum()) + self._unknown.total(),
            class_counts=dict(zip(self._classes, self._counts.tolist(), strict=True)),
            extra_columns=extra_columns,
            unknown_labels=unknown,
        )
