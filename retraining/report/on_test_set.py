"""What both models said about the test set, counted for pictures: confusion matrices, ROC curves,
calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retraining.report.material import TestSet
    from retraining.statistics import Predictions

    Integers = NDArray[np.integer[Any]]
    Floats = NDArray[np.floating[Any]]

MOST_CLASSES = 12  # a larger matrix is read by nobody; its most frequent confusions are
MOST_MISTAKES = 15
CURVE_POINTS = 100
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Curve:
    """A line in the unit square, and the one number that sums it up."""

    points: tuple[tuple[float, float], ...]
    summary: float


@dataclass(frozen=True)
class Confusion:
    """Rows by true class (k) and predicted class (k)."""

    counts: tuple[tuple[int, ...], ...]

    def share(self, truth: int, predicted: int) -> float:
        """The part of a true class's rows that was predicted as `predicted`, 0 where it has
        none.
        """
        return self.counts[truth][predicted] / max(1, sum(self.counts[truth]))


def confusion(predictions: Predictions) -> Confusion:
    """Count rows by true and predicted class."""
    count = predictions.class_count
    cells = np.bincount(_pairs(predictions, count), minlength=count**2)
    rows = cells.reshape(count, count).tolist()
    return Confusion(tuple(tuple(row) for row in rows))


def _pairs(predictions: Predictions, count: int) -> Integers:
    """True and predicted class (n,) as one number, true * count + predicted."""
    pairs = predictions.truth.astype(np.intp)  # small integers would overflow
    pairs *= count
    pairs += predictions.predicted
    return pairs


def frequent_mistakes(test_set: TestSet) -> list[tuple[str, str, int, int]]:
    """(true class, predicted class, champion's rows, challenger's rows) of the most frequent
    mistakes of both.
    """
    count = len(test_set.classes)
    pairs = [_pairs(model, count) for model in (test_set.champion, test_set.challenger)]
    codes, times = np.unique(np.concatenate(pairs), return_counts=True)
    wrong = codes // count != codes % count
    order = np.argsort(-times[wrong], kind="stable")[:MOST_MISTAKES]
    names = [str(name) for name in test_set.classes]
    mistakes = []
    for code in codes[wrong][order]:
        of_champion, of_challenger = (int(np.count_nonzero(pair == code)) for pair in pairs)
        true, predicted = names[code // count], names[code % count]
        mistakes.append((true, predicted, of_champion, of_challenger))
    return mistakes


def roc_curve(truth: Integers, probabilities: Floats) -> Curve | None:
    """The ROC curve of class 1 of two, thinned to what a picture shows, and its exact area.

    None where one class is absent.

    Rows of equal probability make one step, so that ties count half (Fawcett 2006).
    """
    positive = truth == 1
    if not 0 < positive.sum() < positive.size or not np.isfinite(probabilities).all():
        return None
    surest_first = np.argsort(-probabilities[:, 1], kind="stable")
    falls = np.flatnonzero(np.diff(probabilities[surest_first, 1]))
    steps = np.append(falls, positive.size - 1)
    hits_so_far = np.cumsum(positive[surest_first])[steps]
    alarms_so_far = np.cumsum(~positive[surest_first])[steps]
    hits = np.append(0.0, hits_so_far / positive.sum())
    alarms = np.append(0.0, alarms_so_far / (~positive).sum())
    kept = np.unique(np.linspace(0, hits.size - 1, CURVE_POINTS).round().astype(int))
    return Curve(_points(alarms[kept], hits[kept]), float(np.trapezoid(hits, alarms)))


def calibration(truth: Integers, probabilities: Floats) -> Curve | None:
    """Predicted probability against what came true, in ten bins of equal width, and the expected
    calibration error (Guo et al. 2017).

    Of two classes the probability of class 1 is judged, of more that of the class predicted.
    """
    if not truth.size or not np.isfinite(probabilities).all():
        return None
    if probabilities.shape[1] == 2:
        claimed, came_true = probabilities[:, 1], truth == 1
    else:
        claimed, came_true = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.clip((claimed * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
    rows = np.bincount(bins, minlength=CALIBRATION_BINS)
    held = rows > 0
    mean_claimed = np.bincount(bins, claimed, CALIBRATION_BINS)[held] / rows[held]
    mean_true = np.bincount(bins, came_true, CALIBRATION_BINS)[held] / rows[held]
    error = np.sum(rows[held] * np.abs(mean_claimed - mean_true)) / truth.size
    return Curve(_points(mean_claimed, mean_true), float(error))


def curves(predictions: Predictions) -> tuple[Curve | None, Curve | None]:
    """ROC (two classes only) and calibration of one model; None where it gave no probabilities."""
    if predictions.probabilities is None:
        return None, None
    roc = None
    if predictions.class_count == 2:
        roc = roc_curve(predictions.truth, predictions.probabilities)
    return roc, calibration(predictions.truth, predictions.probabilities)


def _points(across: Floats, up: Floats) -> tuple[tuple[float, float], ...]:
    pairs: Sequence[Sequence[float]] = np.column_stack((across, up)).tolist()
    return tuple((x, y) for x, y in pairs)
