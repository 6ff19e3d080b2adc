"""Which rows of the learned files a recipe learns, where it does not learn all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets import UNLABELLED, label_codes
from retraining.logs import log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.project import Project
    from retraining.records import DataFile, RowRange, Schema

    Mask = NDArray[np.bool_]
    FilesAndRanges = Sequence[tuple[DataFile, Sequence[RowRange]]]

EVERY_FILE_WHOLE: Mapping[str, float] = {}


@dataclass(frozen=True)
class ChosenRows:
    """The rows to learn; none is read yet.

    Attributes:
        files_and_ranges: by arrival, the ranges of each file that may be learned.
        masks: for each file which rows of it were drawn (rows,); None: every row of the ranges.
        sampled: whether some were left out.
    """

    files_and_ranges: FilesAndRanges
    masks: tuple[Mask, ...] | None
    sampled: bool

    @property
    def files(self) -> list[DataFile]:
        """The files, by arrival."""
        return [file for file, _ in self.files_and_ranges]

    def counts(self) -> list[int]:
        """How many rows of each file, labelled or not."""
        if self.masks is not None:
            return [int(mask.sum()) for mask in self.masks]
        return [sum(stop - start for start, stop in ranges) for _, ranges in self.files_and_ranges]

    def mask(self, place: int) -> Mask:
        """The rows (rows,) of the file at a place."""
        if self.masks is not None:
            return self.masks[place]
        file, ranges = self.files_and_ranges[place]
        return _within(file.rows, ranges)


def choose_rows(
    project: Project,
    files_and_ranges: FilesAndRanges,
    schema: Schema,
    shares: Mapping[str, float] = EVERY_FILE_WHOLE,
) -> ChosenRows:
    """The rows to learn of some ranges.

    Args:
        shares: SHA-256 -> the share of that file's rows which is learned, drawn at random
            (`TRAIN_WINDOW=8+8`); a file not named is learned whole. Of what remains,
            MAX_TRAINING_ROWS are kept.
    """
    limit = project.settings.max_training_rows
    every = ChosenRows(files_and_ranges, None, sampled=False)
    total = sum(every.counts())
    if not shares and (limit is None or total <= limit):
        return every
    masks = [
        _within(file.rows, ranges) & drawn_rows(file, shares.get(file.sha256, 1.0))
        for file, ranges in files_and_ranges
    ]
    if limit is not None:
        masks = _limited(project, every.files, masks, schema, limit)
    chosen = sum(int(mask.sum()) for mask in masks)
    log.info("%d of %d rows are learned", chosen, total)
    return ChosenRows(files_and_ranges, tuple(masks), sampled=chosen < total)


def drawn_rows(file: DataFile, share: float) -> Mask:
    """Mark about that share of a file's rows, at random.

    They are the same rows each time, and of a smaller share always some of them.
    """
    if share >= 1:
        return np.ones(file.rows, dtype=bool)
    seed = int(file.sha256[:16], 16)
    drawn: Mask = np.random.default_rng(seed).random(file.rows) < share
    return drawn


def _limited(
    project: Project, files: Sequence[DataFile], masks: Sequence[Mask], schema: Schema, limit: int
) -> list[Mask]:
    """Mark `limit` labelled rows, each class keeping its share (one row at least), last rows
    first.
    """
    counts = np.zeros(len(schema.classes), dtype=np.int64)
    for mask, table in zip(masks, project.tables_of(files, schema), strict=True):
        codes = label_codes(table)[mask]
        counts += np.bincount(codes[codes != UNLABELLED], minlength=len(counts))
    left = rows_to_keep(counts, limit)
    newest_first = project.tables_of(files[::-1], schema)
    limited = []
    for mask, table in zip(masks[::-1], newest_first, strict=True):
        codes = np.where(mask, label_codes(table), UNLABELLED)
        limited.append(last_rows_by_class(codes, left))
        left -= np.bincount(codes[limited[-1]], minlength=len(left))
    return limited[::-1]


def rows_to_keep(counts: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Of so many rows of each class (classes,), how many to keep so that there are `limit`.

    >>> rows_to_keep(np.array([900, 99, 1, 0]), 100).tolist()
    [90, 9, 1, 0]
    """
    share = min(1.0, limit / max(int(counts.sum()), 1))
    kept = np.maximum((counts * share).astype(np.int64), 1)
    return np.minimum(kept, counts)


def last_rows_by_class(codes: NDArray[np.int32], most: NDArray[np.int64]) -> Mask:
    """Mark the last rows (n,) of each class, `most` (classes,) of them."""
    chosen = np.zeros(len(codes), dtype=bool)
    for code, count in enumerate(most.tolist()):
        if count:
            rows = np.flatnonzero(codes == code)
            chosen[rows[-count:]] = True
    return chosen


def _within(rows: int, ranges: Sequence[RowRange]) -> Mask:
    mask = np.zeros(rows, dtype=bool)
    for start, stop in ranges:
        mask[start:stop] = True
    return mask
