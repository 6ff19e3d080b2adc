"""How sure a score is, and whether the challenger is better than the champion on the same rows.

An interval is the estimate plus or minus Student's t times its standard error over blocks, with one
degree of freedom less than there are blocks. Percentiles of a bootstrap would not do: with few
blocks such intervals are too short, and 2,000 resamples have no percentile as far out as
`spent_alpha` asks for.
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

# fewer say too little of how much blocks differ: no interval of a score, and no verdict
BLOCKS_FOR_AN_INTERVAL = 5


@dataclass(frozen=True)
class Estimate:
    """A value over rows, and its standard error over blocks.

    Attributes:
        value: in the metric's own unit; None where it is undefined.
        standard_error: in the same unit; None where the value is, or with fewer than two blocks.
        rows: that it was measured on.
        blocks: in which those rows lie.
    """

    value: float | None
    standard_error: float | None
    rows: int
    blocks: int


@dataclass(frozen=True)
class PairedResult:
    """Champion against challenger on the same rows.

    Attributes:
        improvement: the difference of the two scores, signed so that > 0 means that the challenger
            is better; None where either score is undefined.
        interval: of the improvement, which it always holds. With too few rows or blocks for a
            verdict it is stretched to hold zero too, so that words and numbers agree. None where
            the standard error is.
        verdict: `better` or `worse` exactly if the interval leaves out zero.
        standard_error: of the improvement, over blocks; None where it is not known.
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
    """A model's score and its standard error: what `combine` and `compare_with_record` work on."""
    return _estimate(metric, (predictions,), score(metric, predictions), seed=seed)


def estimate_improvement(
    metric: Metric, champion: Predictions, challenger: Predictions, *, seed: int = 0
) -> Estimate:
    """The challenger's gain over the champion (> 0: it is better), and its standard error.

    Raises:
        ValueError: the two were not scored on the same rows, blocks and classes.
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

    None with fewer than five blocks, or where the score or its standard error is not known.
    """
    measured = estimate(metric, predictions, seed=seed)
    interval = t_interval(measured, confidence)
    if interval is None or measured.blocks < BLOCKS_FOR_AN_INTERVAL:
        return None
    low, high = interval
    return max(metric.low, low), min(metric.high, high)


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

    With fewer than five blocks or `min_rows` rows the verdict is `not_enough_evidence`.

    Raises:
        ValueError: the two were not scored on the same rows, blocks and classes.
    """
    measured = estimate_improvement(metric, champion, challenger, seed=seed)
    return judge(measured, confidence=confidence, min_rows=min_rows)


def judge(measured: Estimate, *, confidence: float, min_rows: int) -> PairedResult:
    """The interval and the verdict that an estimated improvement deserves."""
    interval = t_interval(measured, confidence)
    too_few = measured.blocks < BLOCKS_FOR_AN_INTERVAL or measured.rows < min_rows
    if interval is not None and too_few:
        low, high = interval
        interval = min(low, 0.0), max(high, 0.0)
    return PairedResult(
        measured.value,
        interval,
        _verdict(interval),
        measured.standard_error,
        measured.rows,
        measured.blocks,
    )


def spent_alpha(alpha: float, attempt: int) -> float:
    """The significance level of the k-th attempt against one champion: alpha * 6 / (pi^2 k^2).

    Over all k from 1 these add up to alpha, because the sum of 1/k^2 is pi^2 / 6 (Euler). So by the
    union bound an equally good challenger is promoted with a probability of at most alpha, however
    many attempts there are. This holds for each champion: a promotion starts the count anew.

    Raises:
        ValueError: the attempt is less than 1.

    >>> [round(spent_alpha(0.05, attempt), 4) for attempt in (1, 2, 3)]
    [0.0304, 0.0076, 0.0034]
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return alpha * 6 / (math.pi**2 * attempt**2)


def t_interval(measured: Estimate, confidence: float) -> tuple[float, float] | None:
    """The estimate's two-sided interval by Student's t with blocks - 1 degrees of freedom.

    None where the value or its standard error is not known.
    """
    if measured.value is None or measured.standard_error is None or measured.blocks < 2:
        return None
    t = float(special.stdtrit(measured.blocks - 1, (1 + confidence) / 2))
    half = t * measured.standard_error
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
