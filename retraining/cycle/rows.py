"""Which rows a model is asked about: sections of files, less the rows that some model may have learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from retraining.datasets import (
    UNLABELLED,
    cut_into_blocks,
    features_and_labels,
    label_codes,
    row_hashes,
)
from retraining.scoring import ROWS_PER_CHUNK, coding, predict
from retraining.statistics import metric as metric_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from retraining.cycle.production import Model
    from retraining.project import Project
    from retraining.records import DataFile, Run, Schema
    from retraining.scoring import Chunk
    from retraining.statistics import Predictions

    Hashes = NDArray[np.uint64]

Learned = Mapping[str, tuple["Run", ...]]  # SHA-256 -> runs
PLACES = 1 << 23  # for the lowest bits of row hashes: one byte each


@dataclass(frozen=True)
class Section:
    """A block: rows of one file, of which `left_out` (a mask over the run, or None) are not asked about."""

    file: DataFile
    run: Run
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
    asks = metric_named(project.settings.metric).needs == "probabilities"
    floors = project.settings.min_model_roc_auc is not None
    chosen = model.estimator if estimator is None else estimator
    return predict(
        chosen,
        _chunks(project, sections, model.schema),
        model.schema,
        with_probabilities=asks or floors or with_probabilities,
    )


def _chunks(project: Project, sections: Sequence[Section], schema: Schema) -> Iterator[Chunk]:
    code_of = {label: code for code, label in enumerate(coding(schema))}
    recode = np.asarray([code_of[label] for label in schema.classes], dtype=np.int64)
    parts: list[pa.Table] = []
    blocks: list[NDArray[np.int64]] = []
    for number, part in enumerate(labelled_parts(project, sections, schema)):
        parts.append(part)
        blocks.append(np.full(len(part), number))
        if sum(map(len, blocks)) >= ROWS_PER_CHUNK:
            yield _chunk(parts, blocks, schema, recode)
            parts, blocks = [], []
    if parts:
        yield _chunk(parts, blocks, schema, recode)


def _chunk(
    parts: list[pa.Table],
    blocks: list[NDArray[np.int64]],
    schema: Schema,
    recode: NDArray[np.int64],
) -> Chunk:
    features, _ = features_and_labels(parts, [[(0, len(part))] for part in parts], schema)
    codes = np.concatenate([label_codes(part) for part in parts])
    return features, recode[codes], np.concatenate(blocks)


def labelled_parts(
    project: Project, sections: Sequence[Section], schema: Schema
) -> Iterator[pa.Table]:
    """The rows of each section that have a label and are not left out, one table a section; one file is open at a time."""
    by_file = [
        (file, list(here)) for file, here in groupby(sections, key=lambda section: section.file)
    ]
    tables = project.tables_of([file for file, _ in by_file], schema)
    for (_, here), table in zip(by_file, tables, strict=True):
        for section in here:
            start, stop = section.run
            part = table.slice(start, stop - start)
            keep = label_codes(part) != UNLABELLED
            if section.left_out is not None:
                keep &= ~section.left_out
            yield part if keep.all() else part.filter(pa.array(keep))


def count_rows(project: Project, sections: Sequence[Section], schema: Schema) -> int:
    """Labelled rows that are not left out."""
    return sum(len(part) for part in labelled_parts(project, sections, schema))


# --- rows that a model may have learned --------------------------------------------------------------------------------------


def leave_out_learned(
    project: Project,
    sections: Sequence[Section],
    schema: Schema,
    learned: Iterable[Learned],
    files: Mapping[str, DataFile],
) -> tuple[tuple[Section, ...], int]:
    """Leave out each row whose feature values occur among the learned rows; the sections, and how many labelled rows that took.

    Args:
        learned: what each model learned.
        files: where the bytes of learned files stand, by SHA-256; one that is nowhere (withdrawn) cannot be asked.
    """
    hashes = [_hashes(project, section, schema) for section in sections]
    wanted = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))
    seen = _occurring(project, wanted, schema, _union(learned), files)
    before = count_rows(project, sections, schema)
    masks = [_among(values, seen) for values in hashes]
    kept = tuple(
        replace(section, left_out=mask if mask.any() else None)
        for section, mask in zip(sections, masks, strict=True)
    )
    return kept, before - count_rows(project, kept, schema)


def _hashes(project: Project, section: Section, schema: Schema) -> Hashes:
    start, stop = section.run
    return row_hashes(project.tables.table(section.file, schema))[start:stop]


def _union(learned: Iterable[Learned]) -> dict[str, tuple[Run, ...]]:
    union: dict[str, tuple[Run, ...]] = {}
    for one in learned:
        for sha256, runs in one.items():
            union[sha256] = tuple(dict.fromkeys((*union.get(sha256, ()), *runs)))
    return union


def _occurring(
    project: Project,
    wanted: Hashes,
    schema: Schema,
    learned: Learned,
    files: Mapping[str, DataFile],
) -> Hashes:
    """Those of the wanted hashes (sorted, as what is returned) that occur in learned rows.

    Rows may have been learned by the million, so most are passed over by their lowest bits, without a search.
    """
    lowest = np.uint64(PLACES - 1)
    marked = np.zeros(PLACES, dtype=bool)
    marked[wanted & lowest] = True
    known = [(files[sha256], runs) for sha256, runs in learned.items() if sha256 in files and runs]
    found = [np.empty(0, np.uint64)]
    for (_, runs), table in zip(
        known, project.tables_of([file for file, _ in known], schema), strict=True
    ):
        values = row_hashes(table)
        for start, stop in runs:
            part = values[start:stop]
            found.append(part[marked[part & lowest]])
    candidates = np.sort(np.concatenate(found))
    return candidates[_among(candidates, wanted)]


def _among(values: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Mark the values that occur in `known`, which is sorted; numpy's set functions take ten times as long."""
    if not known.size:
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(known, values), known.size - 1)
    return np.equal(known[places], values)
