"""All remarks on the columns of some files, most important first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets.cells import shown
from retraining.datasets.survey.ids_and_dates import identifying_number, identifying_text
from retraining.datasets.survey.labels import (
    label_told_by,
    labels_of_another_kind,
    labels_that_are_missing,
    labels_that_are_rare,
)
from retraining.datasets.survey.numbers_in_words import numbers_in_words
from retraining.datasets.survey.remarks import Place, Remark, in_order
from retraining.datasets.survey.rows import Rows
from retraining.datasets.survey.spellings import labels_in_two_spellings, texts_in_two_spellings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from retraining.records import Column, Schema
    from retraining.settings import Settings

ROWS_LOOKED_AT = (
    1_000_000  # for what many rows show as well as all; single cells are looked for in all
)


def survey(
    files: Sequence[tuple[str, pa.Table]],
    schema: Schema,
    settings: Settings,
    indexes: Mapping[str, str],
) -> tuple[Remark, ...]:
    """What a person should know of the columns before a model learns them.

    Args:
        files: name and typed rows of each file (see `typed_reading`), in order of arrival.
        schema: that the rows were read by.
        settings: how CSV files are read, and the metric.
        indexes: columns that hold pandas' index, and the first file that has each.
    """
    rows = Rows(tuple(name for name, _ in files), tuple(table for _, table in files))
    if not rows.count:
        return ()
    remarks = [_left_out(column, file) for column, file in indexes.items()]
    remarks += labels_in_two_spellings(rows, schema)
    remarks += labels_of_another_kind(rows, schema)
    remarks += labels_that_are_missing(rows, schema)
    rare = labels_that_are_rare(rows, schema, settings)
    if rare is not None:
        remarks.append(rare)
    for column in schema.columns:
        remarks += _of_column(rows, column, schema, settings)
    return in_order(remarks)


def _left_out(column: str, file: str) -> Remark:
    return Remark(
        "index", column, "is the index of a pandas frame", Place(file, 1), "left out, no feature"
    )


def _of_column(rows: Rows, column: Column, schema: Schema, settings: Settings) -> Iterator[Remark]:
    """A column that tells the label is remarked on for that; else the first thing that is found."""
    first_rows = rows.first(ROWS_LOOKED_AT)
    telling = label_told_by(first_rows, column, schema)
    if telling is not None:
        yield telling
    if column.kind == "string":
        remark = numbers_in_words(rows, column.name, settings)
        remark = remark or identifying_text(first_rows, column.name)
        remark = remark or texts_in_two_spellings(rows, column.name)
    else:
        remark = identifying_number(first_rows, column.name)
    remark = remark or _of_one_value(rows, column)
    if remark is not None:
        yield remark


def _of_one_value(rows: Rows, column: Column) -> Remark | None:
    if column.kind == "string":
        texts = rows.texts(column.name)
        values = [shown(text) for text in texts.distinct[:2].to_pylist()]
        has_gaps = bool((texts.codes < 0).any())
    else:
        numbers = np.unique(rows.numbers(column.name))
        values = [f"{number:g}" for number in numbers[~np.isnan(numbers)][:2]]
        has_gaps = bool(np.isnan(numbers).any())
    if not values:
        return Remark("empty", column.name, "has no value in any row", rows.place(0), "")
    if len(values) == 1 and not has_gaps:
        what = f"holds {values[0]} in every row"
        return Remark("constant", column.name, what, rows.place(0), "")
    return None
