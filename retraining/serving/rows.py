"""Rows as they were sent -> typed rows by a version's schema and the rules for files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.datasets import features
from retraining.datasets.values import (
    ColumnProblem,
    UnfitValuesError,
    missing_column,
    number_column,
    text_column,
)
from retraining.serving.refusals import unfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from retraining.model_registry.scoring_protocol import CastRows
    from retraining.records import Column, Schema
    from retraining.serving.forms import SentRows

    TypedColumn = NDArray[np.float64] | list[str | None]


@dataclass(frozen=True)
class TypedRows:
    """Rows by the columns of a schema.

    Attributes:
        columns: by name, floats (NaN = missing, booleans 0 and 1) or texts (None = missing).
        count: rows.
        ignored: columns that the schema names as carried and never learned, where they were sent.
        extra: names of all columns that are not learned.
        frame: the rows as MLflow's scoring server would hand them to the estimator, where they came
            by its protocol.
    """

    columns: Mapping[str, TypedColumn]
    count: int
    ignored: Mapping[str, Sequence[Any]]
    extra: tuple[str, ...]
    frame: pd.DataFrame | None = None


def typed_rows(sent: SentRows, schema: Schema) -> TypedRows:
    """Read each column by its kind.

    Raises:
        Refusal: 422, with every column that is missing or holds values that it cannot.
    """
    columns: dict[str, TypedColumn] = {}
    problems: list[ColumnProblem] = []
    for column in schema.columns:
        if column.name not in sent.columns:
            problems.append(missing_column(column))
            continue
        try:
            columns[column.name] = _typed(sent.columns[column.name], column)
        except UnfitValuesError as error:
            problems += error.problems
    if problems:
        raise unfit("Some columns are missing or hold values that do not fit.", tuple(problems))
    extra = tuple(name for name in sent.columns if name not in columns)
    ignored = {name: sent.columns[name] for name in extra if name in schema.ignored}
    return TypedRows(columns, sent.count, ignored, extra)


def _typed(values: Sequence[Any], column: Column) -> TypedColumn:
    read = text_column if column.kind == "string" else number_column
    return read(values, column)


def example_row(schema: Schema) -> dict[str, Any]:
    """A row that a version of this schema answers, as a record."""
    return {column.name: _example_of(column) for column in schema.columns}


def odd_rows(schema: Schema) -> list[dict[str, Any]]:
    """Rows in which a short cut may go astray: all values missing; no word ever seen."""
    missing = dict.fromkeys(schema.names)
    unseen = {
        column.name: "never seen before" if column.kind == "string" else None
        for column in schema.columns
    }
    return [missing, unseen]


def _example_of(column: Column) -> Any:
    if column.kind == "string":
        return column.categories[0] if column.categories else "a"
    return 0.0 if column.kind == "number" else False


def rows_as_mlflow_casts_them(cast: CastRows, schema: Schema) -> TypedRows:
    """The rows of a body in MLflow's protocol.

    A column that was not sent is missing in every row.
    """
    frame = cast.frame
    columns = {
        column.name: _as_typed(frame[column.name], column)
        for column in schema.columns
        if column.name in frame
    }
    ignored = {name: cast.extra[name] for name in schema.ignored if name in cast.extra}
    return TypedRows(columns, len(frame), ignored, tuple(cast.extra), frame)


def _as_typed(values: pd.Series[Any], column: Column) -> TypedColumn:
    if column.kind != "string":
        return values.to_numpy(np.float64, na_value=np.nan)
    texts: list[str | None] = values.astype(object).where(values.notna(), None).tolist()
    return texts


def frame_of(parts: Sequence[TypedRows], schema: Schema) -> pd.DataFrame:
    """The rows of several requests, one after the other, as the frame that the estimator takes."""
    if parts[0].frame is not None:  # it stands alone in its batch
        return parts[0].frame
    return features(columns_of(parts, schema), schema)


def columns_of(parts: Sequence[TypedRows], schema: Schema) -> Mapping[str, TypedColumn]:
    """The columns of several requests, one after the other."""
    if len(parts) == 1:
        return parts[0].columns
    return {
        column.name: _joined([part.columns[column.name] for part in parts], column)
        for column in schema.columns
    }


def _joined(parts: Sequence[Any], column: Column) -> TypedColumn:
    if column.kind != "string":
        return np.concatenate(parts)
    texts: list[str | None] = []
    for part in parts:
        texts += part
    return texts
