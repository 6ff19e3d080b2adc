"""What a model scores on labelled rows, by the metrics that `METRIC` may name.

Labels are codes 0..k-1, given by the caller. With two classes the positive class has the code 1. A
score is None where these rows do not define it, such as ROC AUC with one class only: it is never
NaN, and undefined rows are never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.metrics import TOP_K
from retraining.statistics.label_metrics import count_labels, label_score

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from retraining.metrics import Metric

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

SLACK = 1e-6  # by which rounding may put a probability beyond 0 or 1


@dataclass(frozen=True)
class Predictions:
    """One model's answers beside the truth.

    Attributes:
        truth: (n,) label codes in 0..k-1.
        predicted: (n,) label codes in 0..k-1.
        probabilities: (n, k), column c for code c, or None if the model gives none.
        blocks: (n,) the number of each row's block, which is a file or a stretch of one. Any
            integers.
        class_count: k.

    Raises:
        ValueError: shapes or codes do not fit each other.
    """

    truth: Integers
    predicted: Integers
    probabilities: Floats | None
    blocks: Integers
    class_count: int

    def __post_init__(self) -> None:
        shape = self.truth.shape
        if len(shape) != 1 or self.predicted.shape != shape or self.blocks.shape != shape:
            raise ValueError(
                f"truth {shape}, predicted {self.predicted.shape} and blocks {self.blocks.shape}"
                " must be one length"
            )
        for name, codes in (("truth", self.truth), ("predicted", self.predicted)):
            if codes.size and not (codes.min() >= 0 and codes.max() < self.class_count):
                raise ValueError(f"{name} holds codes outside 0..{self.class_count - 1}")
        if self.probabilities is None:
            return
        given, wanted = self.probabilities.shape, (*shape, self.class_count)
        if given != wanted:
            raise ValueError(f"probabilities {given} must be {wanted}")

    def within_0_and_1(self) -> Floats:
        """(n, k) the probabilities, those beyond 0 and 1 moved to the nearer of the two."""
        assert self.probabilities is not None, "callers look whether the model gives probabilities"
        return np.clip(self.probabilities, 0, 1)


def score(chosen: Metric, predictions: Predictions) -> float | None:
    """The metric's value over all rows, equal to that of scikit-learn's scorer.

    None without rows, without the probabilities that the metric needs, or where it is undefined.

    It differs from the scorer in two cases, both where the truth lacks a class that the model
    knows. Log loss and Brier score have a value (the scorer raises). Recall, F1 or Jaccard of a
    positive class without rows is None (the scorer warns and returns 0).
    """
    if predictions.truth.size == 0 or not _has_what_it_needs(chosen, predictions):
        return None
    values = row_values(chosen, predictions)
    if values is not None:
        return float(values.mean())
    if chosen.computed_from == "counts":
        counts = count_labels(predictions.truth, predictions.predicted, predictions.class_count)
        return _defined(float(label_score(chosen.name, counts)))
    return _defined(_by_scikit_learn(chosen, predictions))


def weighted_score(chosen: Metric, predictions: Predictions, weights: Floats) -> float | None:
    """The score by scikit-learn's scorer, with a weight for each row (n,).

    None in the same cases as `score`, and where the metric takes no weights.
    """
    if predictions.truth.size == 0 or not _has_what_it_needs(chosen, predictions):
        return None
    return _defined(_by_scikit_learn(chosen, predictions, weights))


def row_values(chosen: Metric, predictions: Predictions) -> Floats | None:
    """(n,) values whose mean is the score, or None where the metric is no mean over rows."""
    if chosen.needs == "probabilities" and predictions.probabilities is None:
        return None
    values = ROW_VALUES.get(chosen.name)
    return None if values is None else values(predictions)


def subset(predictions: Predictions, rows: NDArray[Any]) -> Predictions:
    """The same model's answers on some rows: a mask (n,) or row numbers (m,)."""
    probabilities = predictions.probabilities
    return Predictions(
        predictions.truth[rows],
        predictions.predicted[rows],
        None if probabilities is None else probabilities[rows],
        predictions.blocks[rows],
        predictions.class_count,
    )


def _right(predictions: Predictions) -> Floats:
    """(n,) 1 where the answer is the true label, else 0."""
    right: Floats = (predictions.predicted == predictions.truth).astype(float)
    return right


def _log_likelihoods(predictions: Predictions) -> Floats:
    """(n,) logarithms of the true class's probability.

    It is clipped at the epsilon of the probabilities' type, as in scikit-learn.
    """
    probabilities = predictions.within_0_and_1()
    epsilon = np.finfo(probabilities.dtype).eps
    of_truth = probabilities[np.arange(predictions.truth.size), predictions.truth]
    logarithms: Floats = np.log(np.clip(of_truth, epsilon, 1 - epsilon))
    return logarithms


def _negative_squares(predictions: Predictions) -> Floats:
    """(n,) squared errors of the probabilities, negative (Brier, 1950).

    With two classes the second column counts, with more all of them, as in scikit-learn.
    """
    one_hot = predictions.truth[:, None] == np.arange(predictions.class_count)
    squares: Floats = (predictions.within_0_and_1() - one_hot) ** 2
    return -squares[:, 1] if predictions.class_count == 2 else -squares.sum(axis=1)


def _among_best(predictions: Predictions) -> Floats:
    """(n,) 1 where the true label is among the `TOP_K` likeliest classes, else 0."""
    likeliest_last = np.argsort(predictions.within_0_and_1(), axis=1, kind="stable")
    best = likeliest_last[:, -TOP_K:]
    found: Floats = (best == predictions.truth[:, None]).any(axis=1).astype(float)
    return found


# the metrics that are a mean over rows, and only those
ROW_VALUES: dict[str, Callable[[Predictions], Floats]] = {
    "accuracy": _right,
    "error_rate": lambda predictions: 1 - _right(predictions),
    "neg_log_loss": _log_likelihoods,
    "neg_brier_score": _negative_squares,
    "top_k_accuracy": _among_best,
}


def _has_what_it_needs(chosen: Metric, predictions: Predictions) -> bool:
    if chosen.needs == "labels":
        return True
    probabilities = predictions.probabilities
    if probabilities is None:
        return False
    # NaN fails both comparisons, so it is no probability
    are_probabilities = (probabilities >= -SLACK) & (probabilities <= 1 + SLACK)
    return bool(np.all(are_probabilities))


def _defined(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _by_scikit_learn(
    chosen: Metric, predictions: Predictions, weights: Floats | None = None
) -> float:
    from retraining.statistics.scorers import scorer_value  # slow to load, and seldom needed

    return scorer_value(chosen, predictions, weights)
