"""Labelled rows -> the bytes of a Parquet file: its types are the schema's, so that nothing is lost
on the way through text.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from retraining.records import PREDICTION_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.prediction_log.ready import ReadyRow
    from retraining.records import Kind, LabelKind, Schema

SUFFIX = "parquet"
_TYPES: dict[Kind | LabelKind, pa.DataType] = {
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "integer": pa.int64(),
}


def file_of(rows: Sequence[ReadyRow], schema: Schema) -> bytes:
    """A file with the schema's columns, its ignored ones where any row has them, `prediction_id`
    and the target.

    What an older row lacks, since its version had other columns, is missing; so is what the column
    cannot hold.
    """
    features = [json.loads(row.features) for row in rows]
    columns: dict[str, pa.Array] = {}
    for name in schema.ignored:
        if name not in (PREDICTION_ID, schema.target) and any(name in one for one in features):
            columns[name] = pa.array([_as_text(one.get(name)) for one in features], pa.string())
    for column in schema.columns:
        values = [_fitting(one.get(column.name), column.kind) for one in features]
        columns[column.name] = pa.array(values, _TYPES[column.kind])
    columns[PREDICTION_ID] = pa.array([row.prediction_id for row in rows], pa.string())
    labels = [_label(row.label, schema.label_kind) for row in rows]
    columns[schema.target] = pa.array(labels, _TYPES[schema.label_kind])
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def _fitting(value: Any, kind: Kind) -> Any:
    """The value as the column holds it.

    An older version may have had another kind of column under the name.
    """
    if kind == "string":
        return _as_text(value)
    if isinstance(value, bool):
        return value if kind == "boolean" else float(value)
    if not isinstance(value, (int, float)):
        return None
    if kind == "boolean":
        return bool(value) if value in (0, 1) else None
    return float(value)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value)


def _label(text: str, kind: LabelKind) -> int | bool | str:
    """The label that the log wrote down as text."""
    if kind == "integer":
        return int(text)
    return text == "True" if kind == "boolean" else text
