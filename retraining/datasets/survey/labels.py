"""Columns that tell the label, and labels that are rare, missing or none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.cells import MISSING_LIKE, listed, number_pattern, shown
from retraining.datasets.columns import UNLABELLED, label_text
from retraining.datasets.survey.remarks import Remark
from retraining.datasets.survey.rows import matching
from retraining.phrases import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from retraining.datasets.survey.rows import Rows, Texts
    from retraining.records import Column, Label, Schema
    from retraining.settings import Settings

    Codes = NDArray[np.integer]

FEWEST_ROWS = 10
FEWEST_OUTSIDE = 3  # rows outside the most frequent class; one or two are told by chance
EXCEPTIONS = 0.01  # rows that do not follow, as a share of those outside the most frequent class
ROWS_A_VALUE = 5  # a column in which values hardly repeat tells every label, and none
TEXTS_READ = 50_000  # distinct ones that are searched for a label's text
MOSTLY = 0.9  # of the labelled rows; where fewer labels are numbers, words are meant
RARE = 0.05  # of the rows: what is outside the most frequent class where accuracy tells little
IS_IT_KNOWN = "is it known before the label is? If not, name it in IGNORE_COLUMNS"


def label_told_by(rows: Rows, column: Column, schema: Schema) -> Remark | None:
    """A column by which alone the label could be said, in all rows but a few."""
    labels = rows.labels
    labelled = labels != UNLABELLED
    count = int(labelled.sum())
    outside = count - int(np.bincount(labels[labelled]).max(initial=0))
    allowed = EXCEPTIONS * outside
    if count < FEWEST_ROWS or outside < FEWEST_OUTSIDE:
        return None
    if column.kind == "string":
        told_by = _by_text(rows.texts(column.name), labels, labelled, allowed, schema)
    else:
        told_by = _by_number(rows.numbers(column.name), labels, labelled, allowed, schema)
    if told_by is None:
        return None
    verb, exceptions = told_by
    where = f"in all {count:,} rows"
    if exceptions:
        where = f"in all but {exceptions:,} of {count:,} rows"
    first = int(np.flatnonzero(labelled)[0])
    return Remark("label told", column.name, f"{verb} {where}", rows.place(first), IS_IT_KNOWN)


def _by_text(
    texts: Texts, labels: Codes, labelled: NDArray[np.bool_], allowed: float, schema: Schema
) -> tuple[str, int] | None:
    codes = texts.codes[labelled]
    exceptions = _exceptions(codes, labels[labelled], len(texts.distinct), len(schema.classes))
    repeats = len(codes) >= ROWS_A_VALUE * len(np.unique(codes))
    if repeats and exceptions <= allowed:
        return f"repeats the label {schema.target!r}", exceptions
    if len(texts.distinct) > TEXTS_READ:
        return None
    named = _classes_named(texts.distinct, schema.classes)[codes]
    exceptions = int((named != labels[labelled]).sum())
    if exceptions <= allowed:
        return f"contains the label {schema.target!r}", exceptions
    return None


def _by_number(
    values: NDArray[np.float64],
    labels: Codes,
    labelled: NDArray[np.bool_],
    allowed: float,
    schema: Schema,
) -> tuple[str, int] | None:
    values, labels = values[labelled], labels[labelled]
    distinct, codes = np.unique(values, return_inverse=True)
    exceptions = _exceptions(codes, labels, len(distinct), len(schema.classes))
    if len(values) >= ROWS_A_VALUE * len(distinct) and exceptions <= allowed:
        return f"repeats the label {schema.target!r}", exceptions
    empty = np.isnan(values)
    exceptions = _exceptions(empty.astype(np.int64), labels, 2, len(schema.classes))
    if empty.any() and exceptions <= allowed:
        return f"tells the label {schema.target!r} by being empty or not", exceptions
    if len(schema.classes) == 2:
        exceptions = _exceptions_beside_a_threshold(values[~empty], labels[~empty])
        exceptions += int(min(np.bincount(labels[empty], minlength=2)))
        if exceptions <= allowed:
            return f"tells the label {schema.target!r} by a threshold", exceptions
    return None


def _exceptions(codes: Codes, labels: Codes, values: int, classes: int) -> int:
    """Rows whose label is not the most frequent one of their value.

    Code -1, a missing value, is a value too.
    """
    cells = np.bincount((codes + 1) * classes + labels, minlength=(values + 1) * classes)
    return int(len(codes) - cells.reshape(-1, classes).max(axis=1).sum())


def _exceptions_beside_a_threshold(values: NDArray[np.float64], labels: Codes) -> int:
    """Rows on the wrong side of the best threshold between two classes, 0 and 1."""
    order = np.argsort(values, kind="stable")
    ones = np.append(0, np.cumsum(labels[order]))
    below = np.arange(len(values) + 1)
    edges = np.concatenate(([True], np.diff(values[order]) > 0, [True]))
    wrong = ones + (len(values) - below) - (ones[-1] - ones)  # ones below, zeros above
    best = wrong[edges[: len(wrong)]]
    return int(min(best.min(), (len(values) - best).min()))


def _classes_named(distinct: pa.Array, classes: Sequence[Label]) -> NDArray[np.int64]:
    """By distinct text, the one class whose text stands in it as a word of its own, else -2.

    The last is for a missing text.
    """
    named_classes = np.full(len(distinct) + 1, -2, np.int64)
    words = [rf"(?<![0-9A-Za-z]){re.escape(label_text(one))}(?![0-9A-Za-z])" for one in classes]
    patterns = [re.compile(word, re.IGNORECASE) for word in words]
    for place, text in enumerate(distinct.to_pylist()):
        named = [code for code, pattern in enumerate(patterns) if pattern.search(text)]
        if len(named) == 1:
            named_classes[place] = named[0]
    return named_classes


def labels_of_another_kind(rows: Rows, schema: Schema) -> Iterator[Remark]:
    """A few words among labels that are numbers: a sum below a table, a second line of names."""
    if schema.label_kind != "string":
        return
    names = pa.array([label_text(label) for label in schema.classes])
    counts = np.bincount(rows.labels[rows.labels != UNLABELLED], minlength=len(schema.classes))
    is_number = matching(names, number_pattern("."))
    others = ~is_number & ~matching(names, MISSING_LIKE)
    numbers, labelled = int(counts[is_number].sum()), int(counts.sum())
    if not others.any() or numbers < MOSTLY * labelled:
        return
    odd = [str(names[int(place)].as_py()) for place in np.flatnonzero(others)]
    what = f"is a number in {numbers:,} of {labelled:,} rows; the others hold {listed(odd, 3)}"
    first = int(np.flatnonzero(np.isin(rows.labels, np.flatnonzero(others)))[0])
    advice = "taken as classes of their own; take such rows out if they are none"
    yield Remark("label spelling", schema.target, what, rows.place(first), advice)


def labels_that_are_missing(rows: Rows, schema: Schema) -> Iterator[Remark]:
    """Rows without a label, and classes that are called as other people call a missing value."""
    names = pa.array([label_text(label) for label in schema.classes])
    called_missing = pc.match_substring_regex(names, MISSING_LIKE).to_pylist()
    for code, label in enumerate(schema.classes):
        here = np.flatnonzero(rows.labels == code)
        if here.size and called_missing[code]:
            what = f"has the class {shown(label_text(label))} in {how_many(here.size, 'row')}"
            advice = "if it means that the label is missing, leave the cell empty"
            yield Remark("label spelling", schema.target, what, rows.place(int(here[0])), advice)
    none = np.flatnonzero(rows.labels == UNLABELLED)
    if none.size:
        what = f"is empty in {none.size:,} of {rows.count:,} rows"
        advice = "these rows are left out"
        yield Remark("label missing", schema.target, what, rows.place(int(none[0])), advice)


def labels_that_are_rare(rows: Rows, schema: Schema, settings: Settings) -> Remark | None:
    """Where nearly all rows have one label, a model that always says it has a high accuracy."""
    if settings.metric not in ("accuracy", "error_rate"):
        return None
    labels = rows.labels
    counts = np.bincount(labels[labels != UNLABELLED], minlength=len(schema.classes))
    most, labelled = int(counts.argmax()), int(counts.sum())
    outside = labelled - int(counts[most])
    if not 0 < outside <= RARE * labelled:
        return None
    usual = shown(label_text(schema.classes[most]))
    always = counts[most] / labelled
    what = (
        f"is {usual} in all but {outside:,} of {labelled:,} rows: "
        f"a model that always says {usual} has an accuracy of {always:.4f}"
    )
    better = "average_precision" if len(schema.classes) == 2 else "balanced_accuracy"
    others = np.flatnonzero((labels != UNLABELLED) & (labels != most))
    advice = f"METRIC={better} shows how models differ"
    return Remark("label rare", schema.target, what, rows.place(int(others[0])), advice)
