"""What MLflow's own scoring server takes on `/invocations`.

Its parsers and casts, asked for the frame that a model would get.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Literal

import mlflow
import numpy as np
import pandas as pd
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc import scoring_server

from retraining.model_registry.estimators import signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.records import Schema

ContentType = Literal["application/json", "text/csv", "application/vnd.apache.parquet"]
JSON: ContentType = "application/json"
CSV: ContentType = "text/csv"
PARQUET: ContentType = "application/vnd.apache.parquet"
CONTENT_TYPES = (JSON, CSV, PARQUET)
MLFLOW_VERSION = mlflow.__version__


class NotTakenError(Exception):
    """A body that MLflow's server would refuse.

    The message holds nothing of it, as MLflow's would.
    """


@dataclass(frozen=True)
class CastRows:
    """Rows as MLflow casts them.

    Attributes:
        frame: the columns of the schema that were sent, in its order.
        extra: the other columns that were sent, as they were read.
    """

    frame: pd.DataFrame
    extra: Mapping[str, Sequence[Any]]


def cast_rows(body: bytes, content_type: ContentType, schema: Schema) -> CastRows:
    """The rows of a body, read and cast as MLflow's scoring server does for a model of this schema.

    Raises:
        NotTakenError: MLflow's server would answer 400.
    """
    inputs = signature(schema).inputs
    try:
        if content_type == CSV:
            read = scoring_server.parse_csv_input(StringIO(body.decode()), schema=inputs)
        elif content_type == PARQUET:
            read = scoring_server.parse_parquet_input(BytesIO(body))
        else:
            data, _ = scoring_server._split_data_and_params(body)  # noqa: SLF001
            read = scoring_server.infer_and_parse_data(data, inputs)
        frame = _enforce_schema(read, inputs)
    except Exception as error:  # noqa: BLE001 - whatever its parsers raise, its server says 400
        raise NotTakenError(f"MLflow cannot read it ({type(error).__name__})") from None
    by_name = isinstance(read, (dict, pd.DataFrame))
    others = [name for name in read if name not in frame] if by_name else []
    return CastRows(frame, {str(name): _a_value_a_row(read[name], len(frame)) for name in others})


def _a_value_a_row(values: Any, rows: int) -> list[Any]:
    """A column that nobody cast: one value stands for all rows, and what is no column for none."""
    if np.ndim(values) == 0:
        return [values.item() if isinstance(values, np.ndarray) else values] * rows
    listed = list(values)
    return listed if len(listed) == rows else [None] * rows
