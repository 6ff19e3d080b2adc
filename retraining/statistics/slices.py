"""Gains and losses per class, and per slice of the rows; a slice that loses much is a veto.

A veto needs two things. The slice's measured loss is more than the largest loss allowed, and it is
significant by blocks that the slice loses at all. The test is corrected for the number of slices
(Holm, 1979): without that, ten slices at 5 % each would refuse up to 40 % of the challengers that
are as good. It is not a test against the allowed loss, which would pass large losses on few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from retraining.records import ClassResult, SliceResult
from retraining.statistics.comparison import Estimate, estimate_improvement
from retraining.statistics.label_metrics import count_labels
from retraining.statistics.metrics import Predictions, subset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from retraining.metrics import Metric
    from retraining.records import Label

MIN_SLICE_ROWS = 100  # a smaller slice is never a veto


def per_class(
    champion: Predictions, challenger: Predictions, classes: Sequence[Label]
) -> tuple[ClassResult, ...]:
    """Recall, precision and F1 of both models for each class.

    `classes` (k,) are the labels by their codes.
    """
    before, after = _rates(champion), _rates(challenger)
    support = np.bincount(champion.truth, minlength=champion.class_count)
    return tuple(
        ClassResult(name, int(rows), *old, *new)
        for name, rows, old, new in zip(classes, support, before, after, strict=True)
    )


def judge_slices(
    metric: Metric,
    champion: Predictions,
    challenger: Predictions,
    slices: Iterable[tuple[str, NDArray[np.bool_]]],
    *,
    max_loss: float,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[SliceResult, ...]:
    """Each slice's loss, and whether it is a veto, in the order given.

    Args:
        metric: that the loss is measured by.
        champion: its answers on all rows (n,).
        challenger: its answers on the same rows.
        slices: the name of each, and its rows, a mask (n,).
        max_loss: the largest loss that is no veto, in the metric's unit.
        alpha: the significance level of all slices together.
        seed: of the resamples.

    Raises:
        ValueError: the two were not scored on the same rows, blocks and classes.
    """
    estimates = {
        name: estimate_improvement(
            metric, subset(champion, rows), subset(challenger, rows), seed=seed
        )
        for name, rows in slices
    }
    p_values = {
        name: _p_of_no_loss(estimate)
        for name, estimate in estimates.items()
        if estimate.rows >= MIN_SLICE_ROWS and _is_sure(estimate)
    }
    adjusted = dict(zip(p_values, holm([*p_values.values()]), strict=True))
    return tuple(
        _result(name, estimate, adjusted.get(name), max_loss, alpha)
        for name, estimate in estimates.items()
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values corrected for their number, in the order given.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.

    >>> holm([0.01, 0.02, 0.5])
    (0.03, 0.04, 0.5)
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    hypotheses_left = np.arange(p.size, 0, -1)
    stepped = np.maximum.accumulate(p[order] * hypotheses_left)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(stepped, 1)
    return tuple(float(value) for value in adjusted)


def _is_sure(estimate: Estimate) -> bool:
    return estimate.value is not None and estimate.standard_error is not None


def _p_of_no_loss(estimate: Estimate) -> float:
    """The one-sided p value of no loss, by Student's t with blocks - 1 degrees of freedom."""
    assert estimate.value is not None
    assert estimate.standard_error is not None
    if estimate.standard_error == 0:
        return 0.0 if estimate.value < 0 else 1.0
    return float(special.stdtr(estimate.blocks - 1, estimate.value / estimate.standard_error))


def _result(
    name: str, estimate: Estimate, p: float | None, max_loss: float, alpha: float
) -> SliceResult:
    loss = None if estimate.value is None else 0.0 - estimate.value
    vetoes = loss is not None and p is not None and loss > max_loss and p < alpha
    return SliceResult(name, estimate.rows, estimate.blocks, loss, p, vetoes)


def _rates(predictions: Predictions) -> list[tuple[float | None, float | None, float | None]]:
    """Recall, precision and F1 of each class; None where there is nothing to divide by."""
    counts = count_labels(predictions.truth, predictions.predicted, predictions.class_count)
    return [
        (_share(hits, support), _share(hits, predicted), _share(2 * hits, predicted + support))
        for hits, predicted, support in counts
    ]


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole > 0 else None
