"""What a model scored on labelled rows, under any of scikit-learn's classification metrics.

Labels are codes 0..k-1, given by the caller; with two classes the positive class is coded 1. A
score is None where the rows cannot tell it (no rows, one class only for ROC AUC): never NaN, never
an exception.
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

SLACK = 1e-6  # rounding that a probability may show beyond 0 and 1


@dataclass(frozen=True)
class Predictions:
    """One model's answers beside the truth.

    Attributes:
        truth: (n,) label codes in 0..k-1.
        predicted: (n,) label codes in 0..k-1.
        probabilities: (n, k), column c for code c, or None where the model gives none.
        blocks: (n,) block of each row: a file, or a run of a file. Any integers.
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
        if self.probabilities is not None and self.probabilities.shape != (
            *shape,
            self.class_count,
        ):
            raise ValueError(
                f"probabilities {self.probabilities.shape} must be ({shape[0]}, {self.class_count})"
            )

    def within_0_and_1(self) -> Floats:
        """(n, k) the probabilities, without what rounding put beyond 0 and 1."""
        assert self.probabilities is not None, "callers look whether the model gives probabilities"
        return np.clip(self.probabilities, 0, 1)


def score(chosen: Metric, predictions: Predictions) -> float | None:
    """The metric's value over all rows, equal to that of scikit-learn's scorer.

    None where it is undefined.

    Two differences, both where the truth lacks a class that the model knows: log loss and Brier
    score are told (the scorer raises), and recall, F1 or Jaccard of a positive class that has no
    row is None (the scorer warns and says 0).
    """
    if predictions.truth.size == 0 or not _has_what_it_needs(chosen, predictions):
        return None
    values = row_values(chosen, predictions)
    if values is not None:
        return float(values.mean())
    if chosen.computed_from == "counts":
        counts = count_labels(predictions.truth, predictions.predicted, predictions.class_count)
        return _defined(float(label_score(chosen.name, counts)))
    return _defined(_scikit_learns(chosen, predictions))


def weighted_score(chosen: Metric, predictions: Predictions, weights: Floats) -> float | None:
    """What scikit-learn's scorer says where rows weigh (n,) more or less.

    None where it is undefined, or takes no weights.
    """
    if predictions.truth.size == 0 or not _has_what_it_needs(chosen, predictions):
        return None
    return _defined(_scikit_learns(chosen, predictions, weights))


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
    right: Floats = (predictions.predicted == predictions.truth).astype(float)
    return right


def _log_likelihoods(predictions: Predictions) -> Floats:
    """Clipped at the epsilon of the probabilities' type, as scikit-learn does."""
    probabilities = predictions.within_0_and_1()
    epsilon = np.finfo(probabilities.dtype).eps
    of_truth = probabilities[np.arange(predictions.truth.size), predictions.truth]
    logarithms: Floats = np.log(np.clip(of_truth, epsilon, 1 - epsilon))
    return logarithms


def _negative_squares(predictions: Predictions) -> Floats:
    """Brier (1950): with two classes one column counts, with more all of them, as in
    scikit-learn.
    """
    one_hot = predictions.truth[:, None] == np.arange(predictions.class_count)
    squares: Floats = (predictions.within_0_and_1() - one_hot) ** 2
    return -squares[:, 1] if predictions.class_count == 2 else -squares.sum(axis=1)


def _among_best(predictions: Predictions) -> Floats:
    best = np.argsort(predictions.within_0_and_1(), axis=1, kind="stable")[:, ::-1][:, :TOP_K]
    found: Floats = (best == predictions.truth[:, None]).any(axis=1).astype(float)
    return found


# the metrics that are told by rows, and only those
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
    # NaN fails both comparisons, so it counts as a probability that is none
    return probabilities is not None and bool(
        np.all((probabilities >= -SLACK) & (probabilities <= 1 + SLACK))
    )


def _defined(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _scikit_learns(
    chosen: Metric, predictions: Predictions, weights: Floats | None = None
) -> float:
    from retraining.statistics.scorers import scorer_value  # loads what most scores need not

    return scorer_value(chosen, predictions, weights)
