"""Gains and losses per class, and per slice of the rows; a slice that loses much is a veto.

A veto needs two things: the slice loses more than the largest loss allowed, as printed, and that it
loses at all is significant by blocks, corrected for the number of slices (Holm, 1979). Without the
correction ten slices at 5 % each refuse 40 % of challengers that are as good; a test against the
allowed loss itself would wave through a slice that lost 8 points on 300 rows.
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

MIN_SLICE_ROWS = 100


def per_class(
    champion: Predictions, challenger: Predictions, classes: Sequence[Label]
) -> tuple[ClassResult, ...]:
    """Recall, precision and F1 of both models for each class.

    `classes` holds the name of each code.
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
    """Each slice's loss, in the order given.

    `slices` has a name and its rows, a mask (n,), of each.
    """
    estimates = {
        name: estimate_improvement(
            metric, subset(champion, rows), subset(challenger, rows), seed=seed
        )
        for name, rows in slices
    }
    judged = [
        name
        for name, estimate in estimates.items()
        if estimate.rows >= MIN_SLICE_ROWS and _is_sure(estimate)
    ]
    adjusted = dict(
        zip(judged, holm([_chance_of_loss(estimates[name]) for name in judged]), strict=True)
    )
    return tuple(
        _result(name, estimate, adjusted.get(name), max_loss, alpha)
        for name, estimate in estimates.items()
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values corrected for their number.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.

    >>> holm([0.01, 0.02, 0.5])
    (0.03, 0.04, 0.5)
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(stepped, 1)
    return tuple(float(value) for value in adjusted)


def _is_sure(estimate: Estimate) -> bool:
    return estimate.value is not None and estimate.standard_error is not None


def _chance_of_loss(estimate: Estimate) -> float:
    """One-sided p by Student's t, blocks - 1 degrees of freedom, of no loss."""
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
    counts = count_labels(predictions.truth, predictions.predicted, predictions.class_count)
    return [
        (_share(hits, support), _share(hits, predicted), _share(2 * hits, predicted + support))
        for hits, predicted, support in counts
    ]


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole > 0 else None
