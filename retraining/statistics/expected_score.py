"""The expected score of a model's answers, from the probability of each class for each row.

This is confidence-based performance estimation (CBPE; NannyML's documentation, "Estimation of
performance"). It assumes that labels depend on the features as they did when the model was
calibrated. If that has changed, the estimate cannot show it.
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
MOST_ROWS_DRAWN = 2_000  # the noise of more rows is computed from that of so many


def expected_score(
    chosen: Metric, predicted: Integers, given: Floats, likely: Floats
) -> float | None:
    """The metric's expected value; None without rows, or where it cannot be computed.

    Exact where the score is a mean over rows. For metrics of counts it is the score of the expected
    counts; for the others each row counts once for each class, weighted by its probability.

    Args:
        chosen: the metric.
        predicted: (n,) codes of the labels as answered, which need not be the likeliest ones.
        given: (n, k) probabilities as the model gave them, which some metrics judge.
        likely: (n, k) calibrated probability of each class.
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
        expected = (np.stack(values, axis=1) * likely).sum(axis=1)
        return float(expected.mean())
    return _score_of_weighted_rows(chosen, predicted, given, likely)


def noise_of_labels(
    chosen: Metric, predicted: Integers, given: Floats, likely: Floats, *, seed: int = 0
) -> float:
    """The standard deviation of the score over labels that are drawn from their probabilities.

    0 where the score of half of the draws or more is undefined. The arguments are those of
    `expected_score`, with at least one row.
    """
    every = math.ceil(predicted.size / MOST_ROWS_DRAWN)
    predicted, given, likely = predicted[::every], given[::every], likely[::every]
    random = np.random.default_rng(seed)
    up_to = likely.cumsum(axis=1)[:, :-1]  # the drawn class: how many of these a number exceeds
    drawn = []
    for _ in range(DRAWS):
        truth = (random.random((predicted.size, 1)) > up_to).sum(axis=1)
        drawn.append(score(chosen, _answers(predicted, given, truth)))
    known = [value for value in drawn if value is not None]
    if len(known) <= DRAWS // 2:
        return 0.0
    return float(np.std(known, ddof=1)) / math.sqrt(every)


def _answers(predicted: Integers, given: Floats, truth: Integers) -> Predictions:
    """The answers as if these labels (n,) had come."""
    return Predictions(truth, predicted, given, np.zeros_like(truth), given.shape[1])


def _expected_counts(predicted: Integers, likely: Floats) -> Floats:
    """(k, 3) for each class: expected true positives, rows predicted as it, and expected rows."""
    count = likely.shape[1]
    as_answered = likely[np.arange(predicted.size), predicted]
    hits = np.bincount(predicted, weights=as_answered, minlength=count)
    answered = np.bincount(predicted, minlength=count)
    return np.stack([hits, answered, likely.sum(axis=0)], axis=1)


def _score_of_weighted_rows(
    chosen: Metric, predicted: Integers, given: Floats, likely: Floats
) -> float | None:
    """The score of rows that count once for each class, weighted by its probability."""
    rows, truth = np.nonzero(likely)
    answers = _answers(predicted[rows], given[rows], truth)
    return weighted_score(chosen, answers, likely[rows, truth])


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
