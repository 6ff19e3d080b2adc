"""Leaves out of every score the rows that a scored model has learned before.

`retraining.statistics.copies` holds the rule. This module reads the files that the rule is applied
to, so that everything that scores leaves out the same rows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets import UNLABELLED, column_words, label_codes, row_hashes
from retraining.logs import log
from retraining.phrases import copies_in_words
from retraining.records import Copies, DataFile
from retraining.statistics import Delivery, are_few, copied_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from retraining.cycle.rows import Section
    from retraining.project import Project
    from retraining.records import RowRange, Schema

    Hashes = NDArray[np.uint64]
    Mask = NDArray[np.bool_]

Learned = Mapping[str, tuple["RowRange", ...]]  # SHA-256 -> ranges
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # spreads label codes over all bits (Knuth, TAOCP 3, 6.4)
ROWS_PER_LOOK = 1 << 18
PLACES = 1 << 23  # for the lowest bits of row hashes: one byte each


def leave_out_learned(
    project: Project,
    sections: Sequence[Section],
    schema: Schema,
    learned: Iterable[Learned],
    files: Mapping[str, DataFile],
    *,
    with_its_label: bool = False,
) -> tuple[tuple[Section, ...], Copies]:
    """Leave out the labelled rows that are copies of learned ones.

    The sections, and what that took.

    Args:
        learned: what each model learned.
        files: where the bytes of learned files stand, by SHA-256; one that is nowhere (withdrawn)
            cannot be asked.
        with_its_label: a copy with another label stays. A model that learned the old label gains
            nothing from it, and the new label is a correction. When two models are compared, such
            rows are left out too.
    """
    ranges = {sha256: one for sha256, one in _union(learned).items() if one and sha256 in files}
    asked, hashes = [], []
    for section in sections:
        part = project.tables.table(section.file, schema).slice(*_place(section))
        asked.append(label_codes(part) != UNLABELLED)
        hashes.append(row_hashes(part))
    wanted = np.concatenate([np.empty(0, np.uint64), *hashes])
    wanted.sort()
    seen = _occurring(project, wanted, schema, ranges, files)
    equal = [_among(one, seen) & here for one, here in zip(hashes, asked, strict=True)]
    rows = _marks(asked)
    masks = equal
    if not are_few(_marks(equal), rows):
        masks = _beyond_chance(project, sections, asked, schema, ranges, files)
    equal_rows = _marks(masks)
    if with_its_label and equal_rows:
        same = _learned_with_this_label(project, sections, schema, ranges, files)
        masks = [mask & here for mask, here in zip(masks, same, strict=True)]
    remaining = tuple(
        replace(section, left_out=mask if mask.any() else None)
        for section, mask in zip(sections, masks, strict=True)
    )
    left_out = _marks(masks)
    in_files = {section.file.sha256 for section in remaining if section.left_out is not None}
    return remaining, Copies(left_out, rows, len(in_files), equal_rows - left_out)


def archived_files(project: Project) -> dict[str, DataFile]:
    """Every file of the archive, by its SHA-256."""
    folder = project.settings.used_data_dir
    return {
        sha256: DataFile(names[0], sha256, folder / names[0])
        for sha256, names in project.inbox.archived().items()
    }


def tell(copies: Copies, which: str) -> None:
    """Log what was left out; a warning where that is more than half."""
    sentence = copies_in_words(copies, which)
    if sentence:
        log.log(logging.WARNING if copies.most else logging.INFO, sentence)


def _marks(masks: Iterable[Mask]) -> int:
    return sum(int(mask.sum()) for mask in masks)


def _place(section: Section) -> tuple[int, int]:
    """The first row and how many there are."""
    start, stop = section.rows
    return start, stop - start


def _union(learned: Iterable[Learned]) -> dict[str, tuple[RowRange, ...]]:
    union: dict[str, tuple[RowRange, ...]] = {}
    for one in learned:
        for sha256, ranges in one.items():
            union[sha256] = tuple(dict.fromkeys((*union.get(sha256, ()), *ranges)))
    return union


def _learned_with_this_label(
    project: Project,
    sections: Sequence[Section],
    schema: Schema,
    learned: Learned,
    files: Mapping[str, DataFile],
) -> list[Mask]:
    """A mask for each section: the rows that were learned with the label that they have here."""
    parts = [
        _labelled_hashes(project.tables.table(section.file, schema).slice(*_place(section)))
        for section in sections
    ]
    wanted = np.sort(np.concatenate(parts))
    seen = _occurring(project, wanted, schema, learned, files, hashes_of=_labelled_hashes)
    return [_among(part, seen) for part in parts]


def _labelled_hashes(table: pa.Table) -> Hashes:
    """The hashes (n,) of a table's rows by their feature values and their label."""
    codes = label_codes(table).astype(np.int64).astype(np.uint64)
    return row_hashes(table) ^ (codes * GOLDEN)


# --- which rows have a value that was learned: a quick look, for most data has none ---------------


def _occurring(
    project: Project,
    hashes: Hashes,
    schema: Schema,
    learned: Learned,
    files: Mapping[str, DataFile],
    hashes_of: Callable[[pa.Table], Hashes] = row_hashes,
) -> Hashes:
    """Those of the wanted hashes (sorted, as what is returned) that occur in learned rows.

    Rows may have been learned by the million, so most are passed over by their lowest bits, without
    a search.
    """
    lowest = np.uint64(PLACES - 1)
    marked = np.zeros(PLACES, dtype=bool)
    for part in _in_pieces(hashes):
        marked[part & lowest] = True
    tables = project.tables_of([files[sha256] for sha256 in learned], schema)
    occurs = np.zeros(len(hashes), dtype=bool)
    for ranges, table in zip(learned.values(), tables, strict=True):
        values = hashes_of(table)
        for start, stop in ranges:
            for part in _in_pieces(values[start:stop]):
                candidates = part[marked[part & lowest]]
                places = np.searchsorted(hashes, candidates[_among(candidates, hashes)])
                occurs[places] = True
    return hashes[occurs]


def _in_pieces(values: Hashes) -> Iterator[Hashes]:
    """Views of the values, so many at a time: what a look at them takes must not grow with them."""
    for start in range(0, len(values), ROWS_PER_LOOK):
        yield values[start : start + ROWS_PER_LOOK]


def _among(values: Hashes, known: Hashes) -> Mask:
    """Mark the values that occur in `known`, which is sorted.

    Numpy's set functions take ten times as long.
    """
    if not known.size:
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(known, values), known.size - 1)
    return np.equal(known[places], values)


# --- which of them are more than chance -----------------------------------------------------------


def _beyond_chance(
    project: Project,
    sections: Sequence[Section],
    asked: Sequence[Mask],
    schema: Schema,
    learned: Learned,
    files: Mapping[str, DataFile],
) -> list[Mask]:
    """A mask for each section, by the rule; every file that is asked or learned is one delivery."""
    by_digest = {**files, **{section.file.sha256: section.file for section in sections}}
    concerned = dict.fromkeys([*learned, *(section.file.sha256 for section in sections)])
    rows = {sha256: _rows_of(project, by_digest[sha256], schema) for sha256 in concerned}
    asked_rows = {sha256: np.zeros(len(values), bool) for sha256, values in rows.items()}
    for section, labelled in zip(sections, asked, strict=True):
        start, stop = section.rows
        asked_rows[section.file.sha256][start:stop] |= labelled
    deliveries = [
        Delivery(values, asked_rows[sha256], _marked(len(values), learned.get(sha256, ())))
        for sha256, values in rows.items()
    ]

    def columns(chosen: Mask) -> list[Hashes]:
        """The feature columns of some asked rows, over all deliveries."""
        edges = np.cumsum([len(values) for values in rows.values()])[:-1]
        parts = [
            _words(project, by_digest[sha256], schema, mask)
            for sha256, mask in zip(rows, np.split(chosen, edges), strict=True)
            if mask.any()
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    copies = dict(zip(rows, copied_rows(deliveries, columns), strict=True))
    return [copies[section.file.sha256][slice(*section.rows)] for section in sections]


def _rows_of(project: Project, file: DataFile, schema: Schema) -> Hashes:
    """A file's hashes in memory of their own: its table is closed again."""
    return np.array(row_hashes(project.tables.table(file, schema)))


def _words(project: Project, file: DataFile, schema: Schema, mask: Mask) -> list[Hashes]:
    table: pa.Table = project.tables.table(file, schema)
    return [words[mask] for words in column_words(table, len(schema.columns))]


def _marked(rows: int, ranges: Iterable[RowRange]) -> Mask:
    mask = np.zeros(rows, dtype=bool)
    for start, stop in ranges:
        mask[start:stop] = True
    return mask
