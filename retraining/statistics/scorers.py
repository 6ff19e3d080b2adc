"""scikit-learn's own scorers over answers that are there already: for metrics without a formula of
ours.

A module of its own: to import scikit-learn takes a second, and most scores need none of it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining.metrics import Metric
    from retraining.statistics.metrics import Predictions

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]


class _Replay(ClassifierMixin, BaseEstimator):
    """An estimator that gives stored answers: its rows are their numbers.

    It lets the public scorers do the scoring.
    """

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions
        self.classes_ = np.arange(predictions.class_count)

    def predict(self, rows: Integers) -> Integers:
        codes: Integers = self.predictions.predicted[rows]
        return codes

    def predict_proba(self, rows: Integers) -> Floats:
        probabilities: Floats = self.predictions.within_0_and_1()[rows]
        return probabilities


def scorer_value(chosen: Metric, predictions: Predictions, weights: Floats | None = None) -> float:
    """What the scorer says where rows weigh (n,), or all the same; NaN where it says nothing."""
    rows = np.arange(predictions.truth.size)
    if (
        chosen.name == "average_precision"
        and not np.any(predictions.truth == 1)
        and predictions.class_count == 2
    ):
        return np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scorer = get_scorer(chosen.name)
            value = scorer(_Replay(predictions), rows, predictions.truth, sample_weight=weights)
            return float(value)
        except ValueError:  # how scikit-learn says that these rows lack a class
            return np.nan
