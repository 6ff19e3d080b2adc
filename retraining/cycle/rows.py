"""Which rows a model is asked about: sections of files, without the rows that some model may have
learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from retraining.datasets import (
    UNLABELLED,
    cut_into_blocks,
    features_and_labels,
    label_codes,
)
from retraining.scoring import ROWS_PER_CHUNK, coded, predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from retraining.model_registry.production import Model
    from retraining.project import Project
    from retraining.records import DataFile, RowRange, Schema
    from retraining.scoring import Chunk
    from retraining.statistics import Predictions


@dataclass(frozen=True)
class Section:
    """A block: rows of one file, of which `left_out` (a mask over `rows`, or None) are not asked
    about.
    """

    file: DataFile
    rows: RowRange
    left_out: NDArray[np.bool_] | None = None


def whole_files(files: Sequence[DataFile]) -> tuple[Section, ...]:
    """Every row of some files, cut into blocks as a batch is."""
    by_sha = {file.sha256: file for file in files}
    blocks = cut_into_blocks([(file.sha256, file.rows) for file in files])
    return tuple(Section(by_sha[block.sha256], (block.start, block.stop)) for block in blocks)


def predictions(
    project: Project,
    model: Model,
    sections: Sequence[Section],
    estimator: object = None,
    *,
    with_probabilities: bool = False,
) -> Predictions:
    """A model's answers on the labelled rows of some sections; each section is a block.

    Probabilities are asked for where the metric or a floor needs them, or the caller does.
    """
    asked_for = with_probabilities or project.settings.needs_probabilities
    chosen = model.estimator if estimator is None else estimator
    return predict(
        chosen,
        _chunks(project, sections, model.schema),
        model.schema,
        with_probabilities=asked_for,
        name=f"v{model.number}" if estimator is None else "The model",
    )


def _chunks(project: Project, sections: Sequence[Section], schema: Schema) -> Iterator[Chunk]:
    parts: list[pa.Table] = []
    blocks: list[NDArray[np.int32]] = []
    for number, whole in enumerate(labelled_parts(project, sections, schema)):
        for part in whole.pieces(ROWS_PER_CHUNK):
            parts.append(part)
            blocks.append(np.full(len(part), number, dtype=np.int32))
            if sum(map(len, blocks)) >= ROWS_PER_CHUNK:
                yield _chunk(parts, blocks, schema)
                parts, blocks = [], []
    if parts:
        yield _chunk(parts, blocks, schema)


def _chunk(parts: list[pa.Table], blocks: list[NDArray[np.int32]], schema: Schema) -> Chunk:
    features, _ = features_and_labels(parts, [[(0, len(part))] for part in parts], schema)
    positions = np.concatenate([label_codes(part) for part in parts])
    return features, coded(positions, schema), np.concatenate(blocks)


@dataclass(frozen=True)
class LabelledPart:
    """The rows of a section that have a label and are not left out; they stay where they lie.

    Attributes:
        table: every row of the section.
        kept: which of them are meant (rows,); None: all.
    """

    table: pa.Table
    kept: NDArray[np.bool_] | None

    def pieces(self, most: int) -> Iterator[pa.Table]:
        """The rows, from so many at a time: a section may be a file of any size."""
        for start in range(0, len(self.table), most):
            piece = self.table.slice(start, most)
            if self.kept is not None:
                piece = piece.filter(pa.array(self.kept[start : start + most]))
            yield piece

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of them."""
        whole = self.table.column(name)
        return whole if self.kept is None else whole.filter(pa.array(self.kept))


def labelled_parts(
    project: Project, sections: Sequence[Section], schema: Schema
) -> Iterator[LabelledPart]:
    """The rows of each section that count, one part a section; one file is open at a time."""
    by_file = [
        (file, list(here)) for file, here in groupby(sections, key=lambda section: section.file)
    ]
    tables = project.tables_of([file for file, _ in by_file], schema)
    for (_, here), table in zip(by_file, tables, strict=True):
        for section in here:
            start, stop = section.rows
            part = table.slice(start, stop - start)
            keep = label_codes(part) != UNLABELLED
            if section.left_out is not None:
                keep &= ~section.left_out
            yield LabelledPart(part, None if keep.all() else keep)
