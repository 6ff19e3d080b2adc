"""Estimates of many batches together: what a decision gained, and whether a version became worse.

Both are computed from one `Estimate` for each batch, so the rows are never needed again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from retraining.statistics.comparison import Estimate, PairedResult, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.metrics import Metric


def combine(batches: Sequence[Estimate]) -> Estimate:
    """The mean over batches, weighted by rows, and its standard error.

    It holds for these batches, not for batches to come: how much batches differ is no part of the
    error. Batches without a value are left out. If one of the others has no standard error, the
    mean has none.
    """
    known = [batch for batch in batches if batch.value is not None and batch.rows > 0]
    if not known:
        return Estimate(None, None, 0, 0)
    rows = np.array([batch.rows for batch in known], dtype=float)
    value = float(np.average([batch.value for batch in known], weights=rows))
    error = None
    if all(batch.standard_error is not None for batch in known):
        errors = np.array([batch.standard_error for batch in known], dtype=float)
        error = float(np.linalg.norm(errors * rows)) / float(rows.sum())
    return Estimate(value, error, int(rows.sum()), sum(batch.blocks for batch in known))


def compare_with_record(
    metric: Metric, record: Sequence[Estimate], current: Estimate, *, confidence: float = 0.95
) -> PairedResult:
    """A version's score on the newest batch against its own earlier batches.

    The verdict `worse` is a significant drop. With three earlier batches or more, the error also
    holds how much the score moves from batch to batch beyond chance. That is computed from
    successive differences (von Neumann and others, The Mean Square Successive Difference, 1941), so
    that a slow decline stays visible. A plain variance would take it for noise.

    Args:
        metric: of all these scores.
        record: the earlier batches, oldest first; those without a standard error are left out.
        current: the newest batch.
        confidence: of the two-sided interval.

    Returns:
        `improvement` is current minus record, > 0 where the version now does better.
    """
    known = [
        batch for batch in record if batch.value is not None and batch.standard_error is not None
    ]
    past = combine(known)
    if (
        past.value is None
        or past.standard_error is None
        or current.value is None
        or current.standard_error is None
    ):
        return PairedResult(None, None, "not_enough_evidence", None, current.rows, current.blocks)
    change = current.value - past.value if metric.greater_is_better else past.value - current.value
    between = _variance_between(known) * (1 + 1 / len(known))
    error = math.sqrt(past.standard_error**2 + current.standard_error**2 + between)
    return judge(
        Estimate(change, error, current.rows, current.blocks), confidence=confidence, min_rows=0
    )


def _variance_between(batches: Sequence[Estimate]) -> float:
    """How much scores vary from batch to batch beyond their errors; 0 with fewer than three."""
    if len(batches) < 3:
        return 0.0
    values = np.array([batch.value for batch in batches], dtype=float)
    errors = np.array([batch.standard_error for batch in batches], dtype=float)
    between = np.mean(np.diff(values) ** 2) / 2
    within = np.mean(errors**2)
    return max(0.0, float(between - within))
