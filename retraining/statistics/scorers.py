"""scikit-learn's own scorers on stored answers, for metrics that have no formula here.

They stand in a module of their own because scikit-learn is slow to import, and most scores need
none of it.
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
    """An estimator that returns stored answers, so that scikit-learn's public scorers can be used.

    The rows that it is asked about are row numbers (m,).
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
    """The scorer's value; NaN where the rows do not define it.

    `weights` are (n,); None weighs all rows alike.
    """
    rows = np.arange(predictions.truth.size)
    has_positives = predictions.class_count > 2 or np.any(predictions.truth == 1)
    if chosen.name == "average_precision" and not has_positives:
        return np.nan  # scikit-learn warns and returns 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scorer = get_scorer(chosen.name)
            value = scorer(_Replay(predictions), rows, predictions.truth, sample_weight=weights)
            return float(value)
        except ValueError:  # so scikit-learn says that rows lack a class, or takes no weights
            return np.nan
