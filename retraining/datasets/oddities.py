"""Values that are accepted but seldom meant: empty columns, numbers too large for float32, very
long texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.records import Schema

# scikit-learn's trees and forests raise on anything beyond
FLOAT32_MAX = float(np.finfo(np.float32).max)
LONG_TEXT = 10_000  # characters


def oddities(table: pa.Table, schema: Schema) -> dict[str, str]:
    """By column, what a person should look at in one file's typed rows; most files have nothing."""
    return {
        column.name: found
        for column in schema.columns
        for found in _of_column(table.column(column.name))
    }


def _of_column(values: pa.ChunkedArray) -> Iterator[str]:
    if pa.types.is_dictionary(values.type):
        if values.null_count == len(values):
            yield "no value in any row"
        elif max(_longest(chunk.dictionary) for chunk in values.chunks) > LONG_TEXT:
            yield f"texts of more than {LONG_TEXT:,} characters"
        return
    if pc.all(pc.is_nan(values)).as_py():
        yield "no value in any row"
    elif pc.any(pc.greater(pc.abs(values), FLOAT32_MAX)).as_py():
        yield f"numbers beyond {FLOAT32_MAX:.1e}, which many estimators refuse"


def _longest(texts: pa.Array) -> int:
    return pc.max(pc.utf8_length(texts)).as_py() or 0
