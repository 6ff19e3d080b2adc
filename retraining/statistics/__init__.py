"""Metrics, intervals, paired comparison by blocks, slices, copies, calibration, and drift.

Arrays in, frozen records out; no files, no MLflow.
"""

from retraining.metrics import Metric, check_metric, metric
from retraining.statistics.calibration import (
    Calibration,
    NotCalibrated,
    calibrated,
    calibration_from_json,
    fit_calibration,
)
from retraining.statistics.comparison import (
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
from retraining.statistics.copies import Delivery, are_few, copied_rows
from retraining.statistics.drift import benjamini_hochberg, drift, expected_psi
from retraining.statistics.expected_score import expected_score, noise_of_labels
from retraining.statistics.histograms import (
    CategoryBins,
    NumberBins,
    category_bins,
    category_codes,
    category_histograms,
    number_bins,
    number_histograms,
)
from retraining.statistics.metrics import Predictions, score, subset
from retraining.statistics.over_batches import combine, compare_with_record
from retraining.statistics.resampling import numbered
from retraining.statistics.slices import judge_slices, per_class

__all__ = [
    "Calibration",
    "CategoryBins",
    "Delivery",
    "Estimate",
    "Metric",
    "NotCalibrated",
    "NumberBins",
    "PairedResult",
    "Predictions",
    "are_few",
    "benjamini_hochberg",
    "calibrated",
    "calibration_from_json",
    "category_bins",
    "category_codes",
    "category_histograms",
    "check_metric",
    "combine",
    "compare",
    "compare_with_record",
    "copied_rows",
    "drift",
    "estimate",
    "estimate_improvement",
    "expected_psi",
    "expected_score",
    "fit_calibration",
    "judge",
    "judge_slices",
    "metric",
    "noise_of_labels",
    "number_bins",
    "number_histograms",
    "numbered",
    "per_class",
    "score",
    "score_interval",
    "spent_alpha",
    "subset",
    "t_interval",
]
