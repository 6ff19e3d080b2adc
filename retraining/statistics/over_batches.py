"""Estimates of many batches put together: for hindsight on a decision, and for whether a version
has become worse than its own record.

Both work on one `Estimate` a batch (value, standard error, rows, blocks), so that they never need
the rows again.
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
    """The mean over batches, weighted by rows, and its error.

    `t_interval` makes the interval of it.

    It tells what was gained on those batches, not on batches to come: how much batches differ is no
    part of the error. Batches without a value are left out; an error that one batch lacks is
    lacking altogether.
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
    """A version's score on the newest batch against its own earlier batches, oldest first: `worse`
    is a significant drop.

    `improvement` is current less record, > 0 where it now does better. With three earlier batches
    or more, the error also holds how much its score moves from batch to batch beyond chance, by
    successive differences (von Neumann, 1941): a slow decline stays visible against them, where a
    plain variance would take it for noise.
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
    if len(batches) < 3:
        return 0.0
    values = np.array([batch.value for batch in batches], dtype=float)
    errors = np.array([batch.standard_error for batch in batches], dtype=float)
    between = np.mean(np.diff(values) ** 2) / 2
    within = np.mean(errors**2)
    return max(0.0, float(between - within))
