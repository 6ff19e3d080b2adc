"""Metrics, intervals, paired comparison by blocks, slices, and drift. Arrays in, frozen records out; no files, no MLflow."""

from retraining.statistics.comparison import (
    MIN_BLOCKS,
    Estimate,
    PairedResult,
    compare,
    estimate,
    estimate_improvement,
    judge,
    score_interval,
    spent_alpha,
    t_interval,
)
from retraining.statistics.metrics import Metric, Predictions, check_metric, metric, score, subset
from retraining.statistics.over_batches import combine, compare_with_record
from retraining.statistics.slices import ClassResult, SliceResult, judge_slices, per_class

__all__ = [
    "MIN_BLOCKS",
    "ClassResult",
    "Estimate",
    "Metric",
    "PairedResult",
    "Predictions",
    "SliceResult",
    "check_metric",
    "combine",
    "compare",
    "compare_with_record",
    "estimate",
    "estimate_improvement",
    "judge",
    "judge_slices",
    "metric",
    "per_class",
    "score",
    "score_interval",
    "spent_alpha",
    "subset",
    "t_interval",
]
