"""Metrics, intervals, paired comparison by blocks, slices, and drift. Arrays in, frozen records out; no files, no MLflow."""

from retraining.statistics.comparison import (
    MIN_BLOCKS,
    Estimate,
    PairedResult,
    compare,
    estimate,
    estimate_improvement,
    score_interval,
    spent_alpha,
    t_interval,
)
from retraining.statistics.metrics import Metric, Predictions, check_metric, metric, score, subset

__all__ = [
    "MIN_BLOCKS",
    "Estimate",
    "Metric",
    "PairedResult",
    "Predictions",
    "check_metric",
    "compare",
    "estimate",
    "estimate_improvement",
    "metric",
    "score",
    "score_interval",
    "spent_alpha",
    "subset",
    "t_interval",
]
