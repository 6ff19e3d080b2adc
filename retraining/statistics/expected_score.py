"""The score that a model's answers may be expected to have, from how likely each class is for each
row.

Confidence-based performance estimation (CBPE; NannyML's documentation, "Estimation of
performance"). It takes the labels to depend on the features as they did when the model was
calibrated: where that turns, nothing here can see it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.statistics.label_metrics import label_score
from retraining.statistics.metrics import Predictions, row_values, score, weighted_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining.metrics import Metric

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer[Any]]

DRAWS = 20
MOST_ROWS_DRAWN = 2_000  # the noise of more is told from theirs


def expected_score(
    chosen: Metric, predicted: Integers, given: Floats, likely: Floats
) -> float | None:
    """The metric's expected value; None where it cannot be told so.

    Args:
        chosen: the metric.
        predicted: (n,) codes of the labels as answered, which need not be the likeliest ones.
        given: (n, k) probabilities as the model gave them, which some metrics judge.
        likely: (n, k) how likely each class is.
    """
    if not predicted.size:
        return None
    if chosen.computed_from == "counts":
        counts = _expected_counts(predicted, likely)
        return _defined(float(label_score(chosen.name, counts)))
    by_class = [
        row_values(chosen, _answers(predicted, given, np.full(predicted.size, code)))
        for code in range(likely.shape[1])
    ]
    values = [one for one in by_class if one is not None]
    if len(values) == likely.shape[1]:
        return float((np.stack(values, axis=1) * likely).sum(axis=1).mean())
    return _score_of_weighted_rows(chosen, predicted, given, likely)


def noise_of_labels(
    chosen: Metric, predicted: Integers, given: Floats, likely: Floats, *, seed: int = 0
) -> float:
    """The standard deviation of the score over labels that may turn out one way or the other.

    0 where it is undefined.
    """
    every = -(-predicted.size // MOST_ROWS_DRAWN)
    predicted, given, likely = predicted[::every], given[::every], likely[::every]
    random, up_to = np.random.default_rng(seed), likely.cumsum(axis=1)[:, :-1]
    drawn = []
    for _ in range(DRAWS):
        truth = (random.random((predicted.size, 1)) > up_to).sum(axis=1)
        drawn.append(score(chosen, _answers(predicted, given, truth)))
    known = [value for value in drawn if value is not None]
    if len(known) <= DRAWS // 2:
        return 0.0
    return float(np.std(known, ddof=1)) / math.sqrt(every)


def _answers(predicted: Integers, given: Floats, truth: Integers) -> Predictions:
    """As if the labels had come so."""
    return Predictions(truth, predicted, given, np.zeros_like(truth), given.shape[1])


def _expected_counts(predicted: Integers, likely: Floats) -> Floats:
    """(k, 3) expected true positives, rows predicted, and expected rows of each class."""
    count = likely.shape[1]
    as_answered = likely[np.arange(predicted.size), predicted]
    hits = np.bincount(predicted, weights=as_answered, minlength=count)
    answered = np.bincount(predicted, minlength=count)
    return np.stack([hits, answered, likely.sum(axis=0)], axis=1)


def _score_of_weighted_rows(
    chosen: Metric, predicted: Integers, given: Floats, likely: Floats
) -> float | None:
    """Each row once for each class, weighing what the class is likely."""
    rows, truth = np.nonzero(likely)
    answers = _answers(predicted[rows], given[rows], truth)
    return weighted_score(chosen, answers, likely[rows, truth])


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
