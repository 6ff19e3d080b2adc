"""Which rows of the learned files the recipe is handed, where it does not get all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from retraining.datasets import UNLABELLED, features_and_labels, label_codes
from retraining.logs import log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from retraining.project import Project
    from retraining.records import DataFile, Run, Schema

    Mask = NDArray[np.bool_]

EVERY_FILE_WHOLE: Mapping[str, float] = {}


def training_rows(
    project: Project,
    files_and_runs: Sequence[tuple[DataFile, Sequence[Run]]],
    schema: Schema,
    shares: Mapping[str, float] = EVERY_FILE_WHOLE,
) -> tuple[pd.DataFrame, pd.Series[Any], bool]:
    """What the recipe is handed: the labelled rows of the runs, and whether some were left out.

    Args:
        shares: SHA-256 -> the share of that file's rows which is learned, drawn at random (`TRAIN_WINDOW=8+8`); a file not named
            is learned whole. Of what remains, MAX_TRAINING_ROWS are kept.
    """
    limit = project.settings.max_training_rows
    files = [file for file, _ in files_and_runs]
    total = sum(stop - start for _, runs in files_and_runs for start, stop in runs)
    if not shares and (limit is None or total <= limit):
        return *features_and_labels(
            project.tables_of(files, schema), [runs for _, runs in files_and_runs], schema
        ), False
    masks = [
        _within(file.rows, runs) & drawn_rows(file, shares.get(file.sha256, 1.0))
        for file, runs in files_and_runs
    ]
    if limit is not None:
        masks = _limited(project, files, masks, schema, limit)
    chosen = sum(int(mask.sum()) for mask in masks)
    log.info("%d of %d rows are learned", chosen, total)
    filtered = _filtered(project, list(zip(files, masks, strict=True)), schema)
    X, y = features_and_labels(filtered, [[(0, int(mask.sum()))] for mask in masks], schema)
    return X, y, chosen < total


def drawn_rows(file: DataFile, share: float) -> Mask:
    """Mark about that share of a file's rows, at random; the same rows each time, and of a smaller share always some of them."""
    if share >= 1:
        return np.ones(file.rows, dtype=bool)
    drawn: Mask = np.random.default_rng(int(file.sha256[:16], 16)).random(file.rows) < share
    return drawn


def _limited(
    project: Project, files: Sequence[DataFile], masks: Sequence[Mask], schema: Schema, limit: int
) -> list[Mask]:
    tables = project.tables_of(files, schema)
    codes = [
        np.where(mask, label_codes(table), UNLABELLED)
        for mask, table in zip(masks, tables, strict=True)
    ]
    chosen = recent_rows_by_class(np.concatenate(codes), limit)
    return np.split(chosen, np.cumsum([len(one) for one in codes])[:-1])


def recent_rows_by_class(codes: NDArray[np.int32], limit: int) -> Mask:
    """Mark `limit` labelled rows (n,), each class keeping its share (one row at least), its last rows first."""
    chosen = np.zeros(len(codes), dtype=bool)
    labelled = int((codes != UNLABELLED).sum())
    for code in np.unique(codes[codes != UNLABELLED]):
        rows = np.flatnonzero(codes == code)
        share = max(1, int(len(rows) * min(1.0, limit / labelled)))
        chosen[rows[-share:]] = True
    return chosen


def _within(rows: int, runs: Sequence[Run]) -> Mask:
    mask = np.zeros(rows, dtype=bool)
    for start, stop in runs:
        mask[start:stop] = True
    return mask


def _filtered(
    project: Project, parts: Sequence[tuple[DataFile, Mask]], schema: Schema
) -> Iterator[pa.Table]:
    tables = project.tables_of([file for file, _ in parts], schema)
    return (table.filter(pa.array(mask)) for (_, mask), table in zip(parts, tables, strict=True))
