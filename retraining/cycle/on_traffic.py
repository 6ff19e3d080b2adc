"""Before a promotion: tries the challenger on the last rows that production answered.

They come from the prediction log.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from retraining.datasets import features
from retraining.datasets.columns import label_text
from retraining.errors import DamagedModelError
from retraining.logs import log
from retraining.outcomes import Decision, TrafficTrial
from retraining.prediction_log.connection import PredictionLogError
from retraining.prediction_log.reading import reading_if_there
from retraining.prediction_log.traffic import newest_rows
from retraining.scoring import coding, predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from retraining.cycle.job import Job
    from retraining.prediction_log.traffic import WindowRow
    from retraining.records import Column, Schema

MOST_ROWS = 1000


def try_on_traffic(job: Job, estimator: Any, schema: Schema) -> TrafficTrial | None:
    """How a challenger answers the last logged rows that were answered; None where there are none.

    A log that cannot be read is a warning: a cycle never fails for it.
    """
    if not job.shows_pages:  # a replay plays the past, which no traffic of today belongs to
        return None
    rows = [row for row in _last_rows(job) if row.prediction is not None]
    if not rows:
        return None
    answers = _answers(estimator, _frame(rows, schema), schema)
    classes = [label_text(label) for label in coding(schema)]
    pairs = [
        (classes[answer], row.prediction)
        for answer, row in zip(answers, rows, strict=True)
        if answer is not None
    ]
    agreement = float(np.mean([ours == theirs for ours, theirs in pairs])) if pairs else None
    return TrafficTrial(len(rows), agreement, len(rows) - len(pairs))


def fails_on_traffic(trial: TrafficTrial | None) -> Decision:
    """Whether a challenger must not serve: it fails where production answered."""
    if trial is None or not trial.failures:
        return Decision(False, "it answers every row of the traffic")
    rows = f"{trial.failures:,} of the last {trial.rows:,} logged rows"
    return Decision(True, f"the challenger fails on {rows}, which production answered")


def _last_rows(job: Job) -> Sequence[WindowRow]:
    settings = job.settings
    try:
        with reading_if_there(settings) as connection:
            if connection is None:
                return []
            return newest_rows(connection, settings.model_name, MOST_ROWS, timedelta(), MOST_ROWS)
    except PredictionLogError as error:
        log.warning("the challenger was not tried on traffic: %s", error.what)
        return []


def _frame(rows: Sequence[WindowRow], schema: Schema) -> pd.DataFrame:
    """The rows as the estimator takes them; what an older version was not asked is missing."""
    sent = [orjson.loads(row.features) for row in rows]
    columns = {
        column.name: _column([one.get(column.name) for one in sent], column)
        for column in schema.columns
    }
    return features(columns, schema)


def _column(values: Sequence[Any], column: Column) -> Any:
    """Typed values; one of another kind, as an older version may have taken it, is missing."""
    if column.kind == "string":
        return [value if isinstance(value, str) else None for value in values]
    numbers = [value if isinstance(value, (int, float)) else None for value in values]
    return np.asarray(numbers, dtype=np.float64)


def _answers(estimator: Any, rows: pd.DataFrame, schema: Schema) -> list[int | None]:
    """The code that each row is answered, None where it fails: the halves of what fails are asked
    apart.
    """
    nobody_knows = np.zeros(len(rows), dtype=np.int64)  # labels and blocks, which are not asked for
    chunk = (rows, nobody_knows, nobody_knows)
    try:
        codes = predict(estimator, [chunk], schema, with_probabilities=False).predicted
    except DamagedModelError:
        if len(rows) == 1:
            return [None]
        half = len(rows) // 2
        parts = (rows.iloc[:half], rows.iloc[half:])
        return [code for part in parts for code in _answers(estimator, part, schema)]
    return [int(code) for code in codes]
