"""The RETRAIN_THRESHOLD that a registration suggests, and where it comes from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from retraining.metrics import METRICS
from retraining.registering.baseline import scored_by
from retraining.statistics import check_metric, metric

if TYPE_CHECKING:
    from retraining.registering.baseline import Baseline

ROWS_COUNT_ALIKE = ("accuracy", "error_rate")  # metrics in which a rare class hardly counts


def suggested_threshold(baseline: Baseline, *, greater_is_better: bool) -> float:
    """The worse end of the baseline's interval, rounded outwards to two decimals.

    A score beyond it is worse by more than chance. With too few blocks for an interval, a share's
    rows are taken as independent (Wald's 95 % interval).
    """
    interval = baseline.score.interval if baseline.score is not None else None
    low, high = interval or _interval_of_independent_rows(baseline)
    # rounding to the nearest would suggest 1 for 0.9979, which no score reaches for long
    if greater_is_better:
        return math.floor(round(low * 100, 6)) / 100
    return math.ceil(round(high * 100, 6)) / 100


def suggested_thresholds(baseline: Baseline, confidence: float) -> dict[str, float]:
    """METRIC -> the RETRAIN_THRESHOLD to suggest to a person who changes METRIC to it later.

    Metrics that cannot be computed from the baseline's answers are left out, and those that take
    long.
    """
    answers = baseline.answers
    if baseline.score is None or answers is None:
        return {}
    suggested: dict[str, float] = {}
    for name, one in METRICS.items():
        is_quick = one.computed_from != "scorer"  # which is asked again for every block
        has_answers = one.needs == "labels" or answers.probabilities is not None
        if not (is_quick and has_answers):
            continue
        try:
            check_metric(metric(name), answers.class_count)
        except ValueError:
            continue
        scored = replace(baseline, score=scored_by(name, answers, confidence))
        greater = one.greater_is_better
        threshold = suggested_threshold(scored, greater_is_better=greater)
        if scored.value is not None and (threshold or not greater):
            suggested[name] = threshold
    return suggested


def threshold_source(baseline: Baseline, *, greater_is_better: bool) -> str:
    """Where the suggested threshold comes from, in words."""
    side = "lower" if greater_is_better else "upper"
    if baseline.score is not None and baseline.score.interval is not None:
        move = "fall below" if greater_is_better else "rise above"
        return f"the {side} end of the interval: a {move} it is more than chance"
    rows = _rows_it_rests_on(baseline)
    if not _margin_of_independent_rows(float(baseline.value or 0.0), rows):
        return "the score itself, for there is no interval"
    what = f"the {side} end of what chance does to a share of {rows:,} independent rows"
    if baseline.score is not None and rows < baseline.score.rows:
        return f"{what}: {baseline.score.rows:,} rows count as so few, because one class is rare"
    return what


def _rows_it_rests_on(baseline: Baseline) -> int:
    """How many rows the score rests on: all of them if all count alike, else fewer if one class is
    rare.

    A mean over K classes of n_k rows varies as a share of K^2 / sum(1 / n_k) rows does.
    """
    if baseline.score is None:
        return 0
    if baseline.score.metric in ROWS_COUNT_ALIKE or baseline.answers is None:
        return baseline.score.rows
    _, counts = np.unique(baseline.answers.truth, return_counts=True)
    return round(len(counts) ** 2 / float(np.sum(1 / counts)))


def _interval_of_independent_rows(baseline: Baseline) -> tuple[float, float]:
    value = float(baseline.value or 0.0)
    margin = _margin_of_independent_rows(value, _rows_it_rests_on(baseline))
    low = max(value - margin, 0.0) if margin else value  # a score that is no share may be below 0
    return low, value + margin


def _margin_of_independent_rows(value: float, rows: int) -> float:
    """Half of Wald's 95 % interval of a share; 0 where the value is no share."""
    if not (0 <= value <= 1 and rows):
        return 0.0
    return 1.96 * math.sqrt(value * (1 - value) / rows)
