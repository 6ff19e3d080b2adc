"""How sure a score is, and whether the challenger is better than the champion on the same rows.

Intervals are the estimate plus or minus Student's t times its error over blocks, with one degree of
freedom less than there are blocks. Percentiles of a bootstrap were tried and hold 87 % instead of
95 % with ten blocks; t also reaches the levels that spent alpha asks for, far out where 2,000
resamples have no percentile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from retraining.statistics.metrics import Predictions, score
from retraining.statistics.resampling import numbered, standard_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.metrics import Metric
    from retraining.records import Verdict

# fewer tell too little of how much blocks differ: no interval, no verdict
BLOCKS_FOR_AN_INTERVAL = 5


@dataclass(frozen=True)
class Estimate:
    """A value over rows, and its standard error over blocks: None where undefined, or under two
    blocks.
    """

    value: float | None
    standard_error: float | None
    rows: int
    blocks: int


@dataclass(frozen=True)
class PairedResult:
    """Champion against challenger on the same rows.

    Attributes:
        improvement: the plain difference of the two scores, signed so that > 0 means that the
            challenger is better; None where either score is undefined.
        interval: always holds the improvement. Where there are too few rows or blocks to judge it
            is stretched to hold zero too, so that words and numbers agree; None under two blocks.
        verdict: `better` or `worse` exactly if the interval leaves out zero.
        standard_error: of the improvement, over blocks.
        rows: on which both were scored.
        blocks: in which those rows lie.
    """

    improvement: float | None
    interval: tuple[float, float] | None
    verdict: Verdict
    standard_error: float | None
    rows: int
    blocks: int


def estimate(metric: Metric, predictions: Predictions, *, seed: int = 0) -> Estimate:
    """A model's score and its error: what `combine` and `significant_drop` work on."""
    return _estimate(metric, (predictions,), score(metric, predictions), seed=seed)


def estimate_improvement(
    metric: Metric, champion: Predictions, challenger: Predictions, *, seed: int = 0
) -> Estimate:
    """What the challenger gains over the champion (> 0: it is better) and the error of that.

    Raises:
        ValueError: the two were not scored on the same rows.
    """
    same = (
        np.array_equal(champion.truth, challenger.truth),
        np.array_equal(champion.blocks, challenger.blocks),
    )
    if not all(same) or champion.class_count != challenger.class_count:
        raise ValueError(
            "champion and challenger must be scored on the same rows, blocks and classes"
        )
    before, after = score(metric, champion), score(metric, challenger)
    if before is None or after is None:
        return _estimate(metric, (champion, challenger), None, seed=seed)
    gain = after - before if metric.greater_is_better else before - after
    return _estimate(metric, (champion, challenger), gain, seed=seed)


def score_interval(
    metric: Metric, predictions: Predictions, confidence: float = 0.95, *, seed: int = 0
) -> tuple[float, float] | None:
    """Interval of a model's score, kept within the metric's range.

    None under five blocks or where the score is undefined.
    """
    found = estimate(metric, predictions, seed=seed)
    interval = t_interval(found, confidence)
    if interval is None or found.blocks < BLOCKS_FOR_AN_INTERVAL:
        return None
    lowest, highest = metric.low, metric.high
    return max(lowest, interval[0]), min(highest, interval[1])


def compare(
    metric: Metric,
    champion: Predictions,
    challenger: Predictions,
    *,
    confidence: float,
    min_rows: int,
    seed: int = 0,
) -> PairedResult:
    """Compare two models on the same rows at a two-sided confidence such as 0.95.

    Under five blocks or `min_rows` rows the verdict is not enough evidence.

    Raises:
        ValueError: the two were not scored on the same rows.
    """
    found = estimate_improvement(metric, champion, challenger, seed=seed)
    return judge(found, confidence=confidence, min_rows=min_rows)


def judge(measured: Estimate, *, confidence: float, min_rows: int) -> PairedResult:
    """The interval and the verdict that an estimated improvement deserves."""
    interval = t_interval(measured, confidence)
    if interval is not None and (
        measured.blocks < BLOCKS_FOR_AN_INTERVAL or measured.rows < min_rows
    ):
        interval = min(interval[0], 0.0), max(interval[1], 0.0)
    return PairedResult(
        measured.value,
        interval,
        _verdict(interval),
        measured.standard_error,
        measured.rows,
        measured.blocks,
    )


def spent_alpha(alpha: float, attempt: int) -> float:
    """The alpha for the k-th attempt (from 1) against the same champion: alpha * 6 / (pi^2 k^2).

    These add up to alpha over all k (Euler's sum of 1/k^2), so by the union bound an equal
    challenger is promoted with probability alpha at most, however many nights ask. The guarantee is
    per champion: a promotion starts the count anew.

    Raises:
        ValueError: attempts are counted from 1.

    >>> [round(spent_alpha(0.05, attempt), 4) for attempt in (1, 2, 3)]
    [0.0304, 0.0076, 0.0034]
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return alpha * 6 / (math.pi**2 * attempt**2)


def t_interval(measured: Estimate, confidence: float) -> tuple[float, float] | None:
    """The estimate's interval by Student's t with blocks - 1 degrees of freedom.

    None where its error is not known.
    """
    if measured.value is None or measured.standard_error is None or measured.blocks < 2:
        return None
    half = (
        float(special.stdtrit(measured.blocks - 1, (1 + confidence) / 2)) * measured.standard_error
    )
    return measured.value - half, measured.value + half


def _estimate(
    metric: Metric, models: Sequence[Predictions], value: float | None, *, seed: int
) -> Estimate:
    blocks, count = numbered(models[0].blocks)
    error = None
    if value is not None and count > 1:
        error = standard_error(metric, models, blocks, seed=seed)
    return Estimate(value, error, models[0].truth.size, count)


def _verdict(interval: tuple[float, float] | None) -> Verdict:
    if interval is None:
        return "not_enough_evidence"
    if interval[0] > 0:
        return "better"
    return "worse" if interval[1] < 0 else "not_enough_evidence"
