"""The rows that are played: read once, typed, in order of time.

And where they are cut into a first batch and cycles.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from retraining.datasets import (
    UNLABELLED,
    TableStore,
    features_and_labels,
    label_codes,
    read_schema_from,
)
from retraining.errors import SettingsError, UnreadableFileError, UsageError
from retraining.folders.local_state import sha256_of
from retraining.records import DataFile
from retraining.scoring import coded, predict
from retraining.statistics import check_metric, metric

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from retraining.records import RowRange, Schema
    from retraining.settings import Settings
    from retraining.statistics import Predictions

CYCLES = 50  # that a history is cut into where nobody said how long a cycle is
INITIAL_CYCLES = 4  # the first model learns as many rows as this many cycles bring
FEWEST_ROWS = 20  # a file, where nobody said how long a cycle is


@dataclass(frozen=True)
class History:
    """Every labelled row, oldest first: `table` is as `TableStore` reads it, by `schema`.

    The schema is that of all rows, so a class that some window lacks is no new class there.
    """

    table: pa.Table
    schema: Schema
    files: int  # that the rows came from

    def features_and_labels(self, rows: RowRange) -> tuple[pd.DataFrame, pd.Series[Any]]:
        """What a recipe is handed for a range of rows."""
        start, stop = rows
        return features_and_labels(
            [self.table.slice(start, stop - start)], [[(0, stop - start)]], self.schema
        )

    def answers(self, estimator: Any, rows: RowRange, *, with_probabilities: bool) -> Predictions:
        """What a model says about a range of rows."""
        features, _ = self.features_and_labels(rows)
        labels = label_codes(self.table.slice(rows[0], len(features)))
        codes = coded(labels, self.schema)
        chunk = (features, codes, np.zeros(len(features), dtype=np.int64))
        return predict(estimator, [chunk], self.schema, with_probabilities=with_probabilities)


@dataclass(frozen=True)
class Cut:
    """One start offset: the rows of the first model, and those of each cycle."""

    offset: int
    initial: RowRange
    cycles: tuple[RowRange, ...]


def read_history(paths: Sequence[Path], settings: Settings, scratch: Path) -> History:
    """Read data files in the order given; rows without a label are left out.

    Raises:
        UsageError: a file cannot be read, or has other columns than the first.
        SettingsError: TARGET_COLUMN, POSITIVE_CLASS or METRIC do not fit the data.
    """
    files = [DataFile(path.name, sha256_of(path), path) for path in paths]
    store = TableStore(scratch, settings)
    try:
        schema = read_schema_from(files, settings)
        tables = [_labelled(store.table(file, schema)) for file in files]
    except UnreadableFileError as error:
        raise UsageError(
            f"The history cannot be read: {error}.", remedy="Mend that file, or name other files."
        ) from error
    try:
        check_metric(metric(settings.metric), len(schema.classes))
    except ValueError as error:
        raise SettingsError((f"METRIC: {error}",), where=str(settings.project)) from error
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return History(table, schema, len(files))


def _labelled(table: pa.Table) -> pa.Table:
    return table.filter(pa.array(label_codes(table) != UNLABELLED))


def sensible_rows_per_cycle(history: History, settings: Settings, files_per_cycle: int) -> int:
    """The rows of a cycle if they are not given: those of MIN_NEW_FILES files of the history, or a
    fiftieth of all rows.

    The former if the history came in enough files for ten such cycles. At least 20 rows a file, as
    far as the history goes.
    """
    rows = len(history.table)
    if history.files >= 10 * settings.min_new_files:
        return max(1, round(rows / history.files * settings.min_new_files))
    at_most = max(1, rows // (INITIAL_CYCLES + 2))
    return min(at_most, max(rows // CYCLES, files_per_cycle * FEWEST_ROWS))


def cut_at_offsets(
    history: History, *, initial: int, per_cycle: int, offsets: int
) -> tuple[Cut, ...]:
    """Offset i leaves out the first i * per_cycle / offsets rows; a partial last cycle is left out.

    Raises:
        UsageError: the rows are fewer than the first model's and one cycle's, or the first model's
            are of one class.
    """
    rows, cuts = len(history.table), []
    for offset in range(offsets):
        first = offset * per_cycle // offsets
        starts = range(first + initial, rows - per_cycle + 1, per_cycle)
        cycles = tuple((start, start + per_cycle) for start in starts)
        cuts.append(Cut(offset, (first, first + initial), cycles))
    if not cuts[-1].cycles:
        at_offsets = f" at {offsets} offsets" if offsets > 1 else ""
        raise UsageError(
            f"The history has {rows:,} labelled rows: too few for a first model of {initial:,} rows"
            f" and a cycle of {per_cycle:,}{at_offsets}.",
            remedy="Name more files, or smaller numbers with --initial-rows and --rows-per-cycle.",
        )
    for cut in cuts:
        first, _ = cut.initial
        labels = label_codes(history.table.slice(first, initial))
        if len(np.unique(labels)) < 2:
            where = f" from row {first:,}" if cut.offset else ""
            raise UsageError(
                f"The first {initial:,} rows{where} hold one class only.",
                remedy="Let the first model learn more rows with --initial-rows.",
            )
    return tuple(cuts)


def even_ranges(rows: RowRange, parts: int) -> list[RowRange]:
    """A range of rows cut into contiguous parts whose lengths differ by one row at most."""
    start, stop = rows
    edges = [start + (stop - start) * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(edges))
